//! The values, held against the links that cover them.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    finding::{Finding, Kind},
    format::{ACKNOWLEDGED, COMPACTED, FINISHED, Hash, RECORD, REPORT, sm3},
    history::{Held, Piece},
};

/// What the links tell of the end.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Streams: how many records, and whether finished.
    pub(crate) streams: BTreeMap<Vec<u8>, (u64, bool)>,
    /// Places of waiting reports, with the link that put them there.
    pub(crate) waiting: BTreeMap<u64, usize>,
}

/// Says which values are missing, another, or too many.
pub(crate) fn check(pieces: &[Piece], held: &Held, store_read: bool, findings: &mut Vec<Finding>) -> Told {
    let told = follow(pieces, findings);
    let mut values = Values { findings, wrong: Vec::new() };
    for piece in pieces {
        if let Some(archived) = piece.archived {
            values.compare(piece, Some(archived), "in the archive");
        } else if piece.in_archive && piece.link.body.kind == RECORD {
            values.compare(piece, None, "in the archive");
        }
        if piece.link.body.kind == RECORD && store_read {
            values.record(piece, &told, held);
        }
    }
    if store_read {
        for (place, at) in &told.waiting {
            if let Some(piece) = pieces.get(*at) {
                values.compare(piece, held.out.get(place).copied(), "in the outbox");
            }
        }
    }
    if store_read {
        values.checkpoint(pieces, held);
    }
    values.tell();
    if store_read {
        extras(&told, held, findings);
    }
    told
}

/// Follows the links; says which cannot follow by what they mean.
fn follow(pieces: &[Piece], findings: &mut Vec<Finding>) -> Told {
    let mut told = Told::default();
    for (at, piece) in pieces.iter().enumerate() {
        let body = &piece.link.body;
        let stream = || body.id.clone();
        let right = match body.kind {
            RECORD => {
                let (records, finished) = told.streams.entry(stream()).or_default();
                let right = *records == body.number && !*finished;
                *records = body.number.saturating_add(1);
                right
            }
            FINISHED => {
                let (records, finished) = told.streams.entry(stream()).or_default();
                !std::mem::replace(finished, true) && *records == body.number
            }
            REPORT => told.waiting.insert(body.number, at).is_none(),
            ACKNOWLEDGED => told.waiting.remove(&body.number).is_some(),
            COMPACTED => true,
            _ => false,
        };
        if !right {
            let text = format!("{} cannot follow what was before", body.name());
            findings.push(Finding::new(Kind::Gap, piece.sequence, text));
        }
    }
    told
}

struct Values<'a> {
    findings: &'a mut Vec<Finding>,
    /// Link, the digest it names, the digest that is there, where.
    wrong: Vec<(u64, String, Hash, Hash, &'static str)>,
}

impl Values<'_> {
    fn compare(&mut self, piece: &Piece, there: Option<Hash>, place: &'static str) {
        let body = &piece.link.body;
        match there {
            Some(digest) if digest == body.digest => {}
            Some(digest) => self.wrong.push((piece.sequence, body.name(), body.digest, digest, place)),
            None => {
                let text = format!("{} is missing {place}", body.name());
                self.findings.push(Finding::new(Kind::Gap, piece.sequence, text));
            }
        }
    }

    fn record(&mut self, piece: &Piece, told: &Told, held: &Held) {
        let body = &piece.link.body;
        let key = (body.id.clone(), body.number);
        let finished = told.streams.get(&body.id).is_some_and(|(_, finished)| *finished);
        if finished && held.gone.binary_search(&body.id).is_ok() {
            if !piece.in_archive {
                self.compare(piece, None, "in the archive");
            }
            return;
        }
        let (map, place) = if finished {
            (&held.done, "among the finished ones")
        } else {
            (&held.live, "among the running ones")
        };
        self.compare(piece, map.get(&key).copied(), place);
    }

    /// The last compaction covers the checkpoint.
    fn checkpoint(&mut self, pieces: &[Piece], held: &Held) {
        let last = pieces.iter().rev().find(|piece| piece.link.body.kind == COMPACTED);
        match (last, held.checkpoint.as_deref().map(sm3)) {
            (Some(piece), there) => self.compare(piece, there, "at the checkpoint"),
            (None, Some(_)) => {
                let text = "there is a checkpoint and no compaction";
                self.findings.push(Finding::new(Kind::Extra, 0, text));
            }
            (None, None) => {}
        }
    }

    /// Two that have each other's value were exchanged; all others were edited.
    fn tell(&mut self) {
        let by_digest: BTreeMap<Hash, u64> =
            self.wrong.iter().map(|(sequence, _, named, _, _)| (*named, *sequence)).collect();
        let mut told = BTreeSet::new();
        for (sequence, name, _, there, place) in &self.wrong {
            let text = match by_digest.get(there).filter(|other| *other != sequence) {
                Some(other) if told.contains(&(*other, *sequence)) => continue,
                Some(other) => {
                    told.insert((*sequence, *other));
                    let text = format!("{name} has the value of link {other} {place}");
                    self.findings.push(Finding::new(Kind::Reorder, *sequence, text));
                    continue;
                }
                None => format!("{name} is not what was written, {place}"),
            };
            self.findings.push(Finding::new(Kind::Edit, *sequence, text));
        }
    }
}

fn extras(told: &Told, held: &Held, findings: &mut Vec<Finding>) {
    for (map, finished, place) in [(&held.live, false, "running"), (&held.done, true, "finished")] {
        for (stream, number) in map.keys() {
            let known = told.streams.get(stream);
            if known.is_none_or(|(records, ended)| number >= records || *ended != finished) {
                let text = format!(
                    "record {number} of stream {} lies among the {place} ones and no link says so",
                    stream.escape_ascii()
                );
                findings.push(Finding::new(Kind::Extra, 0, text));
            }
        }
    }
    for place in held.out.keys().filter(|place| !told.waiting.contains_key(place)) {
        findings.push(Finding::new(
            Kind::Extra,
            0,
            format!("report {place} lies in the outbox and no link says so"),
        ));
    }
    for stream in &held.gone {
        if !told.streams.get(stream).is_some_and(|(_, finished)| *finished) {
            let text = format!("stream {} is said to be archived and never ended", stream.escape_ascii());
            findings.push(Finding::new(Kind::Extra, 0, text));
        }
    }
}
