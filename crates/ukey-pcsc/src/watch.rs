//! Which readers there are, watched in a context that no key's traffic shares.

use std::{
    thread,
    time::{Duration, Instant},
};

use pcsc::{Context, PNP_NOTIFICATION, ReaderState, Scope, State};

use crate::{PcscError, WAIT_MAX, error::is_service_down};

/// How often a missing pcscd is looked for.
pub(crate) const SERVICE_RETRY: Duration = Duration::from_millis(100);

/// The names of all readers pcscd knows now, by a context made for this call.
///
/// # Errors
/// [`PcscError::ServiceDown`] without pcscd, [`PcscError::Call`] else. No reader at all is an empty list.
pub fn readers() -> Result<Vec<String>, PcscError> {
    list(&establish()?)
}

/// What [`ReaderWatch::wait`] saw.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Readers {
    /// The list is another one than before: all names, in pcscd's order. The first look is always this.
    Changed(Vec<String>),
    /// Nothing changed within the time.
    Same,
    /// pcscd does not answer. The next list is `Changed`, even if it reads the same: every connection is lost.
    ServiceDown,
}

/// Watches for readers that come and go. Owns a context; use it on one thread.
#[derive(Default)]
pub struct ReaderWatch {
    context: Option<Context>,
    last: Option<Vec<String>>,
}

impl ReaderWatch {
    /// A watch that has seen nothing yet. Nothing is asked of pcscd before [`Self::wait`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits at most `timeout` (cut at [`WAIT_MAX`]) for the list of readers to change.
    ///
    /// pcsc-lite compares within one call only, so a reader that comes and goes between two calls is seen by the list that
    /// begins each call: at the latest after `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> Readers {
        let deadline = Instant::now() + timeout.min(WAIT_MAX);
        loop {
            let seen = self.look();
            let left = deadline.saturating_duration_since(Instant::now());
            match seen {
                Readers::Changed(_) => return seen,
                _ if left.is_zero() => return seen,
                Readers::ServiceDown => thread::sleep(left.min(SERVICE_RETRY)),
                Readers::Same => {
                    let outcome = self.context.as_ref().map(|context| await_change(context, left));
                    if let Some(Err(code)) = outcome {
                        tracing::debug!(%code, "waiting for readers failed; a new context follows");
                        self.forget();
                    }
                }
            }
        }
    }

    /// One look, no waiting.
    fn look(&mut self) -> Readers {
        let names = self.context().and_then(|context| list(&context));
        match names {
            Ok(names) if self.last.as_ref() == Some(&names) => Readers::Same,
            Ok(names) => {
                self.last = Some(names.clone());
                Readers::Changed(names)
            }
            Err(error) => {
                tracing::debug!(%error, "no list of readers");
                self.forget();
                Readers::ServiceDown
            }
        }
    }

    fn context(&mut self) -> Result<Context, PcscError> {
        match &self.context {
            Some(context) => Ok(context.clone()),
            None => Ok(self.context.insert(establish()?).clone()),
        }
    }

    fn forget(&mut self) {
        self.context = None;
        self.last = None;
    }
}

/// A new context.
pub(crate) fn establish() -> Result<Context, PcscError> {
    Context::establish(Scope::User).map_err(|code| PcscError::new("SCardEstablishContext", "", code))
}

/// Waits for a reader to come or go; the notification stands alone in its call (16 readers beside it make the call fail).
/// A time-out is no error.
pub(crate) fn await_change(context: &Context, timeout: Duration) -> Result<(), pcsc::Error> {
    let mut states = [ReaderState::new(PNP_NOTIFICATION(), State::UNAWARE)];
    match context.get_status_change(timeout, &mut states) {
        Ok(()) | Err(pcsc::Error::Timeout) => Ok(()),
        Err(code) => Err(code),
    }
}

fn list(context: &Context) -> Result<Vec<String>, PcscError> {
    match context.list_readers_owned() {
        Ok(names) => Ok(names.iter().map(|name| name.to_string_lossy().into_owned()).collect()),
        Err(pcsc::Error::NoReadersAvailable) => Ok(Vec::new()),
        Err(code) if is_service_down(code) => Err(PcscError::ServiceDown(code)),
        Err(code) => Err(PcscError::new("SCardListReaders", "", code)),
    }
}
