//! Misbehaviour on command.

use std::str::FromStr;

/// What the next call meets instead of a right answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `ok`: none; so that a later call of a sequence can be hit.
    None,
    /// `timeout`: nothing is done and nothing is answered until the caller gives up.
    Timeout,
    /// `lose_reply`: the message is sent and the connection breaks before the answer is whole.
    LoseReply,
    /// `late`: the message is sent and the answer takes two seconds.
    Late,
    /// `http500`: nothing is done.
    Http500,
    /// `garbage`: the message is sent and answered with bytes that are not JSON.
    Garbage,
    /// `delivery_failed`: the message is taken, and the carrier does not deliver it.
    DeliveryFailed,
    /// `delivery_pending`: the message is taken, and the carrier says nothing.
    DeliveryPending,
    /// `refuse_CODE`: refused with this code; nothing is done. `limit` is `refuse_isv.BUSINESS_LIMIT_CONTROL`.
    Refuse(String),
}

/// A word that is no fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0:?} is no fault: give ok, timeout, lose_reply, late, http500, garbage, delivery_failed, delivery_pending, limit or refuse_CODE"
)]
pub struct UnknownFault(String);

impl FromStr for Fault {
    type Err = UnknownFault;
    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        Ok(match text {
            "ok" => Self::None,
            "timeout" => Self::Timeout,
            "lose_reply" => Self::LoseReply,
            "late" => Self::Late,
            "http500" => Self::Http500,
            "garbage" => Self::Garbage,
            "delivery_failed" => Self::DeliveryFailed,
            "delivery_pending" => Self::DeliveryPending,
            "limit" => Self::Refuse("isv.BUSINESS_LIMIT_CONTROL".to_owned()),
            _ => match text.strip_prefix("refuse_") {
                Some(code) if (1..=64).contains(&code.len()) => Self::Refuse(code.to_owned()),
                _ => return Err(UnknownFault(text.chars().take(64).collect())),
            },
        })
    }
}
