//! How many codes may go out: to a number, from an address, in a session, in a day.

use std::net::IpAddr;

use super::CodeError;
use crate::{
    app::AppState,
    db::{Connection, DbError, Sql, Transaction},
};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// What the SMS service allows a number and sign name as well.
const OF_NUMBER: [(i64, u32); 3] = [(MINUTE_MS, 1), (HOUR_MS, 5), (DAY_MS, 10)];
/// A person with a mistyped number and a colleague's.
const OF_SESSION: [(i64, u32); 2] = [(HOUR_MS, 10), (DAY_MS, 20)];
/// An office shares one.
const OF_ADDRESS: [(i64, u32); 2] = [(HOUR_MS, 30), (DAY_MS, 100)];

/// Who asks for a code, as keyed digests.
pub(super) struct Asker {
    mobile: String,
    address: String,
    session: String,
}

impl Asker {
    pub(super) fn new(state: &AppState, mobile: &str, address: &str, session: &str) -> Self {
        Self {
            mobile: state.sealer.digest("mobile", mobile),
            address: state.sealer.digest("code-address", &network(address)),
            session: state.sealer.digest("code-session", session),
        }
    }

    /// Counts one more code, unless a limit is reached. What is older than a day is forgotten.
    pub(super) async fn count(
        &self,
        tx: &mut Transaction,
        day_budget: u32,
        now_ms: i64,
    ) -> Result<(), CodeError> {
        self.may(tx, day_budget, now_ms).await?;
        sqlx::query::<Sql>("delete from code_sends where at_ms <= $1")
            .bind(now_ms - DAY_MS)
            .execute(&mut **tx)
            .await?;
        sqlx::query::<Sql>(
            "insert into code_sends (mobile, address, session, at_ms) values ($1, $2, $3, $4)",
        )
        .bind(&self.mobile)
        .bind(&self.address)
        .bind(&self.session)
        .bind(now_ms)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Whether no limit is reached. What this says holds under the write lock alone.
    pub(super) async fn may(
        &self,
        connection: &mut Connection,
        day_budget: u32,
        now_ms: i64,
    ) -> Result<(), CodeError> {
        let mut wait_ms = 0;
        for (of, value, limits) in [
            ("mobile", &self.mobile, OF_NUMBER.as_slice()),
            ("session", &self.session, &OF_SESSION),
            ("address", &self.address, &OF_ADDRESS),
        ] {
            for (window_ms, most) in limits {
                let sql = format!(
                    "select at_ms from code_sends where {of} = $1 and at_ms > $2 order by at_ms desc limit 1 offset $3"
                );
                let query = sqlx::query_scalar::<Sql, i64>(sqlx::AssertSqlSafe(sql)).bind(value);
                let full = query.bind(now_ms - window_ms).bind(i64::from(most.saturating_sub(1)));
                let full = full.fetch_optional(&mut *connection).await?;
                wait_ms = wait_ms.max(full.map_or(0, |at_ms| at_ms + window_ms - now_ms));
            }
        }
        wait_ms = wait_ms.max(budget_wait(connection, day_budget, now_ms).await?);
        if wait_ms > 0 {
            return Err(CodeError::Wait { seconds: wait_ms.unsigned_abs().div_ceil(1000) });
        }
        Ok(())
    }
}

/// How long until the day's budget has room again. An operator must know: either somebody floods, or the budget is too small.
async fn budget_wait(connection: &mut Connection, day_budget: u32, now_ms: i64) -> Result<i64, DbError> {
    let oldest = sqlx::query_scalar::<Sql, i64>(
        "select at_ms from code_sends where at_ms > $1 order by at_ms desc limit 1 offset $2",
    )
    .bind(now_ms - DAY_MS)
    .bind(i64::from(day_budget.saturating_sub(1)))
    .fetch_optional(connection)
    .await?;
    let Some(at_ms) = oldest else { return Ok(0) };
    tracing::error!(
        day_budget,
        "the day's budget of SMS codes is spent: somebody floods, or [sms] day_budget is too small"
    );
    Ok(at_ms + DAY_MS - now_ms)
}

/// The address that is counted: a subscriber has a whole /64 of IPv6.
pub(crate) fn network(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(six)) => match six.to_ipv4_mapped() {
            Some(four) => four.to_string(),
            None => six.segments()[..4].iter().map(|part| format!("{part:x}:")).collect(),
        },
        _ => address.chars().take(64).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn a_subscriber_s_addresses_are_one() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
