//! Command and reply APDUs, both ways: the station encodes what the virtual key parses.
//!
//! Lengths are always extended, as GM/T 0017 keys were seen to demand: Lc is `00 hi lo`, Le is `hi lo` after data
//! and `00 hi lo` without. `80 04 00 00 | 00 00 00` is GetDevInfo.

use std::fmt;

use zeroize::Zeroizing;

use crate::{StatusWord, ins};

/// A command APDU.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// Class: [`ins::CLA_PLAIN`] or [`ins::CLA_SECURE`].
    pub cla: u8,
    /// Instruction, see [`ins`].
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    /// Data, at most 65535 bytes; overwritten when dropped, since it may hold PINs.
    pub data: Zeroizing<Vec<u8>>,
    /// How many bytes are expected; `Some(0)` = as many as there are, `None` = no reply data.
    pub le: Option<u16>,
}

/// Why bytes are no extended command APDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApduError {
    /// Fewer than four bytes.
    #[error("a command has at least 4 bytes")]
    NoHeader,
    /// Short lengths, or bytes missing or left over.
    #[error("the lengths do not fit: use extended lengths (00 hi lo) and exactly the bytes they announce")]
    Length,
    /// More data than two bytes can count.
    #[error("command data has at most 65535 bytes")]
    TooLong,
}

impl Command {
    /// A plain command without data and without reply data.
    #[must_use]
    pub fn new(ins: u8, p1: u8, p2: u8) -> Self {
        Self { cla: ins::CLA_PLAIN, ins, p1, p2, data: Zeroizing::new(Vec::new()), le: None }
    }

    /// The same command with `data`.
    #[must_use]
    pub fn with_data(mut self, data: Vec<u8>) -> Self {
        self.data = Zeroizing::new(data);
        self
    }

    /// The same command expecting `le` bytes (0 = as many as there are).
    #[must_use]
    pub fn expecting(mut self, le: u16) -> Self {
        self.le = Some(le);
        self
    }

    /// `CLA INS P1 P2`.
    #[must_use]
    pub fn header(&self) -> [u8; 4] {
        [self.cla, self.ins, self.p1, self.p2]
    }

    /// The command as sent.
    ///
    /// # Errors
    /// [`ApduError::TooLong`] beyond 65535 bytes of data.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, ApduError> {
        let lc = u16::try_from(self.data.len()).map_err(|_| ApduError::TooLong)?;
        // Reserved in full: a buffer that grows would leave copies of a PIN behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.data.len() + 9));
        bytes.extend_from_slice(&self.header());
        if lc > 0 {
            bytes.push(0);
            bytes.extend_from_slice(&lc.to_be_bytes());
            bytes.extend_from_slice(&self.data);
        }
        if let Some(le) = self.le {
            if lc == 0 {
                bytes.push(0);
            }
            bytes.extend_from_slice(&le.to_be_bytes());
        }
        Ok(bytes)
    }

    /// Reads a command as sent; the inverse of [`Command::encode`].
    ///
    /// # Errors
    /// [`ApduError`]; short (one-byte) lengths are refused, as the keys refuse them.
    pub fn parse(bytes: &[u8]) -> Result<Self, ApduError> {
        let (header, body) = bytes.split_first_chunk::<4>().ok_or(ApduError::NoHeader)?;
        let (data, le) = match body {
            [] => (&[][..], None),
            [0, hi, lo] => (&[][..], Some(u16::from_be_bytes([*hi, *lo]))),
            [0, hi, lo, rest @ ..] => {
                let lc = usize::from(u16::from_be_bytes([*hi, *lo]));
                let (data, tail) = rest.split_at_checked(lc).ok_or(ApduError::Length)?;
                match tail {
                    _ if lc == 0 => return Err(ApduError::Length),
                    [] => (data, None),
                    [hi, lo] => (data, Some(u16::from_be_bytes([*hi, *lo]))),
                    _ => return Err(ApduError::Length),
                }
            }
            _ => return Err(ApduError::Length),
        };
        let [cla, ins, p1, p2] = *header;
        Ok(Self { cla, ins, p1, p2, data: Zeroizing::new(data.to_vec()), le })
    }
}

impl fmt::Debug for Command {
    /// Header, lengths, and the data in hex where it cannot hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", ins::name(self.ins), hex::encode_upper(self.header()))?;
        if ins::carries_secret(self.ins) {
            write!(f, " [{} bytes redacted]", self.data.len())?;
        } else if !self.data.is_empty() {
            write!(f, " {}", hex::encode_upper(self.data.as_slice()))?;
        }
        match self.le {
            Some(le) => write!(f, " Le={le}"),
            None => Ok(()),
        }
    }
}

/// A reply split into data and status word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// What stands before the status word.
    pub data: &'a [u8],
    /// The status word.
    pub status: StatusWord,
}

impl<'a> Reply<'a> {
    /// Splits a reply; `None` when it has fewer than two bytes.
    #[must_use]
    pub fn split(bytes: &'a [u8]) -> Option<Self> {
        let (data, word) = bytes.split_last_chunk::<2>()?;
        Some(Self { data, status: StatusWord::from_u16(u16::from_be_bytes(*word)) })
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::{ApduError, Command, Reply};
    use crate::{StatusWord, ins};

    #[test]
    fn lengths_are_always_extended() {
        let info = Command::new(ins::GET_DEV_INFO, 0, 0).expecting(0);
        assert_eq!(info.encode().expect("short").as_slice(), [0x80, 0x04, 0, 0, 0, 0, 0]);
        let both = Command::new(ins::OPEN_CONTAINER, 0, 0).with_data(vec![0x10, 0, b'A']).expecting(2);
        assert_eq!(
            both.encode().expect("short").as_slice(),
            [0x80, 0x42, 0, 0, 0, 0, 3, 0x10, 0, b'A', 0, 2]
        );
        let data = Command::new(ins::SET_LABEL, 0, 0).with_data(vec![b'L']);
        assert_eq!(data.encode().expect("short").as_slice(), [0x80, 0x02, 0, 0, 0, 0, 1, b'L']);
    }

    #[test]
    fn short_lengths_and_wrong_counts_are_refused() {
        for bytes in [
            &[0x80, 0x04, 0, 0, 0][..],
            &[0x80, 0x04, 0, 0, 0, 0],
            &[0x80, 0x02, 0, 0, 1, b'L'],
            &[0x80, 0x02, 0, 0, 0, 0, 2, b'L'],
            &[0x80, 0x02, 0, 0, 0, 0, 1, b'L', 0],
            &[0x80, 0x02, 0, 0, 0, 0, 0, 1, 2],
        ] {
            assert_eq!(Command::parse(bytes), Err(ApduError::Length), "{bytes:02x?}");
        }
        assert_eq!(Command::parse(&[0x80, 4, 0]), Err(ApduError::NoHeader));
    }

    #[test]
    fn a_pin_never_shows_in_debug() {
        let command = Command::new(ins::CREATE_APPLICATION, 0, 0).with_data(b"12345678".to_vec());
        let text = format!("{command:?}");
        assert!(text.contains("8 bytes redacted"), "{text}");
        assert!(!text.contains("3132"), "{text}");
    }

    proptest! {
        #[test]
        fn what_is_encoded_parses_back(
            header in any::<[u8; 4]>(),
            data in proptest::collection::vec(any::<u8>(), 0..600),
            le in any::<Option<u16>>(),
        ) {
            let [cla, ins, p1, p2] = header;
            let command = Command { cla, ins, p1, p2, data: data.into(), le };
            let bytes = command.encode().expect("short");
            prop_assert_eq!(Command::parse(&bytes), Ok(command));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(command) = Command::parse(&bytes) {
                let again = command.encode().expect("short");
                prop_assert_eq!(again.as_slice(), bytes.as_slice());
            }
            prop_assert_eq!(Reply::split(&bytes).is_none(), bytes.len() < 2);
        }
    }

    #[test]
    fn a_reply_is_data_and_status() {
        let reply = Reply::split(&[1, 2, 0x90, 0]).expect("four bytes");
        assert_eq!((reply.data, reply.status), (&[1, 2][..], StatusWord::Success));
    }
}
