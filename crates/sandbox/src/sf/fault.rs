//! Misbehaviour on command.

use std::{fmt, str::FromStr};

/// What the next call meets instead of a right answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `ok`: none; so that a later call of a sequence can be hit.
    None,
    /// `timeout`: nothing is done and nothing is answered until the caller gives up.
    Timeout,
    /// `lose_reply`: the call is carried out and the connection breaks before the answer is whole.
    LoseReply,
    /// `http500`: nothing is done.
    Http500,
    /// `garbage`: the call is carried out and answered with bytes that are not JSON.
    Garbage,
    /// `oversize`: the call is carried out and the answer is a megabyte long.
    Oversize,
    /// `as_object`: `apiResultData` is an object and not a string, as in the samples of SF's pages.
    AsObject,
    /// `wrong_order`: the answer speaks of another order.
    WrongOrder,
    /// `no_waybill`: the order is there and its waybill not yet.
    NoWaybill,
    /// `no_route_label`: the waybill is there and its route label not yet.
    NoRouteLabel,
    /// `manual_check`: filterResult 1.
    ManualCheck,
    /// `undeliverable`: filterResult 3.
    Undeliverable,
    /// `refuse_CODE`: the business layer refuses with this code; nothing is done. `duplicate` is `refuse_8016`.
    Refuse(String),
    /// `gateway_CODE`: the gateway refuses with this code; nothing is done.
    Gateway(String),
}

/// A word that is no fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0:?} is no fault: give ok, timeout, lose_reply, http500, garbage, oversize, as_object, wrong_order, no_waybill, \
     no_route_label, manual_check, undeliverable, duplicate, refuse_CODE or gateway_CODE"
)]
pub struct UnknownFault(String);

const WORDS: [(&str, Fault); 12] = [
    ("ok", Fault::None),
    ("timeout", Fault::Timeout),
    ("lose_reply", Fault::LoseReply),
    ("http500", Fault::Http500),
    ("garbage", Fault::Garbage),
    ("oversize", Fault::Oversize),
    ("as_object", Fault::AsObject),
    ("wrong_order", Fault::WrongOrder),
    ("no_waybill", Fault::NoWaybill),
    ("no_route_label", Fault::NoRouteLabel),
    ("manual_check", Fault::ManualCheck),
    ("undeliverable", Fault::Undeliverable),
];

impl FromStr for Fault {
    type Err = UnknownFault;
    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        if text == "duplicate" {
            return Ok(Self::Refuse("8016".to_owned()));
        }
        if let Some((_, fault)) = WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(fault.clone());
        }
        let code = |prefix| {
            let code: &str = text.strip_prefix(prefix)?;
            let legal = (1..=16).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric());
            legal.then(|| code.to_owned())
        };
        let refuse = code("refuse_").map(Self::Refuse);
        refuse
            .or_else(|| code("gateway_").map(Self::Gateway))
            .ok_or_else(|| UnknownFault(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse(code) => write!(f, "refuse_{code}"),
            Self::Gateway(code) => write!(f, "gateway_{code}"),
            plain => f.write_str(WORDS.iter().find(|(_, fault)| fault == plain).map_or("", |(word, _)| word)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_reads_back_as_printed() {
        for (_, fault) in WORDS {
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        assert_eq!("refuse_8256".parse(), Ok(Fault::Refuse("8256".to_owned())));
        assert_eq!("gateway_A1009".parse::<Fault>().map(|f| f.to_string()).as_deref(), Ok("gateway_A1009"));
        assert!("refuse_".parse::<Fault>().is_err());
    }
}
