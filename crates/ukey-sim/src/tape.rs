//! What a key heard and said, kept for a bench that replays it. Off unless asked for.

use std::time::SystemTime;

/// A tape is full with this many exchanges; what comes later is not kept.
const EXCHANGES_MAX: usize = 4096;

/// One command and its answer, as seen at the key.
#[derive(Clone)]
pub struct Exchange {
    /// When the command came, before the time that the key takes for it.
    pub came: SystemTime,
    /// When the answer left.
    pub left: SystemTime,
    /// The command APDU. It may hold PINs: a tape is for keys that hold nothing real.
    pub command: Vec<u8>,
    /// Data and status word.
    pub answer: Vec<u8>,
}

impl std::fmt::Debug for Exchange {
    /// Without what was said: it may be a PIN.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("ins", &self.command.get(1)).finish_non_exhaustive()
    }
}

/// The exchanges since recording began.
#[derive(Debug, Default)]
pub(crate) struct Tape(Option<Vec<Exchange>>);

impl Tape {
    pub fn record(&mut self) {
        self.0 = Some(Vec::new());
    }

    pub fn keep(&mut self, came: SystemTime, command: &[u8], answer: &[u8]) {
        if let Some(tape) = self.0.as_mut().filter(|tape| tape.len() < EXCHANGES_MAX) {
            let (command, answer) = (command.to_vec(), answer.to_vec());
            tape.push(Exchange { came, left: SystemTime::now(), command, answer });
        }
    }

    pub fn take(&mut self) -> Vec<Exchange> {
        self.0.take().unwrap_or_default()
    }
}
