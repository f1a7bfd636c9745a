//! The heads, computed again from the first link to the last.

use crate::{
    finding::{Finding, Kind},
    format::Hash,
    history::Piece,
};

/// How far the other half of an exchange is looked for.
const REACH: usize = 5_000;
/// An exchange is looked for this often; a history that is broken in more places is told as edits.
const SEARCHES: usize = 100;

/// Says which links do not follow. Exchanged ones are put right, so that what follows is judged by itself.
pub(crate) fn check(pieces: &mut [Piece], findings: &mut Vec<Finding>) {
    let (mut before, mut next): (Hash, u64) = ([0; 32], 1);
    let mut searches = 0;
    // The head that should have been, beside the one that stands there.
    let mut should: Option<Hash> = None;
    for at in 0..pieces.len() {
        let Some(piece) = pieces.get(at) else { break };
        let sequence = piece.sequence;
        // After a gap there is nothing to compute from: the head that stands there is taken.
        let follows = sequence == next;
        next = sequence.saturating_add(1);
        let stands = piece.link.head;
        if !follows {
            (before, should) = (stands, None);
            continue;
        }
        let expected = piece.link.body.head(&before, sequence);
        if expected == stands {
            (before, should) = (stands, None);
            continue;
        }
        // The link before had a wrong head and was told: from the right one this link follows.
        if let Some(right) = should.take()
            && piece.link.body.head(&right, sequence) == stands
        {
            before = stands;
            continue;
        }
        searches += 1;
        if searches <= SEARCHES
            && let Some(other) = exchanged(pieces, at, &before)
        {
            let with = pieces.get(other.0).map_or(0, |piece| piece.sequence);
            findings.push(Finding::new(
                Kind::Reorder,
                sequence,
                format!("it and link {with} stand in each other's place"),
            ));
            before = put_right(pieces, at, other);
            continue;
        }
        let name = piece.link.body.name();
        findings.push(Finding::new(Kind::Edit, sequence, format!("its head does not follow ({name})")));
        (before, should) = (stands, Some(expected));
    }
}

/// The later piece that belongs where `at` is, and whether its head came along.
fn exchanged(pieces: &[Piece], at: usize, before: &Hash) -> Option<(usize, bool)> {
    let here = pieces.get(at)?;
    let later = pieces.iter().enumerate().skip(at + 1).take(REACH);
    let mut belonging = later.filter_map(|(other, there)| {
        let head = there.link.body.head(before, here.sequence);
        (head == there.link.head || head == here.link.head).then_some((other, head == there.link.head))
    });
    belonging.next()
}

/// Exchanges two pieces back; the head that the first place has then.
fn put_right(pieces: &mut [Piece], at: usize, (other, with_head): (usize, bool)) -> Hash {
    let Some((front, back)) = pieces.split_at_mut_checked(other) else { return [0; 32] };
    let (Some(here), Some(there)) = (front.get_mut(at), back.first_mut()) else { return [0; 32] };
    std::mem::swap(&mut here.link.body, &mut there.link.body);
    std::mem::swap(&mut here.archived, &mut there.archived);
    if with_head {
        std::mem::swap(&mut here.link.head, &mut there.link.head);
    }
    here.link.head
}
