//! A key that says anything at all: nothing panics, and no secret is tried more often than it may be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod scripted;

use gm::{PublicKey, envelope::EnvelopeFields};
use model::Secret;
use proptest::prelude::*;
use scripted::{G, bytes, dialect};
use ukey::{
    Application, Authenticated, CardTransport, CertKind, ContainerId, FileInfo, NewApplication, Open,
    PinType, Session, TransportError, User, ins,
};

/// Answers rightly `good` times, then with whatever it was given, and keeps what it saw.
#[derive(Debug)]
struct Anything {
    good: usize,
    replies: Vec<Vec<u8>>,
    next: usize,
    seen: Vec<(u8, Vec<u8>)>,
}

impl Anything {
    fn new(good: usize, replies: Vec<Vec<u8>>) -> Self {
        Self { good, replies, next: 0, seen: Vec::new() }
    }
}

impl CardTransport for Anything {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let ins = command[1];
        let reply = if self.good > 0 {
            self.good -= 1;
            right_reply(ins, command)
        } else {
            let reply = self.replies.get(self.next % self.replies.len().max(1)).cloned().unwrap_or_default();
            self.next += 1;
            reply
        };
        self.seen.push((ins, reply.clone()));
        // The port's own rule: fewer than two bytes are a removal, except that a careless transport hands them on.
        Ok(reply)
    }
}

fn right_reply(ins: u8, command: &[u8]) -> Vec<u8> {
    let mut reply = match ins {
        ins::OPEN_APPLICATION => vec![0; 10],
        ins::GET_PIN_INFO => vec![10, 10, 0],
        ins::GEN_RANDOM => vec![7; usize::from(command[6])],
        _ => Vec::new(),
    };
    reply.extend([0x90, 0]);
    reply
}

/// Bytes of any kind, mostly successes, often of lengths that some command expects.
fn reply() -> impl Strategy<Value = Vec<u8>> {
    let data = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        proptest::sample::select(vec![2usize, 3, 8, 10, 11, 12, 16, 64, 68, 288])
            .prop_flat_map(|len| proptest::collection::vec(any::<u8>(), len)),
    ];
    let status = prop_oneof![
        4 => Just([0x90, 0]),
        1 => (0u8..16).prop_map(|left| [0x63, 0xC0 | left]),
        1 => any::<[u8; 2]>(),
    ];
    prop_oneof![
        8 => (data, status).prop_map(|(mut data, status)| { data.extend(status); data }),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ]
}

fn profiles() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["ukey/virtual", "longmai/gm3000", "syno/as568"])
}

fn secret() -> Secret {
    Secret::new(vec![5; 16])
}

fn at_any_level<L>(session: &mut Session<&mut Anything, L>) {
    let _ = session.device_info();
    let _ = session.set_label("L");
    let _ = session.enumerate_applications();
    let _ = session.random(16);
}

fn authenticated(session: &mut Session<&mut Anything, Authenticated>) {
    at_any_level(session);
    let _ = session.change_device_key(&secret(), &secret());
    let new = NewApplication {
        name: "A".into(),
        admin_pin: secret(),
        admin_tries: 10,
        user_pin: secret(),
        user_tries: 10,
        rights: 0x10,
        containers: 1,
        certificates: 2,
        files: 0,
    };
    let _ = session.create_application(&new);
    let _ = session.delete_application("A");
}

fn application(session: &mut Session<&mut Anything, Application>) {
    at_any_level(session);
    let _ = session.pin_info(PinType::User);
    let _ = session.verify_admin_pin(&secret());
    let _ = session.unblock_pin(&secret(), &secret());
    let _ = session.change_pin(PinType::Admin, &secret(), &secret());
    let _ = session.clear_secure_state();
    let _ = session.create_file("f", FileInfo { size: 1, read_rights: 0, write_rights: 0 });
    let _ = session.enumerate_files();
    let _ = session.file_info("f");
    let _ = session.read_file("f", 0, 8);
    let _ = session.write_file("f", 0, &[1]);
    let _ = session.delete_file("f");
}

fn user(session: &mut Session<&mut Anything, User>) {
    at_any_level(session);
    let id = session.create_container("C").unwrap_or(ContainerId([0, 1]));
    let _ = session.open_container("C");
    let _ = session.enumerate_containers();
    let _ = session.container_info("C");
    let _ = session.generate_key_pair(id);
    let _ = session.sign_digest(id, &[1; 32]);
    let _ = session.sign_message(id, b"id", b"message");
    let xy = bytes(G).try_into().unwrap();
    let public_key = PublicKey::from_xy(&xy).unwrap();
    let envelope =
        EnvelopeFields { public_key, encrypted_private: [0; 32], c1: xy, c3: [0; 32], c2: [0; 16] };
    let _ = session.import_key_pair(id, &envelope);
    for kind in [CertKind::Sign, CertKind::Encryption] {
        let _ = session.import_certificate(id, kind, &[0x30, 0]);
        let _ = session.export_certificate(id, kind);
        let _ = session.export_public_key(id, kind);
    }
    let _ = session.close_container(id);
    let _ = session.delete_container("C");
}

fn open<'a>(key: &'a mut Anything, profile: &str) -> Session<&'a mut Anything, Open> {
    Session::open(key, &dialect(profile))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_reply_panics_a_device_session(
        profile in profiles(), good in 0usize..3, replies in proptest::collection::vec(reply(), 1..20),
    ) {
        let mut key = Anything::new(good, replies);
        match open(&mut key, profile).authenticate(&secret()) {
            Ok(mut session) => {
                authenticated(&mut session);
                let _ = session.open_application("A");
            }
            Err(mut refused) => {
                at_any_level(&mut refused.session);
                let _ = refused.error.to_string();
            }
        }
    }

    #[test]
    fn no_reply_panics_an_application_session(
        profile in profiles(), good in 1usize..8, replies in proptest::collection::vec(reply(), 1..20),
    ) {
        let mut key = Anything::new(good, replies);
        if let Ok(mut session) = open(&mut key, profile).open_application("A") {
            application(&mut session);
            let _ = session.close();
        }
    }

    #[test]
    fn no_reply_panics_a_user_session(
        profile in profiles(), good in 4usize..8, replies in proptest::collection::vec(reply(), 1..40),
    ) {
        let mut key = Anything::new(good, replies);
        let session = open(&mut key, profile).open_application("A").unwrap();
        let mut session = session.verify_user_pin(&secret()).unwrap();
        user(&mut session);
        let _ = session.clear_secure_state();
    }

    #[test]
    fn a_pin_is_tried_at_most_once_and_only_after_two_tries_were_read(
        profile in profiles(), good in 1usize..4, replies in proptest::collection::vec(reply(), 1..8),
    ) {
        let mut key = Anything::new(good, replies);
        let session = open(&mut key, profile).open_application("A").unwrap();
        let _ = session.verify_user_pin(&secret());
        let tried: Vec<_> = (0..key.seen.len()).filter(|at| key.seen[*at].0 == ins::VERIFY_PIN).collect();
        prop_assert!(tried.len() <= 1);
        for at in tried {
            let (before, reply) = &key.seen[at - 2];
            prop_assert!(*before == ins::GET_PIN_INFO && reply[1] >= 2, "{:02X?}", key.seen);
            prop_assert_eq!(key.seen[at - 1].0, ins::GEN_RANDOM);
        }
    }

    #[test]
    fn a_device_key_is_not_tried_after_one_try_was_heard_to_be_left(
        profile in profiles(), answers in proptest::collection::vec(0u8..16, 1..12),
    ) {
        let wrong: Vec<_> = answers.iter().map(|left| vec![0x63, 0xC0 | left]).collect();
        let mut key = Anything::new(0, Vec::new());
        // Random bytes as asked for, then a wrong try, over and over.
        let len = usize::from(dialect(profile).device_auth.random_len);
        for reply in wrong {
            let mut random = vec![3; len];
            random.extend([0x90, 0]);
            key.replies.extend([random, reply]);
        }
        let mut session = open(&mut key, profile);
        for _ in 0..20 {
            session = match session.authenticate(&secret()) {
                Ok(_) => unreachable!("no try is right"),
                Err(refused) => refused.session,
            };
        }
        let tried = key.seen.iter().filter(|(ins, _)| *ins == ins::DEV_AUTH).count();
        match answers.iter().position(|left| *left <= 1) {
            Some(last) => prop_assert_eq!(tried, last + 1),
            None => prop_assert_eq!(tried, 20),
        }
    }
}
