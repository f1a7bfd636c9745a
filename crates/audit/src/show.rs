//! What a stream held, wherever it lies now.

use std::collections::BTreeMap;

use crate::{format::RECORD, history::record_key, verify::Evidence};

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
    each(evidence, |there, number, record| {
        if there == stream.as_bytes() {
            shown.records.insert(number, record.to_vec());
        }
    });
    shown
}

/// Every record that is legible, with its stream and number; one may come twice. What is broken is told by `verify`.
pub(crate) fn each(evidence: &Evidence, mut look: impl FnMut(&[u8], u64, &[u8])) {
    // The first byte of a value is its form.
    let record = |value: &[u8]| value.get(1..).unwrap_or_default().to_vec();
    for entry in evidence.archive.entries(&mut Vec::new()) {
        let body = &entry.link.body;
        if let (RECORD, Some(value)) = (body.kind, entry.value) {
            look(&body.id, body.number, &record(value));
        }
    }
    for (key, value) in evidence.store.iter().flatten() {
        let at = key.strip_prefix(b"live/").or_else(|| key.strip_prefix(b"done/")).and_then(record_key);
        if let Some((stream, number)) = at {
            look(&stream, number, &record(value));
        }
    }
}
