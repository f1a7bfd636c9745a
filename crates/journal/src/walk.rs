//! The chain, followed from the last checkpoint to where it ends or breaks.

use crate::{
    chain::{End, Kind, Link},
    checkpoint::{Checkpoint, Kept},
    found::Found,
    writer::GROUP,
};

/// Most entries without a link that one torn commit can leave: a record and a report for each of its requests.
pub(crate) const MOST_UNLINKED: usize = 2 * GROUP;

/// The chain as far as it holds.
pub(crate) struct Walked {
    /// Those kept from before the checkpoint, then all since.
    pub(crate) links: Vec<(u64, Link)>,
    pub(crate) end: End,
    /// First sequence of the last commit.
    pub(crate) last_commit: u64,
    /// What was cut: where, why, and the legible links from there on.
    pub(crate) cut: Option<(u64, String)>,
    pub(crate) lost: Vec<(u64, Link)>,
}

impl Walked {
    pub(crate) fn cut_from(&mut self, sequence: u64, why: String) {
        let keep = self.links.partition_point(|(at, _)| *at < sequence);
        let mut lost = self.links.split_off(keep);
        lost.append(&mut self.lost);
        self.lost = lost;
        self.cut = Some((sequence, why));
        if let Some((sequence, link)) = self.links.last() {
            self.end = End { sequence: *sequence, head: link.head };
        }
    }

    /// What the last compaction's link covers.
    pub(crate) fn compacted(&self) -> Option<[u8; 32]> {
        let last = self.links.iter().rev().find(|(_, link)| link.kind == Kind::Compacted);
        last.map(|(_, link)| link.digest)
    }
}

/// Follows the links there are; an error says what breaks that no torn commit explains.
pub(crate) fn walk(found: &Found, checkpoint: &Checkpoint) -> Result<Walked, String> {
    let since = found.links.partition_point(|(sequence, _)| *sequence <= checkpoint.end.sequence);
    let (before, since) = found.links.split_at(since);
    let mut walked = Walked {
        links: kept(before, checkpoint)?,
        end: checkpoint.end,
        last_commit: checkpoint.end.sequence + 1,
        cut: None,
        lost: Vec::new(),
    };
    for (at, (sequence, value)) in since.iter().enumerate() {
        let next = walked.end.sequence + 1;
        let why = match Link::read(value) {
            _ if *sequence != next => "it is missing",
            Some(link) if link.head_after(&walked.end.head, next) == link.head => {
                if link.opens {
                    walked.last_commit = next;
                }
                walked.end = End { sequence: next, head: link.head };
                walked.links.push((next, link));
                continue;
            }
            _ => "it was changed",
        };
        walked.lost = torn(since.get(at..).unwrap_or_default(), next, why)?;
        walked.cut = Some((next, why.to_owned()));
        break;
    }
    Ok(walked)
}

/// The links that the last compaction kept.
fn kept(before: &[(u64, Vec<u8>)], checkpoint: &Checkpoint) -> Result<Vec<(u64, Link)>, String> {
    let mut kept = Kept::default();
    let mut links = Vec::with_capacity(before.len());
    for (sequence, value) in before {
        kept.add(*sequence, value);
        let link =
            Link::read(value).ok_or_else(|| format!("link {sequence} of its chain has another form"))?;
        links.push((*sequence, link));
    }
    if checkpoint.file > 0 && kept.digest() != checkpoint.kept {
        return Err(format!(
            "links up to {} that its last compaction kept were changed or removed; `ukey-audit verify` says which",
            checkpoint.end.sequence
        ));
    }
    Ok(links)
}

/// The legible links of `rest`, which does not follow, if one torn commit explains it.
fn torn(rest: &[(u64, Vec<u8>)], next: u64, why: &str) -> Result<Vec<(u64, Link)>, String> {
    let legible = rest.iter().filter_map(|(sequence, value)| Some((*sequence, Link::read(value)?)));
    let legible: Vec<(u64, Link)> = legible.collect();
    let commits_follow = legible.iter().any(|(sequence, link)| link.opens && *sequence > next);
    if commits_follow || rest.len() > MOST_UNLINKED {
        return Err(format!(
            "its chain breaks at link {next}: {why}, and whole commits follow; `ukey-audit verify` says more"
        ));
    }
    Ok(legible)
}
