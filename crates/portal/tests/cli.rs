//! The commands, as an installer types them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use bench::{free_order, paid_order, shipped};
use serde_json::{Value, json};

/// A config in `folder` that differs from the shipped one only in its paths.
fn config(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(shipped("portal.toml")).unwrap();
    let text = text
        .replace("data_dir = \"../.work/portal\"", "data_dir = \"data\"")
        .replace("programmes_dir = \"programmes\"", &format!("programmes_dir = {:?}", shipped("programmes")));
    let file = folder.join("portal.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// Exit code, standard output, standard error.
fn portal(config: &Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_portal"))
        .arg("--config")
        .arg(config)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn check_config_names_the_programmes_or_the_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let (code, out, err) = portal(&config, &["check-config"], "");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("yuncaidun") && out.contains("luzhou-laojiao"), "{out}");
    let text = std::fs::read_to_string(&config).unwrap().replace("seconds = 900", "seconds = 9");
    std::fs::write(&config, text).unwrap();
    let (code, _, err) = portal(&config, &["check-config"], "");
    assert!(code == 1 && err.contains("leases.seconds") && err.contains("portal.toml:"), "{err}");
}

#[test]
fn an_operator_is_added_once_and_the_password_has_rules() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let add = |name: &str, password: &str| portal(&config, &["operator", "add", name], password);
    assert_eq!(add("li.shen", "a long enough password\n").0, 0);
    let (code, _, err) = add("li.shen", "another long password\n");
    assert!(code == 1 && err.contains("already"), "{err}");
    let (code, _, err) = add("wang", "pw-7777\n");
    assert!(code == 1 && err.contains("12 characters") && !err.contains("pw-7777"), "{err}");
    assert_eq!(add("Wang Li", "a long enough password\n").0, 1);
}

#[test]
fn a_file_of_orders_is_imported_row_by_row_and_again_without_harm() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let file = folder.path().join("orders.json");
    let mut good = paid_order(2);
    good["number"] = json!("SAAS120261122093000000001");
    let mut bad = free_order();
    bad["number"] = json!("SAAS120261122093000000002");
    bad["handler"]["id_number"] = json!("1");
    std::fs::write(&file, json!([good, bad]).to_string()).unwrap();
    for outcome in ["accepted", "repeated"] {
        let (code, out, err) = portal(&config, &["import", file.to_str().unwrap()], "");
        assert!(code == 1 && err.contains("1 of 2 orders"), "{err}");
        let report: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(report["results"][0]["outcome"], outcome);
        assert_eq!(report["results"][1]["errors"][0]["field"], "handler.id_number");
    }
    bad["handler"]["id_number"] = good["handler"]["id_number"].clone();
    std::fs::write(&file, json!([good, bad]).to_string()).unwrap();
    let (code, out, err) = portal(&config, &["import", file.to_str().unwrap()], "");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("repeated") && out.contains("accepted"), "{out}");
    let (code, _, err) = portal(&config, &["import", "/nowhere.json"], "");
    assert!(code == 1 && err.contains("/nowhere.json"), "{err}");
}
