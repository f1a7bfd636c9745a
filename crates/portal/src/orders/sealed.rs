//! What an order says, at rest: JSON sealed under `order:<number>`, with keyed digests by which it is found.

use model::OrderNumber;
use sqlx::Row as _;

use super::{
    content::OrderContent,
    store::{OrderError, known_in},
};
use crate::{
    app::AppState,
    db::{self, Connection, DbError, Row, Sql, begin_write, damaged},
    seal::Sealer,
};

/// Orders sealed in one transaction at start.
const BATCH: i64 = 200;

fn context(number: &str) -> String {
    format!("order:{number}")
}

/// The column `sealed`.
pub(super) fn seal(
    sealer: &Sealer,
    number: &OrderNumber,
    content: &OrderContent,
) -> Result<Vec<u8>, OrderError> {
    let json = serde_json::to_vec(content)
        .map_err(|error| damaged(format!("an order that is no JSON ({error})")))?;
    Ok(sealer.seal(&context(number.as_str()), &json)?)
}

/// What an order says, of a row with `number`, `content` and `sealed`. A row that is not sealed yet holds its JSON.
pub(super) fn open(sealer: &Sealer, row: &Row) -> Result<OrderContent, OrderError> {
    let number: String = row.try_get("number")?;
    let sealed: Option<Vec<u8>> = row.try_get("sealed")?;
    let content = match sealed {
        Some(sealed) => serde_json::from_slice(sealer.open_sealed(&context(&number), &sealed)?.expose()),
        None => serde_json::from_str(row.try_get("content")?),
    };
    Ok(content.map_err(|_| damaged(format!("the content of order {number}")))?)
}

/// The column `handler_mobile_digest`.
pub(super) fn mobile_digest(sealer: &Sealer, content: &OrderContent) -> String {
    sealer.digest("mobile", &content.handler.mobile)
}

/// Writes the digests of the numbers that an order says, in place of those that it said before.
pub(super) async fn mark(
    tx: &mut Connection,
    sealer: &Sealer,
    number: &OrderNumber,
    content: &OrderContent,
) -> Result<(), DbError> {
    sqlx::query::<Sql>("delete from order_marks where order_number = $1")
        .bind(number.as_str())
        .execute(&mut *tx)
        .await?;
    let persons = content.legal_representative.iter().chain(&content.holder);
    let mut numbers: Vec<&str> = persons.map(|person| person.id_number.as_str()).collect();
    numbers.extend([content.handler.id_number.as_str(), &content.unit.credit_code]);
    for text in numbers {
        sqlx::query::<Sql>(
            "insert into order_marks (digest, order_number) values ($1, $2) on conflict do nothing",
        )
        .bind(number_digest(sealer, text))
        .bind(number.as_str())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// The digest under which a document or a unit is found.
pub(super) fn number_digest(sealer: &Sealer, text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    sealer.digest("number", &text.to_ascii_uppercase())
}

/// Seals orders that an older program stored as they were; done at start, some at a time, until none is left. Gives how many.
///
/// # Errors
/// The database's; an order that cannot be read stays as it is and is named.
pub async fn seal_all(state: &AppState) -> Result<usize, OrderError> {
    let mut sealed = 0;
    loop {
        let batch = seal_batch(state).await?;
        if batch == 0 {
            break;
        }
        sealed += batch;
    }
    if sealed > 0 {
        tracing::info!(orders = sealed, "what orders say was sealed");
        db::forget(&state.db).await?;
    }
    Ok(sealed)
}

async fn seal_batch(state: &AppState) -> Result<usize, OrderError> {
    let mut tx = begin_write(&state.db).await?;
    let rows = sqlx::query::<Sql>(
        "select number, content, sealed from orders where sealed is null and content_deleted_ms is null limit $1",
    )
    .bind(BATCH)
    .fetch_all(&mut *tx)
    .await?;
    for row in &rows {
        let text: String = row.try_get("number")?;
        let number: OrderNumber = text.parse().map_err(|_| damaged(format!("the order number {text:?}")))?;
        let content = open(&state.sealer, row)?;
        sqlx::query::<Sql>(
            "update orders set content = '', sealed = $2, handler_mobile_digest = $3 where number = $1",
        )
        .bind(&text)
        .bind(seal(&state.sealer, &number, &content)?)
        .bind(mobile_digest(&state.sealer, &content))
        .execute(&mut *tx)
        .await?;
        mark(&mut tx, &state.sealer, &number, &content).await?;
    }
    tx.commit().await?;
    Ok(rows.len())
}

/// Takes persons, addresses and numbers out of what an order says, inside a transaction. Gives a keyed digest of what it said.
///
/// # Errors
/// [`OrderError::Unknown`]; the database's.
pub(crate) async fn delete_content(
    tx: &mut Connection,
    sealer: &Sealer,
    number: &OrderNumber,
    now_ms: i64,
) -> Result<String, OrderError> {
    let order = known_in(tx, sealer, number).await?;
    let said = serde_json::to_string(&order.content)
        .map_err(|error| damaged(format!("an order that is no JSON ({error})")))?;
    let is_personal = order.content.holder.is_some();
    let left = order.content.without_persons();
    sqlx::query::<Sql>(
        "update orders set content = '', sealed = $2, handler_mobile_digest = '', content_deleted_ms = $3 where number = $1",
    )
    .bind(number.as_str())
    .bind(seal(sealer, number, &left)?)
    .bind(now_ms)
    .execute(&mut *tx)
    .await?;
    if is_personal {
        for sql in [
            "update orders set holder_name = '' where number = $1",
            "update jobs set holder = '' where order_number = $1",
        ] {
            sqlx::query::<Sql>(sql).bind(number.as_str()).execute(&mut *tx).await?;
        }
    }
    sqlx::query::<Sql>("delete from order_marks where order_number = $1")
        .bind(number.as_str())
        .execute(&mut *tx)
        .await?;
    Ok(sealer.digest("content", &said))
}
