//! `portal init`.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt as _, path::Path};

use crate::stations::desk::{HSM, on_desk};
use portal::{AppState, readiness::VaultWatch, web};

/// What `/readyz` of a portal with this state answers.
fn ready(runtime: &tokio::runtime::Runtime, state: AppState) -> (u16, String) {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}/readyz", listener.local_addr().unwrap());
    runtime.spawn(web::serve(listener, web::router(state)));
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.get(&url).call().unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

on_desk!(p14_a_portal_whose_vault_is_gone_is_not_ready, |portal| {
    let vault = portal.runtime.block_on(portal::stations::open_vault(&portal.config)).unwrap();
    let watched = || {
        let vault = vault.clone();
        portal.state.clone().with_vault(VaultWatch::new(move || vault.check()))
    };
    let (status, told) = ready(&portal.runtime, watched());
    assert!(status == 200 && told.contains("vault yes"), "{told}");
    for token in std::fs::read_dir(std::env::var_os(HSM).unwrap()).unwrap() {
        std::fs::remove_dir_all(token.unwrap().path()).unwrap();
    }
    let (status, told) = ready(&portal.runtime, watched());
    assert!(status == 503 && told.contains("database yes") && told.contains("vault no"), "{told}");
});

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            found.insert(
                entry.file_name().to_string_lossy().into_owned(),
                std::fs::read(entry.path()).unwrap(),
            );
        }
    }
    found
}

on_desk!(init_twice_changes_nothing, |portal| {
    let broker = portal.config.broker_dir();
    let secrets = portal.folder.path().join("secrets");
    let ca = |dir: &str| {
        let dir = portal.folder.path().join(dir);
        portal.runtime.block_on(portal::init::export_ca(&portal.config, &dir)).unwrap();
        let mut files = files(&dir);
        assert!(files.remove("crl.pem").is_some());
        files
    };
    let before = (files(&broker), files(&secrets), ca("first"));
    portal.runtime.block_on(portal::init::run(&portal.config)).unwrap();
    assert_eq!((files(&broker), files(&secrets), ca("second")), before);
    let names: Vec<&str> = before.0.keys().map(String::as_str).collect();
    let expected = [
        "acl",
        "ca.pem",
        "crl.pem",
        "mosquitto.conf",
        "portal.key",
        "portal.pem",
        "server.key",
        "server.pem",
    ];
    assert_eq!(names, expected);

    for private in ["portal.key", "server.key"] {
        let mode = std::fs::metadata(broker.join(private)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{private}");
    }
    for private in ["vault-pin", "vault-so-pin"] {
        let mode = std::fs::metadata(secrets.join(private)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{private}");
    }
    let mode = std::fs::metadata(&portal.config.data_dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
});

on_desk!(an_interrupted_init_is_finished_by_the_next, |portal| {
    let broker = portal.config.broker_dir();
    let authority = std::fs::read(broker.join("ca.pem")).unwrap();
    // The key was written, its certificate was not.
    std::fs::remove_file(broker.join("server.pem")).unwrap();
    std::fs::remove_file(broker.join("acl")).unwrap();
    portal.runtime.block_on(portal::init::run(&portal.config)).unwrap();
    assert_eq!(std::fs::read(broker.join("ca.pem")).unwrap(), authority);
    let output = std::process::Command::new("openssl")
        .args(["verify", "-purpose", "sslserver", "-CAfile", "ca.pem", "server.pem"])
        .current_dir(&broker)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let public = |arguments: &[&str]| {
        let output =
            std::process::Command::new("openssl").args(arguments).current_dir(&broker).output().unwrap();
        assert!(output.status.success());
        output.stdout
    };
    assert_eq!(
        public(&["x509", "-in", "server.pem", "-noout", "-pubkey"]),
        public(&["pkey", "-in", "server.key", "-pubout"])
    );
    assert!(broker.join("acl").exists());
});

on_desk!(the_ca_key_in_the_database_does_not_open_under_another_name, |portal| {
    let sql = "update ca_keys set wrapped_key = (select wrapped_key from ca_keys where name = 'root') where name = 'issuing'";
    portal.runtime.block_on(sqlx::query(sql).execute(&portal.state.db)).unwrap();
    assert!(portal.runtime.block_on(portal::stations::Desk::open(portal.state.clone())).is_err());
});
