//! Why a run stopped before its last step, sorted by who is at fault.

use model::Outcome;
use ukey::{CardError, Refused, StatusWord, TransportError};
use wire::{RefusalReason, RefusedCode};

use crate::ports::{IssuerError, RecorderError};

/// Why the driver left a job open: it is resumed on the same key in the same slot.
#[derive(Debug, thiserror::Error)]
pub enum Interruption {
    /// The key was pulled, reset, or its link broke.
    #[error("{0}")]
    Key(TransportError),
    /// The portal does not answer, and the key is half made: it waits in its slot.
    #[error("the portal does not answer: {0}")]
    Portal(String),
    /// The station shuts down.
    #[error("the station is shutting down")]
    Halted,
    /// The journal cannot be written: the station must stop.
    #[error(transparent)]
    Journal(#[from] RecorderError),
}

/// Why a step did not finish.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The job stays open.
    Interrupted(Interruption),
    /// The job ends.
    End {
        outcome: Outcome,
        /// The key is refused and the job is free for another key.
        refusal: Option<RefusalReason>,
        detail: String,
    },
}

impl Stop {
    /// The key's fault.
    pub(crate) fn fail(detail: impl Into<String>) -> Self {
        Self::End { outcome: Outcome::Fail, refusal: None, detail: detail.into() }
    }

    /// The station's or the portal's fault.
    pub(crate) fn error(detail: impl Into<String>) -> Self {
        Self::End { outcome: Outcome::Error, refusal: None, detail: detail.into() }
    }

    /// The key is not taken.
    pub(crate) fn refuse(reason: RefusalReason, detail: impl Into<String>) -> Self {
        Self::End { outcome: Outcome::Fail, refusal: Some(reason), detail: detail.into() }
    }
}

impl From<CardError> for Stop {
    fn from(error: CardError) -> Self {
        match error {
            CardError::Transport(TransportError::TimedOut) => Self::End {
                outcome: Outcome::Timeout,
                refusal: None,
                detail: "钥匙响应超过时限，请取出并隔离 (the key went over its time budget: set it aside)"
                    .to_owned(),
            },
            CardError::Transport(error) => Self::Interrupted(Interruption::Key(error)),
            error => Self::fail(format!("{error}；请取出并隔离 (set the key aside)")),
        }
    }
}

impl<S> From<Refused<S>> for Stop {
    fn from(refused: Refused<S>) -> Self {
        refused.error.into()
    }
}

impl From<RecorderError> for Stop {
    fn from(error: RecorderError) -> Self {
        Self::Interrupted(Interruption::Journal(error))
    }
}

impl From<IssuerError> for Stop {
    fn from(error: IssuerError) -> Self {
        match error {
            IssuerError::Closing => Self::Interrupted(Interruption::Halted),
            IssuerError::Refused(refused) if refused.code == RefusedCode::KeyUsed => Self::refuse(
                RefusalReason::AlreadyIssued,
                format!("此钥匙已用于其他任务：{}", refused.detail),
            ),
            error => Self::error(format!("{error}")),
        }
    }
}

/// A refused factory key, told apart from every other error of device authentication.
pub(crate) fn factory_key_refused(error: CardError) -> Stop {
    match error.status() {
        Some(StatusWord::Locked) => Stop::refuse(
            RefusalReason::DeviceKeyLocked,
            "设备认证密钥已锁死，此钥匙不能再发放，请隔离 (the device key is locked: set the key aside)",
        ),
        Some(StatusWord::VerificationFailed { left }) => Stop::refuse(
            RefusalReason::FactoryKeyWrong,
            format!(
                "出厂设备认证密钥不符，剩余 {left} 次；请核对批次与固件配置 (the factory key is not the profile's: check lot and profile)"
            ),
        ),
        _ => error.into(),
    }
}
