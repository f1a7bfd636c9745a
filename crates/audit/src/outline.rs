//! What a journal tells of, by name: its streams, and its reports with whether they were acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    format::{self, ACKNOWLEDGED, Link, RECORD, REPORT},
    verify::Evidence,
};

/// The names in a journal.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// Every stream that has a record.
    pub streams: BTreeSet<String>,
    /// Every report that was ever put into the outbox, and whether an acknowledgement of it was written.
    pub reports: BTreeMap<String, bool>,
}

/// Reads all links of archive and store. It proves nothing: [`crate::verify`] does.
#[must_use]
pub fn outline(evidence: &Evidence) -> Outline {
    // What is broken is told by `verify`; what is legible is named.
    let mut links: BTreeMap<u64, Link> = evidence
        .archive
        .entries(&mut Vec::new())
        .into_iter()
        .map(|entry| (entry.sequence, entry.link))
        .collect();
    for (key, value) in evidence.store.iter().flatten() {
        let sequence = key.strip_prefix(b"chain/").and_then(format::number);
        if let (Some(sequence), Some(link)) = (sequence, format::link(value)) {
            links.insert(sequence, link);
        }
    }
    let mut outline = Outline::default();
    for body in links.into_values().map(|link| link.body) {
        let id = String::from_utf8_lossy(&body.id).into_owned();
        match body.kind {
            RECORD => drop(outline.streams.insert(id)),
            REPORT => drop(outline.reports.insert(id, false)),
            ACKNOWLEDGED => drop(outline.reports.insert(id, true)),
            _ => {}
        }
    }
    outline
}
