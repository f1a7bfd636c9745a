//! What a key answers: any bytes in place of replies, in every dialect, at every level of a session.

use std::{path::Path, sync::LazyLock};

use model::Secret;
use profile::{Dialect, Profile};
use ukey::{
    Application, Authenticated, CardTransport, CertKind, ContainerId, DeviceInfo, FileInfo, KeyKind,
    NewApplication, PinType, Session, TransportError, User, apdu::Reply, fields, ins,
};

/// Every shipped profile.
static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../firmware-profiles");
    profile::load_dir(&folder).unwrap_or_else(|error| panic!("{error}"))
});

/// Commands that one session may send here; more would only repeat.
const COMMANDS_MAX: usize = 200;

/// Answers rightly `good` times, then with what it was given; keeps what was sent.
#[derive(Debug)]
struct Anything<'a> {
    good: usize,
    replies: &'a [u8],
    seen: Vec<(u8, Vec<u8>)>,
}

impl CardTransport for Anything<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        if self.seen.len() == COMMANDS_MAX {
            return Err(TransportError::Removed);
        }
        let ins = command[1];
        let reply = if self.good > 0 {
            self.good -= 1;
            right(ins, command)
        } else {
            self.next_reply()
        };
        self.seen.push((ins, reply.clone()));
        Ok(reply)
    }
}

impl Anything<'_> {
    /// A length in two bytes, then the reply; with the top bit of the length set, 9000 goes behind it.
    fn next_reply(&mut self) -> Vec<u8> {
        let Some(([high, low], rest)) = self.replies.split_first_chunk::<2>() else { return Vec::new() };
        let len = usize::from(u16::from_be_bytes([high & 0x0F, *low])).min(rest.len());
        let (reply, rest) = rest.split_at(len);
        self.replies = rest;
        let mut reply = reply.to_vec();
        if high & 0x80 != 0 {
            reply.extend([0x90, 0]);
        }
        reply
    }
}

fn right(ins: u8, command: &[u8]) -> Vec<u8> {
    let mut reply = match ins {
        ins::OPEN_APPLICATION => vec![0; 10],
        ins::GET_PIN_INFO => vec![10, 10, 0],
        ins::GEN_RANDOM => vec![7; usize::from(command[6])],
        _ => Vec::new(),
    };
    reply.extend([0x90, 0]);
    reply
}

/// First byte: which dialect and which session; second: how many right answers come first; then the answers.
pub fn apdu(bytes: &[u8]) {
    let [first, good, rest @ ..] = bytes else { return };
    let profile = &PROFILES[usize::from(*first) / 4 % PROFILES.len()];
    let order = profile.dialect.byte_order;
    if let Some(info) = DeviceInfo::parse(rest, order) {
        let same = info.encode(order).and_then(|bytes| DeviceInfo::parse(&bytes, order));
        assert!(same.is_none_or(|same| same == info), "device info reads back");
    }
    let _ = (Reply::split(rest), fields::names(rest), fields::text(rest));
    let mut key = Anything { good: usize::from(*good % 16), replies: rest, seen: Vec::new() };
    match first % 4 {
        0 => device(&mut key, &profile.dialect),
        1 => in_application(&mut key, &profile.dialect),
        2 => in_container(&mut key, &profile.dialect),
        _ => whoever(&mut key, profile),
    }
    a_pin_is_tried_only_with_room(&key.seen);
}

/// A PIN goes out only right after its count was read, and only with two tries or more.
fn a_pin_is_tried_only_with_room(seen: &[(u8, Vec<u8>)]) {
    for at in (0..seen.len()).filter(|at| seen[*at].0 == ins::VERIFY_PIN) {
        let count = at.checked_sub(2).map(|at| &seen[at]);
        assert!(count.is_some_and(|(ins, reply)| *ins == ins::GET_PIN_INFO && reply[1] >= 2), "{seen:02X?}");
    }
}

fn secret() -> Secret {
    Secret::new(vec![5; 16])
}

/// Recognises the key, with every profile there is.
fn whoever(key: &mut Anything<'_>, profile: &Profile) {
    let _ = workflow::identify(key, profile.transport, &PROFILES);
}

fn device(key: &mut Anything<'_>, dialect: &Dialect) {
    let mut session = Session::open(&mut *key, dialect);
    let _ = (session.device_info(), session.enumerate_applications(), session.random(16));
    match session.authenticate(&secret()) {
        Ok(session) => authenticated(session),
        Err(mut refused) => {
            let _ = (refused.error.to_string(), refused.session.set_label("L"));
        }
    }
}

fn authenticated(mut session: Session<&mut Anything<'_>, Authenticated>) {
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
    let _ = (session.create_application(&new), session.delete_application("A"));
    let _ = session.open_application("A").map(application);
}

fn in_application(key: &mut Anything<'_>, dialect: &Dialect) {
    let _ = Session::open(&mut *key, dialect).open_application("A").map(application);
}

fn application(mut session: Session<&mut Anything<'_>, Application>) {
    let _ = session.pin_info(PinType::User);
    let _ = session.verify_admin_pin(&secret());
    let _ = session.unblock_pin(&secret(), &secret());
    let _ = session.change_pin(PinType::Admin, &secret(), &secret());
    let _ = session.create_file("f", FileInfo { size: 1, read_rights: 0, write_rights: 0 });
    let _ = (session.enumerate_files(), session.file_info("f"), session.read_file("f", 0, 8));
    let _ = (session.write_file("f", 0, &[1]), session.delete_file("f"), session.clear_secure_state());
    let _ = session.close().map(|mut session| session.enumerate_applications());
}

fn in_container(key: &mut Anything<'_>, dialect: &Dialect) {
    if let Ok(session) = Session::open(&mut *key, dialect).open_application("A") {
        let _ = session.verify_user_pin(&secret()).map(user);
    }
}

fn user(mut session: Session<&mut Anything<'_>, User>) {
    let id = session.create_container("C").unwrap_or(ContainerId([0, 1]));
    let _ = (session.open_container("C"), session.enumerate_containers(), session.container_info("C"));
    if let Ok(public) = session.generate_key_pair(id) {
        let _ = public.digest();
    }
    let _ = (session.sign_digest(id, &[1; 32]), session.sign_message(id, b"id", b"message"));
    for kind in [CertKind::Sign, CertKind::Encryption] {
        let _ = (session.import_certificate(id, kind, &[0x30, 0]), session.export_certificate(id, kind));
    }
    for kind in [KeyKind::Sign, KeyKind::Encryption] {
        let _ = session.export_public_key(id, kind);
    }
    let _ = (session.close_container(id), session.delete_container("C"));
}
