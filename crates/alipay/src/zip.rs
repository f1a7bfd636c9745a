//! The one file of a ZIP that is wanted. Alipay packs 业务明细 beside its summary; this reads stored and deflated entries and nothing else
//! of the format.

use std::io::Read as _;

use flate2::{Crc, read::DeflateDecoder};

/// Entries of a ZIP at most; Alipay's have two.
const ENTRIES_MAX: u16 = 16;
/// 汇总 in GBK and in UTF-8: what the summary's name has.
const SUMMARY: [&[u8]; 2] = [&[0xBB, 0xE3, 0xD7, 0xDC], "汇总".as_bytes()];

/// What the central directory says of an entry.
struct Entry<'a> {
    name: &'a [u8],
    method: u16,
    crc: u32,
    packed: usize,
    offset: usize,
    next: usize,
}

/// The 业务明细 of a ZIP, unpacked to `bytes_max` at most.
pub(crate) fn detail(zip: &[u8], bytes_max: u64) -> Result<Vec<u8>, &'static str> {
    const END: &[u8] = b"PK\x05\x06";
    let end = zip.windows(END.len()).rposition(|window| window == END).ok_or("the ZIP has no end")?;
    let entries = u16_at(zip, end + 10)?;
    if entries > ENTRIES_MAX {
        return Err("the ZIP has too many files");
    }
    let mut at = size_at(zip, end + 16)?;
    for _ in 0..entries {
        let entry = entry(zip, at)?;
        if entry.name.ends_with(b".csv") && !SUMMARY.iter().any(|word| contains(entry.name, word)) {
            return unpack(zip, &entry, bytes_max);
        }
        at = entry.next;
    }
    Err("the ZIP has no 业务明细")
}

fn entry(zip: &[u8], at: usize) -> Result<Entry<'_>, &'static str> {
    if zip.get(at..at.saturating_add(4)) != Some(b"PK\x01\x02") {
        return Err("the ZIP's directory is damaged");
    }
    let name_end = at + 46 + usize::from(u16_at(zip, at + 28)?);
    let extra = usize::from(u16_at(zip, at + 30)?) + usize::from(u16_at(zip, at + 32)?);
    Ok(Entry {
        name: zip.get(at + 46..name_end).ok_or("the ZIP's directory is damaged")?,
        method: u16_at(zip, at + 10)?,
        crc: u32_at(zip, at + 16)?,
        packed: size_at(zip, at + 20)?,
        offset: size_at(zip, at + 42)?,
        next: name_end + extra,
    })
}

fn unpack(zip: &[u8], entry: &Entry<'_>, bytes_max: u64) -> Result<Vec<u8>, &'static str> {
    let damaged = "the ZIP's file is damaged";
    let at = entry.offset;
    if zip.get(at..at.saturating_add(4)) != Some(b"PK\x03\x04") {
        return Err(damaged);
    }
    let start = at + 30 + usize::from(u16_at(zip, at + 26)?) + usize::from(u16_at(zip, at + 28)?);
    let packed = zip.get(start..start.saturating_add(entry.packed)).ok_or(damaged)?;
    let mut bytes = Vec::new();
    let read = match entry.method {
        0 => packed.take(bytes_max + 1).read_to_end(&mut bytes),
        8 => DeflateDecoder::new(packed).take(bytes_max + 1).read_to_end(&mut bytes),
        _ => return Err("the ZIP's file is packed in an unknown way"),
    };
    let mut crc = Crc::new();
    crc.update(&bytes);
    if read.is_err() || crc.sum() != entry.crc {
        return Err(damaged);
    }
    Ok(bytes)
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, &'static str> {
    let bytes = bytes.get(at..at.saturating_add(2)).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u16::from_le_bytes).ok_or("the ZIP ends too early")
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, &'static str> {
    let bytes = bytes.get(at..at.saturating_add(4)).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u32::from_le_bytes).ok_or("the ZIP ends too early")
}

/// Sizes and offsets; 32 bits fit every machine this runs on.
fn size_at(bytes: &[u8], at: usize) -> Result<usize, &'static str> {
    usize::try_from(u32_at(bytes, at)?).map_err(|_| "the ZIP is too large")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made by another program: names in GBK, the summary first, one line of 业务明细 deflated.
    const BILL: &[u8] = include_bytes!("../tests/bill.zip");

    #[test]
    fn the_detail_of_alipays_zip_is_found_and_read() {
        let csv = detail(BILL, 10_000).unwrap();
        let lines = crate::read_bill(&csv).unwrap();
        assert_eq!((lines.len(), lines[0].out_trade_no.as_str()), (2, "SAAS1_1"));
        assert!(detail(BILL, 10).is_err(), "longer than allowed");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..BILL.len(), byte in any::<u8>(), cut in 0..BILL.len()) {
            let _ = detail(&bytes, 1_000);
            let mut changed = BILL.to_vec();
            changed[at] = byte;
            let _ = detail(&changed, 10_000);
            let _ = detail(&BILL[..cut], 10_000);
            let _ = detail(&[b"PK\x05\x06".as_slice(), &bytes].concat(), 1_000);
        }
    }
}
