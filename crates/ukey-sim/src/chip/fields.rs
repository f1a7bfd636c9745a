//! Command data, field by field; whatever does not fit is a wrong length.

use profile::dialect::ByteOrder;
use ukey::{StatusWord, fields::Reader};

/// The data of one command.
pub(crate) struct Fields<'a>(Reader<'a>);

impl<'a> Fields<'a> {
    pub fn new(data: &'a [u8], order: ByteOrder) -> Self {
        Self(Reader::new(data, order))
    }

    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], StatusWord> {
        self.0.bytes(count).ok_or(StatusWord::WrongLength)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], StatusWord> {
        self.0.array().ok_or(StatusWord::WrongLength)
    }

    pub fn u8(&mut self) -> Result<u8, StatusWord> {
        self.0.u8().ok_or(StatusWord::WrongLength)
    }

    pub fn u16(&mut self) -> Result<u16, StatusWord> {
        self.0.u16().ok_or(StatusWord::WrongLength)
    }

    pub fn u32(&mut self) -> Result<u32, StatusWord> {
        self.0.u32().ok_or(StatusWord::WrongLength)
    }

    /// A length of 4 bytes.
    pub fn len(&mut self) -> Result<usize, StatusWord> {
        usize::try_from(self.u32()?).map_err(|_| StatusWord::WrongLength)
    }

    pub fn rest(self) -> &'a [u8] {
        self.0.rest()
    }

    pub fn end(self) -> Result<(), StatusWord> {
        self.0.end().ok_or(StatusWord::WrongLength)
    }
}

/// A name: 1 to `max` bytes of UTF-8 without control characters; zeros at the end are padding.
pub(crate) fn name(bytes: &[u8], max: usize) -> Result<String, StatusWord> {
    let used = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    let text = bytes.get(..used).and_then(|b| std::str::from_utf8(b).ok()).ok_or(StatusWord::WrongData)?;
    if text.is_empty() || text.len() > max || text.chars().any(char::is_control) {
        return Err(StatusWord::WrongData);
    }
    Ok(text.to_owned())
}

/// Names as the enumerating commands answer them: each with a NUL behind it.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u8> {
    names.flat_map(|name| name.bytes().chain([0])).collect()
}
