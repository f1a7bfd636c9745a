//! Device key, applications, PINs: who may do what, and what a wrong try costs.

use model::Secret;
use ukey::{crypto, ins};

use crate::testing::{
    ADMIN, ADMIN_PIN, APPLICATION, Bench, FACTORY, USER, USER_PIN, big, blank_flash, little, odd,
};

const NEW: [u8; 16] = *b"the derived key!";

#[test]
fn a_blank_lets_only_its_key_change_and_an_application_be_created() {
    let mut bench = Bench::new(big());
    let data = bench.application_data(APPLICATION);
    assert_eq!(
        bench.status(ins::CREATE_APPLICATION, 0, 0, &data),
        0x6982,
        "device authentication comes first"
    );
    assert_eq!(bench.change_device_key(FACTORY, NEW), 0x6982);
    assert_eq!(bench.status(ins::OPEN_APPLICATION, 0, 0, APPLICATION.as_bytes()), 0x6A8B);
    assert_eq!(bench.status(ins::CREATE_CONTAINER, 0, 0, &[0x10, 0, b'c']), 0x698A);
    assert_eq!(bench.status(ins::CREATE_FILE, 0x10, 0, &[b'f'; 44]), 0x698A);
    assert!(bench.reread().factory_stage);
    assert_eq!(bench.authenticate(FACTORY), 0x9000);
    assert_eq!(bench.change_device_key(FACTORY, NEW), 0x9000);
    bench.ok(ins::CREATE_APPLICATION, 0, 0, &data);
    assert!(!bench.reread().factory_stage);
}

#[test]
fn the_new_device_key_replaces_the_factory_key() {
    for dialect in [big(), little(), odd()] {
        let mut bench = Bench::new(dialect);
        assert_eq!(bench.authenticate(FACTORY), 0x9000);
        assert_eq!(bench.change_device_key(NEW, NEW), 0x6988, "the code is made with the old key");
        assert_eq!(bench.change_device_key(FACTORY, NEW), 0x9000);
        bench.key.reset();
        let left = dialect.device_auth.tries - 1;
        assert_eq!(bench.authenticate(FACTORY), 0x63C0 | u16::from(left));
        assert_eq!(bench.authenticate(NEW), 0x9000);
    }
}

#[test]
fn wrong_device_keys_lock_and_a_right_one_restores_the_count() {
    let mut bench = Bench::new(big());
    for left in [4, 3] {
        assert_eq!(bench.authenticate(NEW), 0x63C0 | left);
    }
    assert_eq!(bench.reread().device_tries, (3, 5));
    assert_eq!(bench.authenticate(FACTORY), 0x9000);
    assert_eq!(bench.reread().device_tries, (5, 5));
    for left in [4, 3, 2, 1, 0] {
        assert_eq!(bench.authenticate(NEW), 0x63C0 | left);
    }
    assert_eq!(bench.authenticate(FACTORY), 0x6983, "locked for the right key too");
    bench.key.reset();
    assert_eq!(bench.authenticate(FACTORY), 0x6983, "for ever");
    let data = bench.application_data(APPLICATION);
    assert_eq!(bench.status(ins::CREATE_APPLICATION, 0, 0, &data), 0x6982);
}

#[test]
fn a_failed_device_authentication_ends_an_earlier_one() {
    let mut bench = Bench::new(big());
    assert_eq!(bench.authenticate(FACTORY), 0x9000);
    assert_eq!(bench.authenticate(NEW), 0x63C4);
    let data = bench.application_data(APPLICATION);
    assert_eq!(bench.status(ins::CREATE_APPLICATION, 0, 0, &data), 0x6982);
}

#[test]
fn a_challenge_serves_once() {
    let mut bench = Bench::new(big());
    let random = bench.challenge(8);
    let proof = crypto::device_auth_cryptogram(&FACTORY.into(), &random);
    assert_eq!(bench.status(ins::DEV_AUTH, 0, 0, &proof), 0x9000);
    assert_eq!(bench.status(ins::DEV_AUTH, 0, 0, &proof), 0x6984);
    // Neither a code nor a PIN can be replayed, and a refused command uses the challenge up as well.
    let random = bench.challenge(8);
    assert_eq!(bench.status(ins::DEV_AUTH, 0, 0, &[0; 16]), 0x63C4);
    let proof = crypto::device_auth_cryptogram(&FACTORY.into(), &random);
    assert_eq!(bench.status(ins::DEV_AUTH, 0, 0, &proof), 0x6984);
    assert_eq!(bench.reread().device_tries.0, 4, "a try without a challenge is no try");
}

#[test]
fn a_challenge_that_is_too_short_is_none() {
    let mut bench = Bench::new(odd());
    let random = bench.challenge(8);
    let proof = crypto::device_auth_cryptogram(&FACTORY.into(), &random);
    assert_eq!(bench.status(ins::DEV_AUTH, 0, 0, &proof), 0x6984);
}

#[test]
fn a_reset_takes_every_right_and_handle() {
    let (mut bench, app, id) = Bench::issued(big());
    let before = bench.file();
    bench.challenge(8);
    bench.key.reset();
    let data = bench.application_data("Second");
    assert_eq!(bench.status(ins::CREATE_APPLICATION, 0, 0, &data), 0x6982);
    assert_eq!(bench.status(ins::DEV_AUTH, 0, 0, &[0; 16]), 0x6984, "the challenge is gone");
    assert_eq!(bench.status(ins::EXPORT_PUBLIC_KEY, 1, 0, &[app, id].concat()), 0x698A);
    let app = bench.open();
    assert_eq!(bench.status(ins::EXPORT_PUBLIC_KEY, 1, 0, &[app, id].concat()), 0x6A94);
    assert_eq!(bench.status(ins::CREATE_CONTAINER, 0, 0, &[app[0], app[1], b'c']), 0x6982);
    assert_eq!(bench.file(), before);
}

#[test]
fn applications_have_one_name_and_one_place() {
    let mut bench = Bench::new(big());
    bench.create();
    let data = bench.application_data(APPLICATION);
    assert_eq!(bench.status(ins::CREATE_APPLICATION, 0, 0, &data), 0x6A89);
    let data = bench.application_data("Second");
    assert_eq!(bench.status(ins::CREATE_APPLICATION, 0, 0, &data), 0x6A90);
    assert_eq!(bench.ok(ins::ENUM_APPLICATION, 0, 0, &[]), b"Procurement\0");
}

#[test]
fn a_profile_with_two_applications_opens_one_at_a_time() {
    let mut flash = blank_flash(big());
    flash.limits.max_applications = 2;
    let mut bench = Bench::with(flash);
    bench.create();
    let data = bench.application_data("Second");
    bench.ok(ins::CREATE_APPLICATION, 0, 0, &data);
    let app = bench.open();
    assert_eq!(bench.verify(app, USER, USER_PIN), 0x9000);
    assert_eq!(bench.status(ins::OPEN_APPLICATION, 0, 0, b"Second"), 0x6A8A);
    assert_eq!(bench.open(), app, "opening it again is allowed");
    assert_eq!(
        bench.status(ins::CREATE_CONTAINER, 0, 0, &[app[0], app[1], b'c']),
        0x6982,
        "and ends its log-in"
    );
    bench.ok(ins::CLOSE_APPLICATION, 0, 0, &app);
    bench.ok(ins::OPEN_APPLICATION, 0, 0, b"Second");
    assert_eq!(bench.status(ins::CLOSE_APPLICATION, 0, 0, &app), 0x698A);
}

#[test]
fn what_no_application_can_be_is_refused() {
    let mut bench = Bench::new(big());
    assert_eq!(bench.authenticate(FACTORY), 0x9000);
    let good = bench.application_data(APPLICATION);
    let with = |at: usize, bytes: &[u8]| {
        let mut data = good.clone();
        data[at..at + bytes.len()].copy_from_slice(bytes);
        data
    };
    for (what, data, status) in [
        ("short", good[..95].to_vec(), 0x6700),
        ("long", [&good[..], &[0]].concat(), 0x6700),
        ("no name", with(0, &[0; 48]), 0x6A80),
        ("33 bytes of name", with(0, &[b'n'; 33]), 0x6A80),
        ("admin PIN of 5", with(48, b"12345\0\0\0\0\0\0\0\0\0\0\0"), 0x6A80),
        ("user PIN of 5", with(68, b"12345\0\0\0\0\0\0\0\0\0\0\0"), 0x6A80),
        ("a zero within the PIN", with(68, b"1234\x0056789\0\0\0\0\0\0"), 0x6A80),
        ("no tries", with(64, &[0; 4]), 0x6A80),
        ("16 tries", with(64, &[0, 0, 0, 16]), 0x6A80),
        ("unknown rights", with(88, &[0, 0, 0, 2]), 0x6A80),
        ("no container", with(92, &[0]), 0x6A80),
        ("too many containers", with(92, &[3]), 0x6A84),
    ] {
        assert_eq!(bench.status(ins::CREATE_APPLICATION, 0, 0, &data), status, "{what}");
    }
    assert!(bench.reread().factory_stage);
    bench.ok(ins::CREATE_APPLICATION, 0, 0, &good);
}

#[test]
fn deleting_the_application_needs_the_device_key_and_closes_it() {
    let (mut bench, app, _) = Bench::issued(big());
    assert_eq!(bench.status(ins::DELETE_APPLICATION, 0, 0, b"Other"), 0x6A88);
    bench.ok(ins::DELETE_APPLICATION, 0, 0, APPLICATION.as_bytes());
    assert_eq!(bench.status(ins::CLOSE_APPLICATION, 0, 0, &app), 0x698A);
    assert!(bench.reread().factory_stage);
    bench.create();
    bench.key.reset();
    assert_eq!(bench.status(ins::DELETE_APPLICATION, 0, 0, APPLICATION.as_bytes()), 0x6982);
}

#[test]
fn wrong_pins_count_down_lock_and_a_right_one_restores() {
    let mut bench = Bench::new(big());
    bench.create();
    let app = bench.open();
    assert_eq!(bench.pin_info(app, USER), [6, 6, 1]);
    assert_eq!(bench.pin_info(app, ADMIN), [8, 8, 1]);
    assert_eq!(bench.verify(app, USER, "00000000"), 0x63C5);
    assert_eq!(bench.pin_info(app, USER), [6, 5, 1]);
    assert_eq!(bench.verify(app, USER, USER_PIN), 0x9000);
    assert_eq!(bench.pin_info(app, USER), [6, 6, 1]);
    for left in [5, 4, 3, 2, 1, 0] {
        assert_eq!(bench.verify(app, USER, "00000000"), 0x63C0 | left);
    }
    assert_eq!(bench.verify(app, USER, USER_PIN), 0x6983);
    assert_eq!(bench.reread().applications[0].user_pin.left, 0, "locked in the flash, not in the session");
    assert_eq!(bench.verify(app, ADMIN, ADMIN_PIN), 0x9000, "the admin PIN has a counter of its own");
}

#[test]
fn the_count_is_lost_on_the_way_in_the_dialect_that_loses_it() {
    let mut bench = Bench::new(little());
    bench.create();
    let app = bench.open();
    assert_eq!(bench.verify(app, USER, "00000000"), 0x63C0);
    assert_eq!(bench.pin_info(app, USER), [6, 5, 1]);
}

#[test]
fn a_failed_log_in_ends_an_earlier_one() {
    let mut bench = Bench::new(big());
    bench.create();
    let app = bench.open();
    assert_eq!(bench.verify(app, USER, USER_PIN), 0x9000);
    assert_eq!(bench.verify(app, USER, "00000000"), 0x63C5);
    assert_eq!(bench.status(ins::CREATE_CONTAINER, 0, 0, &[app[0], app[1], b'c']), 0x6982);
}

#[test]
fn clearing_the_secure_state_logs_out() {
    let mut bench = Bench::new(big());
    bench.create();
    let app = bench.open();
    assert_eq!(bench.verify(app, USER, USER_PIN), 0x9000);
    bench.ok(ins::CLEAR_SECURE_STATE, 0, 0, &app);
    assert_eq!(bench.status(ins::CREATE_CONTAINER, 0, 0, &[app[0], app[1], b'c']), 0x6982);
    assert_eq!(bench.status(ins::CLEAR_SECURE_STATE, 0, 0, &[9, 9]), 0x698A);
}

#[test]
fn a_pin_changes_with_its_own_right_only() {
    for dialect in [big(), little(), odd()] {
        let mut bench = Bench::new(dialect);
        bench.create();
        let app = bench.open();
        let old = bench.pin_key(USER_PIN);
        let new = crypto::padded_pin(&Secret::from("87654321")).unwrap();
        let data = [&app[..], &crypto::encrypt_block(&old, &new)].concat();
        assert_eq!(bench.secured(ins::CHANGE_PIN, USER, &old, &data), 0x6982);
        assert_eq!(bench.verify(app, ADMIN, ADMIN_PIN), 0x9000);
        assert_eq!(bench.secured(ins::CHANGE_PIN, USER, &old, &data), 0x6982, "the admin's right is another");
        assert_eq!(bench.verify(app, USER, USER_PIN), 0x9000);
        let wrong = bench.pin_key("11111111");
        assert_eq!(bench.secured(ins::CHANGE_PIN, USER, &wrong, &data), 0x6988);
        assert_eq!(bench.secured(ins::CHANGE_PIN, USER, &old, &data), 0x9000);
        assert_eq!(bench.pin_info(app, USER), [6, 6, 0]);
        bench.key.reset();
        let app = bench.open();
        assert_ne!(bench.verify(app, USER, USER_PIN), 0x9000);
        assert_eq!(bench.verify(app, USER, "87654321"), 0x9000);
    }
}

#[test]
fn a_new_pin_has_an_allowed_length() {
    let mut bench = Bench::new(big());
    bench.create();
    let app = bench.open();
    assert_eq!(bench.verify(app, USER, USER_PIN), 0x9000);
    let old = bench.pin_key(USER_PIN);
    let new = crypto::padded_pin(&Secret::from("12345")).unwrap();
    let data = [&app[..], &crypto::encrypt_block(&old, &new)].concat();
    assert_eq!(bench.secured(ins::CHANGE_PIN, USER, &old, &data), 0x6A80);
    assert_eq!(bench.verify(app, USER, USER_PIN), 0x9000);
}

#[test]
fn the_admin_unblocks_the_user_pin() {
    for dialect in [big(), little()] {
        let mut bench = Bench::new(dialect);
        bench.create();
        let app = bench.open();
        for _ in 0..6 {
            assert_ne!(bench.verify(app, USER, "00000000"), 0x9000);
        }
        let admin = bench.pin_key(ADMIN_PIN);
        let new = crypto::padded_pin(&Secret::from("654321")).unwrap();
        let data = [&app[..], &crypto::encrypt_block(&admin, &new)].concat();
        assert_eq!(bench.secured(ins::UNBLOCK_PIN, 0, &admin, &data), 0x6982);
        assert_eq!(bench.verify(app, ADMIN, ADMIN_PIN), 0x9000);
        let user = bench.pin_key(USER_PIN);
        assert_eq!(bench.secured(ins::UNBLOCK_PIN, 0, &user, &data), 0x6988);
        assert_eq!(bench.secured(ins::UNBLOCK_PIN, 0, &admin, &data), 0x9000);
        assert_eq!(bench.pin_info(app, USER), [6, 6, 0]);
        assert_eq!(bench.verify(app, USER, "654321"), 0x9000);
    }
}
