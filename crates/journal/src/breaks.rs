//! Tests of what opening finds: breaks in the middle stop it, a torn last commit is cut, a compaction cut off anywhere loses nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use proptest::prelude::*;

use crate::{
    Journal, JournalError,
    chain::{Kind, Link},
    checkpoint::Checkpoint,
    entry,
    store::{Changes, Store},
};

/// Links 1 to 6 are records of two streams, 7 and 8 reports, 9 an acknowledgement, 10 the end of stream `b`, 11 a record; each a commit.
fn filled(dir: &Path) {
    let journal = Journal::open(dir).unwrap();
    for number in 0..3_u8 {
        journal.append("a", &[b'a', number]).unwrap();
        journal.append("b", &[b'b', number]).unwrap();
    }
    journal.report("first", b"1").unwrap();
    journal.report("second", b"2").unwrap();
    journal.acknowledge("first").unwrap();
    journal.finish("b").unwrap();
    journal.append("a", b"last").unwrap();
    assert_eq!(journal.head().unwrap().0, 11);
    journal.sealed().unwrap();
}

fn get(store: &Store, key: &[u8]) -> Vec<u8> {
    store.get(&Changes::new(), key).unwrap().unwrap()
}

/// What opening says after `change`.
fn after(change: impl FnOnce(&Store)) -> (tempfile::TempDir, Result<Journal, JournalError>) {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let store = Store::open(dir.path()).unwrap();
    change(&store);
    drop(store);
    let opened = Journal::open(dir.path());
    (dir, opened)
}

#[test]
fn p8_the_chain_goes_on_over_reopenings_and_covers_every_write() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(journal.head().unwrap(), (0, [0; 32]));
    let mut heads = vec![[0; 32]];
    let mut next = |journal: &Journal, links: u64| {
        let (sequence, head) = journal.head().unwrap();
        assert_eq!(sequence, heads.len() as u64 - 1 + links);
        assert!(!heads.contains(&head));
        heads.resize(usize::try_from(sequence).unwrap(), [1; 32]);
        heads.push(head);
    };
    journal.append("job", b"r").unwrap();
    next(&journal, 1);
    journal.append_with_report("job", b"r", "id", b"x").unwrap();
    next(&journal, 2);
    journal.acknowledge("id").unwrap();
    next(&journal, 1);
    journal.finish("job").unwrap();
    next(&journal, 1);
    let before = journal.head().unwrap();
    assert!(!journal.acknowledge("id").unwrap());
    journal.finish("job").unwrap();
    assert!(journal.append("job", b"refused").is_err());
    assert_eq!(journal.head().unwrap(), before, "what writes nothing adds no link");
    journal.sealed().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(journal.head().unwrap(), before);
    journal.report("more", b"y").unwrap();
    next(&journal, 1);
}

#[test]
fn p8_every_break_in_the_middle_stops_the_station_and_says_where() {
    type Break = (&'static str, fn(&Store), &'static str);
    let breaks: [Break; 12] = [
        ("record changed", |s| s.raw(&entry::live_key("a", 1), Some(b"\x01aX")), "link 3"),
        ("record removed", |s| s.raw(&entry::live_key("a", 0), None), "link 1"),
        ("finished record changed", |s| s.raw(&entry::done_key("b", 2), Some(b"\x01X")), "link 6"),
        ("report changed", |s| s.raw(&entry::report_key(1), Some(b"\x01\x06secondX")), "link 8"),
        ("report removed", |s| s.raw(&entry::report_key(1), None), "link 8"),
        (
            "a record too many",
            |s| s.raw(&entry::done_key("b", 3), Some(b"\x01X")),
            "record 3 of the finished",
        ),
        ("link removed", |s| s.raw(&entry::chain_key(5), None), "link 5"),
        ("first link removed", |s| s.raw(&entry::chain_key(1), None), "link 1"),
        (
            "link changed",
            |s| {
                let mut link = Link::read(&get(s, &entry::chain_key(4))).unwrap();
                link.number += 1;
                s.raw(&entry::chain_key(4), Some(&link.value()));
            },
            "link 4",
        ),
        (
            "links exchanged",
            |s| {
                let (two, three) = (get(s, &entry::chain_key(2)), get(s, &entry::chain_key(3)));
                s.raw(&entry::chain_key(2), Some(&three));
                s.raw(&entry::chain_key(3), Some(&two));
            },
            "link 2",
        ),
        (
            "another checkpoint",
            |s| s.raw(entry::CHECKPOINT, Some(&Checkpoint::default().value())),
            "checkpoint",
        ),
        (
            "no chain",
            |s| (1..=11).for_each(|sequence| s.raw(&entry::chain_key(sequence), None)),
            "no chain at all",
        ),
    ];
    for (what, change, says) in breaks {
        let (dir, opened) = after(change);
        match opened {
            Err(JournalError::Illegible { detail, .. }) => {
                assert!(detail.contains(says), "{what}: {detail}");
            }
            other => panic!("{what}: {other:?}"),
        }
        assert!(Journal::open(dir.path()).is_err(), "{what}: refused once, taken the second time");
    }
}

#[test]
fn n3_a_torn_last_commit_is_cut_and_said() {
    type Tear = (&'static str, fn(&Store), u64, usize);
    let tears: [Tear; 4] = [
        ("the last record is missing", |s| s.raw(&entry::live_key("a", 3), None), 10, 3),
        ("the last record is half", |s| s.raw(&entry::live_key("a", 3), Some(b"\x01la")), 10, 3),
        ("the last link is missing", |s| s.raw(&entry::chain_key(11), None), 10, 3),
        ("the last link is half", |s| s.raw(&entry::chain_key(11), Some(b"\x01")), 10, 3),
    ];
    for (what, change, end, records) in tears {
        let (dir, opened) = after(change);
        let journal = opened.unwrap();
        let notes = journal.notes().join("\n");
        assert!(notes.contains("was cut") || notes.contains("was removed"), "{what}: {notes:?}");
        assert_eq!(journal.head().unwrap().0, end, "{what}");
        assert_eq!(journal.stream("a").unwrap().len(), records, "{what}");
        assert_eq!(journal.stream("b").unwrap().len(), 3, "{what}");
        assert_eq!(journal.outbox().unwrap(), [("second".to_owned(), b"2".to_vec())], "{what}");
        assert_eq!(journal.append("a", b"again").unwrap(), 3, "{what}");
        journal.sealed().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        assert!(journal.notes().is_empty(), "{what}: {:?}", journal.notes());
        assert_eq!(journal.stream("a").unwrap().last().unwrap(), b"again");
    }
}

#[test]
fn n3_a_torn_end_of_a_stream_and_of_a_report_is_put_right() {
    // The last commit acknowledged the report and finished stream `a`; its first link is half, its effects are partly there.
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let store = Store::open(dir.path()).unwrap();
    let mut index = crate::opening::open(&store).unwrap().index;
    index.begin();
    let mut changes = Changes::new();
    index.append(&store, &mut changes, "c", b"x").unwrap();
    assert!(index.acknowledge(&mut changes, "second"));
    index.finish(&store, &mut changes, "a").unwrap();
    store.commit(changes).unwrap();
    store.raw(&entry::live_key("c", 0), None);
    store.raw(&entry::chain_key(12), Some(b"torn"));
    drop(store);
    let journal = Journal::open(dir.path()).unwrap_or_else(|e| panic!("{e}"));
    let notes = journal.notes().join("\n");
    assert!(notes.contains("a torn tail was cut") && notes.contains("among the finished"), "{notes}");
    assert_eq!(journal.streams().unwrap(), ["a"]);
    assert_eq!(journal.stream("a").unwrap().len(), 4);
    assert_eq!(journal.outbox_len().unwrap(), 0, "that the report left is written anew");
    assert_eq!(journal.head().unwrap().0, 12);
    journal.sealed().unwrap();
    assert!(Journal::open(dir.path()).unwrap().notes().is_empty());
}

#[test]
fn what_is_of_no_known_kind_is_noted_and_left() {
    let (dir, opened) = after(|store| store.raw(b"live/\xff\xff", Some(b"")));
    let journal = opened.unwrap();
    assert!(journal.notes().join("\n").contains(r"live/\\xff"), "{:?}", journal.notes());
    journal.append("a", b"more").unwrap();
    journal.sealed().unwrap();
    assert_eq!(Journal::open(dir.path()).unwrap().notes().len(), 1);
}

/// Every file of a journal's folder, to be put back later.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &target);
        } else {
            std::fs::copy(item.path(), target).unwrap();
        }
    }
}

#[test]
fn n3_a_compaction_cut_off_before_its_checkpoint_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let before = tempfile::tempdir().unwrap();
    filled(dir.path());
    copy(dir.path(), before.path());
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(journal.compact(0).unwrap(), 11);
    journal.sealed().unwrap();
    // The archive is there, the commit is not; and a file of a pass that was still being written.
    copy(&dir.path().join("archive"), &before.path().join("archive"));
    std::fs::write(before.path().join("archive/next.part"), b"half").unwrap();
    let journal = Journal::open(before.path()).unwrap();
    assert!(journal.notes().is_empty(), "{:?}", journal.notes());
    assert_eq!(journal.stream("b").unwrap().len(), 3);
    journal.append("a", b"more").unwrap();
    assert_eq!(journal.compact(0).unwrap(), 12, "what the first file has is in the second try too");
    assert_eq!(journal.stream("a").unwrap().len(), 5);
    journal.sealed().unwrap();
    assert!(Journal::open(before.path()).unwrap().notes().is_empty());
}

#[test]
fn p8_an_older_store_beside_a_newer_archive_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let older = tempfile::tempdir().unwrap();
    filled(dir.path());
    copy(dir.path(), older.path());
    let journal = Journal::open(dir.path()).unwrap();
    journal.append("a", b"what the older one does not know").unwrap();
    journal.compact(0).unwrap();
    journal.sealed().unwrap();
    copy(&dir.path().join("archive"), &older.path().join("archive"));
    let Err(JournalError::Illegible { detail, .. }) = Journal::open(older.path()) else {
        panic!("it was taken")
    };
    assert!(detail.contains("0001.log") && detail.contains("older copy"), "{detail}");
    std::fs::remove_file(dir.path().join("archive/0001.log")).unwrap();
    assert!(
        matches!(Journal::open(dir.path()), Err(JournalError::Illegible { .. })),
        "the archive is missing"
    );
}

#[test]
fn p8_links_kept_by_a_compaction_cannot_be_exchanged() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let journal = Journal::open(dir.path()).unwrap();
    journal.compact(0).unwrap();
    journal.sealed().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut link = Link::read(&get(&store, &entry::chain_key(1))).unwrap();
    assert_eq!(link.kind, Kind::Record);
    let value = entry::record_value(b"another");
    link.digest = crate::chain::digest(&value);
    store.raw(&entry::chain_key(1), Some(&link.value()));
    store.raw(&entry::live_key("a", 0), Some(&value));
    drop(store);
    let Err(JournalError::Illegible { detail, .. }) = Journal::open(dir.path()) else {
        panic!("it was taken")
    };
    assert!(detail.contains("links up to 11"), "{detail}");
}

/// How many entries opening reads after so many jobs, archived as a station does.
fn read_after(jobs: u32) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    for job in 0..jobs {
        let name = format!("job-{job}");
        for number in 0..20_u8 {
            journal.append(&name, &[number]).unwrap();
        }
        journal.append_with_report(&name, b"last", &name, b"report").unwrap();
        journal.acknowledge(&name).unwrap();
        journal.finish(&name).unwrap();
        if job % 10 == 9 {
            journal.compact(3).unwrap();
        }
    }
    journal.sealed().unwrap();
    Store::open(dir.path()).unwrap().scan_but_gone().count()
}

#[test]
fn n3_opening_reads_no_more_after_a_long_life_than_after_a_short_one() {
    let short = read_after(20);
    // Three streams with their links, the checkpoint and its link, and the count of reports.
    assert_eq!(short, 3 * (21 + 22) + 3);
    assert_eq!(read_after(200), short);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn p8_whatever_one_entry_becomes_nothing_older_than_the_last_commit_is_lost_in_silence(
        compacted: bool,
        which in any::<prop::sample::Index>(),
        value in prop_oneof![
            Just(None),
            proptest::collection::vec(any::<u8>(), 0..90).prop_map(Some),
        ],
        flip in proptest::option::of((any::<prop::sample::Index>(), 1_u8..)),
    ) {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        if compacted {
            let journal = Journal::open(dir.path()).unwrap();
            journal.compact(1).unwrap();
            journal.append("a", b"after").unwrap();
            journal.sealed().unwrap();
        }
        let store = Store::open(dir.path()).unwrap();
        let keys: Vec<Vec<u8>> = store.scan_but_gone().map(|pair| pair.unwrap().0.to_vec()).collect();
        let key = &keys[which.index(keys.len())];
        match flip {
            Some((at, mask)) => {
                let mut bytes = get(&store, key);
                let count = bytes.len();
                bytes[at.index(count)] ^= mask;
                store.raw(key, Some(&bytes));
            }
            None => store.raw(key, value.as_deref()),
        }
        drop(store);
        match Journal::open(dir.path()) {
            Err(e) => prop_assert!(matches!(e, JournalError::Illegible { .. }), "{}", e),
            Ok(journal) => {
                // Only the last commit, one record of `a`, may be gone, and then it is said.
                let records = journal.stream("a").unwrap();
                let all = if compacted { 5 } else { 4 };
                prop_assert!(records.len() == all || (records.len() == all - 1 && !journal.notes().is_empty()));
                prop_assert_eq!(&records[..3], [b"a\x00", b"a\x01", b"a\x02"]);
                prop_assert_eq!(journal.stream("b").unwrap(), [b"b\x00", b"b\x01", b"b\x02"]);
                prop_assert_eq!(journal.outbox().unwrap(), [("second".to_owned(), b"2".to_vec())]);
                prop_assert_eq!(journal.append("a", b"next").unwrap(), records.len() as u64);
                prop_assert!(journal.report("new", b"3").unwrap() >= 2);
            }
        }
    }
}
