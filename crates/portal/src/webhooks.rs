//! Webhooks: a programme's platform is told of each change of an order's state, in order, at least once.
//!
//! The event is written in the transaction of the change, for programmes that have a target. `POST` of JSON
//! `{"id","order","state","at","sequence"}`, with `x-ukey-timestamp` (milliseconds) and `x-ukey-signature: v1=` HMAC-SHA256 (hex) over
//! timestamp, `.` and body. A receiver answers 2xx; it may get an event again, with the same id.

mod send;

use model::{OrderNumber, OrderState};
use sqlx::Row as _;
use tokio::task::JoinSet;

use crate::{
    app::AppState,
    audit::{self, What},
    db::{Db, DbError, Row, Sql, Transaction, begin_write, damaged},
    depths::Depths,
    orders::Actor,
};

/// Tries before an event is dead: the last is some 20 hours after the first.
pub const TRIES_MAX: i64 = 24;
/// The first pause; each is twice the one before it.
const PAUSE_FIRST_MS: i64 = 10_000;
const PAUSE_MAX_MS: i64 = 3_600_000;
/// Events sent in one turn, side by side.
const AT_ONCE: i64 = 16;
/// Events that were sent stay this long, for questions.
const KEPT_MS: i64 = 30 * 86_400_000;

/// An event on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The order.
    pub order: OrderNumber,
    /// Which change of this order: 1, 2, 3 …
    pub sequence: i64,
    /// The programme.
    pub programme: String,
    /// The new state.
    pub state: OrderState,
    /// When it changed.
    pub at_ms: i64,
    /// Tries so far.
    pub tries: i64,
    /// What was wrong with the last.
    pub error: String,
}

/// Brings the targets in the database to what the config says: changes are noted for these programmes alone.
///
/// # Errors
/// The database's.
pub async fn set_targets(state: &AppState) -> Result<(), DbError> {
    let mut tx = begin_write(&state.db).await?;
    sqlx::query::<Sql>("delete from webhook_targets").execute(&mut *tx).await?;
    for target in &state.config.webhooks {
        sqlx::query::<Sql>("insert into webhook_targets (programme) values ($1)")
            .bind(&target.programme)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Notes the newest step of an order's history, if its programme's platform is told.
pub(crate) async fn note(tx: &mut Transaction, number: &OrderNumber) -> Result<(), DbError> {
    sqlx::query::<Sql>(
        "insert into webhook_events (order_number, sequence, programme, state, at_ms, delivery, tries, next_ms, error) \
         select h.order_number, h.step, o.programme, h.to_state, h.at_ms, 'waiting', 0, h.at_ms, '' \
         from order_history h join orders o on o.number = h.order_number \
         join webhook_targets t on t.programme = o.programme \
         where h.order_number = $1 and h.step = (select max(step) from order_history where order_number = $1)",
    )
    .bind(number.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Sends what is due: of each order the oldest event alone, so that they arrive in order.
///
/// # Errors
/// The database's. What a platform answers is no error: it is noted with the event.
pub async fn turn(state: &AppState) -> Result<(), DbError> {
    let now = state.clock.now_ms();
    let rows = sqlx::query::<Sql>(
        "select * from webhook_events e where delivery = 'waiting' and next_ms <= $1 and not exists \
         (select 1 from webhook_events b where b.order_number = e.order_number and b.sequence < e.sequence \
         and b.delivery = 'waiting') order by next_ms limit $2",
    )
    .bind(now)
    .bind(AT_ONCE)
    .fetch_all(&state.db)
    .await?;
    let mut sending = JoinSet::new();
    for row in &rows {
        let (event, state) = (event(row)?, state.clone());
        sending.spawn(async move {
            let sent = send::send(&state, &event).await;
            keep(&state, &event, sent).await
        });
    }
    while let Some(ended) = sending.join_next().await {
        ended.map_err(|_| damaged("an event whose sending broke off"))??;
    }
    sqlx::query::<Sql>("delete from webhook_events where delivery = 'sent' and next_ms <= $1")
        .bind(now - KEPT_MS)
        .execute(&state.db)
        .await?;
    Ok(())
}

/// Keeps what became of a try.
async fn keep(state: &AppState, event: &Event, sent: Result<(), String>) -> Result<(), DbError> {
    let now = state.clock.now_ms();
    let tries = event.tries + 1;
    let (delivery, what, error) = match sent {
        Ok(()) => ("sent", Some(What::WebhookSent), String::new()),
        Err(error) if tries >= TRIES_MAX => ("dead", Some(What::WebhookGivenUp), error),
        Err(error) => ("waiting", None, error),
    };
    let pause = PAUSE_FIRST_MS.saturating_mul(1 << event.tries.clamp(0, 20)).min(PAUSE_MAX_MS);
    let mut tx = begin_write(&state.db).await?;
    sqlx::query::<Sql>(
        "update webhook_events set delivery = $3, tries = $4, next_ms = $5, error = $6 \
         where order_number = $1 and sequence = $2",
    )
    .bind(event.order.as_str())
    .bind(event.sequence)
    .bind(delivery)
    .bind(tries)
    .bind(if delivery == "waiting" { now + pause } else { now })
    .bind(&error)
    .execute(&mut *tx)
    .await?;
    if let Some(what) = what {
        let detail = format!("sequence={} state={} tries={tries}", event.sequence, event.state.code());
        audit::record(&mut tx, now, &Actor::System, what, &event.order, &detail).await?;
    }
    tx.commit().await?;
    if delivery == "dead" {
        tracing::error!(order = %event.order, error, "a platform was not told of an order's state; /attention and `portal webhooks` list such events");
    }
    Ok(())
}

/// Sends dead events anew; gives how many.
///
/// # Errors
/// The database's.
pub async fn revive(db: &Db, actor: &Actor, now_ms: i64) -> Result<u64, DbError> {
    let mut tx = begin_write(db).await?;
    let revived = sqlx::query::<Sql>(
        "update webhook_events set delivery = 'waiting', tries = 0, next_ms = $1 where delivery = 'dead'",
    )
    .bind(now_ms)
    .execute(&mut *tx)
    .await?
    .rows_affected();
    audit::record(&mut tx, now_ms, actor, What::WebhooksRevived, &"all", &format!("events={revived}"))
        .await?;
    tx.commit().await?;
    Ok(revived)
}

/// The events that were given up, the newest first, at most `most`.
///
/// # Errors
/// The database's.
pub async fn dead(db: &Db, most: u16) -> Result<Vec<Event>, DbError> {
    let rows = sqlx::query::<Sql>(
        "select * from webhook_events where delivery = 'dead' order by next_ms desc limit $1",
    )
    .bind(i64::from(most))
    .fetch_all(db)
    .await?;
    rows.iter().map(event).collect()
}

/// How many events wait and how many were given up.
///
/// # Errors
/// The database's.
pub async fn depths(db: &Db) -> Result<Depths, DbError> {
    let count = "select count(*) from webhook_events where delivery = $1";
    let of = |delivery| sqlx::query_scalar::<Sql, i64>(count).bind(delivery).fetch_one(db);
    Ok(Depths { waiting: of("waiting").await?, dead: of("dead").await? })
}

fn event(row: &Row) -> Result<Event, DbError> {
    let (order, state): (String, String) = (row.try_get("order_number")?, row.try_get("state")?);
    Ok(Event {
        order: order.parse().map_err(|_| damaged(format!("the order number {order:?}")))?,
        state: OrderState::from_code(&state).ok_or_else(|| damaged(format!("the order state {state:?}")))?,
        sequence: row.try_get("sequence")?,
        programme: row.try_get("programme")?,
        at_ms: row.try_get("at_ms")?,
        tries: row.try_get("tries")?,
        error: row.try_get("error")?,
    })
}
