//! A USB port path: the bus, then the port on each hub down to the device.

use std::{fmt, str::FromStr};

/// USB allows seven tiers: the root hub, five hubs and the device, so six ports stand behind the bus; libusb promises seven places.
const PORTS_MAX: usize = 7;

/// A physical port, printed as the kernel names it: `1-1.4.2`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortPath {
    bus: u8,
    ports: Vec<u8>,
}

/// A text that is no port path.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0:?} is not a USB port path: write the bus, -, and the ports joined by dots, such as 1-1.4.2 (`ukey-station slots` lists them)"
)]
pub struct PathError(pub String);

impl PortPath {
    /// A path from the numbers libusb gives. `None` for a root hub (no port), a zero, or more than seven ports.
    #[must_use]
    pub fn new(bus: u8, ports: &[u8]) -> Option<Self> {
        let legal = bus > 0 && (1..=PORTS_MAX).contains(&ports.len()) && ports.iter().all(|&port| port > 0);
        legal.then(|| Self { bus, ports: ports.to_vec() })
    }

    /// The bus number. Buses are numbered in the order in which the kernel finds their controllers.
    #[must_use]
    pub fn bus(&self) -> u8 {
        self.bus
    }

    /// The ports, from the root hub down.
    #[must_use]
    pub fn ports(&self) -> &[u8] {
        &self.ports
    }

    /// The hub that has this port; `None` for a port of the machine itself.
    #[must_use]
    pub fn hub(&self) -> Option<Self> {
        let (_, hub) = self.ports.split_last()?;
        Self::new(self.bus, hub)
    }
}

impl FromStr for PortPath {
    type Err = PathError;
    fn from_str(text: &str) -> Result<Self, PathError> {
        let error = || PathError(text.chars().take(64).collect());
        let (bus, ports) = text.split_once('-').ok_or_else(error)?;
        let ports: Option<Vec<u8>> = ports.split('.').take(PORTS_MAX + 1).map(number).collect();
        match (number(bus), ports) {
            (Some(bus), Some(ports)) => Self::new(bus, &ports).ok_or_else(error),
            _ => Err(error()),
        }
    }
}

/// A number from 1 to 255 in the one way it is printed: no sign, no leading zero. Two texts must never mean one port.
fn number(text: &str) -> Option<u8> {
    let plain = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

impl fmt::Display for PortPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.bus)?;
        self.ports.iter().enumerate().try_for_each(|(at, port)| {
            let joint = if at == 0 { '-' } else { '.' };
            write!(f, "{joint}{port}")
        })
    }
}

impl fmt::Debug for PortPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::PortPath;

    #[test]
    fn strangers_are_refused() {
        for text in [
            "",
            "1",
            "1-",
            "-1",
            "1-0",
            "0-1",
            "1-1.",
            "1-1..2",
            "01-1",
            "1-01",
            "1-+1",
            "1-256",
            "1-1.2.3.4.5.6.7.8",
            "1-1-2",
            "１-1",
        ] {
            assert!(text.parse::<PortPath>().is_err(), "{text}");
        }
        assert!(PortPath::new(1, &[]).is_none(), "a root hub is no port");
    }

    proptest! {
        #[test]
        fn p2_a_printed_path_reads_back(bus in 1u8.., ports in proptest::collection::vec(1u8.., 1..=7)) {
            let path = PortPath::new(bus, &ports).unwrap();
            prop_assert_eq!(path.to_string().parse::<PortPath>().unwrap(), path);
        }

        #[test]
        fn no_text_panics_and_what_is_taken_prints_the_same(text in "\\PC{0,24}|[0-9.-]{0,24}") {
            if let Ok(path) = text.parse::<PortPath>() {
                prop_assert_eq!(path.to_string(), text);
            }
        }
    }
}
