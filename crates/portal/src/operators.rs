//! Operators: passwords, sessions, and a brake on guessing.

mod throttle;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use model::Secret;
use sqlx::Row as _;

pub use throttle::{Brake, Throttle, forget_old_tries};

use crate::{
    app::AppState,
    audit::{self, What},
    db::{Db, DbError, Sql, begin_write, damaged},
    orders::Actor,
};

/// Shortest password taken, in characters (NIST SP 800-63B).
const PASSWORD_CHARS_MIN: usize = 12;
/// Longer ones are refused before they are hashed.
const PASSWORD_BYTES_MAX: usize = 256;

/// Why an operator was not added or logged in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// Wrong name or password; which of the two is not told.
    #[error("用户名或密码不正确 (the name or the password is wrong)")]
    Credentials,
    /// Too many wrong tries.
    #[error("尝试次数过多，请 {0} 秒后再试 (too many tries: wait {0} seconds)")]
    Throttled(u64),
    /// Not a name.
    #[error("the operator's name has 1 to 32 characters out of a-z, 0-9, - and .")]
    Name,
    /// Not a password.
    #[error("the password has at least 12 characters and at most 256 bytes")]
    Password,
    /// There is one.
    #[error("there is an operator {0} already: choose another name")]
    Exists(String),
    /// The machine gives no random bytes, or the hash failed.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<Brake> for OperatorError {
    fn from(brake: Brake) -> Self {
        match brake {
            Brake::Wait(seconds) => Self::Throttled(seconds),
            Brake::Db(error) => Self::Db(error),
        }
    }
}

impl From<sqlx::Error> for OperatorError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// Adds an operator.
///
/// # Errors
/// A name or password that breaks the rules, a name that is taken, the database.
pub async fn add(db: &Db, name: &str, password: Secret, now_ms: i64) -> Result<(), OperatorError> {
    let legal = (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.');
    if !legal {
        return Err(OperatorError::Name);
    }
    let text = std::str::from_utf8(password.expose()).map_err(|_| OperatorError::Password)?;
    if text.chars().count() < PASSWORD_CHARS_MIN || text.len() > PASSWORD_BYTES_MAX {
        return Err(OperatorError::Password);
    }
    let hash = hash(password).await?;
    let mut tx = begin_write(db).await?;
    let added = sqlx::query::<Sql>(
        "insert into operators (name, password_hash, created_ms) values ($1, $2, $3) on conflict (name) do nothing",
    )
    .bind(name)
    .bind(hash)
    .bind(now_ms)
    .execute(&mut *tx)
    .await?;
    if added.rows_affected() != 1 {
        return Err(OperatorError::Exists(name.to_owned()));
    }
    audit::record(&mut tx, now_ms, &Actor::CommandLine, What::OperatorAdded, &name, "").await?;
    tx.commit().await?;
    Ok(())
}

/// Whether there is any operator yet.
///
/// # Errors
/// The database's.
pub async fn any(db: &Db) -> Result<bool, OperatorError> {
    let row = sqlx::query("select count(*) as operators from operators").fetch_one(db).await?;
    Ok(row.try_get::<i64, _>("operators")? > 0)
}

/// A session's token: the cookie's value. Only its digest is stored.
pub struct Token(Secret);

impl Token {
    /// The cookie's value.
    #[must_use]
    pub fn expose(&self) -> &str {
        std::str::from_utf8(self.0.expose()).unwrap_or_default()
    }
}

/// Logs in and opens a session. `address` is where the request came from, for the brake.
///
/// # Errors
/// [`OperatorError::Credentials`], [`OperatorError::Throttled`], the database.
pub async fn log_in(
    state: &AppState,
    name: &str,
    password: Secret,
    address: &str,
) -> Result<Token, OperatorError> {
    let now_ms = state.clock.now_ms();
    state.throttle.may_try(name, address, now_ms).await?;
    let _turn = state.throttle.turn().await;
    // Others may have tried while this one waited.
    state.throttle.may_try(name, address, now_ms).await?;
    let row = sqlx::query("select password_hash from operators where name = $1")
        .bind(name)
        .fetch_optional(&state.db)
        .await?;
    let stored: Option<String> = row.map(|row| row.try_get("password_hash")).transpose()?;
    let known = stored.is_some();
    // An unknown name costs the same time as a known one, so that names cannot be found by the clock.
    let stored = match stored {
        Some(hash) => hash,
        None => hash(Secret::from("no operator has this password")).await?,
    };
    let fits = password.len() <= PASSWORD_BYTES_MAX && verify(password, stored).await?;
    if !(known && fits) {
        state.throttle.failed(name, address, now_ms).await?;
        note_failure(state, known.then_some(name), now_ms).await?;
        return Err(OperatorError::Credentials);
    }
    state.throttle.succeeded(name).await?;
    open_session(state, name, now_ms).await
}

async fn open_session(state: &AppState, name: &str, now_ms: i64) -> Result<Token, OperatorError> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| OperatorError::Hash(error.to_string()))?;
    let token = Token(Secret::new(hex::encode(bytes).into_bytes()));
    let expires = now_ms + i64::from(state.config.operators.session_hours) * 3_600_000;
    let mut tx = begin_write(&state.db).await?;
    sqlx::query::<Sql>("delete from sessions where expires_ms <= $1").bind(now_ms).execute(&mut *tx).await?;
    sqlx::query::<Sql>(
        "insert into sessions (token_hash, operator, created_ms, expires_ms) values ($1, $2, $3, $4)",
    )
    .bind(digest(token.expose()))
    .bind(name)
    .bind(now_ms)
    .bind(expires)
    .execute(&mut *tx)
    .await?;
    let who = Actor::Operator(name.to_owned());
    audit::record(&mut tx, now_ms, &who, What::LoggedIn, &name, &braked(state)).await?;
    tx.commit().await.map_err(DbError::from)?;
    Ok(token)
}

/// A name that nobody has is not written down: it may be a password typed into the wrong field.
async fn note_failure(state: &AppState, name: Option<&str>, now_ms: i64) -> Result<(), OperatorError> {
    let mut tx = begin_write(&state.db).await?;
    let name = name.unwrap_or("unknown");
    audit::record(&mut tx, now_ms, &"unknown", What::LogInFailed, &name, &braked(state)).await?;
    tx.commit().await?;
    Ok(())
}

/// Tries that the brake refused since the last row about log-ins: they are summed here, so that a flood of them is a number.
fn braked(state: &AppState) -> String {
    match state.throttle.take_braked() {
        0 => String::new(),
        count => format!("braked={count}"),
    }
}

/// The operator whose running session this token opens.
///
/// # Errors
/// The database's.
pub async fn session(state: &AppState, token: &str) -> Result<Option<String>, OperatorError> {
    let row = sqlx::query("select operator from sessions where token_hash = $1 and expires_ms > $2")
        .bind(digest(token))
        .bind(state.clock.now_ms())
        .fetch_optional(&state.db)
        .await?;
    Ok(row.map(|row| row.try_get("operator")).transpose()?)
}

/// Ends a session; one that is not there is ended already.
///
/// # Errors
/// The database's.
pub async fn log_out(state: &AppState, token: &str) -> Result<(), OperatorError> {
    let mut tx = begin_write(&state.db).await?;
    let ended =
        sqlx::query_scalar::<Sql, String>("delete from sessions where token_hash = $1 returning operator");
    if let Some(name) = ended.bind(digest(token)).fetch_optional(&mut *tx).await? {
        let (who, now) = (Actor::Operator(name.clone()), state.clock.now_ms());
        audit::record(&mut tx, now, &who, What::LoggedOut, &name, "").await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The token has 256 random bits: a plain digest is enough, there is nothing to guess.
fn digest(token: &str) -> String {
    hex::encode(gm::sm3(token.as_bytes()))
}

async fn hash(password: Secret) -> Result<String, OperatorError> {
    blocking(move || {
        let hash = Argon2::default().hash_password(password.expose());
        hash.map(|hash| hash.to_string()).map_err(|error| OperatorError::Hash(error.to_string()))
    })
    .await
}

async fn verify(password: Secret, stored: String) -> Result<bool, OperatorError> {
    blocking(move || {
        let hash = PasswordHash::new(&stored).map_err(|_| damaged("an operator's password hash"))?;
        Ok(Argon2::default().verify_password(password.expose(), &hash).is_ok())
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OperatorError> + Send + 'static,
) -> Result<T, OperatorError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| OperatorError::Hash(error.to_string()))?
}
