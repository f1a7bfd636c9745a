//! The whole audit.

use crate::{
    anchors::{self, Anchor},
    archive::Archive,
    chain,
    finding::{Finding, Kind},
    history::{self, Held},
    state,
};

/// Key and value of one entry of the store.
pub type Pair = (Vec<u8>, Vec<u8>);

/// What is judged.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The archive's files.
    pub archive: Archive,
    /// The store's pairs, or why it cannot be read.
    pub store: Result<Vec<Pair>, String>,
    /// What others know.
    pub anchors: Vec<Anchor>,
    /// The station's public keys in hex, X then Y, as far as they are known from elsewhere than the anchors. A station that was enrolled anew
    /// has several.
    pub station_keys: Vec<String>,
}

/// What was judged, and what was found.
#[derive(Debug)]
pub struct Verdict {
    /// Links there are.
    pub links: u64,
    /// The last link's sequence.
    pub end: u64,
    /// The last link's head.
    pub head: [u8; 32],
    /// Streams that are running and that are finished.
    pub streams: (usize, usize),
    /// Reports that wait.
    pub waiting: usize,
    /// Entries of the store that are of no known kind.
    pub unknown: usize,
    /// All that is wrong, by link; empty if nothing is.
    pub findings: Vec<Finding>,
}

/// Judges a journal. Whoever wrote it and could write it all anew is found by anchors alone.
#[must_use]
pub fn verify(evidence: &Evidence) -> Verdict {
    let mut findings = Vec::new();
    let mut held = match &evidence.store {
        Ok(pairs) => Held::sort(pairs),
        Err(why) => {
            findings.push(Finding::new(Kind::Illegible, 0, format!("the store cannot be read: {why}")));
            Held::default()
        }
    };
    let entries = evidence.archive.entries(&mut findings);
    held.gone.sort_unstable();
    let mut pieces = history::join(&entries, &held, &mut findings);
    chain::check(&mut pieces, &mut findings);
    let told = state::check(&pieces, &held, evidence.store.is_ok(), &mut findings);
    anchors::check(&evidence.anchors, &evidence.station_keys, &pieces, &mut findings);
    findings.sort();
    findings.dedup();
    let finished = told.streams.values().filter(|(_, finished)| *finished).count();
    Verdict {
        links: pieces.len() as u64,
        end: pieces.last().map_or(0, |piece| piece.sequence),
        head: pieces.last().map_or([0; 32], |piece| piece.link.head),
        streams: (told.streams.len() - finished, finished),
        waiting: told.waiting.len(),
        unknown: held.unknown,
        findings,
    }
}
