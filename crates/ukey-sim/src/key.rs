//! One virtual key: its chip, how long it takes, and what is to go wrong.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use model::Secret;
use profile::Profile;

use crate::{
    Exchange, SimError, Summary,
    chip::Chip,
    faults::{Effect, Faults},
    flash::Flash,
    latency::Latency,
    store::Store,
    tape::Tape,
};

/// How a key behaves beyond what its flash says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How long commands take.
    pub latency: Latency,
    /// What goes wrong.
    pub faults: Faults,
}

/// What becomes of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These bytes come back: data and status word, or what a fault made of them (perhaps none at all).
    Reply(Vec<u8>),
    /// The key was pulled: nothing comes back.
    Yanked,
    /// Nothing comes back until the key is pulled.
    Stuck,
}

/// A whole key whose flash is a file.
#[derive(Debug)]
pub struct VirtualKey {
    chip: Chip,
    latency: Latency,
    faults: Faults,
    tape: Tape,
    in_reader: bool,
}

impl VirtualKey {
    /// Makes a blank key: writes its flash to `path`, which must not exist.
    ///
    /// # Errors
    /// [`SimError`] where the file exists or cannot be written, or where serial or key have the wrong form.
    pub fn make(path: &Path, profile: &Profile, serial: &str, factory_key: &Secret) -> Result<(), SimError> {
        Store::create(path, &Flash::blank(profile, serial, factory_key)?)
    }

    /// Takes a key in hand: reads its flash and holds it until dropped.
    ///
    /// # Errors
    /// [`SimError`] where the file is missing, damaged or held by someone else.
    pub fn open(path: &Path, options: Options) -> Result<Self, SimError> {
        let chip = Chip::new(Store::open(path)?);
        let (latency, faults) = (options.latency, options.faults);
        Ok(Self { chip, latency, faults, tape: Tape::default(), in_reader: false })
    }

    /// One command APDU in, its answer out, faults included. Takes no time of its own: whoever carries the command
    /// waits [`VirtualKey::delay`] first.
    pub fn process(&mut self, apdu: &[u8]) -> Answer {
        match self.faults.take() {
            None | Some(Effect::Slow(_)) => Answer::Reply(self.chip.run(apdu)),
            Some(Effect::YankBefore) => Answer::Yanked,
            Some(Effect::Stuck) => Answer::Stuck,
            Some(Effect::Status(status)) => Answer::Reply(status.to_be_bytes().to_vec()),
            Some(after) => {
                self.chip.run(apdu);
                spoil(after)
            }
        }
    }

    /// How long the next command will take if it is `apdu`.
    #[must_use]
    pub fn delay(&self, apdu: &[u8]) -> Duration {
        let extra = match self.faults.peek() {
            Some(Effect::Slow(extra)) => extra,
            _ => Duration::ZERO,
        };
        self.latency.of(apdu) + extra
    }

    /// Power cut or reset: authentication, log-in, challenge and open handles are gone; the flash stays.
    pub fn reset(&mut self) {
        self.chip.reset();
    }

    /// Sets what is to go wrong from now on; commands are counted from 1 anew.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// What is still to go wrong, and how many commands came since that was set.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Sets how long commands take.
    pub fn set_latency(&mut self, latency: Latency) {
        self.latency = latency;
    }

    /// Makes every challenge and private key follow from `seed`, so that the same commands on the same flash get the same
    /// answers again. For the bench, which replays what it recorded: such a key keeps no secret.
    pub fn set_seed(&mut self, seed: u64) {
        self.chip.seed(seed);
    }

    /// Keeps the exchanges from now on (the first 4096), for the bench.
    pub fn record(&mut self) {
        self.tape.record();
    }

    /// Ends recording; what was recorded.
    #[must_use]
    pub fn take_recorded(&mut self) -> Vec<Exchange> {
        self.tape.take()
    }

    pub(crate) fn keep(&mut self, came: SystemTime, command: &[u8], answer: &Answer) {
        if let Answer::Reply(bytes) = answer {
            self.tape.keep(came, command, bytes);
        }
    }

    /// The answer to reset.
    #[must_use]
    pub fn atr(&self) -> &[u8] {
        &self.chip.store().flash().atr.0
    }

    /// The serial, as the device info gives it.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.chip.store().flash().serial
    }

    /// The flash file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.chip.store().path()
    }

    /// What the key holds, without PINs and keys.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::of(self.chip.store().flash())
    }
}

/// What a fault makes of the answer of a command that was carried out.
fn spoil(effect: Effect) -> Answer {
    match effect {
        Effect::YankAfter => Answer::Yanked,
        Effect::StuckAfter => Answer::Stuck,
        Effect::StatusAfter(status) => Answer::Reply(status.to_be_bytes().to_vec()),
        Effect::Garbage => Answer::Reply((0..37_u8).map(|i| i.wrapping_mul(89).wrapping_add(17)).collect()),
        Effect::Short => Answer::Reply(vec![0x90]),
        // Those that come before the command are no business of this function.
        Effect::Empty | Effect::YankBefore | Effect::Stuck | Effect::Status(_) | Effect::Slow(_) => {
            Answer::Reply(Vec::new())
        }
    }
}

/// A key in several hands: the reader it sits in, and whoever looks into it meanwhile.
#[derive(Clone, Debug)]
pub struct SharedKey(Arc<Mutex<VirtualKey>>);

impl SharedKey {
    /// Looks into the key or sets its controls; commands wait meanwhile.
    pub fn with<R>(&self, look: impl FnOnce(&mut VirtualKey) -> R) -> R {
        look(&mut self.lock())
    }

    /// What the key holds.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.lock().summary()
    }

    /// Takes the key's place in a reader; `false` when it is in one already.
    pub(crate) fn enter_reader(&self) -> bool {
        let mut key = self.lock();
        if key.in_reader {
            return false;
        }
        key.reset();
        key.in_reader = true;
        true
    }

    pub(crate) fn leave_reader(&self) {
        let mut key = self.lock();
        key.reset();
        key.in_reader = false;
    }

    fn lock(&self) -> MutexGuard<'_, VirtualKey> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<VirtualKey> for SharedKey {
    fn from(key: VirtualKey) -> Self {
        Self(Arc::new(Mutex::new(key)))
    }
}

impl From<&SharedKey> for SharedKey {
    fn from(key: &SharedKey) -> Self {
        key.clone()
    }
}
