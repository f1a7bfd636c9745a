//! What the store must hold, told from the chain alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::chain::{Hash, Kind, Link};

/// A stream as its links tell it.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Sequence in the chain and digest of each record.
    pub(crate) records: Vec<(u64, Hash)>,
    /// Sequence of the link that finished it.
    pub(crate) finished: Option<u64>,
}

/// A waiting report as its link tells it.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) sequence: u64,
    pub(crate) id: String,
    pub(crate) digest: Hash,
}

/// What the store must hold.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) streams: BTreeMap<String, Stream>,
    /// Waiting reports by their place.
    pub(crate) reports: BTreeMap<u64, Waiting>,
    /// Places of reports that were acknowledged since the last compaction.
    pub(crate) acknowledged: BTreeSet<u64>,
    /// More than every place that was given since the last compaction.
    pub(crate) next_report: u64,
}

impl Expected {
    /// After all of `links`.
    ///
    /// # Errors
    /// The sequence of a link that cannot follow, and why.
    pub(crate) fn after<'a>(links: impl IntoIterator<Item = &'a (u64, Link)>) -> Result<Self, (u64, String)> {
        let mut expected = Self::default();
        for (sequence, link) in links {
            expected.apply(*sequence, link).map_err(|why| (*sequence, why))?;
        }
        Ok(expected)
    }

    /// One link further.
    pub(crate) fn apply(&mut self, sequence: u64, link: &Link) -> Result<(), String> {
        let Link { number, id, digest, .. } = link;
        match link.kind {
            Kind::Record => {
                let stream = self.streams.entry(id.clone()).or_default();
                if stream.finished.is_some() || stream.records.len() as u64 != *number {
                    return Err(format!("record {number} of stream {id:?} cannot follow"));
                }
                stream.records.push((sequence, *digest));
            }
            Kind::Finished => match self.streams.get_mut(id) {
                Some(stream) if stream.finished.is_none() && stream.records.len() as u64 == *number => {
                    stream.finished = Some(sequence);
                }
                _ => return Err(format!("stream {id:?} cannot be finished with {number} records")),
            },
            Kind::Report => {
                let waiting = Waiting { sequence, id: id.clone(), digest: *digest };
                if self.reports.insert(*number, waiting).is_some() {
                    return Err(format!("place {number} of the outbox was given twice"));
                }
                self.next_report = self.next_report.max(number.saturating_add(1));
            }
            Kind::Acknowledged => {
                if self.reports.remove(number).is_none_or(|waiting| waiting.id != *id) {
                    return Err(format!("report {id:?} was acknowledged but did not wait"));
                }
                self.acknowledged.insert(*number);
            }
            Kind::Compacted => {}
        }
        Ok(())
    }
}
