//! A reader port into which keys are plugged one after the other, and the in-process link to the key in it.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use ukey::{CardTransport, TransportError};

use crate::{Answer, SharedKey, SimError};

/// A reader port. Clones are the same port.
#[derive(Clone, Debug, Default)]
pub struct Reader(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    slot: Mutex<Slot>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Slot {
    key: Option<SharedKey>,
    /// Counts plugging, so that a link to a pulled key never speaks to the next one.
    insertion: u64,
    resets: u64,
}

impl Reader {
    /// A port without a key.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Plugs a key. It wakes without any session state.
    ///
    /// # Errors
    /// [`SimError::InUse`] when the key is in a reader already, [`SimError::Value`] when this one is occupied.
    pub fn plug(&self, key: impl Into<SharedKey>) -> Result<(), SimError> {
        let key = key.into();
        let mut slot = self.lock();
        if slot.key.is_some() {
            return Err(SimError::Value {
                what: "reader",
                rule: "one key at a time; pull the one in it first",
            });
        }
        if !key.enter_reader() {
            return Err(SimError::InUse(key.with(|k| k.path().to_owned())));
        }
        slot.key = Some(key);
        slot.insertion += 1;
        self.0.changed.notify_all();
        Ok(())
    }

    /// Pulls the key, if there is one. A command under way that has not been carried out yet never is.
    pub fn pull(&self) -> Option<SharedKey> {
        let key = self.lock().key.take()?;
        key.leave_reader();
        self.0.changed.notify_all();
        Some(key)
    }

    /// Resets the key without pulling it; links notice with [`TransportError::Reset`].
    pub fn reset(&self) {
        let mut slot = self.lock();
        slot.resets += 1;
        if let Some(key) = &slot.key {
            key.with(crate::VirtualKey::reset);
        }
    }

    /// The key in the port.
    #[must_use]
    pub fn key(&self) -> Option<SharedKey> {
        self.lock().key.clone()
    }

    /// A link to the key that is in the port now; `None` when there is none.
    #[must_use]
    pub fn connect(&self) -> Option<InProcess> {
        let slot = self.lock();
        let atr = slot.key.as_ref()?.with(|key| key.atr().to_vec());
        Some(InProcess { reader: self.clone(), insertion: slot.insertion, resets: slot.resets, atr })
    }

    /// Waits for a key; `false` when none came in time.
    #[must_use]
    pub fn wait_for_card(&self, timeout: Duration) -> bool {
        self.wait(timeout, |slot| slot.key.is_some())
    }

    /// Waits until the port is empty; `false` when it is still occupied.
    #[must_use]
    pub fn wait_for_removal(&self, timeout: Duration) -> bool {
        self.wait(timeout, |slot| slot.key.is_none())
    }

    pub(crate) fn insertion(&self) -> u64 {
        self.lock().insertion
    }

    /// Carries one command to the key of this insertion; `None` = the key is or was pulled.
    pub(crate) fn exchange(&self, insertion: u64, apdu: &[u8]) -> Option<Vec<u8>> {
        let came = SystemTime::now();
        let delay = self.key_of(insertion)?.with(|key| key.delay(apdu));
        if !delay.is_zero() && self.wait(delay, |slot| slot.gone(insertion)) {
            return None;
        }
        // The slot stays locked, so that the key is either pulled before the command or after it.
        let answer = {
            let slot = self.lock();
            let key = slot.key.as_ref().filter(|_| slot.insertion == insertion)?;
            key.with(|key| {
                let answer = key.process(apdu);
                key.keep(came, apdu, &answer);
                answer
            })
        };
        match answer {
            Answer::Reply(bytes) => Some(bytes),
            Answer::Yanked => {
                self.pull();
                None
            }
            Answer::Stuck => {
                let slot = self.lock();
                drop(self.0.changed.wait_while(slot, |slot| !slot.gone(insertion)));
                None
            }
        }
    }

    fn key_of(&self, insertion: u64) -> Option<SharedKey> {
        let slot = self.lock();
        if slot.gone(insertion) { None } else { slot.key.clone() }
    }

    fn wait(&self, timeout: Duration, until: impl Fn(&Slot) -> bool) -> bool {
        let end = Instant::now() + timeout;
        let mut slot = self.lock();
        loop {
            if until(&slot) {
                return true;
            }
            let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                return false;
            };
            let woken = self.0.changed.wait_timeout(slot, left);
            slot = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.0.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn gone(&self, insertion: u64) -> bool {
        self.key.is_none() || self.insertion != insertion
    }
}

/// The link to one key in one insertion: once the key is pulled, every command says so, whatever is plugged later.
#[derive(Debug)]
pub struct InProcess {
    reader: Reader,
    insertion: u64,
    resets: u64,
    atr: Vec<u8>,
}

impl InProcess {
    /// A link to `key`, in a reader port of its own.
    ///
    /// # Errors
    /// [`SimError::InUse`] when the key is in a reader already.
    pub fn new(key: impl Into<SharedKey>) -> Result<Self, SimError> {
        let key = key.into();
        let atr = key.with(|key| key.atr().to_vec());
        let reader = Reader::empty();
        reader.plug(key)?;
        let insertion = reader.insertion();
        Ok(Self { reader, insertion, resets: 0, atr })
    }

    /// The port the key is in: pulls it, resets it, plugs the next.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Whether the key of this link is in its port still, and was in all the time.
    #[must_use]
    pub fn is_in(&self) -> bool {
        !self.reader.lock().gone(self.insertion)
    }
}

impl CardTransport for InProcess {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let resets = self.reader.lock().resets;
        if std::mem::replace(&mut self.resets, resets) != resets {
            return Err(TransportError::Reset);
        }
        let answer = self.reader.exchange(self.insertion, command).ok_or(TransportError::Removed)?;
        // PC/SC hands up a yank in the middle of a command as an empty success (see `CardTransport`).
        if answer.len() < 2 { Err(TransportError::Removed) } else { Ok(answer) }
    }

    fn atr(&self) -> Option<&[u8]> {
        Some(&self.atr)
    }
}
