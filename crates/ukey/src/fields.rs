//! Fields of command data and replies, read and written in a dialect's byte order. Reading never goes past the end.

use profile::dialect::ByteOrder;
use zeroize::Zeroizing;

/// Reads fields from the front; every read past the end is `None`.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    order: ByteOrder,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, integers in `order`.
    #[must_use]
    pub fn new(bytes: &'a [u8], order: ByteOrder) -> Self {
        Self { rest: bytes, order }
    }

    /// What has not been read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(head)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// Two bytes as a number.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(|bytes| match self.order {
            ByteOrder::Big => u16::from_be_bytes(bytes),
            ByteOrder::Little => u16::from_le_bytes(bytes),
        })
    }

    /// Four bytes as a number.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(|bytes| match self.order {
            ByteOrder::Big => u32::from_be_bytes(bytes),
            ByteOrder::Little => u32::from_le_bytes(bytes),
        })
    }

    /// Ends the reading: `None` when bytes are left over.
    #[must_use]
    pub fn end(&self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }
}

/// Writes fields one after the other; what it holds is overwritten when dropped.
#[derive(Debug)]
pub struct Writer {
    bytes: Zeroizing<Vec<u8>>,
    order: ByteOrder,
}

impl Writer {
    /// An empty buffer, integers in `order`.
    #[must_use]
    pub fn new(order: ByteOrder) -> Self {
        // Large enough for every command that bears a secret, so that it never moves and leaves a copy.
        Self { bytes: Zeroizing::new(Vec::with_capacity(512)), order }
    }

    /// Appends `bytes`.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Appends one byte.
    #[must_use]
    pub fn u8(self, value: u8) -> Self {
        self.bytes(&[value])
    }

    /// Appends a two-byte number.
    #[must_use]
    pub fn u16(self, value: u16) -> Self {
        match self.order {
            ByteOrder::Big => self.bytes(&value.to_be_bytes()),
            ByteOrder::Little => self.bytes(&value.to_le_bytes()),
        }
    }

    /// Appends a four-byte number.
    #[must_use]
    pub fn u32(self, value: u32) -> Self {
        match self.order {
            ByteOrder::Big => self.bytes(&value.to_be_bytes()),
            ByteOrder::Little => self.bytes(&value.to_le_bytes()),
        }
    }

    /// Appends `bytes` and zeros up to `width`; `None` when they are longer.
    #[must_use]
    pub fn padded(self, bytes: &[u8], width: usize) -> Option<Self> {
        let zeros = width.checked_sub(bytes.len())?;
        Some(self.bytes(bytes).zeros(zeros))
    }

    /// Appends `count` zeros.
    #[must_use]
    pub fn zeros(mut self, count: usize) -> Self {
        let len = self.bytes.len() + count;
        self.bytes.resize(len, 0);
        self
    }

    /// What was written.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes)
    }
}

/// Text of a fixed-width field: up to the first NUL, without spaces at the end.
///
/// Bytes that are not UTF-8 and control characters become U+FFFD, which no key serial may hold.
#[must_use]
pub fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let text = String::from_utf8_lossy(field.get(..end).unwrap_or(field));
    text.trim_end().chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// NUL-separated names, as EnumApplication, EnumContainer and EnumFiles answer.
#[must_use]
pub fn names(data: &[u8]) -> Vec<String> {
    data.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(text).collect()
}
