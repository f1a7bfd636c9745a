//! Opening: the chain is followed from the last checkpoint to its end and held against what lies there. Only the last commit may be
//! torn; it is cut and said. Any other break stops the station.

use std::path::Path;

use crate::{
    archive,
    chain::Kind,
    checkpoint::Checkpoint,
    entry,
    error::JournalError,
    expected::Expected,
    found::{Found, Held},
    index::Index,
    store::{Changes, Store},
    walk::{MOST_UNLINKED, Walked, walk},
};

/// A journal as it was found and put right.
pub(crate) struct Opened {
    pub(crate) index: Index,
    pub(crate) notes: Vec<String>,
}

/// Follows the chain and puts right what a torn last commit left.
pub(crate) fn open(store: &Store) -> Result<Opened, JournalError> {
    let found = Found::read(store)?;
    let dir = store.dir();
    let checkpoint = match &found.checkpoint {
        Some(value) => Checkpoint::read(value)
            .ok_or_else(|| illegible(dir, "the checkpoint of its chain has another form".to_owned()))?,
        None => Checkpoint::default(),
    };
    if found.links.is_empty() && !(found.records.is_empty() && found.reports.is_empty()) {
        return Err(illegible(
            dir,
            "it has records and no chain at all: they were cut out of another journal, or its chain was removed"
                .to_owned(),
        ));
    }
    let mut walked = walk(&found, &checkpoint).map_err(|why| illegible(dir, why))?;
    archive::check(store, &checkpoint, &walked.links)?;
    // After a cut the comparison waits for what can be put right.
    if walked.cut.is_none() {
        let expected =
            Expected::after(&walked.links).map_err(|(sequence, why)| broken(dir, sequence, &why))?;
        if let Some((sequence, why)) = first_difference(&expected, &found) {
            if sequence < walked.last_commit {
                return Err(broken(dir, sequence, &why));
            }
            walked.cut_from(sequence, why);
        }
    }
    if found.checkpoint.is_some() && walked.compacted() != Some(crate::chain::digest(&checkpoint.value())) {
        return Err(illegible(dir, "the checkpoint of its chain is not the one its chain names".to_owned()));
    }
    let mut repair = Repair::default();
    let index = repair.run(store, &found, &checkpoint, &walked)?;
    if !repair.changes.is_empty() {
        store.commit(repair.changes).map_err(|why| illegible(dir, why))?;
    }
    Ok(Opened { index, notes: [found.notes, repair.notes].concat() })
}

fn illegible(dir: &Path, detail: String) -> JournalError {
    JournalError::Illegible { dir: dir.to_owned(), detail }
}

fn broken(dir: &Path, sequence: u64, why: &str) -> JournalError {
    illegible(dir, format!("its chain breaks at link {sequence}: {why}; `ukey-audit verify` says more"))
}

/// The first link whose value is missing or another.
fn first_difference(expected: &Expected, found: &Found) -> Option<(u64, String)> {
    let mut differences = Vec::new();
    for (name, stream) in &expected.streams {
        for (number, (sequence, digest)) in (0_u64..).zip(&stream.records) {
            let why = match found.records.get(&(name.clone(), number)) {
                None => "is missing",
                Some(Held { live, done }) if live.iter().chain(done).all(|held| held == digest) => continue,
                Some(_) => "was changed",
            };
            differences.push((*sequence, format!("record {number} of stream {name:?} {why}")));
        }
    }
    for (number, waiting) in &expected.reports {
        let why = match found.reports.get(number) {
            None => "is missing",
            Some(digest) if *digest == waiting.digest => continue,
            Some(_) => "was changed",
        };
        differences.push((waiting.sequence, format!("report {:?} {why}", waiting.id)));
    }
    differences.into_iter().min()
}

/// What must be written so that store and chain agree, and what to say of it.
#[derive(Default)]
struct Repair {
    changes: Changes,
    notes: Vec<String>,
}

impl Repair {
    fn run(
        &mut self,
        store: &Store,
        found: &Found,
        checkpoint: &Checkpoint,
        walked: &Walked,
    ) -> Result<Index, JournalError> {
        let dir = store.dir();
        let mut expected =
            Expected::after(&walked.links).map_err(|(sequence, why)| broken(dir, sequence, &why))?;
        let mut index = Index::new(walked.end, checkpoint.end.sequence);
        if let Some((from, why)) = &walked.cut {
            for (sequence, _) in found.links.iter().filter(|(sequence, _)| sequence >= from) {
                self.changes.insert(entry::chain_key(*sequence), None);
            }
            self.notes.push(format!(
                "a torn tail was cut: the last commit was not whole at link {from} of the chain ({why}), and nobody was told that it was kept"
            ));
            self.acknowledge_again(found, walked, &mut expected, &mut index);
        }
        if let Some((sequence, why)) = first_difference(&expected, found) {
            return Err(broken(dir, sequence, &why));
        }
        let unlinked = self.unlinked(store, &expected, found)?;
        if unlinked > MOST_UNLINKED {
            return Err(illegible(dir, format!("{unlinked} entries are not in its chain")));
        }
        self.places(store, &expected, found)?;
        index.fill(&expected, found.next_report);
        Ok(index)
    }

    /// A report that left with a commit that is cut cannot come back: that it left is written anew.
    fn acknowledge_again(
        &mut self,
        found: &Found,
        walked: &Walked,
        expected: &mut Expected,
        index: &mut Index,
    ) {
        let lost = walked.lost.iter().filter(|(_, link)| link.kind == Kind::Acknowledged);
        for (_, link) in lost.filter(|(_, link)| !found.reports.contains_key(&link.number)) {
            if expected.reports.get(&link.number).is_some_and(|waiting| waiting.id == link.id) {
                index.link(&mut self.changes, Kind::Acknowledged, link.number, &link.id, b"");
                expected.reports.remove(&link.number);
                expected.acknowledged.insert(link.number);
            }
        }
    }

    /// Removes what has no link; how many entries. Refuses what no torn commit can have left.
    fn unlinked(&mut self, store: &Store, expected: &Expected, found: &Found) -> Result<usize, JournalError> {
        let mut count = 0;
        for (stream, number) in found.records.keys() {
            let known = expected.streams.get(stream);
            let records = known.map_or(0, |known| known.records.len() as u64);
            if *number < records {
                continue;
            }
            let gone = store.get(&Changes::new(), &entry::gone_key(stream))?.is_some();
            if gone || known.is_some_and(|known| known.finished.is_some()) {
                let detail = format!("record {number} of the finished stream {stream:?} is not in its chain");
                return Err(illegible(store.dir(), detail));
            }
            count += 1;
            self.changes.insert(entry::live_key(stream, *number), None);
            self.changes.insert(entry::done_key(stream, *number), None);
            self.notes.push(format!(
                "record {number} of stream {stream:?} was written without its link and was removed"
            ));
        }
        for number in found.reports.keys().filter(|number| !expected.reports.contains_key(number)) {
            if *number < expected.next_report && !expected.acknowledged.contains(number) {
                let detail = format!("report {number} of the outbox is not in its chain");
                return Err(illegible(store.dir(), detail));
            }
            count += 1;
            self.changes.insert(entry::report_key(*number), None);
            self.notes
                .push(format!("report {number} of the outbox does not wait by the chain and was removed"));
        }
        Ok(count)
    }

    /// Moves records to where the chain says: running or finished.
    fn places(&mut self, store: &Store, expected: &Expected, found: &Found) -> Result<(), JournalError> {
        for (name, stream) in &expected.streams {
            let mut moved = false;
            for number in 0..stream.records.len() as u64 {
                let Some(held) = found.records.get(&(name.clone(), number)) else { continue };
                let (live, done) = (entry::live_key(name, number), entry::done_key(name, number));
                let (right, wrong, there) = if stream.finished.is_some() {
                    (done, live, held.live.is_some())
                } else {
                    (live, done, held.done.is_some())
                };
                if there {
                    let value = store.get(&Changes::new(), &wrong)?;
                    self.changes.insert(right, value);
                    self.changes.insert(wrong, None);
                    moved = true;
                }
            }
            if moved {
                self.notes.push(format!(
                    "stream {name:?} lay among the {} ones against its chain and was moved",
                    if stream.finished.is_some() { "running" } else { "finished" }
                ));
            }
        }
        Ok(())
    }
}
