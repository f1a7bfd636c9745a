//! One chain out of archive and store: where both have a link they must agree.

use std::collections::BTreeMap;

use crate::{
    archive::Entry,
    finding::{Finding, Kind},
    format::{self, Hash, Link},
};

/// A link and what it is known to cover.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) sequence: u64,
    pub(crate) link: Link,
    /// Digest of the value that the archive has for it.
    pub(crate) archived: Option<Hash>,
    /// Whether the archive has it.
    pub(crate) in_archive: bool,
}

/// The store's entries, by kind.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) links: BTreeMap<u64, Vec<u8>>,
    /// Digests of records, by stream and number.
    pub(crate) live: BTreeMap<(Vec<u8>, u64), Hash>,
    pub(crate) done: BTreeMap<(Vec<u8>, u64), Hash>,
    /// Digests of waiting reports, by place.
    pub(crate) out: BTreeMap<u64, Hash>,
    /// Streams that are said to be in the archive.
    pub(crate) gone: Vec<Vec<u8>>,
    pub(crate) checkpoint: Option<Vec<u8>>,
    pub(crate) unknown: usize,
}

impl Held {
    pub(crate) fn sort(pairs: &[(Vec<u8>, Vec<u8>)]) -> Self {
        let mut held = Self::default();
        for (key, value) in pairs {
            if held.take(key, value).is_none() {
                held.unknown += 1;
            }
        }
        held
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        if key == b"checkpoint" {
            self.checkpoint = Some(value.to_vec());
        } else if let Some(sequence) = key.strip_prefix(b"chain/") {
            self.links.insert(format::number(sequence)?, value.to_vec());
        } else if let Some(record) = key.strip_prefix(b"live/") {
            self.live.insert(record_key(record)?, format::sm3(value));
        } else if let Some(record) = key.strip_prefix(b"done/") {
            self.done.insert(record_key(record)?, format::sm3(value));
        } else if let Some(place) = key.strip_prefix(b"out/") {
            self.out.insert(format::number(place)?, format::sm3(value));
        } else if let Some(stream) = key.strip_prefix(b"gone/") {
            self.gone.push(stream.to_vec());
        } else if key != b"next-report" {
            return None;
        }
        Some(())
    }
}

/// `<stream> 00 <number, 8>`.
pub(crate) fn record_key(key: &[u8]) -> Option<(Vec<u8>, u64)> {
    let (stream, number) = key.split_at_checked(key.len().checked_sub(8)?)?;
    Some((stream.strip_suffix(&[0])?.to_vec(), format::number(number)?))
}

/// All links in the order of their sequences. Says where the order was another, where copies differ, and where links are missing.
pub(crate) fn join(entries: &[Entry<'_>], held: &Held, findings: &mut Vec<Finding>) -> Vec<Piece> {
    let mut pieces: BTreeMap<u64, Piece> = BTreeMap::new();
    let mut highest = 0;
    for entry in entries {
        if entry.sequence < highest {
            findings.push(Finding::new(
                Kind::Reorder,
                entry.sequence,
                format!("it lies behind link {highest} in the archive"),
            ));
        }
        highest = highest.max(entry.sequence);
        let piece = Piece {
            sequence: entry.sequence,
            link: entry.link.clone(),
            archived: entry.value_digest(),
            in_archive: true,
        };
        if pieces.insert(entry.sequence, piece).is_some() {
            findings.push(Finding::new(Kind::Extra, entry.sequence, "it is in the archive twice"));
        }
    }
    let checkpoint = read_checkpoint(held, findings);
    for (sequence, bytes) in &held.links {
        let Some(link) = format::link(bytes) else {
            findings.push(Finding::new(Kind::Edit, *sequence, "its link in the store cannot be read"));
            continue;
        };
        match pieces.get(sequence) {
            Some(piece) if piece.link == link => {}
            Some(_) => findings.push(Finding::new(
                Kind::Edit,
                *sequence,
                "store and archive have different links for it",
            )),
            None => {
                if *sequence <= checkpoint.0 {
                    findings.push(Finding::new(Kind::Gap, *sequence, "it is missing in the archive"));
                }
                let piece = Piece { sequence: *sequence, link, archived: None, in_archive: false };
                pieces.insert(*sequence, piece);
            }
        }
    }
    gaps(&pieces, checkpoint.0, findings);
    if let (sequence @ 1.., head) = checkpoint
        && pieces.get(&sequence).is_some_and(|piece| piece.link.head != head)
    {
        findings.push(Finding::new(Kind::Edit, sequence, "the checkpoint names another head"));
    }
    pieces.into_values().collect()
}

fn read_checkpoint(held: &Held, findings: &mut Vec<Finding>) -> (u64, Hash) {
    match held.checkpoint.as_deref().map(format::checkpoint) {
        None => (0, [0; 32]),
        Some(Some((sequence, head, _))) => (sequence, head),
        Some(None) => {
            findings.push(Finding::new(Kind::Edit, 0, "the checkpoint cannot be read"));
            (0, [0; 32])
        }
    }
}

fn gaps(pieces: &BTreeMap<u64, Piece>, archived: u64, findings: &mut Vec<Finding>) {
    let mut next = 1;
    let text = |from: u64, to: u64| {
        if from == to { "it is missing".to_owned() } else { format!("links {from} to {to} are missing") }
    };
    for sequence in pieces.keys() {
        if *sequence > next {
            findings.push(Finding::new(Kind::Gap, next, text(next, sequence - 1)));
        }
        next = sequence.saturating_add(1);
    }
    if next <= archived {
        findings.push(Finding::new(Kind::Cut, next, text(next, archived)));
    }
}
