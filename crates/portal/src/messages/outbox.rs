//! The outbox's rows. Mobile and parameters are sealed under the message's id.

use model::OrderNumber;
use sms::Message;
use sqlx::Row as _;

use super::MessageState;
use crate::{
    app::AppState,
    db::{Connection, Db, DbError, Row, Sql, Transaction, damaged},
    seal::SealError,
};

/// A message to be.
pub(super) struct New<'a> {
    pub order: &'a OrderNumber,
    pub kind: &'static str,
    pub sign_name: &'a str,
    pub template: &'a str,
    pub mobile: &'a str,
    pub parameters: &'a serde_json::Value,
}

/// A message that something is to be done about.
pub(super) struct Due {
    pub state: MessageState,
    pub sends: i64,
    pub asks: i64,
    pub sent_ms: Option<i64>,
    pub message: Message,
}

/// Writes a message. The writers' lock is held, so the count is nobody else's.
pub(super) async fn insert(tx: &mut Transaction, state: &AppState, new: &New<'_>) -> Result<(), DbError> {
    let before: i64 =
        sqlx::query_scalar("select count(*) from messages where order_number = $1 and kind = $2")
            .bind(new.order.as_str())
            .bind(new.kind)
            .fetch_one(&mut **tx)
            .await?;
    let id = format!("{}-{}-{}", new.order, new.kind, before + 1);
    let now = state.clock.now_ms();
    let mobile = state.sealer.seal(&context(&id), new.mobile.as_bytes()).map_err(unsealed)?;
    let parameters =
        state.sealer.seal(&context(&id), new.parameters.to_string().as_bytes()).map_err(unsealed)?;
    sqlx::query::<Sql>(
        "insert into messages (id, order_number, kind, sign_name, template, mobile, parameters, state, sends, asks, \
         next_ms, trouble, created_ms) values ($1, $2, $3, $4, $5, $6, $7, 'waiting', 0, 0, $8, '', $8)",
    )
    .bind(&id)
    .bind(new.order.as_str())
    .bind(new.kind)
    .bind(new.sign_name)
    .bind(new.template)
    .bind(mobile)
    .bind(parameters)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What is due now, the longest first.
pub(super) async fn due(state: &AppState, most: i64) -> Result<Vec<Due>, DbError> {
    let rows = sqlx::query::<Sql>(
        "select id, sign_name, template, mobile, parameters, state, sends, asks, sent_ms from messages \
         where next_ms <= $1 order by next_ms, id limit $2",
    )
    .bind(state.clock.now_ms())
    .bind(most)
    .fetch_all(&state.db)
    .await?;
    rows.iter().map(|row| read(state, row)).collect()
}

fn read(state: &AppState, row: &Row) -> Result<Due, DbError> {
    let id: String = row.try_get("id")?;
    let open = |column: &str| -> Result<String, DbError> {
        let opened =
            state.sealer.open_sealed(&context(&id), &row.try_get::<Vec<u8>, _>(column)?).map_err(unsealed)?;
        String::from_utf8(opened.expose().to_vec()).map_err(|_| damaged(format!("the message {id}")))
    };
    let (mobile, parameters) = (open("mobile")?, open("parameters")?);
    Ok(Due {
        state: MessageState::from_code(row.try_get("state")?)?,
        sends: row.try_get("sends")?,
        asks: row.try_get("asks")?,
        sent_ms: row.try_get("sent_ms")?,
        message: Message {
            mobile,
            sign_name: row.try_get("sign_name")?,
            template: row.try_get("template")?,
            parameters: serde_json::from_str(&parameters)
                .map_err(|_| damaged(format!("the message {id}")))?,
            out_id: id,
        },
    })
}

/// A message's next step. `sends`, `asks` and `sent_ms` are as the row shall say.
pub(super) struct Step<'a> {
    pub to: MessageState,
    pub next_ms: Option<i64>,
    pub trouble: &'a str,
}

/// Writes what became of a message; false if it is not in the state any more that it was read in.
pub(super) async fn update(tx: &mut Connection, due: &Due, step: &Step<'_>) -> Result<bool, DbError> {
    let updated = sqlx::query::<Sql>(
        "update messages set state = $3, sends = $4, asks = $5, sent_ms = $6, next_ms = $7, trouble = $8 \
         where id = $1 and state = $2",
    )
    .bind(&due.message.out_id)
    .bind(due.state.code())
    .bind(step.to.code())
    .bind(due.sends)
    .bind(due.asks)
    .bind(due.sent_ms)
    .bind(step.next_ms)
    .bind(step.trouble)
    .execute(tx)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Forgets messages written before `before_ms`: they hold a mobile.
pub(super) async fn forget(db: &Db, before_ms: i64) -> Result<(), DbError> {
    let old = sqlx::query::<Sql>("select 1 from messages where created_ms < $1 limit 1").bind(before_ms);
    if old.fetch_optional(db).await?.is_none() {
        return Ok(());
    }
    let mut tx = crate::db::begin_write(db).await?;
    sqlx::query::<Sql>("delete from messages where created_ms < $1")
        .bind(before_ms)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

fn context(id: &str) -> String {
    format!("message:{id}")
}

fn unsealed(error: SealError) -> DbError {
    match error {
        SealError::Db(error) => error,
        other => damaged(format!("a message ({other})")),
    }
}
