//! A journal as a station writes it, then changed as a thief would: each change is found, with its link.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{path::Path, process::Command};

use audit::{
    Archive, Evidence, Kind, Pair, Verdict,
    anchors::{Anchor, message},
    verify,
};
use gm::SigningKey;
use journal::Journal;
use proptest::prelude::*;

fn anchor(journal: &Journal, key: &SigningKey) -> Anchor {
    let (sequence, head) = journal.head().unwrap();
    Anchor {
        sequence,
        head: hex::encode(head),
        signature_hex: hex::encode(key.sign(&message(sequence, &head)).unwrap().rs()),
        station_public_key_hex: hex::encode(key.public_key().xy()),
    }
}

fn job(journal: &Journal, name: &str) {
    for number in 0..4 {
        journal.append(name, format!("{name} record {number}").as_bytes()).unwrap();
    }
    let report = format!("ended:{name}");
    journal.append_with_report(name, b"last", &report, b"report").unwrap();
    journal.acknowledge(&report).unwrap();
    journal.finish(name).unwrap();
}

/// Eight links a job: `job-0` to `job-3` and the running one in two files of the archive, `job-4` and more in the store alone.
fn written(dir: &Path, key: &SigningKey) -> Vec<Anchor> {
    let journal = Journal::open(dir).unwrap();
    journal.append("running", b"0").unwrap();
    journal.report("waiting", b"report").unwrap();
    let mut anchors = Vec::new();
    for number in 0..5 {
        job(&journal, &format!("job-{number}"));
        anchors.push(anchor(&journal, key));
        if number == 1 || number == 3 {
            journal.compact(1).unwrap();
        }
    }
    journal.append("running", b"1").unwrap();
    journal.append("running", b"2").unwrap();
    anchors.push(anchor(&journal, key));
    journal.sealed().unwrap();
    anchors
}

fn read(dir: &Path, anchors: Vec<Anchor>) -> Evidence {
    let store = journal::raw::pairs(dir).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    Evidence { archive: Archive::read(dir).unwrap(), store: Ok(store), anchors, station_keys: Vec::new() }
}

fn evidence() -> Evidence {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    let anchors = written(dir.path(), &key);
    read(dir.path(), anchors)
}

fn shown(verdict: &Verdict) -> String {
    verdict.findings.iter().map(|finding| format!("{finding}\n")).collect()
}

#[track_caller]
fn finds(evidence: &Evidence, kind: Kind, sequence: u64) {
    let verdict = verify(evidence);
    let found = verdict.findings.iter().any(|finding| finding.kind == kind && finding.sequence == sequence);
    assert!(found, "no {kind:?} at link {sequence} in\n{}", shown(&verdict));
}

fn pairs(evidence: &mut Evidence) -> &mut Vec<Pair> {
    evidence.store.as_mut().unwrap()
}

fn chain_key(sequence: u64) -> Vec<u8> {
    [b"chain/".as_slice(), &sequence.to_be_bytes()].concat()
}

fn record_key(stream: &str, number: u64) -> Vec<u8> {
    [stream.as_bytes(), &[0], &number.to_be_bytes()].concat()
}

fn at(evidence: &mut Evidence, key: &[u8]) -> usize {
    pairs(evidence)
        .iter()
        .position(|(there, _)| there == key)
        .unwrap_or_else(|| panic!("no {}", key.escape_ascii()))
}

/// Start and end of each entry of a file.
fn entries(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut entries = Vec::new();
    let mut start = 8;
    while start < bytes.len() {
        let length = u32::from_be_bytes(bytes[start..start + 4].try_into().unwrap());
        let end = start + 4 + usize::try_from(length).unwrap();
        entries.push(start..end);
        start = end;
    }
    entries
}

#[test]
fn p8_an_honest_journal_is_whole() {
    let evidence = evidence();
    assert_eq!(evidence.archive.files.len(), 2);
    let verdict = verify(&evidence);
    assert!(verdict.findings.is_empty(), "{}", shown(&verdict));
    assert_eq!((verdict.streams, verdict.waiting, verdict.unknown), ((1, 5), 1, 0));
    assert_eq!((verdict.links, verdict.end), (46, 46), "2 + 5 × 8 + 2 compactions + 2");
    assert_eq!(hex::encode(verdict.head), evidence.anchors.last().unwrap().head);
}

#[test]
fn p8_a_stream_is_shown_wherever_it_lies() {
    let evidence = evidence();
    let archive = Evidence { store: Ok(Vec::new()), ..evidence.clone() };
    let store = Evidence { archive: Archive::default(), ..evidence.clone() };
    for (stream, records, archived, stored) in
        [("job-0", 5, 5, 0), ("job-4", 5, 0, 5), ("running", 3, 1, 3), ("job", 0, 0, 0)]
    {
        assert_eq!(audit::show(&evidence, stream).records.len(), records, "{stream}");
        assert_eq!(audit::show(&archive, stream).records.len(), archived, "{stream}");
        assert_eq!(audit::show(&store, stream).records.len(), stored, "{stream}");
    }
    assert_eq!(audit::show(&evidence, "job-0").records[&1], b"job-0 record 1");
}

#[test]
fn p8_an_outline_names_what_store_and_archive_have() {
    let honest = evidence();
    let outline = audit::outline(&honest);
    let streams: Vec<&str> = outline.streams.iter().map(String::as_str).collect();
    assert_eq!(streams, ["job-0", "job-1", "job-2", "job-3", "job-4", "running"]);
    let acknowledged = outline.reports.values().filter(|acknowledged| **acknowledged).count();
    assert_eq!((outline.reports.len(), acknowledged), (6, 5));
    let archive = Evidence { store: Ok(Vec::new()), ..honest };
    assert!(audit::outline(&archive).streams.contains("job-0"));
}

#[test]
fn p8_a_flipped_byte_is_found() {
    let honest = evidence();
    // Every byte of an entry of the archive: its length, its sequence, its link, its value.
    let ranges = entries(&honest.archive.files[0].1);
    for byte in ranges[4].clone() {
        let mut evidence = honest.clone();
        evidence.archive.files[0].1[byte] ^= 0x40;
        assert!(!verify(&evidence).findings.is_empty(), "byte {byte}");
    }
    let mut evidence = honest.clone();
    let last = ranges[4].end - 1;
    evidence.archive.files[0].1[last] ^= 1;
    finds(&evidence, Kind::Edit, 5);
    // A value in the store: of a finished stream, of a running one, of a report; and a link.
    for (key, sequence) in [
        ([b"done/", record_key("job-4", 2).as_slice()].concat(), 39),
        ([b"live/", record_key("running", 0).as_slice()].concat(), 1),
        ([b"out/".as_slice(), &0_u64.to_be_bytes()].concat(), 2),
        (chain_key(40), 40),
    ] {
        let mut evidence = honest.clone();
        let at = at(&mut evidence, &key);
        *pairs(&mut evidence)[at].1.last_mut().unwrap() ^= 1;
        finds(&evidence, Kind::Edit, sequence);
    }
}

#[test]
fn p8_a_dropped_entry_is_found() {
    let honest = evidence();
    let mut evidence = honest.clone();
    let range = entries(&evidence.archive.files[0].1)[6].clone();
    evidence.archive.files[0].1.drain(range);
    finds(&evidence, Kind::Gap, 7);
    let mut evidence = honest.clone();
    evidence.archive.files.remove(0);
    finds(&evidence, Kind::Gap, 1);
    for (key, sequence) in
        [(chain_key(40), 40), ([b"live/", record_key("running", 1).as_slice()].concat(), 45)]
    {
        let mut evidence = honest.clone();
        let at = at(&mut evidence, &key);
        pairs(&mut evidence).remove(at);
        finds(&evidence, Kind::Gap, sequence);
    }
}

#[test]
fn p8_two_exchanged_entries_are_found() {
    let honest = evidence();
    let exchange = |bytes: &[u8], keep_sequences: bool| {
        let ranges = entries(bytes);
        let (mut two, mut three) = (bytes[ranges[2].clone()].to_vec(), bytes[ranges[3].clone()].to_vec());
        if keep_sequences {
            // Each gets the other's sequence, so that the file looks in order.
            let sequence = two[4..12].to_vec();
            two[4..12].copy_from_slice(&three[4..12]);
            three[4..12].copy_from_slice(&sequence);
        }
        [&bytes[..ranges[2].start], &three, &two, &bytes[ranges[3].end..]].concat()
    };
    for keep_sequences in [false, true] {
        let mut evidence = honest.clone();
        evidence.archive.files[0].1 = exchange(&honest.archive.files[0].1, keep_sequences);
        finds(&evidence, Kind::Reorder, 3);
    }
    // Links in the store, and values of two records.
    for (one, two, sequence) in [
        (chain_key(38), chain_key(41), 38),
        (
            [b"done/", record_key("job-4", 0).as_slice()].concat(),
            [b"done/", record_key("job-4", 3).as_slice()].concat(),
            37,
        ),
    ] {
        let mut evidence = honest.clone();
        let (one, two) = (at(&mut evidence, &one), at(&mut evidence, &two));
        let value = pairs(&mut evidence)[one].1.clone();
        pairs(&mut evidence)[one].1 = std::mem::replace(&mut pairs(&mut evidence)[two].1, value);
        finds(&evidence, Kind::Reorder, sequence);
    }
}

#[test]
fn p8_a_cut_tail_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    let anchors = written(dir.path(), &key);
    let honest = read(dir.path(), anchors);
    // The last two links with the records they cover: nothing inside shows it, the anchor does.
    let mut evidence = honest.clone();
    for key in [chain_key(45), chain_key(46)] {
        let at = at(&mut evidence, &key);
        pairs(&mut evidence).remove(at);
    }
    for number in [1, 2] {
        let at = at(&mut evidence, &[b"live/", record_key("running", number).as_slice()].concat());
        pairs(&mut evidence).remove(at);
    }
    finds(&evidence, Kind::Cut, 45);
    evidence.anchors.clear();
    assert!(verify(&evidence).findings.is_empty(), "nothing but an anchor can show this");
    // The archive's last file, or its end: the store knows how far it went.
    let mut evidence = honest.clone();
    let last = entries(&evidence.archive.files[1].1).pop().unwrap();
    evidence.archive.files[1].1.truncate(last.start);
    evidence.anchors.clear();
    finds(&evidence, Kind::Gap, 35);
    let mut evidence = honest;
    evidence.archive.files[1].1.truncate(last.end - 1);
    finds(&evidence, Kind::Edit, 35);
}

#[test]
fn p8_a_history_written_anew_is_found_by_its_anchors() {
    let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let anchors = written(dir.path(), &key);
    let forged = tempfile::tempdir().unwrap();
    let journal = Journal::open(forged.path()).unwrap();
    for number in 0..60 {
        journal.append("running", format!("invented {number}").as_bytes()).unwrap();
    }
    journal.sealed().unwrap();
    let mut evidence = read(forged.path(), Vec::new());
    assert!(verify(&evidence).findings.is_empty());
    evidence.anchors.clone_from(&anchors);
    finds(&evidence, Kind::Edit, anchors[0].sequence);
    // Anchors of another key, with another head, or for another link prove nothing.
    let mut honest = read(dir.path(), anchors.clone());
    honest.station_keys = vec![hex::encode(other.public_key().xy())];
    finds(&honest, Kind::Anchor, anchors[0].sequence);
    for change in [
        |anchor: &mut Anchor| anchor.sequence += 1,
        |anchor: &mut Anchor| anchor.head = "00".repeat(32),
        |anchor: &mut Anchor| anchor.signature_hex = "zz".to_owned(),
    ] {
        let mut evidence = read(dir.path(), anchors.clone());
        change(&mut evidence.anchors[2]);
        let sequence = evidence.anchors[2].sequence;
        finds(&evidence, Kind::Anchor, sequence);
    }
}

#[test]
fn p8_the_program_says_what_it_found_and_ends_accordingly() {
    let dir = tempfile::tempdir().unwrap();
    let anchors = written(dir.path(), &SigningKey::generate().unwrap());
    let file = dir.path().join("anchors.jsonl");
    let lines: Vec<String> = anchors.iter().map(|anchor| serde_json::to_string(anchor).unwrap()).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    let run = || {
        let output = Command::new(env!("CARGO_BIN_EXE_ukey-audit"))
            .args(["verify", "--journal", dir.path().to_str().unwrap(), "--anchors", file.to_str().unwrap()])
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let (code, text) = run();
    assert!(code == Some(0) && text.contains("whole: nothing is wrong"), "{code:?} {text}");
    let store = std::fs::read(dir.path().join("db")).unwrap();
    let archive = dir.path().join("archive/0001.log");
    let mut bytes = std::fs::read(&archive).unwrap();
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    std::fs::write(&archive, bytes).unwrap();
    let (code, text) = run();
    assert!(
        code == Some(1) && text.contains("edit at link ") && text.contains("broken: "),
        "{code:?} {text}"
    );
    assert_eq!(std::fs::read(dir.path().join("db")).unwrap(), store, "looking changes nothing");
    let journal = Journal::open(dir.path()).unwrap();
    let (code, text) = run();
    assert!(code == Some(2) && text.contains("open in another process"), "{code:?} {text}");
    journal.sealed().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn p8_no_damage_of_an_entry_goes_unseen(which in any::<prop::sample::Index>(), byte in any::<prop::sample::Index>(), mask in 1_u8..) {
        static HONEST: std::sync::OnceLock<Evidence> = std::sync::OnceLock::new();
        let mut evidence = HONEST.get_or_init(evidence).clone();
        let pairs = pairs(&mut evidence);
        // The count of reports and where a stream ended are no evidence: they only save the writer a search.
        let told = |key: &[u8]| key != b"next-report" && !key.starts_with(b"gone/");
        let evident: Vec<usize> = (0..pairs.len()).filter(|at| told(&pairs[*at].0)).collect();
        let value = &mut pairs[evident[which.index(evident.len())]].1;
        let count = value.len();
        value[byte.index(count)] ^= mask;
        prop_assert!(!verify(&evidence).findings.is_empty());
    }
}
