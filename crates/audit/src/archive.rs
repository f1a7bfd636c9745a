//! The archive's files.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    finding::{Finding, Kind},
    format::{self, Hash, Link},
};

/// First bytes of each file.
const MAGIC: &[u8] = b"ukeyjr01";

/// The files of an archive, as they are.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    /// Number and bytes of each, in the order of their numbers.
    pub files: Vec<(u64, Vec<u8>)>,
}

/// One entry of a file.
pub(crate) struct Entry<'a> {
    pub(crate) sequence: u64,
    pub(crate) link: Link,
    pub(crate) value: Option<&'a [u8]>,
}

impl Archive {
    /// Reads the archive of the journal in `journal`; one that is not there is empty.
    ///
    /// # Errors
    /// Where a file cannot be read, and the system's reason.
    pub fn read(journal: &Path) -> Result<Self, (PathBuf, io::Error)> {
        let dir = journal.join("archive");
        let mut files = Vec::new();
        let names = match std::fs::read_dir(&dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            names => names.map_err(|e| (dir.clone(), e))?,
        };
        for item in names {
            let path = item.map_err(|e| (dir.clone(), e))?.path();
            let number = path
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.strip_suffix(".log"))
                .and_then(|number| number.parse().ok());
            if let Some(number) = number {
                files.push((number, std::fs::read(&path).map_err(|e| (path.clone(), e))?));
            }
        }
        files.sort_unstable();
        Ok(Self { files })
    }

    /// All entries in the order in which they lie there; what cannot be read is said.
    pub(crate) fn entries(&self, findings: &mut Vec<Finding>) -> Vec<Entry<'_>> {
        let mut entries: Vec<Entry<'_>> = Vec::new();
        let mut next_file = 1;
        for (number, bytes) in &self.files {
            let after = entries.last().map_or(0, |entry| entry.sequence);
            // A file may be called by any number: what is missing before it is told at once.
            if let Some(missing) = number.checked_sub(1).filter(|last| *last >= next_file) {
                let text = if missing == next_file {
                    format!("file {missing:04}.log of the archive is missing")
                } else {
                    format!("files {next_file:04}.log to {missing:04}.log of the archive are missing")
                };
                findings.push(Finding::new(Kind::Gap, after.saturating_add(1), text));
            }
            next_file = number.saturating_add(1);
            let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
                findings.push(Finding::new(
                    Kind::Edit,
                    after.saturating_add(1),
                    format!("file {number:04}.log of the archive does not begin as one"),
                ));
                continue;
            };
            while !rest.is_empty() {
                let Some((entry, after)) = entry(rest) else {
                    let sequence = entries.last().map_or(0, |entry| entry.sequence).saturating_add(1);
                    findings.push(Finding::new(
                        Kind::Edit,
                        sequence,
                        format!(
                            "file {number:04}.log of the archive cannot be read from byte {} on",
                            bytes.len() - rest.len()
                        ),
                    ));
                    break;
                };
                entries.push(entry);
                rest = after;
            }
        }
        entries
    }
}

/// `<length, 4> <sequence, 8> <has a value> <length of the link, 2> <link> <value>`, and what follows.
fn entry(bytes: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
    let (entry, rest) = bytes.get(4..)?.split_at_checked(usize::try_from(length).ok()?)?;
    let sequence = format::number(entry.get(..8)?)?;
    let has_value = *entry.get(8)?;
    let link_length = usize::from(u16::from_be_bytes(entry.get(9..11)?.try_into().ok()?));
    let (link, value) = entry.get(11..)?.split_at_checked(link_length)?;
    let link = format::link(link)?;
    let value = match has_value {
        0 if value.is_empty() => None,
        1 => Some(value),
        _ => return None,
    };
    Some((Entry { sequence, link, value }, rest))
}

impl Entry<'_> {
    pub(crate) fn value_digest(&self) -> Option<Hash> {
        self.value.map(format::sm3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn p8_files_may_be_called_by_any_number() {
        let files = vec![(u64::MAX - 1, MAGIC.to_vec()), (u64::MAX, Vec::new())];
        let mut findings = Vec::new();
        assert!(Archive { files }.entries(&mut findings).is_empty());
        let told: Vec<&str> = findings.iter().map(|finding| finding.text.as_str()).collect();
        assert!(told[0].starts_with("files 0001.log to 18446744073709551613.log"), "{told:?}");
        assert_eq!(told.len(), 2, "{told:?}");
    }

    proptest! {
        #[test]
        fn p8_no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), number: u64) {
            let files = vec![(number % 9, [MAGIC, &bytes].concat()), (9, bytes.clone()), (number.max(9), bytes)];
            let mut findings = Vec::new();
            let entries = Archive { files }.entries(&mut findings).len();
            prop_assert!(entries > 0 || !findings.is_empty());
        }
    }
}
