//! What can go wrong, by who must act; and what each PC/SC code means for a key.

use pcsc::Error as Code;
use ukey::TransportError;

/// Why a reader or a connection could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PcscError {
    /// No reader can have this name.
    #[error("{0:?} is no reader's name (1 to 127 bytes, no NUL): copy the name from `ukey-station slots`")]
    ReaderName(String),
    /// pcscd does not run or does not answer.
    #[error("pcscd does not answer: start it (systemctl start pcscd.socket) or wait until it is back")]
    ServiceDown(#[source] Code),
    /// The reader is not there (any more).
    #[error("reader {reader:?} is gone: plug it in again or look at its cable")]
    ReaderGone {
        /// Its name.
        reader: String,
    },
    /// No key is in the reader.
    #[error("no key is in reader {reader:?}: plug one in")]
    NoCard {
        /// Its name.
        reader: String,
    },
    /// Another program holds the key.
    #[error(
        "another program uses the key in reader {reader:?}: close it (a certificate tool or a browser, most often)"
    )]
    InUse {
        /// Its name.
        reader: String,
    },
    /// This program still holds a [`crate::PcscTransport`] of the reader.
    #[error("reader {reader:?} is still connected: drop its transport before connecting again")]
    StillConnected {
        /// Its name.
        reader: String,
    },
    /// A key is there and does not answer its reset.
    #[error(
        "the key in reader {reader:?} does not answer: pull it and plug it in again; if that does not help, set it aside"
    )]
    Unresponsive {
        /// Its name.
        reader: String,
    },
    /// Anything else PC/SC can say.
    #[error("{call} on reader {reader:?} failed: look at pcscd's log")]
    Call {
        /// The PC/SC function.
        call: &'static str,
        /// The reader's name, empty where no reader was named.
        reader: String,
        /// What PC/SC said.
        source: Code,
    },
}

impl PcscError {
    /// Sorts a code that came back from `call` on `reader`.
    pub(crate) fn new(call: &'static str, reader: &str, code: Code) -> Self {
        let reader = reader.to_owned();
        match code {
            code if is_service_down(code) => Self::ServiceDown(code),
            Code::UnknownReader | Code::ReaderUnavailable => Self::ReaderGone { reader },
            Code::NoSmartcard | Code::RemovedCard => Self::NoCard { reader },
            Code::SharingViolation => Self::InUse { reader },
            Code::UnresponsiveCard | Code::UnpoweredCard | Code::ProtoMismatch => {
                Self::Unresponsive { reader }
            }
            source => Self::Call { call, reader, source },
        }
    }
}

/// Codes after which a context is good for nothing, although `SCardIsValidContext` may still call it valid.
pub(crate) fn is_service_down(code: Code) -> bool {
    matches!(
        code,
        Code::NoService | Code::ServiceStopped | Code::CommError | Code::InvalidHandle | Code::Shutdown
    )
}

/// What a failed transmit means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The key is out.
    Removed,
    /// The key was reset by someone else.
    Reset,
    /// No answer in time.
    TimedOut,
    /// The driver only says that it did not work: ask the reader whether the key is still there.
    AskReader,
    /// pcscd or the reader failed.
    Link,
}

/// Sorts the code of a failed transmit.
pub(crate) fn verdict(code: Code) -> Verdict {
    match code {
        Code::RemovedCard | Code::NoSmartcard | Code::UnknownReader | Code::ReaderUnavailable => {
            Verdict::Removed
        }
        Code::ResetCard => Verdict::Reset,
        Code::Timeout | Code::WaitedTooLong => Verdict::TimedOut,
        // A driver that loses the key in mid-command reports a failed exchange; the reader knows better a moment later.
        Code::NotTransacted | Code::CommDataLost | Code::UnresponsiveCard | Code::UnpoweredCard => {
            Verdict::AskReader
        }
        _ => Verdict::Link,
    }
}

/// The port's error for a code that names no removal, reset or time-out.
pub(crate) fn link(reader: &str, code: Code) -> TransportError {
    TransportError::Link(format!("reader {reader:?}: {code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yank_is_told_apart_from_a_failed_link() {
        for code in [Code::RemovedCard, Code::NoSmartcard, Code::UnknownReader, Code::ReaderUnavailable] {
            assert_eq!(verdict(code), Verdict::Removed, "{code:?}");
        }
        for code in [Code::CommError, Code::NoService, Code::InvalidHandle, Code::InsufficientBuffer] {
            assert_eq!(verdict(code), Verdict::Link, "{code:?}");
        }
        assert_eq!(verdict(Code::ResetCard), Verdict::Reset);
        assert_eq!(verdict(Code::NotTransacted), Verdict::AskReader);
        assert_eq!(verdict(Code::Timeout), Verdict::TimedOut);
    }

    #[test]
    fn each_error_names_the_reader_and_the_next_move() {
        for code in [Code::UnknownReader, Code::NoSmartcard, Code::SharingViolation, Code::UnresponsiveCard] {
            let text = PcscError::new("SCardConnect", "Reader 00 00", code).to_string();
            assert!(text.contains("Reader 00 00") && text.contains(": "), "{text}");
        }
        assert!(matches!(PcscError::new("SCardConnect", "r", Code::CommError), PcscError::ServiceDown(_)));
    }
}
