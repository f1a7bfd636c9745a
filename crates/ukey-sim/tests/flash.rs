//! The flash file: made once, held by one, replaced whole, refused when it is not what it should be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{fs, os::unix::fs::PermissionsExt};

use model::Secret;
use proptest::prelude::*;
use support::{blank, factory_key, open, virtual_profile};
use ukey::{apdu::Command, crypto, ins};
use ukey_sim::{Answer, Faults, Options, SimError, Summary, VirtualKey};

fn reply(key: &mut VirtualKey, command: &Command) -> Vec<u8> {
    match key.process(&command.encode().unwrap()) {
        Answer::Reply(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_key_is_never_made_over_another() {
    let folder = tempfile::tempdir().unwrap();
    let profile = virtual_profile();
    let path = blank(folder.path(), &profile, "V0000001");
    let before = fs::read(&path).unwrap();
    let again = VirtualKey::make(&path, &profile, "V0000009", &factory_key());
    assert!(matches!(again, Err(SimError::Exists(_))));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn serials_and_factory_keys_have_a_form() {
    let folder = tempfile::tempdir().unwrap();
    let (profile, path) = (virtual_profile(), folder.path().join("key.json"));
    for serial in ["", "a b", "a/b", "钥匙", &"9".repeat(33)] {
        let made = VirtualKey::make(&path, &profile, serial, &factory_key());
        assert!(matches!(made, Err(SimError::Value { what: "serial", .. })), "{serial}");
    }
    let made = VirtualKey::make(&path, &profile, "V1", &Secret::new(vec![1; 15]));
    assert!(matches!(made, Err(SimError::Value { what: "factory device key", .. })));
    assert!(!path.exists());
}

#[test]
fn a_key_is_in_one_hand_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = blank(folder.path(), &virtual_profile(), "V0000001");
    let mut key = open(&path, Faults::none());
    assert!(matches!(VirtualKey::open(&path, Options::default()), Err(SimError::InUse(_))));
    // After a write the file is another one, and still held.
    let random = reply(&mut key, &Command::new(ins::GEN_RANDOM, 0, 0).expecting(16));
    assert_eq!(random.len(), 18);
    let wrong = Command::new(ins::DEV_AUTH, 0, 0).with_data(vec![0; 16]);
    assert_eq!(reply(&mut key, &wrong)[0], 0x63);
    assert!(matches!(VirtualKey::open(&path, Options::default()), Err(SimError::InUse(_))));
    assert_eq!(Summary::read(&path).unwrap().device_tries.0, key.summary().device_tries.0);
    drop(key);
    open(&path, Faults::none());
}

#[test]
fn a_file_that_is_no_flash_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = blank(folder.path(), &virtual_profile(), "V0000001");
    let good = fs::read_to_string(&path).unwrap();
    for (text, why) in [
        (String::new(), "EOF"),
        (good.replacen("\"version\": 1", "\"version\": 2", 1), "version 2"),
        (good.replacen("\"serial\"", "\"surprise\": 1, \"serial\"", 1), "surprise"),
        (good.replacen("\"label\": \"\"", "\"label\": 7", 1), "string"),
        (good.replacen("\"device_key\": \"", "\"device_key\": \"zz", 1), "hex"),
        (good[..good.len() / 2].to_owned(), "EOF"),
    ] {
        assert_ne!(text, good);
        fs::write(&path, &text).unwrap();
        let error = VirtualKey::open(&path, Options::default()).err().unwrap().to_string();
        assert!(error.contains(why) && error.contains("V0000001.json"), "{error}");
        assert!(!error.contains(&hex::encode(ukey_sim::FACTORY_DEVICE_KEY)), "the device key shows: {error}");
    }
    let missing = folder.path().join("none.json");
    assert!(matches!(VirtualKey::open(&missing, Options::default()), Err(SimError::Io { .. })));
}

#[test]
fn a_write_that_fails_is_answered_6581_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = blank(folder.path(), &virtual_profile(), "V0000001");
    let before = fs::read(&path).unwrap();
    let mut key = open(&path, Faults::none());
    // What stands in the way of the new file cannot be removed: a folder that is not empty.
    let obstacle = folder.path().join(".V0000001.json.new");
    fs::create_dir_all(obstacle.join("x")).unwrap();
    reply(&mut key, &Command::new(ins::GEN_RANDOM, 0, 0).expecting(16));
    let wrong = Command::new(ins::DEV_AUTH, 0, 0).with_data(vec![0; 16]);
    assert_eq!(reply(&mut key, &wrong), [0x65, 0x81]);
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(key.summary().device_tries.0, 10);
    fs::remove_dir_all(&obstacle).unwrap();
    let random = reply(&mut key, &Command::new(ins::GEN_RANDOM, 0, 0).expecting(16));
    let device_key = crypto::key16(&factory_key()).unwrap();
    let proof = crypto::device_auth_cryptogram(&device_key, &random[..16]);
    assert_eq!(reply(&mut key, &Command::new(ins::DEV_AUTH, 0, 0).with_data(proof.to_vec())), [0x90, 0]);
}

#[test]
fn the_left_over_of_a_killed_process_is_no_part_of_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = blank(folder.path(), &virtual_profile(), "V0000001");
    fs::write(folder.path().join(".V0000001.json.new"), b"half a fla").unwrap();
    let mut key = open(&path, Faults::none());
    reply(&mut key, &Command::new(ins::GEN_RANDOM, 0, 0).expecting(16));
    let wrong = Command::new(ins::DEV_AUTH, 0, 0).with_data(vec![0; 16]);
    assert_eq!(reply(&mut key, &wrong)[0], 0x63);
    assert_eq!(Summary::read(&path).unwrap().device_tries.0, 9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_damage_to_the_file_panics_a_key(
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..40),
        cut in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = blank(folder.path(), &virtual_profile(), "V0000001");
        let mut text = fs::read(&path).unwrap();
        let at = at.index(text.len());
        let end = if cut { text.len() } else { (at + bytes.len()).min(text.len()) };
        text.splice(at..end, bytes);
        fs::write(&path, text).unwrap();
        // A damaged flash is refused, or holds other values: either way commands are answered.
        if let Ok(mut key) = VirtualKey::open(&path, Options::default()) {
            for command in [
                Command::new(ins::GET_DEV_INFO, 0, 0).expecting(0),
                Command::new(ins::GEN_RANDOM, 0, 0).expecting(16),
                Command::new(ins::DEV_AUTH, 0, 0).with_data(vec![0; 16]),
            ] {
                prop_assert!(reply(&mut key, &command).len() >= 2);
            }
        }
    }
}
