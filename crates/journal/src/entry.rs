//! Keys and values as they lie in the store. Bytes in, bytes out.
//!
//! ```text
//! live/<stream> 00 <sequence, u64 big-endian>   → 01 <record>
//! done/<stream> 00 <sequence>                   → 01 <record>
//! out/<sequence>                                → 01 <length of id, u8> <id> <report>
//! next-report                                   → <u64 big-endian>
//! chain/<sequence>                              → a link, see `chain`
//! checkpoint                                    → see `checkpoint`
//! gone/<stream>                                 → <sequence of the link that finished it>; its records are in the archive alone
//! ```

use crate::MAX_NAME_BYTES;

/// First byte of each value: the form of what follows.
const FORM: u8 = 1;

/// Where the next report's sequence is kept, so that a sequence is never used twice.
pub(crate) const NEXT_REPORT: &[u8] = b"next-report";

/// Where the last compaction is noted.
pub(crate) const CHECKPOINT: &[u8] = b"checkpoint";

/// Names of archived streams start with this. They are looked up one by one, never read as a whole: they are many.
pub(crate) const GONE: &[u8] = b"gone/";
/// The first key after all of [`GONE`].
pub(crate) const AFTER_GONE: &[u8] = b"gone0";

/// A key of the store, read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A record of a running stream.
    Live(String, u64),
    /// A record of a finished stream.
    Done(String, u64),
    /// A report in the outbox.
    Report(u64),
    /// [`NEXT_REPORT`].
    NextReport,
    /// A link of the chain.
    Chain(u64),
    /// [`CHECKPOINT`].
    Checkpoint,
}

/// Whether `name` can be part of a key: visible ASCII, so that 00 ends it.
pub(crate) fn legal_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic())
}

/// All keys of a running stream start with this.
pub(crate) fn live_prefix(stream: &str) -> Vec<u8> {
    [b"live/", stream.as_bytes(), &[0]].concat()
}

/// All keys of a finished stream start with this.
pub(crate) fn done_prefix(stream: &str) -> Vec<u8> {
    [b"done/", stream.as_bytes(), &[0]].concat()
}

/// The key of one record of a running stream.
pub(crate) fn live_key(stream: &str, sequence: u64) -> Vec<u8> {
    [live_prefix(stream), sequence.to_be_bytes().to_vec()].concat()
}

/// The key of one record of a finished stream.
pub(crate) fn done_key(stream: &str, sequence: u64) -> Vec<u8> {
    [done_prefix(stream), sequence.to_be_bytes().to_vec()].concat()
}

/// The key of one report.
pub(crate) fn report_key(sequence: u64) -> Vec<u8> {
    [b"out/".as_slice(), &sequence.to_be_bytes()].concat()
}

/// The key of one link of the chain.
pub(crate) fn chain_key(sequence: u64) -> Vec<u8> {
    [b"chain/".as_slice(), &sequence.to_be_bytes()].concat()
}

/// The key that remembers an archived stream.
pub(crate) fn gone_key(stream: &str) -> Vec<u8> {
    [GONE, stream.as_bytes()].concat()
}

/// Reads a key; `None` if it is not one of ours.
pub(crate) fn read_key(key: &[u8]) -> Option<Key> {
    if key == NEXT_REPORT {
        return Some(Key::NextReport);
    }
    if key == CHECKPOINT {
        return Some(Key::Checkpoint);
    }
    if let Some(sequence) = key.strip_prefix(b"chain/") {
        return Some(Key::Chain(read_number(sequence)?));
    }
    if let Some(sequence) = key.strip_prefix(b"out/") {
        return Some(Key::Report(read_number(sequence)?));
    }
    let (live, rest) = match (key.strip_prefix(b"live/"), key.strip_prefix(b"done/")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return None,
    };
    let end = rest.iter().position(|b| *b == 0)?;
    let stream = std::str::from_utf8(rest.get(..end)?).ok().filter(|s| legal_name(s))?.to_owned();
    let sequence = read_number(rest.get(end + 1..)?)?;
    Some(if live { Key::Live(stream, sequence) } else { Key::Done(stream, sequence) })
}

/// A record as a value.
pub(crate) fn record_value(record: &[u8]) -> Vec<u8> {
    [&[FORM], record].concat()
}

/// Reads a record; `None` if it has another form.
pub(crate) fn read_record(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(&[FORM])
}

/// A report as a value. The id was checked by [`legal_name`], so its length fits a byte.
pub(crate) fn report_value(id: &str, report: &[u8]) -> Vec<u8> {
    let length = u8::try_from(id.len()).unwrap_or(u8::MAX);
    [&[FORM, length], id.as_bytes(), report].concat()
}

/// Reads a report's id and bytes; `None` if it has another form.
pub(crate) fn read_report(value: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = value.strip_prefix(&[FORM])?.split_first()?;
    let (id, report) = rest.split_at_checked(usize::from(*length))?;
    let id = std::str::from_utf8(id).ok().filter(|id| legal_name(id))?;
    Some((id, report))
}

/// Reads a big-endian number of 8 bytes.
pub(crate) fn read_number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_sort_by_number_not_by_text() {
        assert!(live_key("j", 9) < live_key("j", 10));
        assert!(live_key("j", 255) < live_key("j", 256));
        assert!(report_key(u64::from(u32::MAX)) < report_key(u64::from(u32::MAX) + 1));
    }

    #[test]
    fn a_stream_is_not_a_prefix_of_another() {
        assert!(!live_key("job-10", 0).starts_with(&live_prefix("job-1")));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (read_key(&bytes), read_record(&bytes), read_report(&bytes), read_number(&bytes));
            for prefix in [b"live/".as_slice(), b"done/", b"out/"] {
                let _ = read_key(&[prefix, &bytes].concat());
            }
        }

        #[test]
        fn what_is_written_is_read(name in "[!-~]{1,96}", sequence: u64, body in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(read_key(&live_key(&name, sequence)), Some(Key::Live(name.clone(), sequence)));
            prop_assert_eq!(read_key(&done_key(&name, sequence)), Some(Key::Done(name.clone(), sequence)));
            prop_assert_eq!(read_key(&report_key(sequence)), Some(Key::Report(sequence)));
            let record = record_value(&body);
            prop_assert_eq!(read_record(&record), Some(body.as_slice()));
            let report = report_value(&name, &body);
            prop_assert_eq!(read_report(&report), Some((name.as_str(), body.as_slice())));
        }
    }
}
