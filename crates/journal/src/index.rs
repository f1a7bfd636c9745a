//! What the writer must know of the store without reading it: the next sequence of each running stream, and the ids in the outbox.

use std::collections::BTreeMap;

use crate::{
    MAX_REPORTS, MAX_STREAM_RECORDS, entry,
    error::JournalError,
    store::{Changes, Store},
};

/// Kept equal to the store: rebuilt when it is opened, changed by the writer alone.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Running streams and the sequence their next record gets.
    live: BTreeMap<String, u64>,
    /// Waiting reports by id.
    reports: BTreeMap<String, u64>,
    next_report: u64,
}

impl Index {
    /// Reads the whole store once. What cannot be read becomes a note, and stays where it is.
    pub(crate) fn load(store: &Store) -> Result<(Self, Vec<String>), JournalError> {
        let mut index = Self::default();
        let mut notes = Vec::new();
        for pair in store.scan(b"") {
            let (key, value) = pair?;
            match entry::read_key(&key) {
                Some(entry::Key::Live(stream, sequence)) => {
                    index.load_record(stream, sequence, &value, &mut notes);
                }
                Some(entry::Key::Report(sequence)) => index.load_report(sequence, &value, &mut notes),
                Some(entry::Key::NextReport) => match entry::read_number(&value) {
                    Some(next) => index.next_report = index.next_report.max(next),
                    None => {
                        notes.push("the count of reports has another form: it was counted anew".to_owned())
                    }
                },
                Some(entry::Key::Done(..)) => {}
                None => notes.push(format!(
                    "an entry with the unknown key {:?} was left alone",
                    key.escape_ascii().to_string()
                )),
            }
        }
        Ok((index, notes))
    }

    fn load_record(&mut self, stream: String, sequence: u64, value: &[u8], notes: &mut Vec<String>) {
        let next = self.live.entry(stream.clone()).or_insert(0);
        if *next != sequence {
            notes.push(format!(
                "stream {stream:?}: record {next} should follow, but {sequence} does: records are missing"
            ));
        }
        *next = sequence.saturating_add(1);
        if entry::read_record(value).is_none() {
            notes.push(format!("stream {stream:?}: record {sequence} has another form and cannot be read"));
        }
    }

    fn load_report(&mut self, sequence: u64, value: &[u8], notes: &mut Vec<String>) {
        self.next_report = self.next_report.max(sequence.saturating_add(1));
        match entry::read_report(value) {
            Some((id, _)) => {
                if self.reports.insert(id.to_owned(), sequence).is_some() {
                    notes.push(format!(
                        "outbox: report {id:?} is there twice; both are kept, the later one is acknowledged"
                    ));
                }
            }
            None => notes.push(format!("outbox: report {sequence} has another form: parked, it is not sent")),
        }
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
            None if store.any(changes, &entry::done_prefix(stream))? => {
                return Err(wrong("is finished: nothing can be added to it"));
            }
            None => 0,
        };
        if sequence >= MAX_STREAM_RECORDS {
            return Err(wrong("has 1024 records: no job needs so many, a step is looping"));
        }
        changes.insert(entry::live_key(stream, sequence), Some(entry::record_value(record)));
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
        changes.insert(entry::report_key(sequence), Some(entry::report_value(id, report)));
        changes.insert(entry::NEXT_REPORT.to_vec(), Some(self.next_report.to_be_bytes().to_vec()));
        self.reports.insert(id.to_owned(), sequence);
        sequence
    }

    /// Plans the end of a report; whether it was there.
    pub(crate) fn acknowledge(&mut self, changes: &mut Changes, id: &str) -> bool {
        let Some(sequence) = self.reports.remove(id) else { return false };
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
            return if store.any(changes, &entry::done_prefix(stream))? {
                Ok(())
            } else {
                Err(JournalError::Stream {
                    stream: stream.to_owned(),
                    why: "has no record: it cannot be finished",
                })
            };
        };
        for sequence in 0..next.min(MAX_STREAM_RECORDS) {
            let key = entry::live_key(stream, sequence);
            // A gap was noted when the store was opened; what is there moves.
            if let Some(value) = store.get(changes, &key)? {
                changes.insert(entry::done_key(stream, sequence), Some(value));
                changes.insert(key, None);
            }
        }
        self.live.remove(stream);
        Ok(())
    }
}
