//! The list of slots: file form, checks, trusted form.

use std::collections::HashMap;

use model::SlotName;
use serde::Deserialize;

use crate::{PathError, PortPath};

/// One `[[slot]]` as it stands in the configuration: a name and exactly one place.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotConfig {
    /// As on the sticker.
    pub name: SlotName,
    /// The reader's name, as pcscd gives it.
    pub reader: Option<String>,
    /// The USB port path, such as `1-1.4.2`.
    pub usb: Option<String>,
}

/// Where a slot is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The reader of this name.
    Reader(String),
    /// Whatever is plugged into this port.
    Usb(PortPath),
}

/// One slot, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// As on the sticker.
    pub name: SlotName,
    /// Where it is.
    pub place: Place,
}

impl Slot {
    /// The hub it belongs to: for a USB port the path of the hub that has it (`usb1` for a port of the machine itself, on bus 1), for a reader
    /// the letters that its name begins with (`A` of `A01`; the whole name if it begins with none).
    #[must_use]
    pub fn hub(&self) -> String {
        match &self.place {
            Place::Usb(path) => {
                path.hub().map_or_else(|| format!("usb{}", path.bus()), |hub| hub.to_string())
            }
            Place::Reader(_) => {
                let name = self.name.as_str();
                let letters = name.trim_start_matches(|c: char| c.is_ascii_uppercase());
                let prefix = &name[..name.len() - letters.len()];
                if prefix.is_empty() { name } else { prefix }.to_owned()
            }
        }
    }
}

/// Why a list of slots was refused. `index` is the place of the `[[slot]]` in the file, from 0.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotError {
    /// No slot at all.
    #[error("no slot is configured: add a [[slot]] with a name and a reader or usb for each port")]
    Empty,
    /// Two slots of one name.
    #[error("slot name {name} stands twice: give the second one its own name, as on its sticker")]
    DuplicateName {
        /// The second one.
        index: usize,
        /// The name.
        name: SlotName,
    },
    /// Two slots in one place.
    #[error("slots {first} and {name} both have {place}: one port is one slot, so correct one of them")]
    DuplicatePlace {
        /// The second one.
        index: usize,
        /// The second one's name.
        name: SlotName,
        /// The first one's name.
        first: SlotName,
        /// The place, as key and value.
        place: String,
    },
    /// Both `reader` and `usb`.
    #[error(
        "slot {name} has both reader and usb: keep usb for a port of a hub, reader for a built-in or virtual reader"
    )]
    BothPlaces {
        /// Which one.
        index: usize,
        /// Its name.
        name: SlotName,
    },
    /// Neither `reader` nor `usb`.
    #[error(
        "slot {name} has no place: add usb = \"1-1.4.2\" or reader = \"...\" (`ukey-station slots` lists what is there)"
    )]
    NoPlace {
        /// Which one.
        index: usize,
        /// Its name.
        name: SlotName,
    },
    /// An empty reader name.
    #[error("slot {name} has an empty reader: copy the reader's name from `ukey-station slots`")]
    EmptyReader {
        /// Which one.
        index: usize,
        /// Its name.
        name: SlotName,
    },
    /// A `usb` that is no port path.
    #[error("slot {name} has a wrong usb")]
    Path {
        /// Which one.
        index: usize,
        /// Its name.
        name: SlotName,
        /// What is wrong and what would be right.
        source: PathError,
    },
}

impl SlotError {
    /// Which `[[slot]]` of the file is meant, from 0; `None` if it is the whole list.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        match self {
            Self::Empty => None,
            Self::DuplicateName { index, .. }
            | Self::DuplicatePlace { index, .. }
            | Self::BothPlaces { index, .. }
            | Self::NoPlace { index, .. }
            | Self::EmptyReader { index, .. }
            | Self::Path { index, .. } => Some(*index),
        }
    }
}

/// All slots of a station, checked, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots(Vec<Slot>);

impl Slots {
    /// Checks the list.
    ///
    /// # Errors
    /// The first [`SlotError`], in the order of the file.
    pub fn from_config(config: &[SlotConfig]) -> Result<Self, SlotError> {
        if config.is_empty() {
            return Err(SlotError::Empty);
        }
        let mut names = HashMap::new();
        let mut places: HashMap<Place, &SlotName> = HashMap::new();
        let mut slots = Vec::with_capacity(config.len());
        for (index, entry) in config.iter().enumerate() {
            let name = entry.name.clone();
            if names.insert(&entry.name, index).is_some() {
                return Err(SlotError::DuplicateName { index, name });
            }
            let place = place(index, entry)?;
            if let Some(first) = places.insert(place.clone(), &entry.name) {
                return Err(SlotError::DuplicatePlace {
                    index,
                    name,
                    first: first.clone(),
                    place: place.to_string(),
                });
            }
            slots.push(Slot { name, place });
        }
        Ok(Self(slots))
    }

    /// The slots, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter()
    }

    /// The slot at a port, or else the slot of a reader's name.
    #[must_use]
    pub fn find(&self, reader: &str, path: Option<&PortPath>) -> Option<&SlotName> {
        let at = |wanted: &Place| self.0.iter().find(|slot| slot.place == *wanted).map(|slot| &slot.name);
        let by_port = path.and_then(|path| at(&Place::Usb(path.clone())));
        by_port.or_else(|| at(&Place::Reader(reader.to_owned())))
    }

    /// Whether any slot is a USB port, so that the topology must be read.
    #[must_use]
    pub fn any_usb(&self) -> bool {
        self.0.iter().any(|slot| matches!(slot.place, Place::Usb(_)))
    }
}

fn place(index: usize, entry: &SlotConfig) -> Result<Place, SlotError> {
    let name = entry.name.clone();
    match (&entry.reader, &entry.usb) {
        (Some(_), Some(_)) => Err(SlotError::BothPlaces { index, name }),
        (None, None) => Err(SlotError::NoPlace { index, name }),
        (Some(reader), None) if reader.trim().is_empty() => Err(SlotError::EmptyReader { index, name }),
        (Some(reader), None) => Ok(Place::Reader(reader.clone())),
        (None, Some(usb)) => match usb.parse() {
            Ok(path) => Ok(Place::Usb(path)),
            Err(source) => Err(SlotError::Path { index, name, source }),
        },
    }
}

impl std::fmt::Display for Place {
    /// As it stands in the configuration.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reader(name) => write!(f, "reader = {name:?}"),
            Self::Usb(path) => write!(f, "usb = \"{path}\""),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn n5_ports_of_one_hub_and_readers_of_one_letter_belong_together() {
        for (name, reader, usb, hub) in [
            ("A01", Some("Reader 0"), None, "A"),
            ("AB-1", Some("Reader 1"), None, "AB"),
            ("7", Some("Reader 2"), None, "7"),
            ("A02", None, Some("1-1.4.2"), "1-1.4"),
            ("A03", None, Some("1-1"), "usb1"),
        ] {
            let slots = Slots::from_config(&[entry(name, reader, usb)]).unwrap();
            assert_eq!(slots.iter().next().unwrap().hub(), hub, "{name}");
        }
    }

    fn entry(name: &str, reader: Option<&str>, usb: Option<&str>) -> SlotConfig {
        SlotConfig {
            name: name.parse().unwrap(),
            reader: reader.map(str::to_owned),
            usb: usb.map(str::to_owned),
        }
    }

    fn refusal(config: &[SlotConfig]) -> SlotError {
        Slots::from_config(config).unwrap_err()
    }

    #[test]
    fn p2_each_mistake_has_its_own_error_and_names_its_slot() {
        let good = entry("A01", Some("Virtual PCD 00 00"), None);
        let cases: [(SlotConfig, &str); 7] = [
            (entry("A01", None, Some("1-1")), "stands twice"),
            (entry("A02", Some("Virtual PCD 00 00"), None), "A01 and A02"),
            (entry("A02", Some("x"), Some("1-1")), "both reader and usb"),
            (entry("A02", None, None), "no place"),
            (entry("A02", Some(" "), None), "empty reader"),
            (entry("A02", None, Some("1:1")), "wrong usb"),
            (entry("A02", None, Some("")), "wrong usb"),
        ];
        for (wrong, words) in cases {
            let error = refusal(&[good.clone(), wrong]);
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(error.index(), Some(1), "{error}");
        }
        assert_eq!(refusal(&[]), SlotError::Empty);
        assert!(Slots::from_config(&[good]).is_ok());
    }

    #[test]
    fn one_usb_port_is_one_slot() {
        let error = refusal(&[entry("A01", None, Some("1-1.4")), entry("A02", None, Some("1-1.4"))]);
        assert_eq!(
            error.to_string(),
            "slots A01 and A02 both have usb = \"1-1.4\": one port is one slot, so correct one of them"
        );
    }

    #[test]
    fn the_file_form_takes_no_unknown_key() {
        #[derive(Debug, Deserialize)]
        struct File {
            slot: Vec<SlotConfig>,
        }
        let file: File = toml::from_str("[[slot]]\nname = \"A01\"\nusb = \"1-1.4.2\"\n").unwrap();
        assert_eq!(file.slot, [entry("A01", None, Some("1-1.4.2"))]);
        let error = toml::from_str::<File>("[[slot]]\nname = \"A01\"\nport = \"1-1\"\n").unwrap_err();
        assert!(error.to_string().contains("port"), "{error}");
        assert!(toml::from_str::<File>("[[slot]]\nname = \"a 1\"\nusb = \"1-1\"\n").is_err());
    }
}
