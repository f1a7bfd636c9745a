//! What compaction takes out of the store: one file a pass, written whole, synced, then named.
//!
//! ```text
//! archive/<number, four digits or more>.log = "ukeyjr01" <entry>…
//! entry   = <length of the rest, u32 big-endian> <sequence, u64> <has a value, 0 or 1> <length of the link, u16> <link> <value>
//! ```
//!
//! The link is what `chain/<sequence>` held. A value is left out only where it is gone: of reports that were acknowledged, and of links
//! that cover none.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::{
    chain::{Hash, Link},
    checkpoint::Checkpoint,
    error::JournalError,
    store::Store,
};

/// First bytes of each file.
const MAGIC: &[u8; 8] = b"ukeyjr01";

fn path(dir: &Path, file: u64) -> PathBuf {
    dir.join(format!("{file:04}.log"))
}

/// One file on its way into the archive. Until [`Draft::name`] it has no name that anybody reads.
pub(crate) struct Draft {
    dir: PathBuf,
    part: PathBuf,
    out: BufWriter<File>,
    length: u64,
}

impl Draft {
    pub(crate) fn new(dir: &Path) -> io::Result<Self> {
        if !dir.exists() {
            std::fs::create_dir_all(dir)?;
            if let Some(parent) = dir.parent() {
                File::open(parent)?.sync_all()?;
            }
        }
        let part = dir.join("next.part");
        let mut out = BufWriter::new(File::create(&part)?);
        out.write_all(MAGIC)?;
        Ok(Self { dir: dir.to_owned(), part, out, length: MAGIC.len() as u64 })
    }

    pub(crate) fn add(&mut self, sequence: u64, link: &[u8], value: Option<&[u8]>) -> io::Result<()> {
        let too_long = |_| io::Error::other("an entry is too long for its length field");
        let link_length = u16::try_from(link.len()).map_err(too_long)?;
        let value_bytes = value.unwrap_or_default();
        let length = 8 + 1 + 2 + link.len() + value_bytes.len();
        self.out.write_all(&u32::try_from(length).map_err(too_long)?.to_be_bytes())?;
        self.out.write_all(&sequence.to_be_bytes())?;
        self.out.write_all(&[u8::from(value.is_some())])?;
        self.out.write_all(&link_length.to_be_bytes())?;
        self.out.write_all(link)?;
        self.out.write_all(value_bytes)?;
        self.length += 4 + length as u64;
        Ok(())
    }

    /// Makes the file durable under its number; its length. A file of a pass that was cut off before its checkpoint is replaced: this one
    /// has all that it had.
    pub(crate) fn name(mut self, file: u64) -> io::Result<u64> {
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        std::fs::rename(&self.part, path(&self.dir, file))?;
        File::open(&self.dir)?.sync_all()?;
        Ok(self.length)
    }
}

/// Sequences and heads of a file's entries; an error if its form is broken.
fn heads(bytes: &[u8]) -> Option<Vec<(u64, Hash)>> {
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let mut heads = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (entry, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let (sequence, entry) = entry.split_first_chunk::<8>()?;
        let (&[_, high, low], entry) = entry.split_first_chunk::<3>()?;
        let link = Link::read(entry.get(..usize::from(u16::from_be_bytes([high, low])))?)?;
        heads.push((u64::from_be_bytes(*sequence), link.head));
        rest = after;
    }
    Some(heads)
}

/// Whether the archive is the one the checkpoint speaks of. A file after it comes from a pass that was cut off: the store has all of it.
///
/// # Errors
/// [`JournalError::Illegible`] if it is not: a file is missing or short, or the store ends before the archive does.
pub(crate) fn check(
    store: &Store,
    checkpoint: &Checkpoint,
    links: &[(u64, Link)],
) -> Result<(), JournalError> {
    let Some(dir) = store.archive_dir() else { return Ok(()) };
    let illegible = |detail| JournalError::Illegible { dir: store.dir().to_owned(), detail };
    if checkpoint.file > 0 {
        let last = path(&dir, checkpoint.file);
        let length = std::fs::metadata(&last).map(|metadata| metadata.len()).unwrap_or_default();
        if length != checkpoint.length {
            return Err(illegible(format!(
                "{} should have {} bytes and has {length}: put the archive back that belongs to this journal",
                last.display(),
                checkpoint.length
            )));
        }
    }
    let shorter = |file: &Path| {
        illegible(format!(
            "{} holds more than the journal knows: its end was cut off, or an older copy was put back",
            file.display()
        ))
    };
    let beyond = path(&dir, checkpoint.file + 2);
    if beyond.exists() {
        return Err(shorter(&beyond));
    }
    let next = path(&dir, checkpoint.file + 1);
    let bytes = match std::fs::read(&next) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(JournalError::Open {
                dir: store.dir().to_owned(),
                doing: "reading its archive",
                source,
            });
        }
        Ok(bytes) => bytes,
    };
    let heads = heads(&bytes).ok_or_else(|| illegible(format!("{} is damaged", next.display())))?;
    let held = |(sequence, head): &(u64, Hash)| {
        let at = links.binary_search_by_key(sequence, |(sequence, _)| *sequence);
        at.is_ok_and(|at| links.get(at).is_some_and(|(_, link)| link.head == *head))
    };
    if heads.iter().all(held) { Ok(()) } else { Err(shorter(&next)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::chain::{End, Kind};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_panic_and_heads_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..300), values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..9)) {
            let _ = (heads(&bytes), heads(&[MAGIC.as_slice(), &bytes].concat()));
            let dir = tempfile::tempdir().unwrap();
            let mut draft = Draft::new(dir.path()).unwrap();
            let (mut end, mut written) = (End::default(), Vec::new());
            for value in values {
                let link = end.extend(true, Kind::Record, 0, "job", &value);
                draft.add(end.sequence, &link.value(), Some(&value)).unwrap();
                written.push((end.sequence, link.head));
            }
            let length = draft.name(7).unwrap();
            let file = std::fs::read(dir.path().join("0007.log")).unwrap();
            prop_assert_eq!(file.len() as u64, length);
            prop_assert_eq!(heads(&file), Some(written));
        }
    }
}
