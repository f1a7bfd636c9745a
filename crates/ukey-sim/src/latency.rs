//! How long commands take: the same command always takes the same time.

use std::time::Duration;

/// A latency profile per command class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Latency(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    None,
    Realistic,
    Fixed(Duration),
}

impl Latency {
    /// No added time.
    #[must_use]
    pub fn none() -> Self {
        Self(Kind::None)
    }

    /// 25 to 80 ms a command depending on what it does and how long it is; 400 ms for key generation (INS 70).
    ///
    /// No maker publishes times of such keys (facts: U); these are an assumption, and the figures of the bench rest on it.
    #[must_use]
    pub fn realistic() -> Self {
        Self(Kind::Realistic)
    }

    /// The same time for every command.
    #[must_use]
    pub fn fixed(each: Duration) -> Self {
        Self(Kind::Fixed(each))
    }

    /// How long `command` takes.
    #[must_use]
    pub fn of(self, command: &[u8]) -> Duration {
        match self.0 {
            Kind::None => Duration::ZERO,
            Kind::Fixed(each) => each,
            Kind::Realistic => Duration::from_millis(realistic(command)),
        }
    }
}

/// Milliseconds: a base for the kind of work, one more for every 32 bytes sent, 80 at most.
fn realistic(command: &[u8]) -> u64 {
    let base = match command.get(1) {
        Some(0x70) => return 400,
        // Flash is written or rewritten.
        Some(0x02 | 0x12 | 0x16 | 0x1A | 0x30 | 0x32 | 0x3A | 0x40 | 0x48 | 0x4C) => 45,
        // Large flash areas are laid out or cleared.
        Some(0x20 | 0x24) => 70,
        // Elliptic curve work.
        Some(0x72 | 0x74) => 60,
        // SM4 work and a counter.
        Some(0x10 | 0x18) => 35,
        // Long answers.
        Some(0x04 | 0x38 | 0x4E) => 32,
        _ => 25,
    };
    (base + command.len() as u64 / 32).min(80)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::Latency;

    #[test]
    fn key_generation_takes_400_ms() {
        assert_eq!(Latency::realistic().of(&[0x80, 0x70, 0, 0]), Duration::from_millis(400));
    }

    #[test]
    fn a_longer_command_takes_longer() {
        let short = [0x80, 0x4C, 0, 0];
        let long = [&short[..], &[0; 700]].concat();
        assert!(Latency::realistic().of(&short) < Latency::realistic().of(&long));
    }

    proptest! {
        #[test]
        fn every_other_command_takes_25_to_80_ms_and_always_the_same(
            command in proptest::collection::vec(any::<u8>(), 0..3000),
        ) {
            prop_assume!(command.get(1) != Some(&0x70));
            let took = Latency::realistic().of(&command);
            prop_assert!((25..=80).contains(&took.as_millis()));
            prop_assert_eq!(took, Latency::realistic().of(&command));
            prop_assert_eq!(Latency::none().of(&command), Duration::ZERO);
        }
    }
}
