//! What needs a look inside: the order of flush and sync, a sync that fails, entries that no journal wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::sync_channel,
    },
    time::Duration,
};

use proptest::prelude::*;

use crate::{
    Journal, JournalError,
    opening::{self, Opened},
    store::Store,
    writer::{self, Command, Request, Shared, State},
};

const NOW: Duration = Duration::ZERO;

#[test]
fn each_commit_is_flushed_before_its_one_sync() {
    let dir = tempfile::tempdir().unwrap();
    let (calls, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (their_calls, their_seen, db) = (Arc::clone(&calls), Arc::clone(&seen), dir.path().join("db"));
    // What has not been flushed is in sled's memory only, so a look into the file tells the order.
    let sync = move || {
        let number = their_calls.fetch_add(1, Ordering::SeqCst);
        let marker = format!("marker-{number}-of-the-record");
        let bytes = std::fs::read(&db)?;
        let there = bytes.windows(marker.len()).any(|window| window == marker.as_bytes());
        their_seen.fetch_add(u64::from(there), Ordering::SeqCst);
        Ok(())
    };
    let journal = Journal::start(Store::open(dir.path()).unwrap().with_sync(Box::new(sync))).unwrap();
    for number in 0..20 {
        journal.append("job", format!("marker-{number}-of-the-record").as_bytes()).unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), number + 1);
        assert_eq!(
            seen.load(Ordering::SeqCst),
            number + 1,
            "record {number} was synced before it was flushed"
        );
        assert_eq!(journal.syncs(), number + 1);
    }
}

#[test]
fn what_waits_is_committed_with_one_sync() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let Opened { index, notes } = opening::open(&store).unwrap();
    let shared = Shared::new(State { store, index }, notes);
    let (sender, requests) = sync_channel(64);
    let mut answers = Vec::new();
    let commands = (0..16)
        .map(|n| Command::Append { stream: format!("job-{n}"), record: b"r".to_vec(), report: None })
        .chain([
            Command::Append { stream: "job-0".to_owned(), record: b"s".to_vec(), report: None },
            Command::Seal,
        ]);
    for command in commands {
        let (reply, answer) = sync_channel(1);
        sender.send(Request { command, reply }).unwrap();
        answers.push(answer);
    }
    writer::run(&shared, &requests);
    let answers: Vec<u64> = answers.iter().map(|answer| answer.try_recv().unwrap().unwrap()).collect();
    assert_eq!(answers, [vec![0; 16], vec![1, 0]].concat());
    assert_eq!(shared.syncs.load(Ordering::Relaxed), 1);
    let again = Journal::open(dir.path()).unwrap();
    assert_eq!(again.streams().unwrap().len(), 16);
    assert_eq!(again.stream("job-0").unwrap(), [b"r", b"s"]);
}

#[test]
fn a_failed_sync_poisons_everything_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let fails = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&fails);
    let sync =
        move || if theirs.load(Ordering::SeqCst) { Err(io::Error::other("disk on fire")) } else { Ok(()) };
    let journal = Journal::start(Store::open(dir.path()).unwrap().with_sync(Box::new(sync))).unwrap();
    journal.append("job", b"kept").unwrap();
    fails.store(true, Ordering::SeqCst);
    let error = journal.append("job", b"unknown").unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&dir.path().display().to_string())
            && text.contains("disk on fire")
            && text.contains("stop the station"),
        "{text}"
    );

    // The disk works again, but what is on it is unknown: nothing is taken or given any more.
    fails.store(false, Ordering::SeqCst);
    let poisoned = |what: &str, error: Option<JournalError>| {
        assert!(matches!(error, Some(JournalError::Poisoned { .. })), "{what}: {error:?}");
    };
    poisoned("append", journal.append("job", b"x").err());
    poisoned("append with report", journal.append_with_report("job", b"x", "id", b"y").err());
    poisoned("report", journal.report("id", b"x").err());
    poisoned("acknowledge", journal.acknowledge("id").err());
    poisoned("finish", journal.finish("job").err());
    poisoned("stream", journal.stream("job").err());
    poisoned("streams", journal.streams().err());
    poisoned("finished", journal.finished().err());
    poisoned("outbox", journal.outbox().err());
    poisoned("outbox_len", journal.outbox_len().err());
    poisoned("wait_report", journal.wait_report(Duration::from_secs(600)).err());
    poisoned("sealed", journal.sealed().err());
    drop(journal);
    assert_eq!(Journal::open(dir.path()).unwrap().stream("job").unwrap().first().unwrap(), b"kept");
}

#[test]
fn a_panicking_writer_poisons_and_nobody_waits_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let sync = || panic!("as sled may on a damaged page");
    let journal = Journal::start(Store::open(dir.path()).unwrap().with_sync(Box::new(sync))).unwrap();
    let sender = journal.clone();
    let waiting = std::thread::spawn(move || sender.wait_report(Duration::from_secs(600)));
    assert!(matches!(journal.append("job", b"x"), Err(JournalError::Poisoned { .. })));
    assert!(matches!(waiting.join().unwrap(), Err(JournalError::Poisoned { .. })));
    assert!(matches!(journal.stream("job"), Err(JournalError::Poisoned { .. })));
}

/// A journal with records of all kinds, closed.
fn filled(dir: &Path) {
    let journal = Journal::open(dir).unwrap();
    for number in 0..40 {
        journal
            .append_with_report(
                &format!("job-{}", number % 5),
                &[7; 300],
                &format!("report-{number}"),
                &[8; 100],
            )
            .unwrap();
    }
    journal.finish("job-0").unwrap();
    journal.sealed().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_entry_panics(pairs in proptest::collection::vec((
        prop_oneof![Just("live/"), Just("done/"), Just("out/"), Just("next-report"), Just("chain/"), Just("checkpoint"), Just("gone/"), Just("")],
        proptest::collection::vec(any::<u8>(), 0..20),
        proptest::collection::vec(any::<u8>(), 0..40),
    ), 0..30)) {
        let store = Store::memory().unwrap();
        for (prefix, key, value) in &pairs {
            store.raw(&[prefix.as_bytes(), key].concat(), Some(value));
        }
        match Journal::start(store) {
            Ok(journal) => {
                let _ = (journal.streams(), journal.finished(), journal.outbox(), journal.stream("job"), journal.wait_report(NOW));
                prop_assert!(journal.append("job", b"x").is_ok());
            }
            Err(e) => prop_assert!(matches!(e, JournalError::Illegible { .. }), "{}", e),
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_or_a_note_never_a_panic(cut in any::<prop::sample::Index>(), flips in proptest::collection::vec((any::<prop::sample::Index>(), 1u8..), 0..8)) {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        let path = dir.path().join("db");
        let mut bytes = std::fs::read(&path).unwrap();
        let end = bytes.iter().rposition(|b| *b != 0).unwrap();
        for (at, mask) in flips {
            bytes[at.index(end)] ^= mask;
        }
        bytes.truncate(end - cut.index(end) / 8);
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(journal) = Journal::open(dir.path()) {
            for name in journal.streams().unwrap() {
                let _ = journal.stream(&name);
            }
            let _ = journal.outbox();
        }
    }
}
