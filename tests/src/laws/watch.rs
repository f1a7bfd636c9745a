//! The way to the key, watched from outside: what each command changed, what it tried, and what the journal knew then.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ukey::{CardTransport, PinType, TransportError, ins};
use ukey_sim::{Effect, Fault, Faults, InProcess, SharedKey};
use workflow::Record;

/// What the journal keeps and what the watcher saw, shared by both.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The job's records.
    pub(super) records: Vec<Record>,
    /// Instructions sent, in order, over all runs.
    pub(super) instructions: Vec<u8>,
    /// Laws broken on the way.
    pub(super) broken: Vec<String>,
}

impl Seen {
    /// Whether the last record says that a step was begun and not finished.
    fn under_an_intent(&self) -> bool {
        matches!(self.records.last(), Some(Record::Intent { .. }))
    }
}

/// What was seen, in several hands.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes(Arc<Mutex<Seen>>);

impl Notes {
    pub(super) fn open(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A watched link.
pub(super) struct Watched {
    inner: InProcess,
    key: SharedKey,
    flash: PathBuf,
    seen: Notes,
    /// Instruction whose first command shows this effect.
    first: Option<(u8, Effect)>,
}

impl Watched {
    pub(super) fn new(
        inner: InProcess,
        key: SharedKey,
        flash: &Path,
        seen: Notes,
        first: Option<(u8, Effect)>,
    ) -> Self {
        Self { inner, key, flash: flash.to_owned(), seen, first }
    }

    /// Tries left of what this command would try.
    fn tries(&self, command: &[u8]) -> Option<u8> {
        let summary = self.key.summary();
        match command.get(1..4)? {
            [ins::DEV_AUTH, ..] => Some(summary.device_tries.0),
            [ins::VERIFY_PIN, _, which] => {
                let application = summary.applications.first()?;
                let admin = *which == PinType::Admin.p2();
                Some(if admin { application.admin_pin.left } else { application.user_pin.left })
            }
            _ => None,
        }
    }
}

impl CardTransport for Watched {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let ins = command.get(1).copied().unwrap_or_default();
        if self.first.is_some_and(|(wanted, _)| wanted == ins)
            && let Some((_, effect)) = self.first.take()
        {
            self.key.with(|key| key.set_faults(Faults::from(vec![Fault { command: 1, effect }])));
        }
        if let Some(left) = self.tries(command).filter(|left| *left < 2) {
            let broken = format!("{} was tried with {left} tries left", ins::name(ins));
            self.seen.open().broken.push(broken);
        }
        let before = std::fs::read(&self.flash).ok();
        let answer = self.inner.transmit(command);
        let changed = std::fs::read(&self.flash).ok() != before;
        let mut seen = self.seen.open();
        seen.instructions.push(ins);
        if changed && !seen.under_an_intent() {
            let broken = format!("{} changed the key and the journal had no intent", ins::name(ins));
            seen.broken.push(broken);
        }
        answer
    }

    fn atr(&self) -> Option<&[u8]> {
        self.inner.atr()
    }
}
