//! Customers: no account and no password, a session for whoever proved by a code that a mobile is theirs.

use sqlx::Row as _;

use crate::{
    app::AppState,
    audit::{self, What},
    db::{Connection, DbError, Sql, begin_write, damaged},
    orders::Actor,
    seal::SealError,
    token::digest,
};

pub use crate::token::Token;

/// How long a log-in holds.
pub const SESSION_HOURS: i64 = 12;

/// Devices on which one mobile is logged in; a further log-in ends the oldest.
const SESSIONS_MAX: i64 = 10;

/// Why a customer's session was not opened, found or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CustomerError {
    /// The machine gives no random bytes.
    #[error("无法登录，请稍后再试 (the machine gives no random bytes: try again later)")]
    Random,
    /// The mobile could not be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for CustomerError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// Whoever is logged in by mobile and code.
#[derive(Clone, PartialEq, Eq)]
pub struct Customer {
    /// The mobile, 11 digits.
    pub mobile: String,
    /// Its keyed digest, as `orders.handler_mobile_digest` has it.
    pub mobile_digest: String,
}

impl std::fmt::Debug for Customer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Customer({})", model::mask_mobile(&self.mobile))
    }
}

/// The keyed digest under which a mobile's orders, drafts and sessions are found.
#[must_use]
pub fn mobile_digest(state: &AppState, mobile: &str) -> String {
    state.sealer.digest("mobile", mobile)
}

/// Opens a session for a mobile that was proved to be the customer's. The token is always a new one.
///
/// # Errors
/// [`CustomerError`].
pub async fn open_session(
    state: &AppState,
    tx: &mut Connection,
    mobile: &str,
) -> Result<Token, CustomerError> {
    let token = Token::random().map_err(|_| CustomerError::Random)?;
    let (hash, digest, now_ms) = (digest(token.expose()), mobile_digest(state, mobile), state.clock.now_ms());
    sqlx::query::<Sql>("delete from customer_sessions where expires_ms <= $1")
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
    sqlx::query::<Sql>(
        "delete from customer_sessions where mobile_digest = $1 and token_hash not in (select token_hash from \
         customer_sessions where mobile_digest = $1 order by created_ms desc, token_hash limit $2)",
    )
    .bind(&digest)
    .bind(SESSIONS_MAX - 1)
    .execute(&mut *tx)
    .await?;
    sqlx::query::<Sql>(
        "insert into customer_sessions (token_hash, mobile_digest, mobile, created_ms, expires_ms) \
         values ($1, $2, $3, $4, $5)",
    )
    .bind(&hash)
    .bind(&digest)
    .bind(state.sealer.seal(&context(&hash), mobile.as_bytes())?)
    .bind(now_ms)
    .bind(now_ms + SESSION_HOURS * 3_600_000)
    .execute(&mut *tx)
    .await?;
    audit::record(tx, now_ms, &Actor::Customer, What::LoggedIn, &subject(&hash), "").await?;
    Ok(token)
}

/// The customer whose running session this token opens.
///
/// # Errors
/// [`CustomerError`].
pub async fn session(state: &AppState, token: &str) -> Result<Option<Customer>, CustomerError> {
    let hash = digest(token);
    let row = sqlx::query(
        "select mobile_digest, mobile from customer_sessions where token_hash = $1 and expires_ms > $2",
    )
    .bind(&hash)
    .bind(state.clock.now_ms())
    .fetch_optional(&state.db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let sealed: Vec<u8> = row.try_get("mobile")?;
    let mobile = state.sealer.open_sealed(&context(&hash), &sealed)?;
    let mobile = std::str::from_utf8(mobile.expose()).map_err(|_| damaged("a customer's mobile"))?.to_owned();
    Ok(Some(Customer { mobile, mobile_digest: row.try_get("mobile_digest")? }))
}

/// Ends a session; one that is not there is ended already.
///
/// # Errors
/// [`CustomerError`].
pub async fn log_out(state: &AppState, token: &str) -> Result<(), CustomerError> {
    let mut tx = begin_write(&state.db).await?;
    let hash = digest(token);
    let ended = sqlx::query::<Sql>("delete from customer_sessions where token_hash = $1")
        .bind(&hash)
        .execute(&mut *tx)
        .await?;
    if ended.rows_affected() == 1 {
        let now_ms = state.clock.now_ms();
        audit::record(&mut tx, now_ms, &Actor::Customer, What::LoggedOut, &subject(&hash), "").await?;
    }
    tx.commit().await?;
    Ok(())
}

fn context(hash: &str) -> String {
    format!("customer-session:{hash}")
}

/// What the audit calls a session: enough to tell two apart, and nothing of the person.
fn subject(hash: &str) -> String {
    format!("customer-session:{}", hash.get(..12).unwrap_or_default())
}
