//! An exclusive link to one key.

use std::{
    ffi::CString,
    sync::Arc,
    time::{Duration, Instant},
};

use pcsc::{Attribute, Card, Context, Disposition, Error as Code, Protocols, ReaderState, ShareMode, State};
use ukey::{CardTransport, TransportError};

use crate::{
    ChannelId, PcscError,
    error::{Verdict, link, verdict},
};

/// Largest command and largest answer, in bytes, all in. A virtual reader loses its card at one byte more.
pub const APDU_BYTES_MAX: usize = 65535;

/// Receive buffer: the largest answer and room for a driver that gives a little more, which would else be an error without the bytes.
const RECEIVE_BYTES: usize = APDU_BYTES_MAX + 3;

/// How long pcscd may take to notice that a key is out: it looks at a reader every 400 ms unless the reader tells by itself.
const NOTICE_TIME: Duration = Duration::from_millis(1500);

/// An exclusive connection to the key in one reader. Made by [`crate::Reader::connect`].
///
/// Dropping it resets the key, so that no log-in outlives it. It must be dropped before the reader connects again.
/// After a removal it is dead: every further command is answered with a removal, even if a key is in the reader again.
pub struct PcscTransport {
    card: Card,
    context: Context,
    reader: String,
    name: CString,
    atr: Vec<u8>,
    channel: Option<ChannelId>,
    answer: Vec<u8>,
    removed: bool,
    /// Lets the reader know that this connection still lives.
    _alive: Arc<()>,
}

impl PcscTransport {
    pub(crate) fn new(
        card: Card,
        context: Context,
        name: CString,
        alive: Arc<()>,
    ) -> Result<Self, PcscError> {
        let reader = name.to_string_lossy().into_owned();
        let status = card.status2_owned().map_err(|code| PcscError::new("SCardStatus", &reader, code))?;
        let atr = answered(&reader, status.atr())?;
        // Drivers without the attribute (vpcd) refuse the question; that is an answer.
        let channel =
            card.get_attribute_owned(Attribute::ChannelId).ok().and_then(|value| ChannelId::parse(&value));
        Ok(Self {
            card,
            context,
            reader,
            name,
            atr,
            channel,
            answer: vec![0; RECEIVE_BYTES],
            removed: false,
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

    /// A driver that loses its key in mid-command reports a failed exchange, often before pcscd has looked: so give it time to look.
    fn ask_reader(&self, failed: Code) -> TransportError {
        let deadline = Instant::now() + NOTICE_TIME;
        let mut state = ReaderState::new(self.name.clone(), State::UNAWARE);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.context.get_status_change(left, std::slice::from_mut(&mut state)) {
                Ok(()) if !state.event_state().contains(State::PRESENT) => return TransportError::Removed,
                Ok(()) if !left.is_zero() => state.sync_current_state(),
                Err(code) if verdict(code) == Verdict::Removed => return TransportError::Removed,
                Ok(()) | Err(_) => return link(&self.reader, failed),
            }
        }
    }
}

/// pcscd lets one connect to a key that it is still powering up, and then knows no answer to reset: such a link would say nothing of
/// the key's model.
fn answered(reader: &str, atr: &[u8]) -> Result<Vec<u8>, PcscError> {
    if atr.is_empty() { Err(PcscError::Unresponsive { reader: reader.to_owned() }) } else { Ok(atr.to_vec()) }
}

impl CardTransport for PcscTransport {
    /// Blocks until the key answers or the driver gives up: PC/SC cannot break off a transmit.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        if !(4..=APDU_BYTES_MAX).contains(&command.len()) {
            let why =
                format!("a command has 4 to {APDU_BYTES_MAX} bytes, not {}; nothing was sent", command.len());
            return Err(TransportError::Link(why));
        }
        if self.removed {
            return Err(TransportError::Removed);
        }
        let outcome = match self.card.transmit(command, &mut self.answer) {
            Ok(answer) if answer.len() < 2 => Err(TransportError::Removed),
            Ok(answer) => Ok(answer.to_vec()),
            Err(code) => Err(self.failure(code)),
        };
        self.removed = matches!(outcome, Err(TransportError::Removed));
        outcome
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_an_answer_to_reset_is_not_connected() {
        let error = answered("Reader 00 00", &[]);
        assert!(matches!(error, Err(PcscError::Unresponsive { reader }) if reader == "Reader 00 00"));
        assert!(matches!(answered("Reader 00 00", &[0x3B]), Ok(atr) if atr == [0x3B]));
    }
}
