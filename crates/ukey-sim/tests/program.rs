//! The program `ukey-sim`: make, show, serve.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ukey-sim")).args(arguments).output().unwrap()
}

fn make(folder: &Path, more: &[&str]) -> Output {
    let profiles = concat!(env!("CARGO_MANIFEST_DIR"), "/../../firmware-profiles");
    let dir = folder.to_str().unwrap();
    run(&[&["make", "--profiles", profiles, "--dir", dir][..], more].concat())
}

#[test]
fn p13_a_batch_of_blanks_is_made_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let made = make(folder.path(), &["--count", "3", "--first", "V0000099"]);
    assert!(made.status.success(), "{made:?}");
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["V0000099.json", "V0000100.json", "V0000101.json"]);
    let shown = run(&["show", folder.path().join("V0000100.json").to_str().unwrap()]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.starts_with("V0000100 · ukey/virtual · blank (factory stage)\n"), "{text}");
    assert!(text.contains("device key: 10 of 10 tries left"), "{text}");
    assert!(!text.contains(&hex::encode(ukey_sim::FACTORY_DEVICE_KEY)), "{text}");

    let again = make(folder.path(), &["--first", "V0000100"]);
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("never overwritten"), "{again:?}");
    let unknown = make(folder.path(), &["--profile", "nobody/none", "--first", "V5"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no profile nobody/none"), "{unknown:?}");
}

#[test]
fn the_factory_key_comes_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("factory.hex");
    std::fs::write(&file, "000102030405060708090a0b0c0d0e0f\n").unwrap();
    let made = make(&folder.path().join("keys"), &["--factory-key-file", file.to_str().unwrap()]);
    assert!(made.status.success(), "{made:?}");
    std::fs::write(&file, "00 01").unwrap();
    let refused =
        make(&folder.path().join("keys"), &["--factory-key-file", file.to_str().unwrap(), "--first", "V2"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("32 hex digits"), "{refused:?}");
}

#[test]
fn the_bench_plugs_pulls_and_lists() {
    let folder = tempfile::tempdir().unwrap();
    assert!(make(folder.path(), &["--count", "2"]).status.success());
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_ukey-sim"))
        .args(["serve", "--port", &port.to_string(), "--readers", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (bench.stdin.take().unwrap(), BufReader::new(bench.stdout.take().unwrap()));
    let mut say = |line: &str| {
        writeln!(input, "{line}").unwrap();
        let mut answer = String::new();
        output.read_line(&mut answer).unwrap();
        answer
    };
    let (one, two) = (folder.path().join("V0000001.json"), folder.path().join("V0000002.json"));
    assert_eq!(say("list"), "0 plugged\n");
    assert_eq!(say(&format!("plug {port} {}", one.display())), format!("plugged {port} V0000001\n"));
    let mut stream = listener.accept().unwrap().0;
    stream.write_all(&[0, 1, 4]).unwrap();
    let mut atr = [0; 3];
    stream.read_exact(&mut atr).unwrap();
    assert_eq!(atr[2], 0x3B);
    assert_eq!(
        say(&format!("plug {port} {}", two.display())),
        format!("error: port {port} is occupied; pull first\n")
    );
    assert!(say(&format!("plug {} {}", port - 1, two.display())).contains("is none of the 1 from"));
    assert_eq!(say(&format!("fault {port} 1:yank-before")), format!("faults {port} 1\n"));
    assert!(say(&format!("fault {port} 1:explode")).starts_with("error: "));
    assert!(say("dance").starts_with("error: \"dance\" is no command"));
    assert_eq!(say(&format!("pull {port}")), format!("pulled {port} V0000001\n"));
    assert_eq!(say(&format!("pull {port}")), format!("error: port {port} is empty\n"));
    say(&format!("plug {port} {}", two.display()));
    writeln!(input, "quit").unwrap();
    assert!(bench.wait().unwrap().success());
}
