//! The second factor: a code of six digits that an app makes anew every 30 seconds (TOTP, RFC 6238). No code is taken twice.

use sqlx::Row as _;
use totp_rs::{Builder, Secret, Totp};

use super::OperatorError;
use crate::{
    app::AppState,
    audit::{self, What},
    db::{Connection, DbError, Sql, begin_write, damaged},
    orders::Actor,
};

/// RFC 4226 recommends 160 bits.
const SECRET_BYTES: usize = 20;

/// What an app shows beside the code.
const ISSUER: &str = "ukey-station";

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A factor that is being set up: what the app must be told.
pub struct Enrolment {
    /// For typing: base32.
    pub secret: String,
    /// For the camera: an `otpauth://` address.
    pub url: String,
}

/// Whether the operator's log-in needs a code.
///
/// # Errors
/// The database's.
pub async fn is_set(state: &AppState, name: &str) -> Result<bool, OperatorError> {
    let row = sqlx::query("select 1 from second_factors where operator = $1 and confirmed_ms is not null");
    Ok(row.bind(name).fetch_optional(&state.db).await?.is_some())
}

/// What the operator's app must be told, the same until the first code was given; `None` once it was.
///
/// # Errors
/// The database's, the sealer's.
pub async fn enrolment(state: &AppState, name: &str) -> Result<Option<Enrolment>, OperatorError> {
    let mut tx = begin_write(&state.db).await?;
    let secret = match factor(state, &mut tx, name).await? {
        Some(factor) if factor.confirmed => return Ok(None),
        Some(factor) => factor.secret,
        None => new_factor(state, &mut tx, name).await?,
    };
    tx.commit().await?;
    let secret = base32(&secret);
    let url = format!("otpauth://totp/{ISSUER}:{name}?secret={secret}&issuer={ISSUER}");
    Ok(Some(Enrolment { secret, url }))
}

async fn new_factor(
    state: &AppState,
    tx: &mut Connection,
    name: &str,
) -> Result<[u8; SECRET_BYTES], OperatorError> {
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(|error| OperatorError::Hash(error.to_string()))?;
    let sealed = state.sealer.seal(&context(name), &secret)?;
    sqlx::query::<Sql>(
        "insert into second_factors (operator, secret, confirmed_ms, last_step) values ($1, $2, null, 0)",
    )
    .bind(name)
    .bind(sealed)
    .execute(tx)
    .await?;
    Ok(secret)
}

/// The first code: the app has the secret, and every log-in from now on needs a code. Other sessions than `session`, which had none, end.
///
/// # Errors
/// [`OperatorError::Code`] for a wrong code; [`OperatorError::Throttled`] after too many; the database's.
pub async fn confirm(
    state: &AppState,
    name: &str,
    session: &str,
    code: &str,
    address: &str,
) -> Result<(), OperatorError> {
    let now_ms = state.clock.now_ms();
    state.throttle.may_try(name, address, now_ms).await?;
    let mut tx = begin_write(&state.db).await?;
    let step = match factor(state, &mut tx, name).await? {
        Some(factor) if !factor.confirmed => step_of(&factor.secret, code, now_ms),
        _ => None,
    };
    let Some(step) = step else {
        // The brake writes by itself: it must not wait for this.
        tx.rollback().await?;
        state.throttle.failed(name, address, now_ms).await?;
        return Err(OperatorError::Code);
    };
    sqlx::query::<Sql>(
        "update second_factors set confirmed_ms = $2, last_step = $3 where operator = $1 and confirmed_ms is null",
    )
    .bind(name)
    .bind(now_ms)
    .bind(step)
    .execute(&mut *tx)
    .await?;
    sqlx::query::<Sql>("delete from sessions where operator = $1 and token_hash <> $2")
        .bind(name)
        .bind(session)
        .execute(&mut *tx)
        .await?;
    let who = Actor::Operator(name.to_owned());
    audit::record(&mut tx, now_ms, &who, What::SecondFactorSet, &name, "").await?;
    tx.commit().await?;
    Ok(())
}

/// Whether a log-in passes: there is no second factor, or the code is right and was never used. A used one is kept as used with `tx`.
pub(super) async fn pass(
    state: &AppState,
    tx: &mut Connection,
    name: &str,
    code: &str,
    now_ms: i64,
) -> Result<bool, OperatorError> {
    let Some(factor) = factor(state, tx, name).await?.filter(|factor| factor.confirmed) else {
        return Ok(true);
    };
    let Some(step) = step_of(&factor.secret, code, now_ms) else { return Ok(false) };
    let used =
        sqlx::query::<Sql>("update second_factors set last_step = $2 where operator = $1 and last_step < $2")
            .bind(name)
            .bind(step)
            .execute(tx)
            .await?;
    Ok(used.rows_affected() == 1)
}

/// Forgets a secret that was shown and never confirmed: whoever logs in next gets one that nobody has seen.
pub(super) async fn forget_unconfirmed(tx: &mut Connection, name: &str) -> Result<(), DbError> {
    let gone = sqlx::query::<Sql>("delete from second_factors where operator = $1 and confirmed_ms is null");
    gone.bind(name).execute(tx).await?;
    Ok(())
}

/// Takes an operator's second factor away.
pub(super) async fn forget(tx: &mut Connection, name: &str) -> Result<bool, DbError> {
    let gone = sqlx::query::<Sql>("delete from second_factors where operator = $1");
    Ok(gone.bind(name).execute(tx).await?.rows_affected() == 1)
}

struct Factor {
    secret: [u8; SECRET_BYTES],
    confirmed: bool,
}

async fn factor(
    state: &AppState,
    connection: &mut Connection,
    name: &str,
) -> Result<Option<Factor>, OperatorError> {
    let row = sqlx::query::<Sql>(
        "select secret, coalesce(confirmed_ms, 0) as confirmed_ms from second_factors where operator = $1",
    );
    let Some(row) = row.bind(name).fetch_optional(connection).await? else { return Ok(None) };
    let sealed: Vec<u8> = row.try_get("secret")?;
    let opened = state.sealer.open_sealed(&context(name), &sealed)?;
    let secret = opened.expose().try_into().map_err(|_| damaged("an operator's second factor"))?;
    Ok(Some(Factor { secret, confirmed: row.try_get::<i64, _>("confirmed_ms")? > 0 }))
}

fn context(name: &str) -> String {
    format!("totp:{name}")
}

/// The step of a code that is right now, or was a step ago, or will be in a step: clocks differ.
fn step_of(secret: &[u8; SECRET_BYTES], code: &str, now_ms: i64) -> Option<i64> {
    let plain: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let now = u64::try_from(now_ms / 1000).ok()?;
    totp(secret)?.check(&plain, now).and_then(|step| i64::try_from(step).ok())
}

fn totp(secret: &[u8; SECRET_BYTES]) -> Option<Totp> {
    Builder::new().with_secret(Secret::new_stack(*secret)).build().ok()
}

/// RFC 4648 without padding: 20 bytes are 32 letters.
fn base32(bytes: &[u8; SECRET_BYTES]) -> String {
    let five = |group: &[u8]| {
        let mut bits = [0; 8];
        bits[3..].copy_from_slice(group);
        let bits = u64::from_be_bytes(bits);
        (0..8).rev().map(move |at| char::from(BASE32[(bits >> (at * 5) & 31) as usize])).collect::<Vec<_>>()
    };
    bytes.chunks_exact(5).flat_map(five).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{base32, step_of};

    /// The secret of RFC 6238's appendix B.
    const SECRET: &[u8; 20] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_rfc_6238_and_hold_a_step_either_way() {
        // The appendix gives eight digits; six are their end.
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924")] {
            assert_eq!(step_of(SECRET, code, seconds * 1000), Some(seconds / 30));
            assert_eq!(step_of(SECRET, code, (seconds + 30) * 1000), Some(seconds / 30), "a step late");
            assert_eq!(step_of(SECRET, code, (seconds + 90) * 1000), None);
        }
        assert_eq!(step_of(SECRET, " 287 082 ", 59_000), Some(1), "apps show a gap in the middle");
    }

    #[test]
    fn base32_is_that_of_rfc_4648() {
        assert_eq!(base32(SECRET), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    proptest! {
        #[test]
        fn no_text_is_a_code_by_accident(text: String, now in 0i64..4_000_000_000_000) {
            let six = text.chars().filter(char::is_ascii_digit).count() == 6;
            prop_assert!(six || step_of(SECRET, &text, now).is_none());
        }
    }
}
