//! What the store does hold: one reading of all but the names of archived streams.

use std::collections::BTreeMap;

use crate::{
    chain::{self, Hash},
    entry,
    error::JournalError,
    store::Store,
};

/// Digests of a record's copies. Only a commit that was torn can leave two.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) live: Option<Hash>,
    pub(crate) done: Option<Hash>,
}

/// What the store holds.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) links: Vec<(u64, Vec<u8>)>,
    pub(crate) records: BTreeMap<(String, u64), Held>,
    /// Digests of reports by their place.
    pub(crate) reports: BTreeMap<u64, Hash>,
    pub(crate) checkpoint: Option<Vec<u8>>,
    pub(crate) next_report: Option<u64>,
    pub(crate) notes: Vec<String>,
}

impl Found {
    pub(crate) fn read(store: &Store) -> Result<Self, JournalError> {
        let mut found = Self::default();
        for pair in store.scan_but_gone() {
            let (key, value) = pair?;
            found.take(&key, &value);
        }
        Ok(found)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) {
        match entry::read_key(key) {
            Some(entry::Key::Live(stream, number)) => {
                self.records.entry((stream, number)).or_default().live = Some(chain::digest(value));
            }
            Some(entry::Key::Done(stream, number)) => {
                self.records.entry((stream, number)).or_default().done = Some(chain::digest(value));
            }
            Some(entry::Key::Report(number)) => {
                self.reports.insert(number, chain::digest(value));
            }
            Some(entry::Key::Chain(sequence)) => self.links.push((sequence, value.to_vec())),
            Some(entry::Key::Checkpoint) => self.checkpoint = Some(value.to_vec()),
            Some(entry::Key::NextReport) => {
                self.next_report = entry::read_number(value);
                if self.next_report.is_none() {
                    self.notes.push("the count of reports has another form: it was counted anew".to_owned());
                }
            }
            None => self.notes.push(format!(
                "an entry with the unknown key {:?} was left alone",
                key.escape_ascii().to_string()
            )),
        }
    }
}
