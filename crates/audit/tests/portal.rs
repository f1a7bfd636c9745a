//! The portal's audit as the portal writes it, then changed as a thief would: each change is found, with its row.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{path::Path, process::Command};

use audit::{
    Archive, Evidence, Kind, KnownHead, PortalEvidence, PortalVerdict, anchors, portal_heads, verify_portal,
};
use gm::SigningKey;
use journal::Journal;
use proptest::prelude::*;
use serde_json::{Value, json};
use wire::{Chain, PortalHead, SignedHead};

/// How many rows an honest audit has here.
const ROWS: u64 = 12;

/// The chain as it is defined, and its heads.
fn honest() -> (Vec<Value>, Vec<[u8; 32]>) {
    let (mut rows, mut heads, mut head) = (Vec::new(), Vec::new(), [0_u8; 32]);
    for sequence in 1..=ROWS {
        let at_ms = 1_795_311_000_000 + i64::try_from(sequence).unwrap();
        let (who, what) = (format!("operator:{sequence}"), "order.approved");
        let (subject, detail) = (format!("SAAS1{sequence:020}"), "from=a to=b");
        let mut bytes = head.to_vec();
        bytes.extend(sequence.to_be_bytes());
        bytes.extend([0, 0, 0, 8]);
        bytes.extend(at_ms.to_be_bytes());
        for text in [who.as_str(), what, &subject, detail] {
            bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        head = gm::sm3(&bytes);
        heads.push(head);
        rows.push(json!({
            "sequence": sequence, "at_ms": at_ms, "who": who, "what": what, "subject": subject, "detail": detail, "head": hex::encode(head),
        }));
    }
    (rows, heads)
}

fn lines(rows: &[Value]) -> Vec<u8> {
    rows.iter().map(|row| format!("{row}\n")).collect::<String>().into_bytes()
}

fn signed(key: &SigningKey, sequence: u64, head: &[u8; 32]) -> Vec<u8> {
    let signature = key.sign(&Chain::Portal.message(sequence, head)).unwrap();
    let signed = SignedHead::new(sequence, head, &signature);
    serde_json::to_vec(&PortalHead { signed, key: hex::encode(key.public_key().xy()) }).unwrap()
}

/// Heads of the given rows, as a station keeps them.
fn known(key: &SigningKey, heads: &[[u8; 32]], sequences: &[u64]) -> Vec<KnownHead> {
    let head = |sequence: &u64| {
        let head = &heads[usize::try_from(*sequence).unwrap() - 1];
        KnownHead::new("bench-1".to_owned(), signed(key, *sequence, head))
    };
    sequences.iter().map(head).collect()
}

fn judge(rows: &[Value], heads: Vec<KnownHead>) -> PortalVerdict {
    verify_portal(&PortalEvidence { lines: lines(rows), heads, key: None })
}

#[track_caller]
fn finds(verdict: &PortalVerdict, kind: Kind, sequence: u64) {
    let found = verdict.findings.iter().any(|finding| finding.kind == kind && finding.sequence == sequence);
    assert!(found, "no {kind:?} at link {sequence} in {:?}", verdict.findings);
}

#[test]
fn p8_what_the_writers_sign_is_what_is_checked_here() {
    for (sequence, head) in [(0, [0; 32]), (1, [1; 32]), (u64::MAX, [0xff; 32])] {
        assert_eq!(anchors::message(sequence, &head), Chain::Journal.message(sequence, &head));
        assert_eq!(audit::portal_heads::message(sequence, &head), Chain::Portal.message(sequence, &head));
    }
}

#[test]
fn p8_an_honest_audit_is_whole() {
    let ((rows, heads), key) = (honest(), SigningKey::generate().unwrap());
    let verdict = judge(&rows, known(&key, &heads, &[3, 7, ROWS]));
    assert!(verdict.findings.is_empty(), "{:?}", verdict.findings);
    assert_eq!((verdict.rows, verdict.end), (ROWS, ROWS));
    assert_eq!(verdict.head, heads[heads.len() - 1]);
    assert_eq!(verdict.key, Some(hex::encode(key.public_key().xy())));
    assert!(judge(&rows, Vec::new()).findings.is_empty());
}

#[test]
fn p8_every_edited_field_is_found() {
    let (rows, _) = honest();
    for at in 0..rows.len() {
        for field in ["at_ms", "who", "what", "subject", "detail", "head"] {
            let mut rows = rows.clone();
            let value = &mut rows[at][field];
            *value = match value {
                Value::Number(number) => json!(number.as_i64().unwrap() + 1),
                _ if field == "head" => json!("ab".repeat(32)),
                _ => json!("another"),
            };
            let verdict = judge(&rows, Vec::new());
            finds(&verdict, Kind::Edit, at as u64 + 1);
            assert_eq!(verdict.findings.len(), 1, "{field}: {:?}", verdict.findings);
        }
        // A number that another row has, or none has.
        for sequence in [1, 2, 40] {
            let mut rows = rows.clone();
            if rows[at]["sequence"] != sequence {
                rows[at]["sequence"] = json!(sequence);
                assert!(!judge(&rows, Vec::new()).findings.is_empty(), "row {at} as {sequence}");
            }
        }
        let mut rows = rows.clone();
        rows[at]["more"] = json!(1);
        finds(&judge(&rows, Vec::new()), Kind::Illegible, at as u64 + 1);
    }
    // Text that moves from one field to the next.
    let mut rows = rows;
    rows[4]["who"] = json!("operator:5order");
    rows[4]["what"] = json!(".approved");
    finds(&judge(&rows, Vec::new()), Kind::Edit, 5);
}

#[test]
fn p8_a_dropped_line_is_found() {
    let ((rows, heads), key) = (honest(), SigningKey::generate().unwrap());
    for at in 0..rows.len() - 1 {
        let mut rows = rows.clone();
        rows.remove(at);
        finds(&judge(&rows, Vec::new()), Kind::Gap, at as u64 + 1);
        // Numbered anew, so that none is missing.
        for later in &mut rows[at..] {
            later["sequence"] = json!(later["sequence"].as_u64().unwrap() - 1);
        }
        finds(&judge(&rows, Vec::new()), Kind::Edit, at as u64 + 1);
    }
    // The end: only somebody else's head can show it.
    for left in 1..rows.len() {
        let cut = &rows[..left];
        assert!(judge(cut, Vec::new()).findings.is_empty());
        assert!(judge(cut, known(&key, &heads, &[left as u64])).findings.is_empty());
        finds(&judge(cut, known(&key, &heads, &[1, left as u64 + 1])), Kind::Cut, left as u64 + 1);
    }
    finds(&judge(&[], Vec::new()), Kind::Cut, 1);
    // A line that ends early.
    let mut bytes = lines(&rows);
    bytes.truncate(bytes.len() - 9);
    let verdict = verify_portal(&PortalEvidence { lines: bytes, ..PortalEvidence::default() });
    finds(&verdict, Kind::Illegible, ROWS);
}

#[test]
fn p8_exchanged_and_repeated_lines_are_found() {
    let (rows, _) = honest();
    for (one, two) in [(0, 1), (3, 4), (2, 9), (0, 11)] {
        let mut swapped = rows.clone();
        swapped.swap(one, two);
        assert!(judge(&swapped, Vec::new()).findings.iter().any(|finding| finding.kind == Kind::Reorder));
        // Each gets the other's number, so that the file looks in order.
        let number = swapped[one]["sequence"].clone();
        swapped[one]["sequence"] = std::mem::replace(&mut swapped[two]["sequence"], number);
        finds(&judge(&swapped, Vec::new()), Kind::Edit, one as u64 + 1);
    }
    let mut doubled = rows.clone();
    doubled.insert(5, rows[4].clone());
    finds(&judge(&doubled, Vec::new()), Kind::Extra, 5);
}

#[test]
fn p8_an_audit_written_anew_is_found_by_any_stations_head() {
    let ((rows, heads), key) = (honest(), SigningKey::generate().unwrap());
    // The thief changes row 5 and computes all that follows.
    let mut forged = rows;
    let mut before = heads[3];
    for row in &mut forged[4..] {
        if row["sequence"] == 5 {
            row["subject"] = json!("another");
        }
        let mut bytes = before.to_vec();
        bytes.extend(row["sequence"].as_u64().unwrap().to_be_bytes());
        bytes.extend([0, 0, 0, 8]);
        bytes.extend(row["at_ms"].as_i64().unwrap().to_be_bytes());
        for field in ["who", "what", "subject", "detail"] {
            let text = row[field].as_str().unwrap();
            bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        before = gm::sm3(&bytes);
        row["head"] = json!(hex::encode(before));
    }
    assert!(judge(&forged, known(&key, &heads, &[2, 4])).findings.is_empty());
    for sequence in 5..=ROWS {
        finds(&judge(&forged, known(&key, &heads, &[2, sequence])), Kind::Edit, sequence);
    }
}

#[test]
fn p8_a_head_without_the_portals_signature_proves_nothing() {
    let ((rows, heads), key, other) =
        (honest(), SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let mut mixed = known(&key, &heads, &[3]);
    mixed.extend(known(&other, &heads, &[4]));
    finds(&judge(&rows, mixed.clone()), Kind::Anchor, 4);
    let evidence = |signer: &SigningKey| PortalEvidence {
        lines: lines(&rows),
        heads: mixed.clone(),
        key: Some(hex::encode_upper(signer.public_key().xy())),
    };
    finds(&verify_portal(&evidence(&key)), Kind::Anchor, 4);
    finds(&verify_portal(&evidence(&other)), Kind::Anchor, 3);
    let mut record: Value = serde_json::from_slice(&signed(&key, 3, &heads[2])).unwrap();
    for (field, value) in [
        ("sequence", json!(4)),
        ("head", json!("00".repeat(32))),
        ("signature", json!("zz")),
        ("key", json!("00".repeat(64))),
    ] {
        let was = std::mem::replace(&mut record[field], value);
        let head = KnownHead::new("bench-1".to_owned(), record.to_string().into_bytes());
        let verdict = judge(&rows, vec![head]);
        assert_eq!(verdict.findings.len(), 1, "{field}");
        assert_eq!(verdict.findings[0].kind, Kind::Anchor, "{field}");
        record[field] = was;
    }
}

/// A journal with heads of the portal in three streams: archived, finished, running.
fn journal(dir: &Path, key: &SigningKey, heads: &[[u8; 32]]) {
    let journal = Journal::open(dir).unwrap();
    for (sequence, stream) in [(2, "heads/08"), (4, "heads/08"), (6, "heads/09"), (8, "heads/10")] {
        journal
            .append(stream, &signed(key, sequence, &heads[usize::try_from(sequence).unwrap() - 1]))
            .unwrap();
        journal.append("job/1", b"heads/ is in a record, not in a name").unwrap();
        if sequence == 4 {
            journal.finish("heads/08").unwrap();
            journal.compact(0).unwrap();
        }
    }
    journal.finish("heads/09").unwrap();
    journal.sealed().unwrap();
}

#[test]
fn p8_heads_are_found_wherever_a_journal_keeps_them() {
    let ((rows, heads), key) = (honest(), SigningKey::generate().unwrap());
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), &key, &heads);
    let store = journal::raw::pairs(dir.path()).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    let evidence = Evidence {
        archive: Archive::read(dir.path()).unwrap(),
        store: Ok(store),
        anchors: Vec::new(),
        station_keys: Vec::new(),
    };
    let found = portal_heads(&evidence, "bench-1");
    assert_eq!(found.iter().map(KnownHead::sequence).collect::<Vec<_>>(), [2, 4, 6, 8]);
    assert!(judge(&rows, found.clone()).findings.is_empty());
    finds(&judge(&rows[..7], found), Kind::Cut, 8);
}

#[test]
fn p8_the_program_holds_the_audit_against_the_journals() {
    let ((rows, heads), key) = (honest(), SigningKey::generate().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let (one, two, file) = (dir.path().join("one"), dir.path().join("two"), dir.path().join("portal.jsonl"));
    journal(&one, &key, &heads[..]);
    journal(&two, &key, &heads[..]);
    let run = |rows: &[Value], more: &[&str]| {
        std::fs::write(&file, lines(rows)).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_ukey-audit"))
            .args(["verify", "--portal", file.to_str().unwrap()])
            .args(more)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
    let (code, text) = run(&rows, &["--journal", one, "--journal", two]);
    assert!(code == Some(0) && text.contains("8 kept by stations, the last at link 8"), "{code:?} {text}");
    assert_eq!(text.matches("whole: nothing is wrong").count(), 3, "{text}");
    let (code, text) = run(&rows[..7], &["--journal", one]);
    assert!(code == Some(1) && text.contains("cut at link 8: the audit ends at link 7"), "{code:?} {text}");
    let (code, text) = run(&rows[..7], &[]);
    assert!(
        code == Some(0) && text.contains("cannot be seen without a station's journal"),
        "{code:?} {text}"
    );
    let (code, text) = run(&rows, &["--journal", one, "--anchors", one, "--anchors", two]);
    assert!(code == Some(2) && text.contains("one --anchors for each --journal"), "{code:?} {text}");
    let (code, text) = run(&rows, &["--journal", one, "--portal-certificate", file.to_str().unwrap()]);
    assert!(code == Some(2), "{code:?} {text}");
}

proptest! {
    #[test]
    fn p8_no_damage_of_a_byte_goes_unseen(at in any::<prop::sample::Index>(), mask in 1_u8..) {
        let (rows, _) = honest();
        let honest = lines(&rows);
        let mut damaged = honest.clone();
        let at = at.index(damaged.len());
        damaged[at] ^= mask;
        let verdict = verify_portal(&PortalEvidence { lines: damaged.clone(), ..PortalEvidence::default() });
        // Only what means the same may pass: a blank between two parts of a row, an empty line.
        let read = |bytes: &[u8]| -> Option<Vec<Value>> {
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            lines.map(|line| serde_json::from_slice(line).ok()).collect()
        };
        prop_assert!(!verdict.findings.is_empty() || read(&damaged) == read(&honest), "byte {at}");
    }
}
