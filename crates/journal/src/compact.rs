//! Compaction: links go from the store into the archive, with the values they cover; finished streams that are not needed any more leave
//! the store. The archive is durable before the store forgets anything, so a crash in between loses nothing.

use std::collections::BTreeSet;

use crate::{
    archive::Draft,
    chain::{self, Kind, Link},
    checkpoint::{Checkpoint, Kept},
    entry,
    error::JournalError,
    expected::Expected,
    index::Index,
    store::{Changes, Store},
};

/// Most links of one pass, which is one file of the archive and one commit.
const PASS: usize = 20_000;

/// What a compaction did.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) links: u64,
    pub(crate) syncs: u64,
}

/// Archives all links there are, pass by pass, and drops all but the newest `keep` finished streams.
///
/// # Errors
/// [`JournalError::Poisoned`] if a commit failed: the journal must be poisoned. All others leave it as it was after the last whole pass.
pub(crate) fn run(store: &Store, index: &mut Index, keep: usize) -> Result<Done, JournalError> {
    let mut done = Done::default();
    let Some(dir) = store.archive_dir() else { return Ok(done) };
    let target = index.end().sequence;
    // One link alone is that of the last compaction.
    while index.unarchived() > 1 && target > index.end().sequence - index.unarchived() {
        let pass = Pass::read(store)?;
        let mut draft = Draft::new(&dir).map_err(|source| failed(store, source))?;
        pass.archive(store, &mut draft)?;
        let file = pass.checkpoint.file + 1;
        let length = draft.name(file).map_err(|source| failed(store, source))?;
        let (mut changes, checkpoint) = pass.forget(store, keep, file, length)?;
        index.begin();
        index.link(&mut changes, Kind::Compacted, file, "", &checkpoint.value());
        done.syncs += store
            .commit(changes)
            .map_err(|reason| JournalError::Poisoned { dir: store.dir().to_owned(), reason })?;
        index.archived(checkpoint.end.sequence);
        done.links += pass.fresh().len() as u64;
    }
    Ok(done)
}

fn failed(store: &Store, source: std::io::Error) -> JournalError {
    JournalError::Open { dir: store.dir().to_owned(), doing: "writing its archive", source }
}

fn illegible(store: &Store, sequence: u64, why: &str) -> JournalError {
    JournalError::Illegible {
        dir: store.dir().to_owned(),
        detail: format!("its chain breaks at link {sequence}: {why}; `ukey-audit verify` says more"),
    }
}

/// The links of one pass.
struct Pass {
    checkpoint: Checkpoint,
    /// Those kept by the last compaction, then the fresh ones.
    links: Vec<(u64, Link)>,
    /// How many were kept.
    kept: usize,
}

impl Pass {
    fn read(store: &Store) -> Result<Self, JournalError> {
        let value = store.get(&Changes::new(), entry::CHECKPOINT)?;
        let checkpoint = value.as_deref().and_then(Checkpoint::read).unwrap_or_default();
        let mut pass = Self { checkpoint, links: Vec::new(), kept: 0 };
        for pair in store.scan(b"chain/") {
            let (key, value) = pair?;
            let Some(entry::Key::Chain(sequence)) = entry::read_key(&key) else { continue };
            let link = Link::read(&value).ok_or_else(|| illegible(store, sequence, "it has another form"))?;
            if sequence <= checkpoint.end.sequence {
                pass.kept += 1;
            } else if pass.links.len() - pass.kept == PASS {
                break;
            }
            pass.links.push((sequence, link));
        }
        Ok(pass)
    }

    fn fresh(&self) -> &[(u64, Link)] {
        self.links.get(self.kept..).unwrap_or_default()
    }

    /// Writes the fresh links with their values.
    fn archive(&self, store: &Store, draft: &mut Draft) -> Result<(), JournalError> {
        let none = Changes::new();
        for (sequence, link) in self.fresh() {
            let value = match link.kind {
                Kind::Record => {
                    let done = store.get(&none, &entry::done_key(&link.id, link.number))?;
                    let value = match done {
                        None => store.get(&none, &entry::live_key(&link.id, link.number))?,
                        done => done,
                    };
                    Some(value.ok_or_else(|| illegible(store, *sequence, "its record is missing"))?)
                }
                Kind::Report => store.get(&none, &entry::report_key(link.number))?,
                Kind::Acknowledged | Kind::Finished | Kind::Compacted => None,
            };
            if value.as_ref().is_some_and(|value| chain::digest(value) != link.digest) {
                return Err(illegible(store, *sequence, "its value was changed"));
            }
            draft.add(*sequence, &link.value(), value.as_deref()).map_err(|source| failed(store, source))?;
        }
        Ok(())
    }

    /// What the store forgets now that the archive has it, and the checkpoint to go on from.
    fn forget(
        &self,
        store: &Store,
        keep: usize,
        file: u64,
        length: u64,
    ) -> Result<(Changes, Checkpoint), JournalError> {
        let mut expected = Expected::after(&self.links).map_err(|(at, why)| illegible(store, at, &why))?;
        let mut finished: Vec<(u64, String)> = expected
            .streams
            .iter()
            .filter_map(|(name, stream)| Some((stream.finished?, name.clone())))
            .collect();
        finished.sort_unstable();
        let mut changes = Changes::new();
        for (at, name) in finished.iter().take(finished.len().saturating_sub(keep)) {
            let records = expected.streams.remove(name).map_or(0, |stream| stream.records.len() as u64);
            for number in 0..records {
                changes.insert(entry::done_key(name, number), None);
            }
            changes.insert(entry::gone_key(name), Some(at.to_be_bytes().to_vec()));
        }
        let streams = expected.streams.values();
        let mut needed: BTreeSet<u64> = streams
            .flat_map(|stream| stream.records.iter().map(|(at, _)| *at).chain(stream.finished))
            .collect();
        needed.extend(expected.reports.values().map(|waiting| waiting.sequence));
        let mut kept = Kept::default();
        for (sequence, link) in &self.links {
            if needed.contains(sequence) {
                kept.add(*sequence, &link.value());
            } else {
                changes.insert(entry::chain_key(*sequence), None);
            }
        }
        let end = self.links.last().map_or(self.checkpoint.end, |(sequence, link)| chain::End {
            sequence: *sequence,
            head: link.head,
        });
        let checkpoint = Checkpoint { end, kept: kept.digest(), file, length };
        changes.insert(entry::CHECKPOINT.to_vec(), Some(checkpoint.value()));
        Ok((changes, checkpoint))
    }
}
