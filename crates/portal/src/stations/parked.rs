//! Messages that could not be read or never be applied: kept for people, never in the way.

use sqlx::Sqlite;

use crate::db::{Db, DbError, begin_write};

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
    sqlx::query::<Sqlite>(
        "insert into parked (id, topic, reason, payload, times, first_ms, last_ms) values ($1, $2, $3, $4, 1, $5, $5) \
         on conflict (id) do update set times = times + 1, last_ms = excluded.last_ms, reason = excluded.reason",
    )
    .bind(hex::encode(gm::sm3(&whole)))
    .bind(topic.chars().take(200).collect::<String>())
    .bind(reason.chars().take(REASON_CHARS_MAX).collect::<String>())
    .bind(&payload[..payload.len().min(PAYLOAD_BYTES_MAX)])
    .bind(now)
    .execute(&mut *tx)
    .await?;
    sqlx::query::<Sqlite>(
        "delete from parked where id in (select id from parked order by last_ms desc, id limit -1 offset $1)",
    )
    .bind(PARKED_MAX)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
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
