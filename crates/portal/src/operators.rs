//! Operators: passwords, second factors, roles, sessions, and a brake on guessing.

mod roles;
mod second_factor;
mod throttle;
mod users;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use model::Secret;
use sqlx::Row as _;

pub use crate::token::Token;
pub use roles::{Role, codes as role_codes};
pub use second_factor::{
    Enrolment, confirm as confirm_second_factor, enrolment, is_set as has_second_factor,
};
pub use throttle::{Brake, Throttle, forget_old_tries};
pub use users::{
    User, change_password, has_given_password, list, new_password, reset_password, reset_second_factor,
    set_active, set_roles,
};

use crate::{
    app::AppState,
    audit::{self, What},
    config::SecondFactor,
    db::{Db, DbError, Sql, begin_write, damaged},
    orders::Actor,
    seal::SealError,
    token::digest,
};

/// Shortest password taken, in characters (NIST SP 800-63B).
const PASSWORD_CHARS_MIN: usize = 12;
/// Longer ones are refused before they are hashed.
const PASSWORD_BYTES_MAX: usize = 256;

/// Why an operator was not added or logged in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// Wrong name, password or code; which of them is not told.
    #[error(
        "用户名或密码不正确，或动态验证码缺失、有误、已用过 (the name or the password is wrong, or the code is missing, wrong or used)"
    )]
    Credentials,
    /// The first code of a second factor is wrong.
    #[error("动态验证码不正确，请等下一个 (the code is wrong: wait for the next one)")]
    Code,
    /// No such operator.
    #[error("没有操作员 {0} (there is no operator {0})")]
    Unknown(String),
    /// One's own account.
    #[error("不能更改自己的账号，请另一位管理员办理 (another administrator changes your account)")]
    Oneself,
    /// Too many wrong tries.
    #[error("尝试次数过多，请 {0} 秒后再试 (too many tries: wait {0} seconds)")]
    Throttled(u64),
    /// Not a name.
    #[error(
        "用户名为 1 至 32 个 a-z、0-9、- 或 . (the operator's name has 1 to 32 characters out of a-z, 0-9, - and .)"
    )]
    Name,
    /// Not a password.
    #[error("密码至少 12 字，最多 256 字节 (the password has at least 12 characters and at most 256 bytes)")]
    Password,
    /// There is one.
    #[error("已有操作员 {0}，请另取用户名 (there is an operator {0} already: choose another name)")]
    Exists(String),
    /// The machine gives no random bytes, or the hash failed.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
    /// The second factor could not be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
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

/// Adds an operator with these roles. A password that another operator made must be changed before anything else is done.
///
/// # Errors
/// A name or password that breaks the rules, a name that is taken, the database.
pub async fn add(
    db: &Db,
    name: &str,
    password: Secret,
    roles: &[Role],
    actor: &Actor,
    now_ms: i64,
) -> Result<(), OperatorError> {
    let legal = (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.');
    if !legal {
        return Err(OperatorError::Name);
    }
    check_password(&password)?;
    let hash = hash(password).await?;
    let mut tx = begin_write(db).await?;
    let added = sqlx::query::<Sql>(
        "insert into operators (name, password_hash, created_ms, password_given) values ($1, $2, $3, $4) on conflict (name) do nothing",
    )
    .bind(name)
    .bind(hash)
    .bind(now_ms)
    .bind(i64::from(matches!(actor, Actor::Operator(_))))
    .execute(&mut *tx)
    .await?;
    if added.rows_affected() != 1 {
        return Err(OperatorError::Exists(name.to_owned()));
    }
    users::write_roles(&mut tx, name, roles).await?;
    let detail = format!("roles={}", roles::codes(roles));
    audit::record(&mut tx, now_ms, actor, What::OperatorAdded, &name, &detail).await?;
    tx.commit().await?;
    Ok(())
}

fn check_password(password: &Secret) -> Result<(), OperatorError> {
    let text = std::str::from_utf8(password.expose()).map_err(|_| OperatorError::Password)?;
    let fits = text.chars().count() >= PASSWORD_CHARS_MIN && text.len() <= PASSWORD_BYTES_MAX;
    if fits { Ok(()) } else { Err(OperatorError::Password) }
}

/// Whether there is any operator yet.
///
/// # Errors
/// The database's.
pub async fn any(db: &Db) -> Result<bool, OperatorError> {
    let row = sqlx::query("select count(*) as operators from operators").fetch_one(db).await?;
    Ok(row.try_get::<i64, _>("operators")? > 0)
}

/// What somebody who wants to log in gives. No `Debug`: it holds a password.
pub struct Credentials {
    /// The log-in name.
    pub name: String,
    /// The password.
    pub password: Secret,
    /// The code of the second factor; empty for operators who have none.
    pub code: String,
}

/// Logs in and opens a session. `address` is where the request came from, for the brake.
///
/// # Errors
/// [`OperatorError::Credentials`], [`OperatorError::Throttled`], the database.
pub async fn log_in(state: &AppState, given: Credentials, address: &str) -> Result<Token, OperatorError> {
    let (name, now_ms) = (given.name.as_str(), state.clock.now_ms());
    state.throttle.may_try(name, address, now_ms).await?;
    let _turn = state.throttle.turn().await;
    // Others may have tried while this one waited.
    state.throttle.may_try(name, address, now_ms).await?;
    let row = sqlx::query("select password_hash, active from operators where name = $1")
        .bind(name)
        .fetch_optional(&state.db)
        .await?;
    let known = row.is_some();
    // An unknown name costs the same time as a known one, so that names cannot be found by the clock.
    let (stored, active) = match row {
        Some(row) => (row.try_get("password_hash")?, row.try_get::<i64, _>("active")? != 0),
        None => (hash(Secret::from("no operator has this password")).await?, false),
    };
    let fits = given.password.len() <= PASSWORD_BYTES_MAX && verify(given.password, stored).await?;
    let opened = match active && fits {
        true => open_session(state, name, &given.code, now_ms).await?,
        false => None,
    };
    let Some(token) = opened else {
        state.throttle.failed(name, address, now_ms).await?;
        note_failure(state, known.then_some(name), now_ms).await?;
        return Err(OperatorError::Credentials);
    };
    state.throttle.succeeded(name).await?;
    Ok(token)
}

/// Opens a session, unless the second factor wants another code.
async fn open_session(
    state: &AppState,
    name: &str,
    code: &str,
    now_ms: i64,
) -> Result<Option<Token>, OperatorError> {
    let token = Token::random().map_err(|error| OperatorError::Hash(error.to_string()))?;
    let expires = now_ms + i64::from(state.config.operators.session_hours) * 3_600_000;
    let mut tx = begin_write(&state.db).await?;
    if !second_factor::pass(state, &mut tx, name, code, now_ms).await? {
        return Ok(None);
    }
    second_factor::forget_unconfirmed(&mut tx, name).await?;
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
    sqlx::query::<Sql>("update operators set last_login_ms = $2 where name = $1")
        .bind(name)
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
    let who = Actor::Operator(name.to_owned());
    audit::record(&mut tx, now_ms, &who, What::LoggedIn, &name, &braked(state)).await?;
    tx.commit().await.map_err(DbError::from)?;
    Ok(Some(token))
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

/// An operator with a running session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The log-in name.
    pub name: String,
    /// What he or she may do.
    pub roles: Vec<Role>,
    /// Whether a password of one's own or the second factor is missing, without which nothing else is done.
    pub account_first: bool,
    /// Which of the operator's sessions this is.
    pub id: String,
}

/// The operator whose running session this token opens.
///
/// # Errors
/// The database's.
pub async fn session(state: &AppState, token: &str) -> Result<Option<Session>, OperatorError> {
    let id = digest(token);
    let rows = sqlx::query(
        "select s.operator, o.password_given, coalesce(r.role, '') as role, coalesce(f.confirmed_ms, 0) as confirmed_ms from sessions s \
         join operators o on o.name = s.operator left join operator_roles r on r.operator = s.operator \
         left join second_factors f on f.operator = s.operator \
         where s.token_hash = $1 and s.expires_ms > $2 and o.active = 1",
    )
    .bind(&id)
    .bind(state.clock.now_ms())
    .fetch_all(&state.db)
    .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let codes = rows.iter().map(|row| row.try_get::<&str, _>("role")).collect::<Result<Vec<_>, _>>()?;
    let required = state.config.operators.second_factor == SecondFactor::Required;
    Ok(Some(Session {
        name: first.try_get("operator")?,
        roles: users::read_roles(codes.into_iter().filter(|code| !code.is_empty()))?,
        account_first: required && first.try_get::<i64, _>("confirmed_ms")? == 0
            || first.try_get::<i64, _>("password_given")? != 0,
        id,
    }))
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
