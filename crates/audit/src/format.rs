//! The journal's formats, read here a second time on purpose: a checker that shared the writer's code would share its mistakes.

use sm3::{Digest, Sm3};

/// A hash.
pub(crate) type Hash = [u8; 32];

pub(crate) const RECORD: u8 = 1;
pub(crate) const REPORT: u8 = 2;
pub(crate) const ACKNOWLEDGED: u8 = 3;
pub(crate) const FINISHED: u8 = 4;
pub(crate) const COMPACTED: u8 = 5;

/// SM3.
pub(crate) fn sm3(bytes: &[u8]) -> Hash {
    Sm3::digest(bytes).into()
}

/// A link of the chain as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// All that a head covers but the head before and the sequence.
    pub(crate) body: Body,
    pub(crate) head: Hash,
}

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) opens: u8,
    pub(crate) kind: u8,
    pub(crate) number: u64,
    pub(crate) id: Vec<u8>,
    pub(crate) digest: Hash,
}

impl Body {
    /// The head after `before` with this body at `sequence`.
    pub(crate) fn head(&self, before: &Hash, sequence: u64) -> Hash {
        let mut bytes = before.to_vec();
        bytes.extend(sequence.to_be_bytes());
        bytes.extend([self.opens, self.kind]);
        bytes.extend(self.number.to_be_bytes());
        bytes.push(u8::try_from(self.id.len()).unwrap_or(u8::MAX));
        bytes.extend(&self.id);
        bytes.extend(self.digest);
        sm3(&bytes)
    }

    /// In words.
    pub(crate) fn name(&self) -> String {
        let id = self.id.escape_ascii();
        match self.kind {
            RECORD => format!("record {} of stream {id}", self.number),
            REPORT => format!("report {id}"),
            ACKNOWLEDGED => format!("acknowledgement of {id}"),
            FINISHED => format!("end of stream {id}"),
            COMPACTED => format!("compaction into file {}", self.number),
            other => format!("a link of kind {other}"),
        }
    }
}

/// Reads `01 <opens> <kind> <number, 8> <digest, 32> <head, 32> <id>`.
pub(crate) fn link(bytes: &[u8]) -> Option<Link> {
    let opens = *bytes.get(1)?;
    let kind = *bytes.get(2)?;
    let number = number(bytes.get(3..11)?)?;
    let digest = bytes.get(11..43)?.try_into().ok()?;
    let head = bytes.get(43..75)?.try_into().ok()?;
    let id = bytes.get(75..)?.to_vec();
    let legal = *bytes.first()? == 1 && id.len() <= 96;
    legal.then_some(Link { body: Body { opens, kind, number, id, digest }, head })
}

/// Reads `01 <sequence, 8> <head, 32> <kept, 32> <file, 8> <length, 8>`: sequence, head and file.
pub(crate) fn checkpoint(bytes: &[u8]) -> Option<(u64, Hash, u64)> {
    if bytes.len() != 89 || bytes.first() != Some(&1) {
        return None;
    }
    Some((number(bytes.get(1..9)?)?, bytes.get(9..41)?.try_into().ok()?, number(bytes.get(73..81)?)?))
}

/// A big-endian number of 8 bytes.
pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn p8_no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (link(&bytes).map(|link| link.body.name()), checkpoint(&bytes), number(&bytes));
        }
    }
}
