//! One reader: is a key in it, give me a link to it, is it out.

use std::{
    ffi::CString,
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};

use pcsc::{Context, Error as Code, Protocols, ReaderState, ShareMode, State};

use crate::{
    PcscError, PcscTransport,
    error::is_service_down,
    watch::{SERVICE_RETRY, await_change, establish},
};

/// The longest a single wait may be. Call again to wait on.
pub const WAIT_MAX: Duration = Duration::from_secs(60);

/// `MAX_READERNAME` of pcsc-lite is 128 with the closing NUL.
const READER_NAME_BYTES_MAX: usize = 127;

/// What is in a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CardEvent {
    /// A key.
    Present {
        /// Its answer to reset; empty if it gives none (connecting will say so).
        atr: Vec<u8>,
        /// pcscd's count of insertions and removals in this reader (16 bits). Another count, another insertion.
        event_count: u32,
        /// Which pcscd counted: it goes up when a context was lost, and counts of two epochs cannot be compared.
        epoch: u32,
    },
    /// No key.
    Empty,
    /// pcscd knows no reader of this name. A USB key is its own reader, so a pulled one looks like this.
    ReaderGone,
    /// pcscd does not answer.
    ServiceDown,
}

/// What [`Reader::wait_for_removal`] saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Removal {
    /// The key that was last seen is out, or was out in between: whatever is in the reader now must be looked at afresh.
    Removed,
    /// It is still in.
    StillThere,
    /// pcscd went away; nobody watched meanwhile. If a key is there afterwards, read it before trusting that it is the same.
    ServiceDown,
}

/// One reader with a context of its own, made when first needed and made anew after pcscd was restarted.
pub struct Reader {
    name: String,
    c_name: CString,
    context: Option<Context>,
    epoch: u32,
    /// Epoch and count of the key last reported.
    last: Option<(u32, u32)>,
    connection: Weak<()>,
}

impl Reader {
    /// A reader by the name pcscd gives it. Nothing is asked of pcscd yet; the reader need not be there.
    ///
    /// # Errors
    /// [`PcscError::ReaderName`].
    pub fn new(name: &str) -> Result<Self, PcscError> {
        let refused = || PcscError::ReaderName(name.chars().take(80).collect());
        if name.is_empty() || name.len() > READER_NAME_BYTES_MAX {
            return Err(refused());
        }
        let c_name = CString::new(name).map_err(|_| refused())?;
        Ok(Self {
            name: name.to_owned(),
            c_name,
            context: None,
            epoch: 0,
            last: None,
            connection: Weak::new(),
        })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits at most `timeout` (cut at [`WAIT_MAX`]) for a key; comes back at once when one is in.
    /// Anything but `Present` says why there is none at the end of the time.
    pub fn wait_for_card(&mut self, timeout: Duration) -> CardEvent {
        let seen = self.wait(timeout, |event| matches!(event, CardEvent::Present { .. }));
        if let CardEvent::Present { event_count, epoch, .. } = seen {
            self.last = Some((epoch, event_count));
        }
        seen
    }

    /// Waits at most `timeout` (cut at [`WAIT_MAX`]) for the key last reported by [`Self::wait_for_card`] to be pulled.
    /// With no key reported yet, whatever is in counts as that key.
    pub fn wait_for_removal(&mut self, timeout: Duration) -> Removal {
        // With no key reported yet, the first one seen is the one to watch.
        let mut watched = self.last;
        let seen = self.wait(timeout, |event| match event {
            CardEvent::Present { event_count, epoch, .. } => {
                *watched.get_or_insert((*epoch, *event_count)) != (*epoch, *event_count)
            }
            CardEvent::Empty | CardEvent::ReaderGone => true,
            // A restart is news while a key is watched; without one there is nothing to say before the time is over.
            CardEvent::ServiceDown => watched.is_some(),
        });
        let (removal, last) = match seen {
            CardEvent::Present { event_count, epoch, .. } => {
                let removal = match watched {
                    Some((before, _)) if before != epoch => Removal::ServiceDown,
                    Some((_, count)) if count != event_count => Removal::Removed,
                    _ => Removal::StillThere,
                };
                (removal, Some((epoch, event_count)))
            }
            CardEvent::Empty | CardEvent::ReaderGone => (Removal::Removed, None),
            CardEvent::ServiceDown => (Removal::ServiceDown, None),
        };
        self.last = last;
        removal
    }

    /// Connects to the key, alone. The earlier transport of this reader must have been dropped.
    ///
    /// # Errors
    /// [`PcscError`]; after [`PcscError::ServiceDown`] the next call makes a new context.
    pub fn connect(&mut self) -> Result<PcscTransport, PcscError> {
        if self.connection.strong_count() > 0 {
            return Err(PcscError::StillConnected { reader: self.name.clone() });
        }
        let context = self.context()?;
        let card = context.connect(&self.c_name, ShareMode::Exclusive, Protocols::ANY).map_err(|code| {
            self.forget_if_down(code);
            PcscError::new("SCardConnect", &self.name, code)
        })?;
        let alive = Arc::new(());
        self.connection = Arc::downgrade(&alive);
        PcscTransport::new(card, context, self.c_name.clone(), alive)
    }

    /// Looks until `done` or until the time is over; gives the last look.
    fn wait(&mut self, timeout: Duration, mut done: impl FnMut(&CardEvent) -> bool) -> CardEvent {
        let deadline = Instant::now() + timeout.min(WAIT_MAX);
        let mut state = ReaderState::new(self.c_name.clone(), State::UNAWARE);
        let mut wait = Duration::ZERO;
        loop {
            let seen = self.look(&mut state, wait);
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || done(&seen) {
                return seen;
            }
            match seen {
                CardEvent::Present { .. } | CardEvent::Empty => {
                    state.sync_current_state();
                    wait = left;
                }
                CardEvent::ReaderGone => {
                    self.await_reader(left);
                    (state, wait) = (ReaderState::new(self.c_name.clone(), State::UNAWARE), Duration::ZERO);
                }
                CardEvent::ServiceDown => {
                    thread::sleep(left.min(SERVICE_RETRY));
                    (state, wait) = (ReaderState::new(self.c_name.clone(), State::UNAWARE), Duration::ZERO);
                }
            }
        }
    }

    /// One `SCardGetStatusChange`; with an unaware `state` it answers at once.
    fn look(&mut self, state: &mut ReaderState, wait: Duration) -> CardEvent {
        let Ok(context) = self.context() else { return CardEvent::ServiceDown };
        match context.get_status_change(wait, std::slice::from_mut(state)) {
            // After a time-out the state still says what is there.
            Ok(()) | Err(Code::Timeout) => self.event(state),
            Err(Code::UnknownReader | Code::ReaderUnavailable) => CardEvent::ReaderGone,
            Err(code) => {
                tracing::debug!(reader = self.name, %code, "looking at the reader failed; a new context follows");
                self.forget();
                CardEvent::ServiceDown
            }
        }
    }

    fn event(&self, state: &ReaderState) -> CardEvent {
        let flags = state.event_state();
        if flags.intersects(State::UNKNOWN | State::UNAVAILABLE | State::IGNORE) {
            CardEvent::ReaderGone
        } else if flags.contains(State::PRESENT) {
            CardEvent::Present {
                atr: state.atr().to_vec(),
                event_count: state.event_count(),
                epoch: self.epoch,
            }
        } else {
            CardEvent::Empty
        }
    }

    /// Waits until any reader comes, or the time is over.
    fn await_reader(&mut self, left: Duration) {
        let outcome = self.context.as_ref().map(|context| await_change(context, left));
        if let Some(Err(code)) = outcome {
            tracing::debug!(reader = self.name, %code, "waiting for the reader failed; a new context follows");
            self.forget();
        }
    }

    fn context(&mut self) -> Result<Context, PcscError> {
        match &self.context {
            Some(context) => Ok(context.clone()),
            None => Ok(self.context.insert(establish()?).clone()),
        }
    }

    fn forget_if_down(&mut self, code: Code) {
        if is_service_down(code) {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.context = None;
        self.epoch = self.epoch.wrapping_add(1);
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("name", &self.name).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_reader_can_have_are_refused() {
        for name in ["", "a\0b", &"x".repeat(128)] {
            assert!(matches!(Reader::new(name), Err(PcscError::ReaderName(_))), "{name:?}");
        }
        assert!(Reader::new("Virtual PCD 00 00").is_ok());
    }
}
