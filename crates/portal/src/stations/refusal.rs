//! Why a station gets no for an answer.

use wire::{Refused, RefusedCode};

use crate::{db::DbError, orders::OrderError};

/// A refusal on its way to a station.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub code: RefusedCode,
    pub detail: String,
}

impl Refusal {
    pub fn new(code: RefusedCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// Repeating it will not help.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(RefusedCode::Invalid, detail)
    }

    /// The job is not this station's.
    pub fn not_leased(detail: impl Into<String>) -> Self {
        Self::new(RefusedCode::NotLeased, detail)
    }

    /// Nothing is wrong with the request; the station may ask again once it is let in.
    pub fn not_active(detail: impl Into<String>) -> Self {
        Self::new(RefusedCode::NotActive, detail)
    }

    /// Not the station's fault: it may ask again.
    pub fn later(detail: impl Into<String>) -> Self {
        Self::new(RefusedCode::Later, detail)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { code: refusal.code, detail: refusal.detail }
    }
}

// What the database, the HSM or SF say in detail is for the portal's log; the bench reads what to do.

impl From<DbError> for Refusal {
    fn from(error: DbError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "a station's request met a database error");
        Self::later("门户数据库异常，请稍后再试 (the portal's database does not answer: try again later)")
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        DbError::from(error).into()
    }
}

impl From<OrderError> for Refusal {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Db(error) => error.into(),
            OrderError::Seal(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "an order does not open");
                Self::later(
                    "门户数据无法解密，请联系管理员 (the portal cannot open this order: tell its administrator)",
                )
            }
            OrderError::Raced => Self::later(error.to_string()),
            other => Self::invalid(other.to_string()),
        }
    }
}

impl From<vault::VaultError> for Refusal {
    fn from(error: vault::VaultError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "a station's request met an HSM error");
        Self::later("门户密码机异常，请稍后再试 (the portal's HSM does not answer: try again later)")
    }
}

/// Runs what blocks (HSM, SF, SM2) away from the async threads.
pub(super) async fn blocking<T, E, F>(work: F) -> Result<T, Refusal>
where
    F: FnOnce() -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: Into<Refusal> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Into::into),
        Err(error) => {
            tracing::error!(%error, "work for a station ended early");
            Err(Refusal::later("门户内部异常，请稍后再试 (the portal failed inside: try again later)"))
        }
    }
}
