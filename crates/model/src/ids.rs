//! Identifiers: each is parsed once, at the door.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Text that is not an identifier of the kind asked for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{what} {text:?} is not valid: {rule}")]
pub struct IdError {
    /// Which identifier.
    pub what: &'static str,
    /// What was given, cut to 64 characters.
    pub text: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

fn error(what: &'static str, text: &str, rule: &'static str) -> IdError {
    IdError { what, text: text.chars().take(64).collect(), rule }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text as printed.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(error($what, text, $rule)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// An order's number: `SAAS1` + `yyyyMMddHHmmss` + 6 digits.
    OrderNumber,
    "order number",
    "it is SAAS1, then yyyyMMddHHmmss, then 6 digits",
    |t| t.len() == 25 && t.starts_with("SAAS1") && t[5..].bytes().all(|b| b.is_ascii_digit())
);

text_id!(
    /// A station's name: the common name of its certificate and one level of its topics.
    StationId,
    "station name",
    "it has 1 to 32 characters out of a-z, 0-9 and -",
    |t| (1..=32).contains(&t.len())
        && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
);

text_id!(
    /// A slot's name, as on its sticker.
    SlotName,
    "slot name",
    "it has 1 to 8 characters out of A-Z, 0-9 and -",
    |t| (1..=8).contains(&t.len())
        && t.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-')
);

/// One key to be made for one order: `<order number>-<1..n>`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId {
    order: OrderNumber,
    index: u16,
}

impl JobId {
    /// The `index`-th job of an order; the first is 1.
    #[must_use]
    pub fn new(order: OrderNumber, index: u16) -> Self {
        Self { order, index }
    }

    /// The order this job belongs to.
    #[must_use]
    pub fn order(&self) -> &OrderNumber {
        &self.order
    }

    /// Which of the order's keys, from 1.
    #[must_use]
    pub fn index(&self) -> u16 {
        self.index
    }
}

impl FromStr for JobId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let rule = "it is an order number, -, and a number from 1";
        let (order, index) = text.split_once('-').ok_or_else(|| error("job", text, rule))?;
        let plain = index.len() <= 5 && !index.starts_with('0') && index.bytes().all(|b| b.is_ascii_digit());
        match (order.parse(), index.parse()) {
            (Ok(order), Ok(index)) if plain => Ok(Self { order, index }),
            _ => Err(error("job", text, rule)),
        }
    }
}

impl TryFrom<String> for JobId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(job: JobId) -> String {
        job.to_string()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.order, self.index)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key's identity: maker, model and serial together, because serials of two makers may collide.
///
/// Each part has 1 to 64 printable ASCII characters and no `/`; printed as `maker/model/serial`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId {
    maker: String,
    model: String,
    serial: String,
}

impl KeyId {
    /// A key's identity from its three parts.
    ///
    /// # Errors
    /// [`IdError`] where a part is empty, too long, or has characters that cannot be printed.
    pub fn new(maker: &str, model: &str, serial: &str) -> Result<Self, IdError> {
        for part in [maker, model, serial] {
            let legal = (1..=64).contains(&part.len())
                && part.bytes().all(|b| (b.is_ascii_graphic() || b == b' ') && b != b'/');
            if !legal {
                let rule = "maker, model and serial each have 1 to 64 printable ASCII characters without /";
                return Err(error("key", part, rule));
            }
        }
        Ok(Self { maker: maker.to_owned(), model: model.to_owned(), serial: serial.to_owned() })
    }

    /// The maker, as the profile names it.
    #[must_use]
    pub fn maker(&self) -> &str {
        &self.maker
    }

    /// The model, as the profile names it.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The serial, as the key gives it.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.serial
    }
}

impl FromStr for KeyId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut parts = text.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(maker), Some(model), Some(serial)) => Self::new(maker, model, serial),
            _ => Err(error("key", text, "it is maker/model/serial")),
        }
    }
}

impl TryFrom<String> for KeyId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(key: KeyId) -> String {
        key.to_string()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.maker, self.model, self.serial)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{JobId, KeyId, OrderNumber, SlotName, StationId};

    #[test]
    fn identifiers_read_back_as_printed() {
        let order: OrderNumber = "SAAS120261122093000000001".parse().expect("an order number");
        let job = JobId::new(order, 3);
        assert_eq!(job.to_string(), "SAAS120261122093000000001-3");
        assert_eq!(job.to_string().parse(), Ok(job));
        let key = KeyId::new("ukey", "virtual", "V0000001").expect("a key");
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn what_breaks_the_rule_is_refused() {
        for text in ["", "SAAS1", "SAAS12026112209300000000x", "SAAS2202611220930000000010"] {
            assert!(text.parse::<OrderNumber>().is_err(), "{text}");
        }
        for text in
            ["SAAS120261122093000000001-0", "SAAS120261122093000000001-01", "SAAS120261122093000000001"]
        {
            assert!(text.parse::<JobId>().is_err(), "{text}");
        }
        assert!("bench/1".parse::<StationId>().is_err());
        assert!("bench#".parse::<StationId>().is_err());
        assert!("a1".parse::<SlotName>().is_err());
        assert!(KeyId::new("ukey", "a/b", "1").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics_a_parser(text in "\\PC{0,40}") {
            let _ = text.parse::<OrderNumber>();
            let _ = text.parse::<JobId>();
            let _ = text.parse::<KeyId>();
        }
    }
}
