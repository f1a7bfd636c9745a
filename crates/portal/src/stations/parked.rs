//! Messages that could not be read or never be applied: kept for people, never in the way.

use crate::db::{Db, DbError, Sql, begin_write};

/// More than this are not kept; the ones not seen for longest go.
const PARKED_MAX: i64 = 1_000;
const PAYLOAD_BYTES_MAX: usize = 64 * 1024;
const REASON_CHARS_MAX: usize = 500;

/// Parks a message. The same message parks once, however often it comes.
pub(super) async fn park(
    db: &Db,
    topic: &str,
    payload: &[u8],
    reason: &str,
    now: i64,
) -> Result<(), DbError> {
    let mut whole = topic.as_bytes().to_vec();
    whole.push(0);
    whole.extend_from_slice(payload);
    let mut tx = begin_write(db).await?;
    sqlx::query::<Sql>(
        "insert into parked (id, topic, reason, payload, times, first_ms, last_ms) values ($1, $2, $3, $4, 1, $5, $5) \
         on conflict (id) do update set times = parked.times + 1, last_ms = excluded.last_ms, reason = excluded.reason",
    )
    .bind(hex::encode(gm::sm3(&whole)))
    .bind(topic.chars().take(200).collect::<String>())
    .bind(reason.chars().take(REASON_CHARS_MAX).collect::<String>())
    .bind(&payload[..payload.len().min(PAYLOAD_BYTES_MAX)])
    .bind(now)
    .execute(&mut *tx)
    .await?;
    sqlx::query::<Sql>(
        "delete from parked where id in (select id from parked order by last_ms desc, id limit 1000000000 offset $1)",
    )
    .bind(PARKED_MAX)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// A parked message, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Where it came in.
    pub topic: String,
    /// Why it was not taken.
    pub reason: String,
    /// How often it came.
    pub times: i64,
    /// When it came last, milliseconds since 1970.
    pub last_ms: i64,
    /// Its length in bytes, up to the 64 KiB that are kept.
    pub bytes: i64,
}

/// How many messages are parked.
///
/// # Errors
/// The database's.
pub async fn count(db: &Db) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar::<Sql, i64>("select count(*) from parked").fetch_one(db).await?)
}

/// The parked messages that came last, the newest first.
///
/// # Errors
/// The database's.
pub async fn newest(db: &Db, limit: u16) -> Result<Vec<Parked>, DbError> {
    let rows = sqlx::query_as::<Sql, (String, String, i64, i64, i64)>(
        "select topic, reason, times, last_ms, length(payload) from parked order by last_ms desc, id limit $1",
    );
    let rows = rows.bind(i64::from(limit)).fetch_all(db).await?;
    let parked = |(topic, reason, times, last_ms, bytes)| Parked { topic, reason, times, last_ms, bytes };
    Ok(rows.into_iter().map(parked).collect())
}

/// Parks, and only logs if that fails too: parking must never stop the queue behind it.
pub(super) async fn park_or_log(db: &Db, topic: &str, payload: &[u8], reason: &str, now: i64) {
    tracing::warn!(topic, reason, bytes = payload.len(), "a message was parked");
    if let Err(error) = park(db, topic, payload, reason, now).await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            topic,
            "a message could not even be parked"
        );
    }
}
