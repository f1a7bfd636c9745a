//! Payments in the database.

use model::{Fen, OrderNumber};
use sqlx::Row as _;

use crate::db::{Connection, DbError, Row, Sql, damaged, fen_column};

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentState {
    /// It may be paid.
    Open,
    /// The money arrived.
    Paid,
    /// It was closed unpaid. Money may still come: a code cannot be taken back.
    Closed,
    /// The money arrived and went back.
    Refunded,
}

impl PaymentState {
    const ALL: [Self; 4] = [Self::Open, Self::Paid, Self::Closed, Self::Refunded];

    /// The word in databases and interfaces.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Closed => "closed",
            Self::Refunded => "refunded",
        }
    }
}

/// A row of `payments`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) out_trade_no: String,
    pub(super) order: OrderNumber,
    pub(super) attempt: i64,
    pub(super) amount: Fen,
    pub(super) state: PaymentState,
    pub(super) qr_code: Option<String>,
    pub(super) paid: Option<Fen>,
    pub(super) trouble: Option<String>,
    pub(super) created_ms: i64,
    pub(super) expires_ms: i64,
}

/// The trouble of money that somebody sent back at Alipay and not here.
pub(super) const GONE: &str = "gone";

impl Attempt {
    /// Whether the money is not at Alipay any more although nobody here sent it back.
    pub(super) fn is_gone(&self) -> bool {
        self.trouble.as_deref() == Some(GONE)
    }
}

/// The columns of an [`Attempt`], for a `select`.
pub(super) const COLUMNS: &str = "out_trade_no, order_number, attempt, amount_fen, state, qr_code, paid_fen, trouble, \
     created_ms, expires_ms";

pub(super) fn attempt(row: &Row) -> Result<Attempt, DbError> {
    let out_trade_no: String = row.try_get("out_trade_no")?;
    let broken = || damaged(format!("the payment {out_trade_no}"));
    let order: String = row.try_get("order_number")?;
    let state: String = row.try_get("state")?;
    let state = PaymentState::ALL.into_iter().find(|known| known.code() == state).ok_or_else(broken)?;
    Ok(Attempt {
        order: order.parse().map_err(|_| broken())?,
        attempt: row.try_get("attempt")?,
        amount: Fen(row.try_get::<i64, _>("amount_fen")?.unsigned_abs()),
        state,
        qr_code: row.try_get("qr_code")?,
        paid: row.try_get::<Option<i64>, _>("paid_fen")?.map(|fen| Fen(fen.unsigned_abs())),
        trouble: row.try_get("trouble")?,
        created_ms: row.try_get("created_ms")?,
        expires_ms: row.try_get("expires_ms")?,
        out_trade_no,
    })
}

/// The payment under our number.
pub(super) async fn find(
    connection: &mut Connection,
    out_trade_no: &str,
) -> Result<Option<Attempt>, DbError> {
    let sql = sqlx::AssertSqlSafe(format!("select {COLUMNS} from payments where out_trade_no = $1"));
    let row = sqlx::query::<Sql>(sql).bind(out_trade_no).fetch_optional(connection).await?;
    row.map(|row| attempt(&row)).transpose()
}

/// Whether what an order was paid with came by Alipay and is there.
///
/// # Errors
/// The database's.
pub(crate) async fn is_paid_here(connection: &mut Connection, number: &OrderNumber) -> Result<bool, DbError> {
    let sql = "select 1 from payments where order_number = $1 and state = 'paid' and trouble is null limit 1";
    let row = sqlx::query::<Sql>(sql).bind(number.as_str()).fetch_optional(connection).await?;
    Ok(row.is_some())
}

/// Whether what the order was paid with was sent back at Alipay by nobody here.
///
/// # Errors
/// The database's.
pub(crate) async fn was_taken_back(
    connection: &mut Connection,
    number: &OrderNumber,
) -> Result<bool, DbError> {
    let sql =
        "select 1 from payments where order_number = $1 and state = 'paid' and trouble = 'gone' limit 1";
    let row = sqlx::query::<Sql>(sql).bind(number.as_str()).fetch_optional(connection).await?;
    Ok(row.is_some())
}

/// Every payment of an order, the newest first.
pub(super) async fn of_order(
    connection: &mut Connection,
    number: &OrderNumber,
) -> Result<Vec<Attempt>, DbError> {
    let sql =
        format!("select {COLUMNS} from payments where order_number = $1 order by attempt desc limit 1000");
    let rows =
        sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql)).bind(number.as_str()).fetch_all(connection).await?;
    rows.iter().map(attempt).collect()
}

pub(super) async fn insert(connection: &mut Connection, new: &Attempt) -> Result<(), DbError> {
    sqlx::query::<Sql>(
        "insert into payments (out_trade_no, order_number, attempt, amount_fen, state, created_ms, expires_ms, next_ms) \
         values ($1, $2, $3, $4, $5, $6, $7, $6)",
    )
    .bind(&new.out_trade_no)
    .bind(new.order.as_str())
    .bind(new.attempt)
    .bind(fen_column(new.amount)?)
    .bind(new.state.code())
    .bind(new.created_ms)
    .bind(new.expires_ms)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn set_next(
    connection: &mut Connection,
    out_trade_no: &str,
    next_ms: i64,
) -> Result<(), DbError> {
    sqlx::query::<Sql>("update payments set next_ms = $2 where out_trade_no = $1")
        .bind(out_trade_no)
        .bind(next_ms)
        .execute(connection)
        .await?;
    Ok(())
}

/// Lets Alipay be asked about the open payment of an order at the next turn, which closes it if nobody wants it any more.
pub(super) async fn hurry(
    connection: &mut Connection,
    number: &OrderNumber,
    now_ms: i64,
) -> Result<(), DbError> {
    sqlx::query::<Sql>(
        "update payments set next_ms = $2 where order_number = $1 and state = 'open' and next_ms > $2",
    )
    .bind(number.as_str())
    .bind(now_ms)
    .execute(connection)
    .await?;
    Ok(())
}
