//! Every message, byte for byte as it stands in `tests/golden/`. If an old file breaks, mend the code, not the file (its README says more).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod samples;

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde::{Serialize, de::DeserializeOwned};
use wire::{Down, Status, Up, decode, encode};

fn golden_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.json"))
}

/// The file without the line end that closes it.
fn golden(name: &str) -> Vec<u8> {
    let file = golden_file(name);
    let mut bytes = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(bytes.pop(), Some(b'\n'), "{name} ends with one line end");
    bytes
}

fn holds<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, message: &T) {
    let bytes = golden(name);
    let written = encode(samples::ID, message).unwrap();
    assert_eq!(
        String::from_utf8(written).unwrap(),
        String::from_utf8(bytes.clone()).unwrap(),
        "{name} is written otherwise"
    );
    let (id, read) = decode::<T>(&bytes).unwrap();
    assert_eq!((id.as_str(), &read), (samples::ID, message), "{name} is read otherwise");
}

#[test]
fn requests_and_reports_keep_their_bytes() {
    samples::up().iter().for_each(|(name, message)| holds(name, message));
}

#[test]
fn answers_keep_their_bytes() {
    samples::down().iter().for_each(|(name, message)| holds(name, message));
}

#[test]
fn the_state_of_a_station_keeps_its_bytes() {
    holds("status", &samples::status());
}

#[test]
fn sealed_secrets_keep_their_bytes() {
    let secrets = samples::key_secrets();
    assert_eq!(serde_json::to_vec(&secrets).unwrap(), golden("sealed-key-secrets"));
    assert_eq!(serde_json::from_slice::<wire::KeySecrets>(&golden("sealed-key-secrets")).unwrap(), secrets);
}

#[test]
fn a_request_for_secrets_without_an_attempt_is_still_read() {
    holds("up-secrets", &Up::Secrets(samples::older_secrets()));
}

#[test]
fn secrets_without_a_lot_are_still_read() {
    holds("down-secrets", &Down::Secrets(samples::older_reply()));
}

#[test]
fn reports_and_acknowledgements_without_heads_are_still_read() {
    samples::older_reports().into_iter().for_each(|(name, report)| holds(name, &Up::Report(report)));
    holds("down-ack", &Down::Ack(samples::older_ack()));
}

#[test]
fn no_golden_file_is_left_unread() {
    let mut known: BTreeSet<String> = [
        "README.md",
        "sealed-key-secrets.json",
        "status.json",
        "up-secrets.json",
        "down-secrets.json",
        "down-ack.json",
    ]
    .map(str::to_owned)
    .into();
    known.extend(samples::older_reports().iter().map(|(name, _)| format!("{name}.json")));
    known.extend(samples::up().iter().map(|(name, _)| format!("{name}.json")));
    known.extend(samples::down().iter().map(|(name, _)| format!("{name}.json")));
    let folder = fs::read_dir(golden_file("status").parent().unwrap()).unwrap();
    let found: BTreeSet<String> =
        folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, known);
}

#[test]
fn a_reader_ignores_what_it_does_not_know() {
    let newer = br#"{"v":1,"id":"x","new":[1],"kind":"ack","body":{"report":"r","newer":{"a":1}}}"#;
    let (_, message) = decode::<Down>(newer).unwrap();
    assert_eq!(message, Down::Ack(wire::Ack { report: "r".to_owned(), portal_head: None }));
}

#[test]
fn one_way_is_never_read_as_the_other() {
    assert!(decode::<Down>(&golden("up-pull")).is_err());
    assert!(decode::<Up>(&golden("down-lease")).is_err());
    assert!(decode::<Status>(&golden("down-ack")).is_err());
}
