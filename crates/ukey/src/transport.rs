//! The port: bytes to a key, bytes back. Everything that carries APDUs implements this one trait.

/// Why no usable answer came back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The key was pulled. What the last command did is unknown.
    #[error("the key was removed; what the last command did is unknown")]
    Removed,
    /// The key or its reader was reset by someone else; session state on the key is gone.
    #[error("the key was reset; log in again")]
    Reset,
    /// No answer within the time the transport allows.
    #[error("the key did not answer in time")]
    TimedOut,
    /// pcscd, the library or the wire failed. The key may be unharmed.
    #[error("the link to the key failed: {0}")]
    Link(String),
}

/// A link to one key.
///
/// One call is one command APDU and one reply (data and status word, at least 2 bytes). An answer shorter than
/// 2 bytes must be returned as [`TransportError::Removed`]: a yank in the middle of a command looks like that.
pub trait CardTransport: Send {
    /// Sends `command`, returns data and status word.
    ///
    /// # Errors
    /// [`TransportError`]; after any of them the state on the key is unknown until it is read.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError>;

    /// The answer to reset, where the link has one.
    fn atr(&self) -> Option<&[u8]> {
        None
    }
}

impl<T: CardTransport + ?Sized> CardTransport for Box<T> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        (**self).transmit(command)
    }
    fn atr(&self) -> Option<&[u8]> {
        (**self).atr()
    }
}

impl<T: CardTransport + ?Sized> CardTransport for &mut T {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        (**self).transmit(command)
    }
    fn atr(&self) -> Option<&[u8]> {
        (**self).atr()
    }
}
