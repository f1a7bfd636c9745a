//! Row P13: a whole issuing run on simulated keys, on every shipped profile, in process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use model::Secret;
use support::{Ca, DEVICE_KEY, USER_PIN, blank, factory_key, issue, open, profiles};
use ukey::{CardError, PinType, Session, StatusWord};
use ukey_sim::{Faults, InProcess, Reader, SharedKey, Summary};

#[test]
fn p13_a_key_of_every_shipped_profile_is_issued_and_reads_back() {
    let ca = Ca::new();
    let profiles = profiles();
    assert!(profiles.iter().any(|p| p.transport == profile::Transport::Pcsc));
    for profile in &profiles {
        let folder = tempfile::tempdir().unwrap();
        let path = blank(folder.path(), profile, "V0000001");
        let key = SharedKey::from(open(&path, Faults::none()));
        let mut link = InProcess::new(&key).unwrap();
        let issued = issue(&mut link, profile, &ca).unwrap_or_else(|e| panic!("{}: {e}", profile.name));
        issued.sign.verify_issued_by(&ca.certificate.public_key()).unwrap();
        assert_eq!(issued.sign.public_key(), issued.sign_key);

        let summary = Summary::read(&path).unwrap();
        assert_eq!(summary, key.summary());
        assert!(!summary.factory_stage);
        assert_eq!(summary.label, profile.names.label);
        let container = &summary.applications[0].containers[0];
        assert_eq!(container.sign.as_ref().unwrap().certificate.as_deref(), Some(issued.sign.der()));
        assert_eq!(
            container.encryption.as_ref().unwrap().certificate.as_deref(),
            Some(issued.encryption.der())
        );
    }
}

#[test]
fn p13_an_issued_key_refuses_the_factory_secrets_and_a_second_issue() {
    let ca = Ca::new();
    for profile in profiles() {
        let folder = tempfile::tempdir().unwrap();
        let path = blank(folder.path(), &profile, "V0000001");
        let key = SharedKey::from(open(&path, Faults::none()));
        let reader = Reader::empty();
        reader.plug(&key).unwrap();
        issue(&mut reader.connect().unwrap(), &profile, &ca).unwrap();
        reader.pull();
        reader.plug(&key).unwrap();

        let refused = issue(&mut reader.connect().unwrap(), &profile, &ca).err().unwrap();
        let left = profile.dialect.device_auth.tries - 1;
        assert_eq!(refused.status(), Some(StatusWord::VerificationFailed { left }), "{}", profile.name);

        let mut link = reader.connect().unwrap();
        let session = Session::open(&mut link, &profile.dialect);
        session.authenticate(&Secret::new(DEVICE_KEY.to_vec())).map_err(CardError::from).unwrap();
        let session = Session::open(&mut link, &profile.dialect);
        let mut session =
            session.open_application(&profile.names.application).map_err(CardError::from).unwrap();
        let info = session.pin_info(PinType::User).unwrap();
        assert_eq!((info.left, info.max), (profile.pins.user_tries, profile.pins.user_tries));
        session.verify_user_pin(&Secret::from(USER_PIN)).map_err(CardError::from).unwrap();
    }
}

#[test]
fn p13_two_keys_with_one_serial_are_two_keys() {
    let ca = Ca::new();
    let profile = support::virtual_profile();
    let folders = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = blank(folders.0.path(), &profile, "V0000001");
    let two = blank(folders.1.path(), &profile, "V0000001");
    let mut link = InProcess::new(open(&two, Faults::none())).unwrap();
    issue(&mut link, &profile, &ca).unwrap();
    let (one, two) = (Summary::read(&one).unwrap(), Summary::read(&two).unwrap());
    assert_eq!(one.serial, two.serial);
    assert!(one.factory_stage && !two.factory_stage);
}

#[test]
fn p13_nothing_that_is_printed_or_traced_holds_a_secret() {
    let ca = Ca::new();
    let profile = support::virtual_profile();
    let folder = tempfile::tempdir().unwrap();
    let path = blank(folder.path(), &profile, "V0000001");
    let key = SharedKey::from(open(&path, Faults::none()));
    issue(&mut InProcess::new(&key).unwrap(), &profile, &ca).unwrap();
    let flash: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let container = &flash["applications"][0]["containers"][0];
    let secrets = [
        hex::encode(DEVICE_KEY),
        String::from_utf8(DEVICE_KEY.to_vec()).unwrap(),
        hex::encode(USER_PIN),
        USER_PIN.to_owned(),
        support::ADMIN_PIN.to_owned(),
        container["sign"]["private"].as_str().unwrap().to_owned(),
        container["encryption"]["private"].as_str().unwrap().to_owned(),
    ];
    let seen = format!("{key:?}{:?}{}{:?}", key.summary(), key.summary(), factory_key());
    for secret in secrets {
        assert!(!seen.to_lowercase().contains(&secret.to_lowercase()), "{secret} shows");
    }
}
