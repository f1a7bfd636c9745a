//! What the writer must know of the store without reading it: the next sequence of each running stream, the ids in the outbox, and where
//! the chain stands.

use std::collections::BTreeMap;

use crate::{
    MAX_REPORTS, MAX_STREAM_RECORDS,
    chain::{End, Kind},
    entry,
    error::JournalError,
    expected::Expected,
    store::{Changes, Store},
};

/// Kept equal to the store: told by its chain when it is opened, changed by the writer alone.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Running streams and the sequence their next record gets.
    live: BTreeMap<String, u64>,
    /// Waiting reports by id.
    reports: BTreeMap<String, u64>,
    next_report: u64,
    end: End,
    /// The last archived link.
    archived: u64,
    /// Whether the next link is the first of its commit.
    opens: bool,
}

impl Index {
    /// Of a journal whose chain stands at `end`, with links up to `archived` in the archive.
    pub(crate) fn new(end: End, archived: u64) -> Self {
        Self { end, archived, opens: true, ..Self::default() }
    }

    /// Takes over what the chain tells.
    pub(crate) fn fill(&mut self, expected: &Expected, next_report: Option<u64>) {
        let running = expected.streams.iter().filter(|(_, stream)| stream.finished.is_none());
        self.live = running.map(|(name, stream)| (name.clone(), stream.records.len() as u64)).collect();
        self.reports =
            expected.reports.iter().map(|(number, waiting)| (waiting.id.clone(), *number)).collect();
        self.next_report = expected.next_report.max(next_report.unwrap_or_default());
    }

    /// A new commit begins.
    pub(crate) fn begin(&mut self) {
        self.opens = true;
    }

    /// Plans the next link of the chain.
    pub(crate) fn link(&mut self, changes: &mut Changes, kind: Kind, number: u64, id: &str, value: &[u8]) {
        let link = self.end.extend(std::mem::take(&mut self.opens), kind, number, id, value);
        changes.insert(entry::chain_key(self.end.sequence), Some(link.value()));
    }

    /// Where the chain stands.
    pub(crate) fn end(&self) -> End {
        self.end
    }

    /// How many links are not in the archive.
    pub(crate) fn unarchived(&self) -> u64 {
        self.end.sequence - self.archived
    }

    /// Links up to `sequence` are in the archive.
    pub(crate) fn archived(&mut self, sequence: u64) {
        self.archived = sequence;
    }

    /// Names of the running streams.
    pub(crate) fn streams(&self) -> Vec<String> {
        self.live.keys().cloned().collect()
    }

    /// How many legible reports wait.
    pub(crate) fn reports(&self) -> usize {
        self.reports.len()
    }

    /// Plans one record; its sequence.
    pub(crate) fn append(
        &mut self,
        store: &Store,
        changes: &mut Changes,
        stream: &str,
        record: &[u8],
    ) -> Result<u64, JournalError> {
        let wrong = |why| JournalError::Stream { stream: stream.to_owned(), why };
        let sequence = match self.live.get(stream) {
            Some(next) => *next,
            None if store.finished(changes, stream)? => {
                return Err(wrong("is finished: nothing can be added to it"));
            }
            None => 0,
        };
        if sequence >= MAX_STREAM_RECORDS {
            return Err(wrong("has 1024 records: no job needs so many, a step is looping"));
        }
        let value = entry::record_value(record);
        self.link(changes, Kind::Record, sequence, stream, &value);
        changes.insert(entry::live_key(stream, sequence), Some(value));
        self.live.insert(stream.to_owned(), sequence + 1);
        Ok(sequence)
    }

    /// Whether `report` would be taken: `Some` sequence if the very same one waits already.
    pub(crate) fn check_report(
        &self,
        store: &Store,
        changes: &Changes,
        id: &str,
        report: &[u8],
    ) -> Result<Option<u64>, JournalError> {
        if let Some(sequence) = self.reports.get(id) {
            let held = store.get(changes, &entry::report_key(*sequence))?;
            return if held.as_deref() == Some(&entry::report_value(id, report)) {
                Ok(Some(*sequence))
            } else {
                Err(JournalError::ReportDiffers { id: id.to_owned() })
            };
        }
        if self.reports.len() >= MAX_REPORTS {
            return Err(JournalError::OutboxFull { dir: store.dir().to_owned(), limit: MAX_REPORTS });
        }
        Ok(None)
    }

    /// Plans one report that [`Index::check_report`] let through; its sequence.
    pub(crate) fn report(&mut self, changes: &mut Changes, id: &str, report: &[u8]) -> u64 {
        let sequence = self.next_report;
        self.next_report += 1;
        let value = entry::report_value(id, report);
        self.link(changes, Kind::Report, sequence, id, &value);
        changes.insert(entry::report_key(sequence), Some(value));
        changes.insert(entry::NEXT_REPORT.to_vec(), Some(self.next_report.to_be_bytes().to_vec()));
        self.reports.insert(id.to_owned(), sequence);
        sequence
    }

    /// Plans the end of a report; whether it was there.
    pub(crate) fn acknowledge(&mut self, changes: &mut Changes, id: &str) -> bool {
        let Some(sequence) = self.reports.remove(id) else { return false };
        self.link(changes, Kind::Acknowledged, sequence, id, b"");
        changes.insert(entry::report_key(sequence), None);
        true
    }

    /// Plans the move of a stream to `done/`. Finishing it again does nothing.
    pub(crate) fn finish(
        &mut self,
        store: &Store,
        changes: &mut Changes,
        stream: &str,
    ) -> Result<(), JournalError> {
        let Some(next) = self.live.get(stream).copied() else {
            return if store.finished(changes, stream)? {
                Ok(())
            } else {
                Err(JournalError::Stream {
                    stream: stream.to_owned(),
                    why: "has no record: it cannot be finished",
                })
            };
        };
        let mut moved = Changes::new();
        for sequence in 0..next {
            let key = entry::live_key(stream, sequence);
            let value = store.get(changes, &key)?.ok_or_else(|| JournalError::Illegible {
                dir: store.dir().to_owned(),
                detail: format!("record {sequence} of stream {stream:?} is gone since it was opened"),
            })?;
            moved.insert(entry::done_key(stream, sequence), Some(value));
            moved.insert(key, None);
        }
        changes.append(&mut moved);
        self.link(changes, Kind::Finished, next, stream, b"");
        self.live.remove(stream);
        Ok(())
    }
}
