//! Codes by SMS: who holds the phone may log in or confirm an order.
//!
//! Nobody is looked up: a number that is known and one that is not get the same answers. What was sent is counted in the database, so
//! several portals share the limits. A code is one number's, for one purpose and one thing it confirms, for sixty seconds and five tries.

mod limits;

use model::check_mobile;
use serde_json::json;
use sms::{Message, SmsError, Why};

pub(crate) use limits::network;

use crate::{
    app::AppState,
    audit::{self, What},
    db::{Connection, DbError, Sql, Transaction, begin_write},
    orders::Actor,
    outside::SmsService,
};

/// How long a code holds, and until the next may be asked for (the manuals say 60 s).
const VALID_MS: i64 = 60_000;
/// Wrong tries until a code is dead.
const TRIES: i64 = 5;
/// What a number waits when the service itself says it got too many; it does not say for how long.
const SERVICE_LIMIT_SECONDS: u64 = 3_600;

/// What a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Logging in; bound to the browser's session.
    LogIn,
    /// Confirming an order; bound to the draft.
    Submit,
}

impl Purpose {
    fn code(self) -> &'static str {
        match self {
            Self::LogIn => "login",
            Self::Submit => "submit",
        }
    }
}

/// A code is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// How long it holds.
    pub valid_seconds: u64,
    /// When the next may be asked for.
    pub again_seconds: u64,
}

/// Why a code was not sent or not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// Not a mainland mobile.
    #[error("请填写 11 位中国大陆手机号 (write a mainland mobile number, 11 digits)")]
    Mobile,
    /// A limit: of the number, the address, the session or the day.
    #[error(
        "获取验证码过于频繁，请 {seconds} 秒后再试 (too many codes were asked for: try again in {seconds} seconds)"
    )]
    Wait {
        /// Seconds until the next may be asked for.
        seconds: u64,
    },
    /// No SMS service is configured.
    #[error("本站未开通短信服务，请联系管理员 (this portal has no SMS service: add [sms] to its config)")]
    NoService,
    /// The service did not take it.
    #[error(
        "短信未能发出，请 1 分钟后再试；仍不行请联系客服 (the SMS could not be sent: try again in a minute, then call support)"
    )]
    NotSent,
    /// Wrong, expired, used, for something else, or there is none.
    #[error(
        "验证码有误或已失效，请核对或重新获取 (the code is wrong or has expired: compare it, or ask for a new one)"
    )]
    Wrong,
    /// The machine gives no random bytes.
    #[error("暂时无法生成验证码，请重试 (no code could be made: try again)")]
    NoRandom,
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for CodeError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// Sends a code to `mobile` that confirms `bound_to`; an earlier one for the same purpose is dead from now on.
///
/// It is counted before it is handed over, and handed over before this returns.
///
/// # Errors
/// Each says what to do: see [`CodeError`].
pub async fn send(
    state: &AppState,
    purpose: Purpose,
    mobile: &str,
    bound_to: &str,
    address: &str,
    session: &str,
) -> Result<Sent, CodeError> {
    let service = state.outside.sms.as_ref().ok_or(CodeError::NoService)?;
    let mobile = check_mobile(mobile).map_err(|_| CodeError::Mobile)?;
    // Before anything is counted: a flood against a slow service is not the customer's fault.
    let turn = service.port.turn().ok_or(CodeError::NotSent)?;
    let code = new_code()?;
    let asker = limits::Asker::new(state, &mobile, address, session);
    // Read before the write lock is taken: who asks a thousand times costs nobody a turn.
    asker.may(&mut *state.db.acquire().await?, service.day_budget, state.clock.now_ms()).await?;
    let mut tx = begin_write(&state.db).await?;
    asker.count(&mut tx, service.day_budget, state.clock.now_ms()).await?;
    keep(state, &mut tx, purpose, &mobile, bound_to, &code).await?;
    tx.commit().await?;
    let message = message(service, mobile, &code);
    let answer = turn.call(move |client| client.send(&message)).await;
    match answer {
        Ok(Ok(_)) => {}
        // It may be on its way; if not, the customer asks again in a minute.
        Ok(Err(error @ SmsError::Unknown(_))) => tracing::warn!(%error, "a code may not have been sent"),
        Ok(Err(SmsError::Refused(refusal))) if refusal.why == Why::Limit => {
            return Err(CodeError::Wait { seconds: SERVICE_LIMIT_SECONDS });
        }
        Ok(Err(SmsError::Refused(refusal))) if refusal.why == Why::Message => return Err(CodeError::Mobile),
        Ok(Err(error)) => {
            tracing::error!(%error, "a code was not sent");
            return Err(CodeError::NotSent);
        }
        Err(error) => {
            tracing::error!(%error, "a code's thread ended");
            return Err(CodeError::NotSent);
        }
    }
    let seconds = VALID_MS.unsigned_abs() / 1000;
    Ok(Sent { valid_seconds: seconds, again_seconds: seconds })
}

/// Takes a code, once. A guess for what no code was sent for is none: whoever knows a mobile cannot use up its owner's tries.
///
/// # Errors
/// [`CodeError::Wrong`] whatever is wrong with it; the database.
pub async fn check(
    state: &AppState,
    purpose: Purpose,
    mobile: &str,
    bound_to: &str,
    code: &str,
) -> Result<(), CodeError> {
    let code = code.trim();
    let mobile = check_mobile(mobile).map_err(|_| CodeError::Wrong)?;
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(CodeError::Wrong);
    }
    let now = state.clock.now_ms();
    let key = state.sealer.digest("mobile", &mobile);
    let bound_to = state.sealer.digest("code-bound-to", bound_to);
    // Read before the write lock is taken, and again under it.
    if live(&mut *state.db.acquire().await?, &key, purpose, &bound_to, now).await?.is_none() {
        return Err(CodeError::Wrong);
    }
    let mut tx = begin_write(&state.db).await?;
    let Some((kept, tries)) = live(&mut tx, &key, purpose, &bound_to, now).await? else {
        return Err(CodeError::Wrong);
    };
    let right = kept == digest(state, purpose, &mobile, code);
    let dead = tries + 1 >= TRIES;
    let sql = if right || dead {
        "delete from codes where mobile = $1 and purpose = $2"
    } else {
        "update codes set tries = tries + 1 where mobile = $1 and purpose = $2"
    };
    sqlx::query::<Sql>(sql).bind(&key).bind(purpose.code()).execute(&mut *tx).await?;
    if dead && !right {
        audit::record(&mut tx, now, &Actor::Customer, What::CodeDead, &purpose.code(), "").await?;
    }
    tx.commit().await?;
    if right { Ok(()) } else { Err(CodeError::Wrong) }
}

/// The live code of a number for a purpose and for what it confirms: its digest, and its wrong tries.
async fn live(
    connection: &mut Connection,
    key: &str,
    purpose: Purpose,
    bound_to: &str,
    now_ms: i64,
) -> Result<Option<(String, i64)>, DbError> {
    let row = sqlx::query_as::<Sql, (String, i64)>(
        "select code, tries from codes where mobile = $1 and purpose = $2 and bound_to = $3 and expires_ms > $4",
    );
    Ok(row.bind(key).bind(purpose.code()).bind(bound_to).bind(now_ms).fetch_optional(connection).await?)
}

/// Six digits.
fn new_code() -> Result<String, CodeError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| CodeError::NoRandom)?;
    // 2^64 is so much more than a million that no code is likelier than another by a measurable amount.
    Ok(format!("{:06}", u64::from_be_bytes(bytes) % 1_000_000))
}

fn digest(state: &AppState, purpose: Purpose, mobile: &str, code: &str) -> String {
    state.sealer.digest("code", &format!("{}:{mobile}:{code}", purpose.code()))
}

async fn keep(
    state: &AppState,
    tx: &mut Transaction,
    purpose: Purpose,
    mobile: &str,
    bound_to: &str,
    code: &str,
) -> Result<(), DbError> {
    let now = state.clock.now_ms();
    sqlx::query::<Sql>("delete from codes where expires_ms <= $1").bind(now).execute(&mut **tx).await?;
    sqlx::query::<Sql>(
        "insert into codes (mobile, purpose, bound_to, code, tries, expires_ms) values ($1, $2, $3, $4, 0, $5) \
         on conflict (mobile, purpose) do update set bound_to = excluded.bound_to, code = excluded.code, tries = 0, \
         expires_ms = excluded.expires_ms",
    )
    .bind(state.sealer.digest("mobile", mobile))
    .bind(purpose.code())
    .bind(state.sealer.digest("code-bound-to", bound_to))
    .bind(digest(state, purpose, mobile, code))
    .bind(now + VALID_MS)
    .execute(&mut **tx)
    .await?;
    audit::record(tx, now, &Actor::Customer, What::CodeSent, &purpose.code(), "").await
}

fn message(service: &SmsService, mobile: String, code: &str) -> Message {
    Message {
        mobile,
        sign_name: service.sign_name.clone(),
        template: service.code_template.clone(),
        parameters: json!({ "code": code }),
        // Nobody asks what became of a code: it is worth nothing after a minute.
        out_id: String::new(),
    }
}
