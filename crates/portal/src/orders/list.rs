//! Finding orders: by state, text and time, page by page.

use model::{Fen, OrderNumber, OrderState};
use sqlx::{QueryBuilder, Row as _};

use super::store::{OrderError, state};
use crate::db::{Db, Row, Sql, damaged};

/// Rows on a page.
const PAGE_ROWS: usize = 20;

/// Longest text searched for, in characters.
const TEXT_CHARS_MAX: usize = 64;

/// What is looked for. The default finds everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only orders placed with the mobile of this digest.
    pub owner: Option<String>,
    /// Only orders in this state.
    pub state: Option<OrderState>,
    /// Part of the number, the unit's name or the product's title.
    pub text: String,
    /// Not before this time.
    pub from_ms: Option<i64>,
    /// Before this time.
    pub until_ms: Option<i64>,
    /// Continue after this row.
    pub after: Option<Cursor>,
}

/// Where a page ended: a key, not a count, so that new orders do not shift what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    created_ms: i64,
    number: OrderNumber,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.created_ms, self.number)
    }
}

impl std::str::FromStr for Cursor {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (created, number) = text.split_once('-').ok_or(())?;
        Ok(Self { created_ms: created.parse().map_err(|_| ())?, number: number.parse().map_err(|_| ())? })
    }
}

/// One order on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRow {
    /// Its number.
    pub number: OrderNumber,
    /// The programme's id.
    pub programme: String,
    /// The product's title.
    pub product_title: String,
    /// The unit.
    pub unit_name: String,
    /// How many keys.
    pub quantity: i64,
    /// What it costs.
    pub amount: Fen,
    /// Where it stands.
    pub state: OrderState,
    /// Why it stands rejected.
    pub reject_reason: Option<String>,
    /// When it came in.
    pub created_ms: i64,
}

/// A page of a list, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderPage {
    /// The rows.
    pub rows: Vec<OrderRow>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// One page of what is looked for.
///
/// # Errors
/// The database's.
pub async fn list(db: &Db, query: &Query) -> Result<OrderPage, OrderError> {
    let mut sql = QueryBuilder::<Sql>::new(
        "select number, programme, product_title, unit_name, quantity, amount_fen, state, reject_reason, created_ms \
         from orders where 1 = 1",
    );
    if let Some(state) = query.state {
        sql.push(" and state = ").push_bind(state.code());
    }
    push_filters(&mut sql, query);
    if let Some(after) = &query.after {
        sql.push(" and (created_ms, number) < (").push_bind(after.created_ms);
        sql.push(", ").push_bind(after.number.as_str().to_owned()).push(")");
    }
    sql.push(" order by created_ms desc, number desc limit ").push_bind(PAGE_ROWS as i64 + 1);
    let rows = sql.build().fetch_all(db).await?;
    let mut rows: Vec<OrderRow> = rows.iter().map(order_row).collect::<Result<_, _>>()?;
    let more = rows.len() > PAGE_ROWS;
    rows.truncate(PAGE_ROWS);
    let next = rows.last().filter(|_| more);
    let next = next.map(|row| Cursor { created_ms: row.created_ms, number: row.number.clone() });
    Ok(OrderPage { rows, next })
}

/// How many orders stand in each state, under the query's text and time (its state and page do not count).
///
/// # Errors
/// The database's.
pub async fn count_states(db: &Db, query: &Query) -> Result<Vec<(OrderState, i64)>, OrderError> {
    let mut sql = QueryBuilder::<Sql>::new("select state, count(*) as orders from orders where 1 = 1");
    push_filters(&mut sql, query);
    sql.push(" group by state");
    let rows = sql.build().fetch_all(db).await?;
    let mut counts: Vec<(OrderState, i64)> = OrderState::ALL.map(|state| (state, 0)).to_vec();
    for row in &rows {
        let found = state(row.try_get("state")?)?;
        for count in counts.iter_mut().filter(|count| count.0 == found) {
            count.1 = row.try_get("orders")?;
        }
    }
    Ok(counts)
}

fn push_filters(sql: &mut QueryBuilder<Sql>, query: &Query) {
    let text: String = query.text.trim().chars().take(TEXT_CHARS_MAX).collect();
    if !text.is_empty() {
        let pattern = format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        sql.push(" and (number like ").push_bind(pattern.clone()).push(" escape '\\'");
        sql.push(" or unit_name like ").push_bind(pattern.clone()).push(" escape '\\'");
        sql.push(" or product_title like ").push_bind(pattern).push(" escape '\\')");
    }
    if let Some(owner) = &query.owner {
        sql.push(" and handler_mobile_digest = ").push_bind(owner.clone());
    }
    if let Some(from) = query.from_ms {
        sql.push(" and created_ms >= ").push_bind(from);
    }
    if let Some(until) = query.until_ms {
        sql.push(" and created_ms < ").push_bind(until);
    }
}

fn order_row(row: &Row) -> Result<OrderRow, OrderError> {
    let number: String = row.try_get("number")?;
    Ok(OrderRow {
        number: number.parse().map_err(|_| damaged(format!("the order number {number:?}")))?,
        programme: row.try_get("programme")?,
        product_title: row.try_get("product_title")?,
        unit_name: row.try_get("unit_name")?,
        quantity: row.try_get("quantity")?,
        amount: Fen(row.try_get::<i64, _>("amount_fen")?.unsigned_abs()),
        state: state(row.try_get("state")?)?,
        reject_reason: row.try_get("reject_reason")?,
        created_ms: row.try_get("created_ms")?,
    })
}
