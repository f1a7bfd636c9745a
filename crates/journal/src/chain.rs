//! The hash chain over all that is written. Bytes in, bytes out.
//!
//! ```text
//! chain/<sequence, u64 big-endian, from 1> → 01 <opens, u8> <kind, u8> <number, u64> <digest, 32> <head, 32> <id>
//! head   = SM3(<head before> <sequence> <opens> <kind> <number> <length of id, u8> <id> <digest>)
//! digest = SM3(<the value it covers>), of nothing for kinds without one
//! ```
//!
//! `opens` is 1 in the first link of a commit, so that a torn commit is known from a break in the middle. The head before the first link
//! is 32 zero bytes. The digest stands for the value, so that a link can be checked after an acknowledged report is gone.

use sm3::{Digest, Sm3};

use crate::entry::legal_name;

/// First byte of each link.
const FORM: u8 = 1;
/// Bytes before the id.
const FIXED: usize = 3 + 8 + 32 + 32;

/// A hash.
pub(crate) type Hash = [u8; 32];

/// What a link covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A record: id is the stream, number its sequence there.
    Record = 1,
    /// A report put into the outbox: number is its place.
    Report = 2,
    /// A report taken out of it: the same id and number, no value.
    Acknowledged = 3,
    /// The end of a stream: number is how many records it has, no value.
    Finished = 4,
    /// A compaction: no id, number is the archive's file, the value is the checkpoint.
    Compacted = 5,
}

impl Kind {
    fn read(byte: u8) -> Option<Self> {
        [Self::Record, Self::Report, Self::Acknowledged, Self::Finished, Self::Compacted]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// One link of the chain, without its sequence, which is its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) opens: bool,
    pub(crate) kind: Kind,
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) digest: Hash,
    pub(crate) head: Hash,
}

impl Link {
    /// The head this link must have at `sequence` after `before`.
    pub(crate) fn head_after(&self, before: &Hash, sequence: u64) -> Hash {
        let mut hash = Sm3::new();
        hash.update(before);
        hash.update(sequence.to_be_bytes());
        hash.update([u8::from(self.opens), self.kind as u8]);
        hash.update(self.number.to_be_bytes());
        // A legal name fits a byte.
        hash.update([u8::try_from(self.id.len()).unwrap_or(u8::MAX)]);
        hash.update(self.id.as_bytes());
        hash.update(self.digest);
        hash.finalize().into()
    }

    /// As it lies in the store.
    pub(crate) fn value(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(FIXED + self.id.len());
        value.extend([FORM, u8::from(self.opens), self.kind as u8]);
        value.extend(self.number.to_be_bytes());
        value.extend(self.digest);
        value.extend(self.head);
        value.extend(self.id.as_bytes());
        value
    }

    /// Reads a link; `None` if it has another form.
    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        let (&[form, opens, kind], rest) = value.split_first_chunk::<3>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (digest, rest) = rest.split_first_chunk::<32>()?;
        let (head, id) = rest.split_first_chunk::<32>()?;
        let kind = Kind::read(kind).filter(|_| form == FORM && opens <= 1)?;
        let id = std::str::from_utf8(id).ok()?;
        let named = if kind == Kind::Compacted { id.is_empty() } else { legal_name(id) };
        named.then(|| Self {
            opens: opens == 1,
            kind,
            number: u64::from_be_bytes(*number),
            id: id.to_owned(),
            digest: *digest,
            head: *head,
        })
    }
}

/// SM3 of a value.
pub(crate) fn digest(value: &[u8]) -> Hash {
    Sm3::digest(value).into()
}

/// Where the chain stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct End {
    /// Of the last link; 0 before the first.
    pub(crate) sequence: u64,
    pub(crate) head: Hash,
}

impl End {
    /// The next link after this end, which moves on.
    pub(crate) fn extend(&mut self, opens: bool, kind: Kind, number: u64, id: &str, value: &[u8]) -> Link {
        let mut link =
            Link { opens, kind, number, id: id.to_owned(), digest: digest(value), head: Hash::default() };
        self.sequence += 1;
        link.head = link.head_after(&self.head, self.sequence);
        self.head = link.head;
        link
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_part_of_a_link_moves_the_head() {
        let link = End::default().extend(true, Kind::Record, 7, "job", b"value");
        let head = |link: &Link| link.head_after(&Hash::default(), 1);
        let others = [
            Link { opens: false, ..link.clone() },
            Link { kind: Kind::Report, ..link.clone() },
            Link { number: 8, ..link.clone() },
            Link { id: "jobs".to_owned(), ..link.clone() },
            Link { digest: digest(b"other"), ..link.clone() },
        ];
        assert_eq!(head(&link), link.head);
        assert!(others.iter().all(|other| head(other) != link.head));
        assert!(
            link.head_after(&Hash::default(), 2) != link.head && link.head_after(&[1; 32], 1) != link.head
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_links_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..200), id in "[!-~]{1,96}", number: u64, opens: bool) {
            let _ = Link::read(&bytes);
            let link = End::default().extend(opens, Kind::Finished, number, &id, &bytes);
            prop_assert_eq!(Link::read(&link.value()), Some(link));
        }
    }
}
