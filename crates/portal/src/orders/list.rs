//! Finding orders: by state, text and time, page by page.

use model::{Fen, OrderNumber, OrderState};
use sqlx::{AssertSqlSafe, Row as _};

use super::{
    sealed::number_digest,
    store::{OrderError, state},
};
use crate::{
    app::AppState,
    db::{Db, DbError, Row, Sql, damaged},
};

/// Rows on a page.
const PAGE_ROWS: usize = 20;

/// Orders that one search looks through.
pub const SEARCHED: usize = 2_000;

/// Orders found by one number.
const FOUND_MAX: usize = 50;

/// Orders of one state counted at most.
pub const COUNTED: i64 = 999;

const SELECT_ROWS: &str = "select number, programme, product_title, unit_name, quantity, amount_fen, state, reject_reason, created_ms \
     from orders where 1 = 1";

const NEWEST_FIRST: &str = " order by created_ms desc, number desc";

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
    /// Where the next page begins, if there may be one.
    pub next: Option<Cursor>,
}

/// How many orders stand in a state, as far as it was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateCount {
    /// The state.
    pub state: OrderState,
    /// Orders found.
    pub orders: i64,
    /// Whether there may be more: no list takes longer because there are many orders.
    pub more: bool,
}

/// One page of what is looked for. A text is looked for in [`SEARCHED`] orders; `next` goes on with older ones.
///
/// # Errors
/// The database's.
pub async fn list(db: &Db, query: &Query) -> Result<OrderPage, OrderError> {
    let Some(text) = Text::of(query) else {
        let mut sql = Statement::new(SELECT_ROWS);
        sql.narrow(query, true);
        sql.push(&format!("{NEWEST_FIRST} limit {}", PAGE_ROWS + 1));
        return page(sql.fetch(db).await?, None);
    };
    if let Text::Number(number) = &text {
        let mut sql = Statement::new(SELECT_ROWS);
        sql.narrow(query, true);
        sql.push(" and number = ").bind(Value::Text(number.clone()));
        return page(sql.fetch(db).await?, None);
    }
    let mut sql = Statement::new("select created_ms, number from orders where 1 = 1");
    sql.narrow(query, true);
    sql.push(&format!("{NEWEST_FIRST} limit 1 offset {}", SEARCHED - 1));
    let end = sql.fetch(db).await?.first().map(cursor).transpose()?;
    // What is searched stands in an index; the orders themselves are read for the rows alone that are shown.
    let mut sql = Statement::new(SELECT_ROWS);
    sql.push(" and number in (select number from ").searched(query, true);
    text.push_to(&mut sql);
    sql.push(&format!("{NEWEST_FIRST} limit {}){NEWEST_FIRST}", PAGE_ROWS + 1));
    page(sql.fetch(db).await?, end)
}

/// A page of what was found; `end` is where the search stopped.
fn page(rows: Vec<Row>, end: Option<Cursor>) -> Result<OrderPage, OrderError> {
    let mut rows: Vec<OrderRow> = rows.iter().map(order_row).collect::<Result<_, _>>()?;
    let more = rows.len() > PAGE_ROWS;
    rows.truncate(PAGE_ROWS);
    let last = rows.last().filter(|_| more);
    let last = last.map(|row| Cursor { created_ms: row.created_ms, number: row.number.clone() });
    Ok(OrderPage { rows, next: last.or(end) })
}

/// The newest orders that name this whole id number, credit code or mobile; it must be whole, because digests alone are compared.
///
/// # Errors
/// The database's.
pub async fn find_by_number(state: &AppState, text: &str) -> Result<Vec<OrderRow>, OrderError> {
    let mut sql = Statement::new(SELECT_ROWS);
    sql.push(" and (number in (select order_number from order_marks where digest = ");
    sql.bind(Value::Text(number_digest(&state.sealer, text)));
    sql.push(") or handler_mobile_digest = ").bind(Value::Text(state.sealer.digest("mobile", text.trim())));
    sql.push(&format!("){NEWEST_FIRST} limit {FOUND_MAX}"));
    sql.fetch(&state.db).await?.iter().map(order_row).collect()
}

/// How many orders stand in each state, under the query's text and time (its state and page do not count): up to [`COUNTED`] each, and
/// with a text among the newest [`SEARCHED`].
///
/// # Errors
/// The database's.
pub async fn count_states(db: &Db, query: &Query) -> Result<Vec<StateCount>, OrderError> {
    let query = Query { state: None, after: None, ..query.clone() };
    let mut counts: Vec<StateCount> =
        OrderState::ALL.map(|state| StateCount { state, orders: 0, more: false }).to_vec();
    let text = Text::of(&query);
    let sql = match &text {
        None => count_each(&query),
        Some(text) => count_found(&query, text),
    };
    for row in &sql.fetch(db).await? {
        let (found, orders) = (state(row.try_get("state")?)?, row.try_get::<i64, _>("orders")?);
        for count in counts.iter_mut().filter(|count| count.state == found) {
            count.more = text.is_none() && orders > COUNTED;
            count.orders = orders.min(COUNTED);
        }
    }
    Ok(counts)
}

/// How many orders stand in each state that has any: all of them, for figures.
///
/// # Errors
/// The database's.
pub async fn state_totals(db: &Db) -> Result<Vec<(OrderState, i64)>, DbError> {
    let rows =
        sqlx::query("select state, count(*) as orders from orders group by state").fetch_all(db).await?;
    rows.iter().map(|row| Ok((state(row.try_get("state")?)?, row.try_get("orders")?))).collect()
}

fn count_each(query: &Query) -> Statement {
    let mut sql = Statement::new("");
    for (index, state) in OrderState::ALL.iter().enumerate() {
        let code = state.code();
        let union = if index == 0 { "" } else { " union all " };
        sql.push(&format!(
            "{union}select '{code}' as state, count(*) as orders from (select 1 from orders where state = '{code}'"
        ));
        sql.narrow(query, false);
        // In order, so that PostgreSQL goes along the index and does not read the table until it has found enough.
        sql.push(&format!("{NEWEST_FIRST} limit {}) as counted", COUNTED + 1));
    }
    sql
}

fn count_found(query: &Query, text: &Text) -> Statement {
    let mut sql = Statement::new("select state, count(*) as orders from ");
    if let Text::Number(number) = text {
        sql.push("orders where 1 = 1");
        sql.narrow(query, false);
        sql.push(" and number = ").bind(Value::Text(number.clone()));
    } else {
        sql.searched(query, false);
        text.push_to(&mut sql);
    }
    sql.push(" group by state");
    sql
}

/// What is searched for.
enum Text {
    /// A whole order number: one look.
    Number(String),
    /// Part of one, or of a name: a pattern for `like`.
    Part(String),
}

impl Text {
    fn of(query: &Query) -> Option<Self> {
        let text: String = query.text.trim().chars().take(TEXT_CHARS_MAX).collect();
        if text.is_empty() {
            return None;
        }
        if let Ok(number) = text.parse::<OrderNumber>() {
            return Some(Self::Number(number.to_string()));
        }
        let text = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        Some(Self::Part(format!("%{text}%")))
    }

    fn push_to(&self, sql: &mut Statement) {
        let Self::Part(pattern) = self else { return };
        // A line break between them: none of the three has one.
        // Both sides by the database's own rule: SQLite folds the letters of ASCII, PostgreSQL more.
        sql.push(" and lower(number || '\n' || unit_name || '\n' || product_title) like lower(");
        sql.bind(Value::Text(pattern.clone())).push(") escape '\\'");
    }
}

/// A statement under construction, its values numbered as both databases read them.
struct Statement {
    sql: String,
    values: Vec<Value>,
}

enum Value {
    Text(String),
    Number(i64),
}

impl Statement {
    fn new(sql: &str) -> Self {
        Self { sql: sql.to_owned(), values: Vec::new() }
    }

    /// Adds text of ours; what a person typed is bound.
    fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    fn bind(&mut self, value: Value) -> &mut Self {
        self.values.push(value);
        self.sql.push_str(&format!("${}", self.values.len()));
        self
    }

    fn cursor(&mut self, at: &Cursor) -> &mut Self {
        self.bind(Value::Number(at.created_ms)).push(", ").bind(Value::Text(at.number.to_string()))
    }

    /// State, time and place; not the text.
    fn narrow(&mut self, query: &Query, from_cursor: bool) {
        if let Some(state) = query.state {
            self.push(" and state = ").bind(Value::Text(state.code().to_owned()));
        }
        if let Some(owner) = &query.owner {
            self.push(" and handler_mobile_digest = ").bind(Value::Text(owner.clone()));
        }
        if let Some(from) = query.from_ms {
            self.push(" and created_ms >= ").bind(Value::Number(from));
        }
        if let Some(until) = query.until_ms {
            self.push(" and created_ms < ").bind(Value::Number(until));
        }
        if let Some(after) = query.after.as_ref().filter(|_| from_cursor) {
            self.push(" and (created_ms, number) < (").cursor(after).push(")");
        }
    }

    /// The newest orders that are narrowed to, as far as one search looks.
    fn searched(&mut self, query: &Query, from_cursor: bool) -> &mut Self {
        self.push("(select number, unit_name, product_title, state, created_ms from orders where 1 = 1");
        self.narrow(query, from_cursor);
        self.push(&format!("{NEWEST_FIRST} limit {SEARCHED}) as searched where 1 = 1"))
    }

    async fn fetch(self, db: &Db) -> Result<Vec<Row>, OrderError> {
        let mut query = sqlx::query::<Sql>(AssertSqlSafe(self.sql));
        for value in self.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
            };
        }
        Ok(query.fetch_all(db).await?)
    }
}

fn cursor(row: &Row) -> Result<Cursor, OrderError> {
    let number: String = row.try_get("number")?;
    let number = number.parse().map_err(|_| damaged(format!("the order number {number:?}")))?;
    Ok(Cursor { created_ms: row.try_get("created_ms")?, number })
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
