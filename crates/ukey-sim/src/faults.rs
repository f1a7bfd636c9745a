//! Fault controls that a real key lacks: what goes wrong, and at which command.

use std::{str::FromStr, time::Duration};

/// What goes wrong with one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// The key is pulled before the command has done anything.
    YankBefore,
    /// The key is pulled after the command is done and before its answer is heard.
    YankAfter,
    /// The command is not carried out; this status word is answered.
    Status(u16),
    /// The command is carried out; this status word is answered instead of its answer.
    StatusAfter(u16),
    /// The command is carried out; 37 meaningless bytes are answered.
    Garbage,
    /// The command is carried out; one byte is answered.
    Short,
    /// The command is carried out; the answer has no bytes. Through vpcd, whose driver hangs on such a frame, the line
    /// breaks and comes back instead: PC/SC shows both as an empty answer.
    Empty,
    /// The command takes this much longer.
    Slow(Duration),
    /// The command is not carried out and never answered; only pulling the key ends it.
    Stuck,
    /// The command is carried out and never answered; only pulling the key ends it.
    StuckAfter,
}

/// One fault: it happens once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which command, the first being 1, counted from when the faults were set (through resets and plugging).
    pub command: u64,
    /// What happens to it.
    pub effect: Effect,
}

/// The faults a key is to show, and how many commands it has counted since they were set.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Faults {
    waiting: Vec<Fault>,
    seen: u64,
}

impl Faults {
    /// A key that works.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// One fault.
    #[must_use]
    pub fn one(command: u64, effect: Effect) -> Self {
        Self::from(vec![Fault { command, effect }])
    }

    /// Adds a fault; of two for the same command the one added first happens.
    #[must_use]
    pub fn and(mut self, command: u64, effect: Effect) -> Self {
        self.waiting.push(Fault { command, effect });
        self
    }

    /// How many commands were counted since these faults were set.
    #[must_use]
    pub fn commands_seen(&self) -> u64 {
        self.seen
    }

    /// The faults that have not happened yet.
    #[must_use]
    pub fn waiting(&self) -> &[Fault] {
        &self.waiting
    }

    /// What the next command will meet.
    pub(crate) fn peek(&self) -> Option<Effect> {
        self.waiting.iter().find(|f| f.command == self.seen + 1).map(|f| f.effect)
    }

    /// Counts a command and takes its fault.
    pub(crate) fn take(&mut self) -> Option<Effect> {
        self.seen += 1;
        let at = self.waiting.iter().position(|f| f.command == self.seen)?;
        Some(self.waiting.remove(at).effect)
    }
}

impl From<Vec<Fault>> for Faults {
    fn from(waiting: Vec<Fault>) -> Self {
        Self { waiting, seen: 0 }
    }
}

/// Text that names no fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0:?} is no fault: write COMMAND:EFFECT, the effect being yank-before, yank-after, status=6F00, \
     status-after=6F00, garbage, short, empty, slow=MILLISECONDS, stuck or stuck-after"
)]
pub struct FaultTextError(String);

impl FromStr for Fault {
    type Err = FaultTextError;

    /// `COMMAND:EFFECT`, such as `7:yank-after` or `3:status=6F00`.
    fn from_str(text: &str) -> Result<Self, FaultTextError> {
        parse(text).ok_or_else(|| FaultTextError(text.chars().take(64).collect()))
    }
}

fn parse(text: &str) -> Option<Fault> {
    let (command, effect) = text.split_once(':')?;
    let command = command.parse().ok().filter(|n| *n > 0)?;
    let (name, value) = effect.split_once('=').map_or((effect, None), |(name, value)| (name, Some(value)));
    let status = |value: &str| u16::from_str_radix(value, 16).ok().filter(|_| value.len() == 4);
    let effect = match (name, value) {
        ("yank-before", None) => Effect::YankBefore,
        ("yank-after", None) => Effect::YankAfter,
        ("status", Some(value)) => Effect::Status(status(value)?),
        ("status-after", Some(value)) => Effect::StatusAfter(status(value)?),
        ("garbage", None) => Effect::Garbage,
        ("short", None) => Effect::Short,
        ("empty", None) => Effect::Empty,
        ("slow", Some(value)) => Effect::Slow(Duration::from_millis(u64::from(value.parse::<u32>().ok()?))),
        ("stuck", None) => Effect::Stuck,
        ("stuck-after", None) => Effect::StuckAfter,
        _ => return None,
    };
    Some(Fault { command, effect })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Duration, Effect, Fault, Faults};

    #[test]
    fn a_fault_happens_once_and_at_its_command() {
        let mut faults = Faults::one(2, Effect::Short).and(3, Effect::Stuck);
        assert_eq!(faults.peek(), None);
        assert_eq!(faults.take(), None);
        assert_eq!(faults.peek(), Some(Effect::Short));
        assert_eq!(faults.take(), Some(Effect::Short));
        assert_eq!(faults.take(), Some(Effect::Stuck));
        assert_eq!(faults.take(), None);
        assert_eq!((faults.commands_seen(), faults.waiting().len()), (4, 0));
    }

    #[test]
    fn faults_are_read_from_text() {
        for (text, command, effect) in [
            ("1:yank-before", 1, Effect::YankBefore),
            ("12:yank-after", 12, Effect::YankAfter),
            ("3:status=6F00", 3, Effect::Status(0x6F00)),
            ("3:status-after=6581", 3, Effect::StatusAfter(0x6581)),
            ("4:slow=1500", 4, Effect::Slow(Duration::from_millis(1500))),
            ("5:stuck-after", 5, Effect::StuckAfter),
        ] {
            assert_eq!(text.parse(), Ok(Fault { command, effect }), "{text}");
        }
        for text in ["", "0:short", "1", "1:short=1", "1:status=6F0", "1:status=6F000", "x:stuck", "1:burn"] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_the_fault_parser(text in "\\PC{0,40}") {
            let _ = text.parse::<Fault>();
        }
    }
}
