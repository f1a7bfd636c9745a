//! An exclusive link to one key.

use std::sync::Arc;

use pcsc::{Attribute, Card, Disposition, Error as Code, Protocols, ShareMode, Status};
use ukey::{CardTransport, TransportError};

use crate::{
    ChannelId, PcscError,
    error::{Verdict, link, verdict},
};

/// Largest command and largest answer, in bytes, all in. A virtual reader loses its card at one byte more.
pub const APDU_BYTES_MAX: usize = 65535;

/// Receive buffer: the largest answer and room for a driver that gives a little more, which would else be an error without the bytes.
const RECEIVE_BYTES: usize = APDU_BYTES_MAX + 3;

/// An exclusive connection to the key in one reader. Made by [`crate::Reader::connect`].
///
/// Dropping it resets the key, so that no log-in outlives it. It must be dropped before the reader connects again.
pub struct PcscTransport {
    card: Card,
    reader: String,
    atr: Vec<u8>,
    channel: Option<ChannelId>,
    answer: Vec<u8>,
    /// Lets the reader know that this connection still lives.
    _alive: Arc<()>,
}

impl PcscTransport {
    pub(crate) fn new(card: Card, reader: &str, alive: Arc<()>) -> Result<Self, PcscError> {
        let status = card.status2_owned().map_err(|code| PcscError::new("SCardStatus", reader, code))?;
        // Drivers without the attribute (vpcd) refuse the question; that is an answer.
        let channel =
            card.get_attribute_owned(Attribute::ChannelId).ok().and_then(|value| ChannelId::parse(&value));
        Ok(Self {
            card,
            reader: reader.to_owned(),
            atr: status.atr().to_vec(),
            channel,
            answer: vec![0; RECEIVE_BYTES],
            _alive: alive,
        })
    }

    /// How the reader is attached, where its driver tells. [`ChannelId::Usb`] leads to the hub port.
    #[must_use]
    pub fn channel_id(&self) -> Option<ChannelId> {
        self.channel
    }

    /// The reader's name.
    #[must_use]
    pub fn reader(&self) -> &str {
        &self.reader
    }

    /// What a failed transmit means, made good where it can be: after a reset the link is taken up again, once.
    fn failure(&mut self, code: Code) -> TransportError {
        let error = match verdict(code) {
            Verdict::Removed => TransportError::Removed,
            Verdict::TimedOut => TransportError::TimedOut,
            Verdict::Link => link(&self.reader, code),
            Verdict::AskReader => self.ask_reader(code),
            Verdict::Reset => {
                match self.card.reconnect(ShareMode::Exclusive, Protocols::ANY, Disposition::LeaveCard) {
                    Ok(()) => TransportError::Reset,
                    Err(code) if verdict(code) == Verdict::Removed => TransportError::Removed,
                    Err(code) => link(&self.reader, code),
                }
            }
        };
        tracing::debug!(reader = self.reader, %code, %error, "transmit failed");
        error
    }

    fn ask_reader(&self, failed: Code) -> TransportError {
        match self.card.status2_owned() {
            Ok(status) if status.status().contains(Status::ABSENT) => TransportError::Removed,
            Ok(_) => link(&self.reader, failed),
            Err(code) if verdict(code) == Verdict::Removed => TransportError::Removed,
            Err(_) => link(&self.reader, failed),
        }
    }
}

impl CardTransport for PcscTransport {
    /// Blocks until the key answers or the driver gives up: PC/SC cannot break off a transmit.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        if !(4..=APDU_BYTES_MAX).contains(&command.len()) {
            let why =
                format!("a command has 4 to {APDU_BYTES_MAX} bytes, not {}; nothing was sent", command.len());
            return Err(TransportError::Link(why));
        }
        match self.card.transmit(command, &mut self.answer) {
            Ok(answer) if answer.len() < 2 => Err(TransportError::Removed),
            Ok(answer) => Ok(answer.to_vec()),
            Err(code) => Err(self.failure(code)),
        }
    }

    fn atr(&self) -> Option<&[u8]> {
        Some(&self.atr)
    }
}

impl std::fmt::Debug for PcscTransport {
    /// Without the buffer: it holds the last answer.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PcscTransport")
            .field("reader", &self.reader)
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}
