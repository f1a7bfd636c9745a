//! Misbehaviour on command: of the gateway's answers and of the notices.

use std::{fmt, str::FromStr};

/// A word that is no fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{word:?} is no fault: give {known} or refuse_CODE (for a call)")]
pub struct UnknownFault {
    word: String,
    known: String,
}

/// What the next call meets instead of a right answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFault {
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
    /// `unsigned`: the call is carried out and its answer has no signature.
    Unsigned,
    /// `forged`: the call is carried out and its answer was changed after it was signed.
    Forged,
    /// `busy`: 20000, nothing is done.
    Busy,
    /// `no_fund_change`: a refund is begun and its answer says `fund_change` N, as for one that is still on its way.
    NoFundChange,
    /// `refuse_CODE`: 40004 with this sub code; nothing is done.
    Refuse(String),
}

/// What is wrong with the next notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeFault {
    /// `ok`: nothing.
    None,
    /// `late`: it comes after three seconds.
    Late,
    /// `repeat`: it comes three times, whatever the answer.
    Repeat,
    /// `lost`: it never comes.
    Lost,
    /// `lie_amount`: rightly signed, over one fen less.
    LieAmount,
    /// `foreign_app`: rightly signed, for another app.
    ForeignApp,
    /// `foreign_seller`: rightly signed, for another seller.
    ForeignSeller,
    /// `unsigned`: without a signature.
    Unsigned,
    /// `forged`: changed after it was signed.
    Forged,
}

const CALLS: [(&str, CallFault); 9] = [
    ("ok", CallFault::None),
    ("timeout", CallFault::Timeout),
    ("lose_reply", CallFault::LoseReply),
    ("http500", CallFault::Http500),
    ("garbage", CallFault::Garbage),
    ("unsigned", CallFault::Unsigned),
    ("forged", CallFault::Forged),
    ("busy", CallFault::Busy),
    ("no_fund_change", CallFault::NoFundChange),
];

const NOTICES: [(&str, NoticeFault); 9] = [
    ("ok", NoticeFault::None),
    ("late", NoticeFault::Late),
    ("repeat", NoticeFault::Repeat),
    ("lost", NoticeFault::Lost),
    ("lie_amount", NoticeFault::LieAmount),
    ("foreign_app", NoticeFault::ForeignApp),
    ("foreign_seller", NoticeFault::ForeignSeller),
    ("unsigned", NoticeFault::Unsigned),
    ("forged", NoticeFault::Forged),
];

fn find<F: Clone>(words: &[(&str, F)], word: &str) -> Result<F, UnknownFault> {
    let found = words.iter().find(|(known, _)| *known == word).map(|(_, fault)| fault.clone());
    found.ok_or_else(|| UnknownFault {
        word: word.chars().take(64).collect(),
        known: words.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", "),
    })
}

impl FromStr for CallFault {
    type Err = UnknownFault;
    fn from_str(word: &str) -> Result<Self, UnknownFault> {
        let legal = |code: &&str| {
            (1..=64).contains(&code.len())
                && code.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        match word.strip_prefix("refuse_").filter(legal) {
            Some(code) => Ok(Self::Refuse(code.to_owned())),
            None => find(&CALLS, word),
        }
    }
}

impl FromStr for NoticeFault {
    type Err = UnknownFault;
    fn from_str(word: &str) -> Result<Self, UnknownFault> {
        find(&NOTICES, word)
    }
}

impl fmt::Display for CallFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse(code) => write!(f, "refuse_{code}"),
            plain => f.write_str(CALLS.iter().find(|(_, fault)| fault == plain).map_or("", |(word, _)| word)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_reads_back() {
        for (_, fault) in CALLS {
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        let code = "refuse_ACQ.SYSTEM_ERROR";
        assert_eq!(code.parse::<CallFault>().map(|fault| fault.to_string()).as_deref(), Ok(code));
        assert!("refuse_".parse::<CallFault>().is_err());
        assert!("timeout".parse::<NoticeFault>().is_err(), "a notice has faults of its own");
    }
}
