//! The journal as its callers see it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use journal::{Journal, JournalError, MAX_RECORD_BYTES, MAX_STREAM_RECORDS};

const LONG: Duration = Duration::from_secs(600);

#[test]
fn records_come_back_in_order_after_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    for number in 0..300_u64 {
        assert_eq!(journal.append("SAAS120260101000000000001-1", &number.to_be_bytes()).unwrap(), number);
    }
    assert_eq!(journal.append("SAAS120260101000000000001-10", b"").unwrap(), 0);
    journal.sealed().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    assert!(journal.notes().is_empty());
    let records = journal.stream("SAAS120260101000000000001-1").unwrap();
    assert_eq!(records, (0..300_u64).map(|n| n.to_be_bytes().to_vec()).collect::<Vec<_>>());
    assert_eq!(journal.streams().unwrap(), ["SAAS120260101000000000001-1", "SAAS120260101000000000001-10"]);
    assert_eq!(journal.append("SAAS120260101000000000001-1", b"next").unwrap(), 300);
    assert!(journal.stream("unknown").unwrap().is_empty());
}

#[test]
fn a_finished_stream_is_kept_and_closed() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    for record in [b"a", b"b"] {
        journal.append("job", record).unwrap();
    }
    journal.finish("job").unwrap();
    for _before_and_after_a_reopen in 0..2 {
        assert!(journal.streams().unwrap().is_empty());
        assert_eq!(journal.finished().unwrap(), ["job"]);
        assert_eq!(journal.stream("job").unwrap(), [b"a", b"b"]);
        journal.finish("job").unwrap();
        let error = journal.append("job", b"c").unwrap_err();
        assert!(
            matches!(error, JournalError::Stream { .. }) && error.to_string().contains("finished"),
            "{error}"
        );
        assert!(matches!(journal.finish("never"), Err(JournalError::Stream { .. })));
        journal.sealed().unwrap();
        journal = Journal::open(dir.path()).unwrap();
    }
}

#[test]
fn reports_wait_in_order_until_they_are_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(journal.report("z", b"1").unwrap(), 0);
    assert_eq!(journal.append_with_report("job", b"r", "a", b"2").unwrap(), 0);
    assert_eq!(journal.report("m", b"3").unwrap(), 2);
    assert_eq!(journal.report("m", b"3").unwrap(), 2, "the same report again keeps its place");
    assert!(journal.acknowledge("z").unwrap());
    assert!(!journal.acknowledge("z").unwrap());
    let waiting = [("a".to_owned(), b"2".to_vec()), ("m".to_owned(), b"3".to_vec())];
    assert_eq!(journal.outbox().unwrap(), waiting);
    journal.sealed().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(journal.outbox().unwrap(), waiting);
    assert!(journal.acknowledge("a").unwrap() && journal.acknowledge("m").unwrap());
    assert_eq!(journal.outbox_len().unwrap(), 0);
    assert_eq!(journal.report("later", b"4").unwrap(), 3, "a place is never given twice");
}

#[test]
fn a_report_that_is_refused_leaves_no_record_behind() {
    let journal = Journal::memory().unwrap();
    journal.report("id", b"one").unwrap();
    let error = journal.append_with_report("job", b"record", "id", b"another").unwrap_err();
    assert!(matches!(error, JournalError::ReportDiffers { .. }));
    assert!(journal.stream("job").unwrap().is_empty());
    journal.append_with_report("job", b"record", "id", b"one").unwrap();
    assert_eq!(journal.stream("job").unwrap().len(), 1);
    assert_eq!(journal.outbox_len().unwrap(), 1);
}

#[test]
fn bounds_are_refused_with_what_and_how_much() {
    let journal = Journal::memory().unwrap();
    let most = vec![1; MAX_RECORD_BYTES];
    journal.append_with_report("job", &most, "id", &most).unwrap();
    assert_eq!(journal.stream("job").unwrap().first(), Some(&most));
    let more = vec![1; MAX_RECORD_BYTES + 1];
    for error in [journal.append("job", &more).unwrap_err(), journal.report("id-2", &more).unwrap_err()] {
        assert!(error.to_string().contains("16385") && error.to_string().contains("16384"), "{error}");
    }
    for name in ["", "with space", "zero\0", "证书", &"x".repeat(97)] {
        assert!(matches!(journal.append(name, b""), Err(JournalError::BadName { .. })), "{name}");
        assert!(matches!(journal.report(name, b""), Err(JournalError::BadName { .. })), "{name}");
    }
    for _ in 1..MAX_STREAM_RECORDS {
        journal.append("job", b"").unwrap();
    }
    assert!(matches!(journal.append("job", b""), Err(JournalError::Stream { .. })));
}

#[test]
fn large_values_never_leave_the_synced_file() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    for stream in 0..4 {
        for number in 0..40_u8 {
            let name = format!("job-{stream}");
            journal
                .append_with_report(
                    &name,
                    &[number; MAX_RECORD_BYTES],
                    &format!("{name}/{number}"),
                    &[1; MAX_RECORD_BYTES],
                )
                .unwrap();
        }
        journal.finish(&format!("job-{stream}")).unwrap();
    }
    journal.sealed().unwrap();
    let blobs: Vec<_> = std::fs::read_dir(dir.path().join("blobs")).unwrap().collect();
    assert!(blobs.is_empty(), "sled never syncs these: {blobs:?}");
}

#[test]
fn many_threads_share_syncs() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let (threads, each) = (16, 50_u64);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let journal = journal.clone();
            scope.spawn(move || {
                (0..each).for_each(|n| assert_eq!(journal.append(&format!("job-{thread}"), b"r").unwrap(), n))
            });
        }
    });
    let records = threads * each;
    assert!(
        journal.syncs() >= each && journal.syncs() < records,
        "{} syncs for {records} records",
        journal.syncs()
    );
    assert!((0..threads).all(|t| journal.stream(&format!("job-{t}")).unwrap().len() == 50));
}

#[test]
fn the_sender_is_told_of_reports_and_of_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    assert!(!journal.wait_report(Duration::ZERO).unwrap());
    journal.append("job", b"no report").unwrap();
    assert!(!journal.wait_report(Duration::ZERO).unwrap());

    let sender = journal.clone();
    let told = std::thread::spawn(move || sender.wait_report(LONG));
    journal.report("id", b"x").unwrap();
    assert!(told.join().unwrap().unwrap());
    assert!(!journal.wait_report(Duration::ZERO).unwrap(), "told once");

    let sender = journal.clone();
    let told = std::thread::spawn(move || sender.wait_report(LONG));
    journal.sealed().unwrap();
    assert!(matches!(told.join().unwrap(), Err(JournalError::Sealed { .. })));
    assert!(matches!(journal.append("job", b"x"), Err(JournalError::Sealed { .. })));
    assert!(matches!(journal.sealed(), Err(JournalError::Sealed { .. })));

    let journal = Journal::open(dir.path()).unwrap();
    assert!(journal.wait_report(Duration::ZERO).unwrap(), "what waited before the start is news");
}

#[test]
fn a_journal_in_memory_never_syncs() {
    let journal = Journal::memory().unwrap();
    journal.append_with_report("job", b"r", "id", b"x").unwrap();
    assert_eq!(journal.syncs(), 0);
    assert_eq!(journal.outbox_len().unwrap(), 1);
}

#[test]
fn dropping_the_last_handle_closes_the_store() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..10 {
        let journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.append("job", b"r").unwrap(), round);
    }
}

#[test]
fn the_ends_of_a_running_stream_are_read_alone() {
    let journal = Journal::memory().unwrap();
    assert_eq!(journal.ends("job").unwrap(), None);
    for number in 0..300_u64 {
        journal.append("job", &number.to_be_bytes()).unwrap();
        journal.append("job-1", b"another").unwrap();
        let last = number.to_be_bytes().to_vec();
        assert_eq!(journal.ends("job").unwrap(), Some([vec![0; 8], last]));
    }
    journal.finish("job").unwrap();
    assert_eq!(journal.ends("job").unwrap(), None, "it runs no more");
}
