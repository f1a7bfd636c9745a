//! What a session refuses, remembers and hands back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod scripted;

use model::Secret;
use scripted::{G, SM3_ZEROS, Script, application, dialect, open, user};
use ukey::{CardError, CertKind, ContainerId, NewApplication, PinType, Session, StatusWord, TransportError};

const K: ContainerId = ContainerId([0x30, 0x01]);
const RANDOM_16: &str = "0102030405060708090a0b0c0d0e0f10 9000";

fn key() -> Secret {
    Secret::new((0..16).collect())
}

fn wrong_device_key(script: Script, answer: &str) -> Script {
    script.then("80500000 000010", RANDOM_16).then("80100000 000010 8df1e69889e467e3f7977d6bc7727df9", answer)
}

#[test]
fn the_last_try_of_a_device_key_is_never_used() {
    let mut script = wrong_device_key(wrong_device_key(Script::new(), "63C2"), "63C1");
    let session = open(&mut script);
    assert_eq!(session.device_tries(), None);
    let refused = session.authenticate(&key()).unwrap_err();
    assert_eq!(refused.error.status(), Some(StatusWord::VerificationFailed { left: 2 }));
    assert_eq!(refused.session.device_tries(), Some(2));
    let refused = refused.session.authenticate(&key()).unwrap_err();
    assert_eq!(refused.session.device_tries(), Some(1));
    let refused = refused.session.authenticate(&key()).unwrap_err();
    assert!(matches!(refused.error, CardError::TriesLeft { left: 1, .. }), "{}", refused.error);
    script.used();
}

#[test]
fn what_was_heard_of_a_device_key_outlives_the_session() {
    let mut script = Script::new();
    let mut session = open(&mut script);
    session.remember_device_tries(Some(1));
    let refused = session.authenticate(&key()).unwrap_err();
    assert!(matches!(refused.error, CardError::TriesLeft { left: 1, .. }));
}

#[test]
fn a_locked_device_key_is_known_as_locked() {
    let mut script = wrong_device_key(Script::new(), "6983");
    let refused = open(&mut script).authenticate(&key()).unwrap_err();
    assert_eq!(refused.error.to_string(), "DevAuth: the key answered 6983 (locked: no tries are left)");
    assert_eq!(refused.session.device_tries(), Some(0));
}

#[test]
fn a_right_device_key_clears_what_was_heard() {
    let mut script = wrong_device_key(wrong_device_key(Script::new(), "63C4"), "9000");
    let refused = open(&mut script).authenticate(&key()).unwrap_err();
    assert_eq!(refused.session.authenticate(&key()).unwrap().device_tries(), None);
}

#[test]
fn a_refused_change_of_the_device_key_counts_too() {
    let mut script = wrong_device_key(Script::new(), "9000")
        .then("80500000 000008", "0102030405060708 9000")
        .then("84120000 000014 a73851aa4341e968c71dd8a3a0c8497c 9395bbb2", "63C1");
    let mut session = open(&mut script).authenticate(&key()).unwrap();
    let new = Secret::new((16..32).collect());
    assert!(session.change_device_key(&key(), &new).is_err());
    assert!(matches!(session.change_device_key(&key(), &new), Err(CardError::TriesLeft { left: 1, .. })));
    script.used();
}

#[test]
fn no_pin_is_tried_when_one_try_is_left() {
    for left in ["00", "01"] {
        let mut script =
            Script::new().opening().then("80140001 000002 1000 0003", &format!("0A{left}00 9000"));
        let refused = application(&mut script).verify_user_pin(&"12345678".into()).unwrap_err();
        assert!(matches!(refused.error, CardError::TriesLeft { what: "user PIN", .. }));
        script.used();
    }
    let mut script = Script::new()
        .opening()
        .then("80140000 000002 1000 0003", "0A0100 9000")
        .then("80140000 000002 1000 0003", "0A0100 9000")
        .then("80140000 000002 1000 0003", "0A0100 9000");
    let mut session = application(&mut script);
    let pin = Secret::from("87654321");
    assert!(matches!(
        session.verify_admin_pin(&pin),
        Err(CardError::TriesLeft { what: "admin PIN", left: 1 })
    ));
    assert!(matches!(session.unblock_pin(&pin, &pin), Err(CardError::TriesLeft { .. })));
    assert!(matches!(session.change_pin(PinType::Admin, &pin, &pin), Err(CardError::TriesLeft { .. })));
    script.used();
}

#[test]
fn a_wrong_pin_is_tried_once_and_the_session_goes_on() {
    let mut script = Script::new()
        .opening()
        .then("80140001 000002 1000 0003", "0A0A00 9000")
        .then("80500000 000008", "0102030405060708 9000")
        .then(&format!("80180001 000012 1000 {SM3_ZEROS}"), "63C9")
        .then("80140001 000002 1000 0003", "0A0900 9000");
    let mut refused = application(&mut script).verify_user_pin(&"12345678".into()).unwrap_err();
    assert_eq!(refused.error.status(), Some(StatusWord::VerificationFailed { left: 9 }));
    assert_eq!(refused.session.pin_info(PinType::User).unwrap().left, 9);
    script.used();
}

#[test]
fn a_yank_is_told_apart_from_a_refusal() {
    let mut script = Script::new().then_fails("80040000 000000", TransportError::Removed);
    let error = open(&mut script).device_info().unwrap_err();
    assert!(matches!(error, CardError::Transport(TransportError::Removed)));
    assert_eq!(error.status(), None);
}

#[test]
fn what_does_not_fit_is_not_sent() {
    let mut script = Script::new().opening().user(SM3_ZEROS);
    let mut session = user(&mut script);
    let argument = |error: CardError| assert!(matches!(error, CardError::Argument { .. }), "{error}");
    argument(session.set_label("").unwrap_err());
    argument(session.set_label(&"x".repeat(32)).unwrap_err());
    argument(session.create_container(&"x".repeat(35)).unwrap_err());
    argument(session.open_container("a\0b").unwrap_err());
    argument(session.import_certificate(K, CertKind::Sign, &[]).unwrap_err());
    argument(session.import_certificate(K, CertKind::Sign, &vec![0; 65_001]).unwrap_err());
    argument(session.sign_message(K, b"", &vec![0; 70_000]).unwrap_err());
    argument(session.read_file("f", 0, 0).unwrap_err());
    argument(session.write_file("", 0, &[1]).unwrap_err());
    argument(session.random(0).unwrap_err());
    argument(session.change_pin(PinType::User, &"12345678".into(), &"12345678901234567".into()).unwrap_err());
    argument(session.change_pin(PinType::User, &"".into(), &"12345678".into()).unwrap_err());
    script.used();

    let mut script = Script::new();
    argument(open(&mut script).authenticate(&"short".into()).unwrap_err().error);
    argument(open(&mut script).open_application("").unwrap_err().error);

    let mut script = wrong_device_key(Script::new(), "9000");
    let mut session = open(&mut script).authenticate(&key()).unwrap();
    let mut new = NewApplication {
        name: "x".repeat(33),
        admin_pin: "12345678".into(),
        admin_tries: 10,
        user_pin: "12345678".into(),
        user_tries: 10,
        rights: NewApplication::RIGHT_USER,
        containers: 1,
        certificates: 2,
        files: 0,
    };
    argument(session.create_application(&new).unwrap_err());
    (new.name, new.user_pin) = ("A".into(), "".into());
    argument(session.create_application(&new).unwrap_err());
}

#[test]
fn a_reply_of_the_wrong_form_is_malformed() {
    let off_curve = format!("{}00", &G[..G.len() - 2]);
    let mut script = Script::new()
        .opening()
        .user(SM3_ZEROS)
        .then("80140001 000002 1000 0003", "0A0A 9000")
        .then("80140001 000002 1000 0003", "0A0A0000 9000")
        .then("80880100 000004 1000 3001 0000", &format!("00010000 {G} 9000"))
        .then("80880100 000004 1000 3001 0000", &format!("00000100 {off_curve} 9000"))
        .then("804E0100 000004 1000 3001 0000", "00000009 30 9000")
        .then(
            &format!("80740200 000024 1000 3001 {} 0000", "00".repeat(32)),
            &format!("00000100 {} 9000", "00".repeat(64)),
        )
        .then("80020000 000001 4C", "01 9000")
        .then("80500000 000002", "01 9000");
    let mut session = user(&mut script);
    let malformed = |error: CardError| assert!(matches!(error, CardError::Malformed { .. }), "{error}");
    malformed(session.pin_info(PinType::User).unwrap_err());
    malformed(session.pin_info(PinType::User).unwrap_err());
    // 256 in the other byte order: the profile does not fit this key.
    malformed(session.export_public_key(K, CertKind::Sign).unwrap_err());
    malformed(session.export_public_key(K, CertKind::Sign).unwrap_err());
    malformed(session.export_certificate(K, CertKind::Sign).unwrap_err());
    malformed(session.sign_digest(K, &[0; 32]).unwrap_err());
    malformed(session.set_label("L").unwrap_err());
    malformed(session.random(2).unwrap_err());
    script.used();
}

#[test]
fn secrets_show_in_no_debug_text() {
    let mut script = Script::new().opening().user(SM3_ZEROS);
    let text = format!("{:?}", user(&mut script));
    assert!(!text.contains("12345678"), "{text}");
    let session = Session::open(Script::new(), &dialect("ukey/virtual"));
    assert_eq!(session.dialect(), &dialect("ukey/virtual"));
}
