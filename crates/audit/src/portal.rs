//! The portal's audit: what was done there, a JSON line a row, each chained to the row before it.
//!
//! `{"sequence":1,"at_ms":1795311000123,"who":"…","what":"…","subject":"…","detail":"…","head":"<64 hex>"}`, where
//! `head = SM3(head before ‖ sequence ‖ at_ms, who, what, subject, detail)`: the sequence in 8 bytes, before each field its length in 4, the
//! time in 8, all big-endian; the head before the first is 32 zero bytes. The format stands here a second time on purpose.

use std::collections::BTreeMap;

use crate::{
    finding::{Finding, Kind},
    format::{Hash, sm3},
    portal_heads::{Keys, KnownHead},
};

/// What is judged.
#[derive(Clone, Debug, Default)]
pub struct PortalEvidence {
    /// The file `portal.jsonl`, whatever it holds.
    pub lines: Vec<u8>,
    /// Heads that stations kept.
    pub heads: Vec<KnownHead>,
    /// The portal's public key in hex, X then Y, if known from elsewhere than the heads.
    pub key: Option<String>,
}

/// What was judged, and what was found.
#[derive(Debug)]
pub struct PortalVerdict {
    /// Rows that could be read.
    pub rows: u64,
    /// The last row's sequence.
    pub end: u64,
    /// The last row's head.
    pub head: [u8; 32],
    /// The key by which heads of stations were judged.
    pub key: Option<String>,
    /// All that is wrong, by row; empty if nothing is.
    pub findings: Vec<Finding>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    sequence: u64,
    at_ms: i64,
    who: String,
    what: String,
    subject: String,
    detail: String,
    head: String,
}

impl Row {
    fn next(&self, before: &Hash) -> Hash {
        let mut bytes = before.to_vec();
        bytes.extend(self.sequence.to_be_bytes());
        let at = self.at_ms.to_be_bytes();
        let texts = [&self.who, &self.what, &self.subject, &self.detail];
        for field in [at.as_slice()].into_iter().chain(texts.map(|text| text.as_bytes())) {
            bytes.extend(u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend(field);
        }
        sm3(&bytes)
    }

    /// The head as it stands there, in the one form in which the portal writes it.
    fn head(&self) -> Option<Hash> {
        let mut head = [0; 32];
        hex::decode_to_slice(&self.head, &mut head).ok()?;
        (hex::encode(head) == self.head).then_some(head)
    }
}

/// Judges the portal's audit. Whoever wrote it and could write it all anew is found by heads of stations alone.
#[must_use]
pub fn verify_portal(evidence: &PortalEvidence) -> PortalVerdict {
    let mut findings = Vec::new();
    let rows = read(&evidence.lines, &mut findings);
    if rows.is_empty() {
        findings.push(Finding::new(Kind::Cut, 1, "there is no row"));
    }
    gaps(&rows, &mut findings);
    let heads = follow(&rows, &mut findings);
    let end = rows.last_key_value().map_or(0, |(sequence, _)| *sequence);
    let mut keys = Keys::new(evidence.key.iter());
    for known in &evidence.heads {
        hold(known, &mut keys, end, &heads, &mut findings);
    }
    findings.sort();
    findings.dedup();
    PortalVerdict {
        rows: rows.len() as u64,
        end,
        head: heads.get(&end).copied().unwrap_or_default(),
        key: keys.first(),
        findings,
    }
}

/// All rows by sequence. Says which lines cannot be read, stand in another order, or twice.
fn read(lines: &[u8], findings: &mut Vec<Finding>) -> BTreeMap<u64, Row> {
    let mut rows = BTreeMap::new();
    let mut highest = 0;
    for (at, line) in lines.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        let row: Row = match serde_json::from_slice(line) {
            Ok(row) => row,
            Err(error) => {
                let text = format!("line {} is no row of an audit: {error}", at + 1);
                findings.push(Finding::new(Kind::Illegible, highest + 1, text));
                continue;
            }
        };
        let sequence = row.sequence;
        if sequence == 0 || rows.contains_key(&sequence) {
            let text = format!("line {} is a row too many", at + 1);
            findings.push(Finding::new(Kind::Extra, sequence, text));
            continue;
        }
        if sequence < highest {
            findings.push(Finding::new(Kind::Reorder, sequence, format!("it lies behind link {highest}")));
        }
        highest = highest.max(sequence);
        rows.insert(sequence, row);
    }
    rows
}

fn gaps(rows: &BTreeMap<u64, Row>, findings: &mut Vec<Finding>) {
    let mut next = 1;
    for sequence in rows.keys() {
        if *sequence > next {
            let text = match sequence - 1 {
                last if last == next => "it is missing".to_owned(),
                last => format!("links {next} to {last} are missing"),
            };
            findings.push(Finding::new(Kind::Gap, next, text));
        }
        next = sequence.saturating_add(1);
    }
}

/// The heads as they stand; says which do not follow.
fn follow(rows: &BTreeMap<u64, Row>, findings: &mut Vec<Finding>) -> BTreeMap<u64, Hash> {
    let mut heads = BTreeMap::new();
    let (mut before, mut next): (Hash, u64) = ([0; 32], 1);
    // The head that should have been, beside the one that stands there.
    let mut should: Option<Hash> = None;
    for (sequence, row) in rows {
        let Some(stands) = row.head() else {
            findings.push(Finding::new(Kind::Edit, *sequence, "its head is not 64 small hex digits"));
            // What follows is judged by the head that it must have had.
            let right = row.next(&before);
            (before, should, next) = (right, None, sequence.saturating_add(1));
            continue;
        };
        heads.insert(*sequence, stands);
        // After a gap there is nothing to compute from: the head that stands there is taken.
        let follows = *sequence == next;
        next = sequence.saturating_add(1);
        let expected = row.next(&before);
        // The row before had a wrong head and was told: from the right one this row may follow.
        let right = should.take().is_some_and(|right| row.next(&right) == stands);
        if !follows || expected == stands || right {
            before = stands;
            continue;
        }
        findings.push(Finding::new(
            Kind::Edit,
            *sequence,
            format!("its head does not follow ({} {})", row.what, row.subject),
        ));
        (before, should) = (stands, Some(expected));
    }
    heads
}

/// Holds a station's head against the rows.
fn hold(
    known: &KnownHead,
    keys: &mut Keys,
    end: u64,
    heads: &BTreeMap<u64, Hash>,
    findings: &mut Vec<Finding>,
) {
    let origin = &known.origin;
    let (sequence, head) = match known.opened(keys) {
        Ok(opened) => opened,
        Err(why) => {
            let text = format!("the head that {origin} has proves nothing: {why}");
            findings.push(Finding::new(Kind::Anchor, known.sequence(), text));
            return;
        }
    };
    match heads.get(&sequence) {
        _ if sequence > end => findings.push(Finding::new(
            Kind::Cut,
            end + 1,
            format!("the audit ends at link {end}, {origin} knows link {sequence}"),
        )),
        Some(stands) if *stands != head => findings.push(Finding::new(
            Kind::Edit,
            sequence,
            format!("{origin} has another head: something up to link {sequence} was written anew"),
        )),
        // A row that is missing was told as a gap.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The portal has the same value in a test of its own: the two share no code.
    #[test]
    fn p8_the_head_of_a_row_stays_what_it_is() {
        let text = |text: &str| text.to_owned();
        let row = Row {
            sequence: 258,
            at_ms: 1_795_311_000_123,
            who: text("operator:li.shen"),
            what: text("order.approved"),
            subject: text("订单"),
            detail: String::new(),
            head: String::new(),
        };
        let head = row.next(&[7; 32]);
        assert_eq!(hex::encode(head), "a5f635281de8ed2c070e97c7127a37d984d9230a8f72445aca0c46e4cbfe050b");
    }

    proptest! {
        #[test]
        fn p8_no_bytes_panic(lines in proptest::collection::vec(any::<u8>(), 0..300), record in proptest::collection::vec(any::<u8>(), 0..60)) {
            let heads = vec![KnownHead::new("a journal".to_owned(), record)];
            let verdict = verify_portal(&PortalEvidence { lines, heads, key: None });
            prop_assert!(!verdict.findings.is_empty());
        }

        #[test]
        fn p8_no_rows_panic(rows in proptest::collection::vec((any::<u64>(), any::<i64>(), "[0-9a-fA-F]{62,66}"), 1..8)) {
            let line = |(sequence, at, head): &(u64, i64, String)| format!(
                "{{\"sequence\":{sequence},\"at_ms\":{at},\"who\":\"\",\"what\":\"\",\"subject\":\"\",\"detail\":\"\",\"head\":\"{head}\"}}\n"
            );
            let lines = rows.iter().map(line).collect::<String>().into_bytes();
            let verdict = verify_portal(&PortalEvidence { lines, ..PortalEvidence::default() });
            prop_assert!(!verdict.findings.is_empty());
        }
    }
}
