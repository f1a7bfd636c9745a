//! kill -9 in the middle, and two processes at one journal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use journal::{Journal, JournalError};

fn probe() -> Command {
    Command::new(env!("CARGO_BIN_EXE_journal-probe"))
}

/// Runs a writer, kills it once it has acknowledged `enough` lines; every whole line it printed.
fn write_and_kill(dir: &Path, enough: usize) -> Vec<String> {
    let mut child =
        probe().args(["write", dir.to_str().unwrap(), "4"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        let ended = output.read_line(&mut line).unwrap() == 0;
        if ended || !line.ends_with('\n') {
            break;
        }
        lines.push(line.trim_end().to_owned());
        if lines.len() == enough {
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success());
    assert!(lines.len() >= enough, "the writer ended by itself after {} lines", lines.len());
    lines
}

#[test]
fn nothing_acknowledged_is_missing_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut reports = Vec::new();
    for enough in [1, 150, 700, 2100, 4200] {
        for line in write_and_kill(dir.path(), enough) {
            let (first, second) = line.split_once(' ').unwrap();
            if first == "report" {
                reports.push(second.to_owned());
            } else {
                let next = second.parse::<usize>().unwrap() + 1;
                counts.entry(first.to_owned()).and_modify(|count| *count = next.max(*count)).or_insert(next);
            }
        }
        let journal = Journal::open(dir.path()).unwrap();
        assert!(journal.notes().is_empty(), "{:?}", journal.notes());
        for (stream, count) in &counts {
            let records = journal.stream(stream).unwrap();
            assert!(records.len() >= *count, "{stream}: {count} acknowledged, {} there", records.len());
            for (number, record) in records.iter().enumerate() {
                assert!(
                    record.starts_with(format!("record {stream}/{number} ").as_bytes()),
                    "{stream} {number}"
                );
            }
        }
        let waiting: Vec<String> = journal.outbox().unwrap().into_iter().map(|(id, _)| id).collect();
        for id in &reports {
            assert!(waiting.contains(id), "report {id} was acknowledged and is missing");
        }
    }
    assert!(dir.path().join("archive/0001.log").exists(), "the writer archived nothing: write more");
}

#[test]
fn a_second_process_is_refused_and_told_which_directory() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    journal.append("job", b"r").unwrap();
    assert!(matches!(Journal::open(dir.path()), Err(JournalError::Busy { .. })), "nor twice in one process");
    let output = probe().args(["show", dir.path().to_str().unwrap()]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(text.contains(dir.path().to_str().unwrap()) && text.contains("another process"), "{text}");
    journal.sealed().unwrap();
    let output = probe().args(["show", dir.path().to_str().unwrap()]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "running  job: 1 records\n");
}
