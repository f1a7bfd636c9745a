//! What a stream held, wherever it lies now.

use std::collections::BTreeMap;

use crate::{
    format::{RECORD, number},
    verify::Evidence,
};

/// Records of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// By their number, as the station wrote them.
    pub records: BTreeMap<u64, Vec<u8>>,
}

/// Looks for a stream in archive and store. It proves nothing: [`crate::verify`] does.
#[must_use]
pub fn show(evidence: &Evidence, stream: &str) -> Shown {
    let mut shown = Shown::default();
    // The first byte of a value is its form.
    let mut add = |number: u64, value: &[u8]| {
        shown.records.insert(number, value.get(1..).unwrap_or_default().to_vec());
    };
    // What is broken is told by `verify`; what is legible is shown.
    for entry in evidence.archive.entries(&mut Vec::new()) {
        let body = &entry.link.body;
        if let (RECORD, Some(value)) = (body.kind, entry.value)
            && body.id == stream.as_bytes()
        {
            add(body.number, value);
        }
    }
    for (key, value) in evidence.store.iter().flatten() {
        let record = key.strip_prefix(b"live/").or_else(|| key.strip_prefix(b"done/"));
        let at = record.and_then(|key| key.strip_prefix(stream.as_bytes())?.strip_prefix(&[0]));
        if let Some(at) = at.and_then(number) {
            add(at, value);
        }
    }
    shown
}
