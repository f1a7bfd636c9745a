//! Compaction as callers see it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use journal::{Journal, JournalError};

const LOOSE: usize = 3;

fn finished(journal: &Journal, name: &str) {
    for number in 0..5_u8 {
        journal.append_with_report(name, &[number; 50], &format!("{name}/{number}"), b"report").unwrap();
        journal.acknowledge(&format!("{name}/{number}")).unwrap();
    }
    journal.finish(name).unwrap();
}

#[test]
fn n3_compaction_keeps_what_runs_what_waits_and_the_newest_finished() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    journal.append("running", b"0").unwrap();
    journal.report("waiting", b"still").unwrap();
    for number in 0..10 {
        finished(&journal, &format!("job-{number:02}"));
    }
    let (before, head) = journal.head().unwrap();
    assert_eq!(journal.compact(LOOSE).unwrap(), before);
    for _before_and_after_a_reopen in 0..2 {
        assert_eq!(journal.finished().unwrap(), ["job-07", "job-08", "job-09"]);
        assert_eq!(journal.stream("job-09").unwrap().len(), 5);
        assert_eq!(journal.streams().unwrap(), ["running"]);
        assert_eq!(journal.stream("running").unwrap().first().unwrap(), b"0");
        assert_eq!(journal.outbox().unwrap(), [("waiting".to_owned(), b"still".to_vec())]);
        assert_eq!(journal.unarchived().unwrap(), 1, "the compaction's own link");
        assert!(journal.head().unwrap().0 == before + 1 && journal.head().unwrap().1 != head);
        let error = journal.append("job-00", b"again").unwrap_err();
        assert!(error.to_string().contains("finished"), "{error}");
        assert!(matches!(journal.stream("job-00"), Err(JournalError::Stream { .. })), "not taken for empty");
        journal.finish("job-00").unwrap();
        assert_eq!(journal.compact(LOOSE).unwrap(), 0, "nothing was written since");
        journal.sealed().unwrap();
        journal = Journal::open(dir.path()).unwrap();
        assert!(journal.notes().is_empty(), "{:?}", journal.notes());
    }
    assert_eq!(journal.append("running", b"1").unwrap(), 1);
    assert!(journal.acknowledge("waiting").unwrap());
    journal.finish("running").unwrap();
    finished(&journal, "job-10");
    assert!(journal.compact(0).unwrap() > 0);
    assert!(journal.finished().unwrap().is_empty());
    assert_eq!(journal.report("next", b"x").unwrap(), 56, "a place is never given twice");
    journal.sealed().unwrap();
    assert!(Journal::open(dir.path()).unwrap().notes().is_empty());
}

#[test]
fn n3_compaction_under_writers_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let journal = journal.clone();
            scope.spawn(move || {
                for job in 0..6 {
                    let name = format!("job-{thread}-{job}");
                    for number in 0..10_u64 {
                        assert_eq!(journal.append(&name, &number.to_be_bytes()).unwrap(), number);
                    }
                    if job != 5 {
                        journal.finish(&name).unwrap();
                    }
                }
            });
        }
        for _ in 0..20 {
            journal.compact(1).unwrap();
        }
    });
    journal.sealed().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    assert!(journal.notes().is_empty(), "{:?}", journal.notes());
    for thread in 0..8 {
        assert_eq!(journal.stream(&format!("job-{thread}-5")).unwrap().len(), 10);
        assert!(journal.append(&format!("job-{thread}-0"), b"x").is_err());
    }
}

#[test]
fn a_journal_in_memory_is_not_compacted() {
    let journal = Journal::memory().unwrap();
    finished(&journal, "job");
    assert_eq!(journal.compact(0).unwrap(), 0);
    assert_eq!(journal.stream("job").unwrap().len(), 5);
}

#[test]
fn n3_an_archive_that_cannot_be_written_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    finished(&journal, "job");
    // A file where the folder should be: as good as a full disk, and root cannot pass it.
    std::fs::write(dir.path().join("archive"), b"").unwrap();
    let head = journal.head().unwrap();
    let error = journal.compact(0).unwrap_err();
    assert!(matches!(&error, JournalError::Open { .. }) && error.to_string().contains("archive"), "{error}");
    assert_eq!(journal.head().unwrap(), head);
    assert_eq!(journal.stream("job").unwrap().len(), 5);
    journal.append("more", b"x").unwrap();
    std::fs::remove_file(dir.path().join("archive")).unwrap();
    assert_eq!(journal.compact(0).unwrap(), head.0 + 1);
    journal.sealed().unwrap();
    assert!(Journal::open(dir.path()).unwrap().notes().is_empty());
}
