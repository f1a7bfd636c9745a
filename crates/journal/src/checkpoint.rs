//! What the last compaction left to build on. Bytes in, bytes out.
//!
//! ```text
//! checkpoint → 01 <sequence, u64> <head, 32> <kept, 32> <file, u64> <length, u64>
//! ```
//!
//! Links up to `sequence` are in the archive; those of them that are still needed are kept in the store too, and `kept` is SM3 over their
//! keys and values. The link of kind `Compacted` that was written with it covers this value, so a checkpoint cannot be exchanged.

use sm3::{Digest, Sm3};

use crate::{
    chain::{End, Hash},
    entry,
};

/// First byte of the value.
const FORM: u8 = 1;

/// The note of a compaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The last archived link.
    pub(crate) end: End,
    /// Over the archived links that are kept in the store.
    pub(crate) kept: Hash,
    /// The last file of the archive, from 1; 0 if there was no compaction yet.
    pub(crate) file: u64,
    /// How many bytes that file has.
    pub(crate) length: u64,
}

impl Checkpoint {
    /// As it lies in the store.
    pub(crate) fn value(&self) -> Vec<u8> {
        let mut value = vec![FORM];
        value.extend(self.end.sequence.to_be_bytes());
        value.extend(self.end.head);
        value.extend(self.kept);
        value.extend(self.file.to_be_bytes());
        value.extend(self.length.to_be_bytes());
        value
    }

    /// Reads a checkpoint; `None` if it has another form.
    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        let (sequence, rest) = value.strip_prefix(&[FORM])?.split_first_chunk::<8>()?;
        let (head, rest) = rest.split_first_chunk::<32>()?;
        let (kept, rest) = rest.split_first_chunk::<32>()?;
        let (file, length) = rest.split_first_chunk::<8>()?;
        Some(Self {
            end: End { sequence: u64::from_be_bytes(*sequence), head: *head },
            kept: *kept,
            file: u64::from_be_bytes(*file),
            length: entry::read_number(length)?,
        })
    }
}

/// SM3 over kept links, in the order of their sequences.
#[derive(Default)]
pub(crate) struct Kept(Sm3);

impl Kept {
    pub(crate) fn add(&mut self, sequence: u64, link: &[u8]) {
        self.0.update(sequence.to_be_bytes());
        // A link is shorter than 256 bytes; the length keeps two links from being read as one.
        self.0.update(link.len().to_be_bytes());
        self.0.update(link);
    }

    pub(crate) fn digest(self) -> Hash {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_panic_and_checkpoints_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..120), sequence: u64, head: [u8; 32], kept: [u8; 32], file: u64, length: u64) {
            let _ = Checkpoint::read(&bytes);
            let checkpoint = Checkpoint { end: End { sequence, head }, kept, file, length };
            prop_assert_eq!(Checkpoint::read(&checkpoint.value()), Some(checkpoint));
        }
    }
}
