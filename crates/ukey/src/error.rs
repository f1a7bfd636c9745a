//! What can go wrong between the station and a key.

use crate::{StatusWord, TransportError};

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// The link failed: what the command did is unknown.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The key refused.
    #[error("{command}: the key answered {status}")]
    Status {
        /// The command's name.
        command: &'static str,
        /// What the key said.
        status: StatusWord,
    },
    /// The key's reply has not the form that the profile's dialect promises.
    #[error("{command}: the reply is not understood: {why}; check that the profile fits this key")]
    Malformed {
        /// The command's name.
        command: &'static str,
        /// What is wrong with the reply.
        why: &'static str,
    },
    /// Nothing was sent, because a wrong try could lock the key for good.
    #[error("the {what} was not tried: {left} tries are left; staff must decide about this key")]
    TriesLeft {
        /// Which secret.
        what: &'static str,
        /// How many tries the key has left.
        left: u8,
    },
    /// Nothing was sent, because the caller's data does not fit the command.
    #[error("{command} was not sent: {why}")]
    Argument {
        /// The command's name.
        command: &'static str,
        /// The rule that the data breaks.
        why: &'static str,
    },
}

impl CardError {
    /// The status word, where the key gave one.
    #[must_use]
    pub fn status(&self) -> Option<StatusWord> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// A step up that the key refused, with the session as it was before, so that the caller can go on with it.
#[derive(Debug)]
pub struct Refused<S> {
    /// The session at the level it had.
    pub session: S,
    /// Why.
    pub error: CardError,
}

impl<S> From<Refused<S>> for CardError {
    fn from(refused: Refused<S>) -> Self {
        refused.error
    }
}
