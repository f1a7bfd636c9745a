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
        /// Tries the device key has left, where it refused one.
        device_tries: Option<u8>,
        detail: String,
    },
}

impl Stop {
    /// The key's fault.
    pub(crate) fn fail(detail: impl Into<String>) -> Self {
        Self::End { outcome: Outcome::Fail, refusal: None, device_tries: None, detail: detail.into() }
    }

    /// The station's or the portal's fault.
    pub(crate) fn error(detail: impl Into<String>) -> Self {
        Self::End { outcome: Outcome::Error, refusal: None, device_tries: None, detail: detail.into() }
    }

    /// The key is not taken.
    pub(crate) fn refuse(reason: RefusalReason, detail: impl Into<String>) -> Self {
        Self::End { outcome: Outcome::Fail, refusal: Some(reason), device_tries: None, detail: detail.into() }
    }
}

impl From<CardError> for Stop {
    fn from(error: CardError) -> Self {
        match error {
            CardError::Transport(TransportError::TimedOut) => Self::End {
                outcome: Outcome::Timeout,
                refusal: None,
                device_tries: None,
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
            IssuerError::LotStopped(why) => Self::refuse(RefusalReason::LotStopped, why),
            IssuerError::Refused(refused) if refused.code == RefusedCode::KeyUsed => Self::refuse(
                RefusalReason::AlreadyIssued,
                format!("此钥匙已用于其他任务：{}", refused.detail),
            ),
            IssuerError::Refused(refused) if refused.code == RefusedCode::NotRegistered => Self::refuse(
                RefusalReason::NotRegistered,
                format!("此钥匙未登记入库，请取出并核对批次：{}", refused.detail),
            ),
            error => Self::error(format!("{error}")),
        }
    }
}

/// A refused factory key, told apart from every other error of device authentication.
pub(crate) fn factory_key_refused(error: CardError) -> Stop {
    let (reason, left, detail) = match (&error, error.status()) {
        (_, Some(StatusWord::Locked)) | (CardError::TriesLeft { left: 0, .. }, _) => {
            let detail =
                "设备认证密钥已锁死，此钥匙不能再发放，请隔离 (the device key is locked: set the key aside)";
            (RefusalReason::DeviceKeyLocked, 0, detail.to_owned())
        }
        (_, Some(StatusWord::VerificationFailed { left })) => {
            let detail = format!(
                "出厂设备认证密钥不符，剩余 {left} 次；请核对批次与固件配置 (the factory key is not the profile's: check lot and profile)"
            );
            (RefusalReason::FactoryKeyWrong, left, detail)
        }
        (CardError::TriesLeft { left, .. }, _) => {
            let detail = format!(
                "出厂设备认证密钥此前不符，仅剩 {left} 次，未再尝试；请隔离 (not tried again, {left} tries are left: set the key aside)"
            );
            (RefusalReason::FactoryKeyWrong, *left, detail)
        }
        _ => return error.into(),
    };
    Stop::End { outcome: Outcome::Fail, refusal: Some(reason), device_tries: Some(left), detail }
}
