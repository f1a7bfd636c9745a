//! The vault on SoftHSM, each test on an empty token store of its own.
//!
//! SoftHSM reads `SOFTHSM2_CONF` when it is loaded, and a process may not change its own environment safely. So each test starts this
//! program again for itself alone, with the variable set, and passes if that run passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{path::PathBuf, process::Command};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    mechanism::Mechanism,
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    types::AuthPin,
};
use model::{KeyId, Secret};
use vault::{
    ADMIN_PIN_KEY, DEVICE_KEY, Initialised, MAX_WRAPPED_BYTES, Settings, Vault, VaultError, WRAP_KEY,
};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const STORE: &str = "VAULT_TEST_STORE";
const PIN: &str = "user-pin-1";
const SO_PIN: &str = "officer-pin-1";

/// Runs `body` in a process whose SoftHSM has an empty store.
fn on_empty_store(test: &str, body: fn()) {
    if std::env::var_os(STORE).is_some() {
        return body();
    }
    let dir = tempfile::tempdir().unwrap();
    let (conf, tokens) = (dir.path().join("softhsm2.conf"), dir.path().join("tokens"));
    std::fs::create_dir(&tokens).unwrap();
    std::fs::write(
        &conf,
        format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display()),
    )
    .unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("SOFTHSM2_CONF", conf)
        .env(STORE, tokens)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{}\n{out}\n{err}", output.status);
}

macro_rules! on_token {
    ($(#[$doc:meta])* $name:ident, $body:block) => {
        $(#[$doc])*
        #[test]
        fn $name() {
            on_empty_store(stringify!($name), || $body);
        }
    };
}

fn settings(label: &str) -> Settings {
    Settings { module: PathBuf::from(MODULE), token_label: label.to_owned(), pin: PIN.into() }
}

fn fresh() -> Vault {
    Vault::initialise(&settings("station"), &SO_PIN.into()).unwrap();
    Vault::open(&settings("station")).unwrap()
}

fn key(serial: &str) -> KeyId {
    KeyId::new("virtual", "VK-1", serial).unwrap()
}

/// The module once more, past the vault: what anybody with the user PIN could try.
fn pkcs11() -> Pkcs11 {
    let module = Pkcs11::new(MODULE).unwrap();
    // The vault may have started it already.
    let _started = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    module
}

fn session(module: &Pkcs11) -> Session {
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    module.open_rw_session(slot).unwrap()
}

fn logged_in(module: &Pkcs11) -> Session {
    let session = session(module);
    // Or the vault is logged in, which holds for the whole process.
    let _holds = session.login(UserType::User, Some(&AuthPin::from(PIN)));
    session
}

fn master(session: &Session, label: &str) -> ObjectHandle {
    let found = session
        .find_objects(&[Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(label.into())])
        .unwrap();
    assert_eq!(found.len(), 1, "{label}");
    found[0]
}

fn import(session: &Session, label: &str) {
    session
        .create_object(&[
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::GENERIC_SECRET),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            Attribute::Label(label.into()),
            Attribute::Value(vec![7; 32]),
        ])
        .unwrap();
}

on_token!(p6_admin_secrets_are_derived_per_key_from_a_master_key_in_an_hsm, {
    let vault = fresh();
    let (device, pin) = (vault.device_key(&key("0001")).unwrap(), vault.admin_pin(&key("0001"), 12).unwrap());
    assert_eq!((device.len(), pin.len()), (16, 12));

    // The same key gets the same secrets, from any handle.
    let other_handle = Vault::open(&settings("station")).unwrap();
    assert!(other_handle.device_key(&key("0001")).unwrap() == device);
    assert!(other_handle.admin_pin(&key("0001"), 12).unwrap() == pin);

    // Any other serial, model or maker gets others, also where the texts run together.
    let mut seen = vec![device];
    for (maker, model, serial) in [
        ("virtual", "VK-1", "0002"),
        ("virtual", "VK-10", "001"),
        ("virtual", "VK-2", "0001"),
        ("virtua", "lVK-1", "0001"),
    ] {
        let id = KeyId::new(maker, model, serial).unwrap();
        let secret = vault.device_key(&id).unwrap();
        assert!(!seen.contains(&secret), "{maker} {model} {serial}");
        seen.push(secret);
        assert!(vault.admin_pin(&id, 12).unwrap() != pin, "{maker} {model} {serial}");
    }

    // Another token has other master keys: the secret comes from there, not from the program.
    Vault::initialise(&settings("another"), &SO_PIN.into()).unwrap();
    let another = Vault::open(&settings("another")).unwrap();
    assert!(!seen.contains(&another.device_key(&key("0001")).unwrap()));
    assert!(another.admin_pin(&key("0001"), 12).unwrap() != pin);
});

on_token!(p6_master_keys_never_leave_the_hsm, {
    let vault = fresh();
    let session = logged_in(&pkcs11());
    for label in [DEVICE_KEY, ADMIN_PIN_KEY, WRAP_KEY] {
        let key = master(&session, label);
        // SoftHSM answers without the value where the standard has CKR_ATTRIBUTE_SENSITIVE.
        let value = session.get_attributes(key, &[AttributeType::Value]).unwrap_or_default();
        assert!(value.is_empty(), "{label} can be read");
        for (what, attribute) in
            [("extractable", Attribute::Extractable(true)), ("not sensitive", Attribute::Sensitive(false))]
        {
            assert!(
                session.update_attributes(key, std::slice::from_ref(&attribute)).is_err(),
                "{label} can be made {what}"
            );
            assert!(session.copy_object(key, &[attribute]).is_err(), "{label} can be copied as {what}");
        }
        let wrapping = master(&session, WRAP_KEY);
        assert!(
            session.wrap_key(&Mechanism::AesKeyWrapPad, wrapping, key).is_err(),
            "{label} can be wrapped"
        );
    }
    // A key of the user's own that may wrap does not help either.
    let mut thief = vec![Attribute::Token(false), Attribute::Wrap(true), Attribute::Extractable(true)];
    thief.push(Attribute::ValueLen(cryptoki::types::Ulong::new(32)));
    let thief = session.generate_key(&Mechanism::AesKeyGen, &thief).unwrap();
    assert!(session.wrap_key(&Mechanism::AesKeyWrapPad, thief, thief).is_ok(), "what may leave does leave");
    for label in [DEVICE_KEY, ADMIN_PIN_KEY, WRAP_KEY] {
        assert!(
            session.wrap_key(&Mechanism::AesKeyWrapPad, thief, master(&session, label)).is_err(),
            "{label}"
        );
    }
    assert_eq!(vault.device_key(&key("0001")).unwrap().len(), 16);
});

on_token!(admin_pins_have_the_length_and_no_look_alikes, {
    let vault = fresh();
    for len in 6..=16 {
        let pin = vault.admin_pin(&key("0001"), len).unwrap();
        let text = std::str::from_utf8(pin.expose()).unwrap();
        assert_eq!(text.len(), usize::from(len));
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() && !b"0O1Il".contains(&b)));
    }
    for len in [0, 5, 17, 255] {
        assert!(matches!(vault.admin_pin(&key("0001"), len), Err(VaultError::Argument { .. })), "{len}");
    }
});

on_token!(initialising_twice_changes_nothing, {
    let all = Initialised { token: true, user_pin: true, keys: vec![DEVICE_KEY, ADMIN_PIN_KEY, WRAP_KEY] };
    assert_eq!(Vault::initialise(&settings("station"), &SO_PIN.into()).unwrap(), all);
    let vault = Vault::open(&settings("station")).unwrap();
    let (secret, wrapped) =
        (vault.device_key(&key("0001")).unwrap(), vault.wrap(&"ca key".into(), "ca").unwrap());
    // Even with another security officer's PIN: nobody asks for it.
    for so_pin in [SO_PIN, "some other pin"] {
        assert_eq!(Vault::initialise(&settings("station"), &so_pin.into()).unwrap(), Initialised::default());
    }
    let vault = Vault::open(&settings("station")).unwrap();
    assert!(vault.device_key(&key("0001")).unwrap() == secret);
    assert_eq!(vault.unwrap(&wrapped, "ca").unwrap().expose(), b"ca key");
});

on_token!(initialising_makes_only_what_is_absent, {
    let secret = fresh().device_key(&key("0001")).unwrap();
    let session = logged_in(&pkcs11());
    session.destroy_object(master(&session, WRAP_KEY)).unwrap();
    let error = Vault::open(&settings("station")).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, VaultError::Absent { .. }), "{text}");
    assert!(text.contains(WRAP_KEY) && text.contains("backup"), "{text}");
    let made = Vault::initialise(&settings("station"), &SO_PIN.into()).unwrap();
    assert_eq!(made, Initialised { token: false, user_pin: false, keys: vec![WRAP_KEY] });
    assert!(Vault::open(&settings("station")).unwrap().device_key(&key("0001")).unwrap() == secret);
});

on_token!(a_wrong_pin_is_refused_once_and_never_sent_again, {
    fresh();
    let wrong = Settings { pin: "wrong-pin".into(), ..settings("station") };
    pkcs11().finalize().unwrap();
    let error = Vault::open(&wrong).unwrap_err();
    assert!(
        matches!(&error, VaultError::Pin { who: "user", .. }) && !error.to_string().contains("wrong-pin"),
        "{error}"
    );
    let error = Vault::initialise(&wrong, &SO_PIN.into()).unwrap_err();
    assert!(matches!(error, VaultError::Pin { who: "user", .. }), "{error}");

    // The PIN is changed under an open vault and its session lost: it tries once, then never again, although the PIN is put back.
    let vault = Vault::open(&settings("station")).unwrap();
    let change = |from: &str, to: &str| logged_in(&pkcs11()).set_pin(&from.into(), &to.into()).unwrap();
    change(PIN, "changed-pin");
    pkcs11().finalize().unwrap();
    assert!(matches!(vault.device_key(&key("0001")), Err(VaultError::Pin { .. })));
    let module = pkcs11();
    let officer = session(&module);
    officer.login(UserType::So, Some(&AuthPin::from(SO_PIN))).unwrap();
    officer.init_pin(&PIN.into()).unwrap();
    drop(officer);
    assert!(matches!(vault.device_key(&key("0001")), Err(VaultError::Pin { .. })));
    assert!(Vault::open(&settings("station")).unwrap().device_key(&key("0001")).is_ok());
});

on_token!(a_lost_session_is_opened_again, {
    let vault = fresh();
    let secret = vault.device_key(&key("0001")).unwrap();
    let wrapped = vault.wrap(&"x".into(), "c").unwrap();
    for _ in 0..3 {
        // Ends every session of the process, as a restarted HSM client would.
        pkcs11().finalize().unwrap();
        assert!(vault.device_key(&key("0001")).unwrap() == secret);
        assert_eq!(vault.unwrap(&wrapped, "c").unwrap().expose(), b"x");
    }
});

on_token!(a_check_fails_when_the_token_is_gone_and_passes_when_it_works, {
    let vault = fresh();
    vault.check().unwrap();
    // Logged out, as after a token that was pulled: the next question logs in again.
    session(&pkcs11()).logout().unwrap();
    vault.check().unwrap();
    for token in std::fs::read_dir(std::env::var_os(STORE).unwrap()).unwrap() {
        std::fs::remove_dir_all(token.unwrap().path()).unwrap();
    }
    let error = vault.check().unwrap_err();
    assert!(!error.to_string().contains(PIN), "{error}");
});

on_token!(what_is_absent_is_named_with_the_remedy, {
    let error = Vault::open(&settings("station")).unwrap_err();
    assert!(matches!(error, VaultError::NoToken { .. }), "{error}");
    assert!(
        error.to_string().contains("\"station\"") && error.to_string().contains("SOFTHSM2_CONF"),
        "{error}"
    );
    let vault = fresh();
    let error = vault.factory_key("vk1-factory").unwrap_err();
    assert!(matches!(error, VaultError::Absent { .. }), "{error}");
    assert!(
        error.to_string().contains("\"vk1-factory\"") && error.to_string().contains("firmware profile"),
        "{error}"
    );
    let nowhere = Settings { module: PathBuf::from("/nowhere/lib.so"), ..settings("station") };
    let error = Vault::open(&nowhere).unwrap_err();
    assert!(error.to_string().contains("/nowhere/lib.so"), "{error}");
});

on_token!(a_master_key_that_came_from_outside_is_refused, {
    fresh();
    let session = logged_in(&pkcs11());
    session.destroy_object(master(&session, DEVICE_KEY)).unwrap();
    import(&session, DEVICE_KEY);
    let error = Vault::open(&settings("station")).unwrap_err();
    assert!(
        matches!(error, VaultError::Unprotected { .. }) && error.to_string().contains(DEVICE_KEY),
        "{error}"
    );
    import(&session, DEVICE_KEY);
    let error = Vault::open(&settings("station")).unwrap_err();
    assert!(matches!(error, VaultError::Ambiguous { count: 2, .. }), "{error}");
});

on_token!(what_is_wrapped_opens_with_its_context_only, {
    let vault = fresh();
    for size in [0, 1, 15, 16, 17, 1000, MAX_WRAPPED_BYTES] {
        let secret = Secret::new((0..size).map(|i| i as u8).collect());
        let wrapped = vault.wrap(&secret, "ca/issuing").unwrap();
        assert_eq!(wrapped.len(), size + 29);
        assert!(vault.unwrap(&wrapped, "ca/issuing").unwrap() == secret, "{size}");
        assert!(matches!(vault.unwrap(&wrapped, "ca/root"), Err(VaultError::Sealed { .. })), "{size}");
    }
    let secret = Secret::from("thirty-two bytes of a private key");
    let wrapped = vault.wrap(&secret, "c").unwrap();
    assert_ne!(wrapped, vault.wrap(&secret, "c").unwrap(), "the IV is random");
    assert!(!wrapped.windows(8).any(|w| secret.expose().windows(8).any(|s| s == w)));
    for at in 0..wrapped.len() {
        let mut altered = wrapped.clone();
        altered[at] ^= 1;
        assert!(matches!(vault.unwrap(&altered, "c"), Err(VaultError::Sealed { .. })), "byte {at}");
        assert!(matches!(vault.unwrap(&wrapped[..at], "c"), Err(VaultError::Sealed { .. })), "cut at {at}");
    }
    assert!(vault.unwrap(&wrapped, "c").unwrap() == secret, "and the vault still works");
    let large = Secret::new(vec![0; MAX_WRAPPED_BYTES + 1]);
    assert!(matches!(vault.wrap(&large, "c"), Err(VaultError::Argument { .. })));
    assert!(matches!(vault.wrap(&secret, ""), Err(VaultError::Argument { .. })));
});

on_token!(no_wrapped_bytes_panic, {
    use proptest::{
        prelude::*,
        test_runner::{Config, TestRunner},
    };
    let vault = fresh();
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(200) });
    let bytes = (prop_oneof![Just(1u8), any::<u8>()], proptest::collection::vec(any::<u8>(), 0..100));
    runner
        .run(&bytes, |(form, body)| {
            let wrapped = [vec![form], body].concat();
            let refused = matches!(vault.unwrap(&wrapped, "c"), Err(VaultError::Sealed { .. }));
            prop_assert!(refused);
            Ok(())
        })
        .unwrap();
});

on_token!(factory_keys_are_for_the_logged_in_user_alone, {
    let vault = fresh();
    let (first, second) = (Secret::from("factory-key-one!"), Secret::from("factory-key-two!"));
    vault.set_factory_key("vk1-factory", &first).unwrap();
    vault.set_factory_key("other", &second).unwrap();
    assert!(vault.factory_key("vk1-factory").unwrap() == first);
    vault.set_factory_key("vk1-factory", &second).unwrap();
    assert!(vault.factory_key("vk1-factory").unwrap() == second);
    assert!(Vault::open(&settings("station")).unwrap().factory_key("other").unwrap() == second);
    for label in ["", "with space", "证书", &"x".repeat(65)] {
        assert!(matches!(vault.set_factory_key(label, &first), Err(VaultError::Argument { .. })), "{label}");
    }

    let module = pkcs11();
    let all = [Attribute::Class(ObjectClass::DATA)];
    let found = logged_in(&module).find_objects(&all).unwrap();
    assert_eq!(found.len(), 2, "replacing leaves nothing behind");
    let values: Vec<u8> = found
        .iter()
        .flat_map(|object| logged_in(&module).get_attributes(*object, &[AttributeType::Value]).unwrap())
        .flat_map(|attribute| if let Attribute::Value(value) = attribute { value } else { Vec::new() })
        .collect();
    assert!(
        values.len() > 80 && !values.windows(11).any(|w| w == b"factory-key"),
        "the user PIN alone does not show it"
    );
    logged_in(&module).logout().unwrap();
    assert!(session(&module).find_objects(&all).unwrap().is_empty(), "without log-in it is not even seen");
    assert!(vault.factory_key("other").unwrap() == second, "the vault logs in again");
    for file in files(PathBuf::from(std::env::var_os(STORE).unwrap())) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(11).any(|w| w == b"factory-key"), "{} holds it", file.display());
    }
});

fn files(dir: PathBuf) -> Vec<PathBuf> {
    let items = std::fs::read_dir(dir).unwrap().map(|item| item.unwrap().path());
    items.flat_map(|path| if path.is_dir() { files(path) } else { vec![path] }).collect()
}

on_token!(many_threads_take_turns, {
    let vault = fresh();
    let expected: Vec<Secret> = (0..8).map(|n| vault.device_key(&key(&format!("{n:04}"))).unwrap()).collect();
    std::thread::scope(|scope| {
        for (n, expected) in expected.iter().enumerate() {
            let vault = vault.clone();
            scope.spawn(move || {
                for _ in 0..20 {
                    assert!(vault.device_key(&key(&format!("{n:04}"))).unwrap() == *expected);
                    let wrapped = vault.wrap(expected, "c").unwrap();
                    assert!(vault.unwrap(&wrapped, "c").unwrap() == *expected);
                }
            });
        }
    });
});

#[test]
fn nothing_shows_a_secret() {
    let text = format!("{:?}", settings("station"));
    assert!(text.contains("station") && !text.contains(PIN), "{text}");
}

#[test]
fn a_token_label_that_pkcs11_would_change_is_refused() {
    for label in ["", " station", "station ", "证书", &"x".repeat(33)] {
        assert!(matches!(Vault::open(&settings(label)), Err(VaultError::Argument { .. })), "{label:?}");
    }
}
