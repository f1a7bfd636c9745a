//! The rows of invoices.

use model::{Fen, OrderNumber};
use sqlx::Row as _;

use crate::{
    app::AppState,
    db::{Connection, Db, DbError, Row, Sql, damaged},
    invoices::ListedInvoice,
    programmes::InvoiceKind,
};

/// How far an invoice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvoiceState {
    /// It is wanted.
    Asked,
    /// The provider has it, or may have it.
    Submitted,
    /// It is made, and its PDF is here.
    Issued,
    /// The provider could not make it; an operator may ask again.
    Failed,
    /// It is not wanted any more and was not made.
    Withdrawn,
    /// A red one is wanted.
    Reddening,
    /// It was taken back.
    Red,
    /// The provider could not take it back; an operator may ask again.
    RedFailed,
}

impl InvoiceState {
    const ALL: [Self; 8] = [
        Self::Asked,
        Self::Submitted,
        Self::Issued,
        Self::Failed,
        Self::Withdrawn,
        Self::Reddening,
        Self::Red,
        Self::RedFailed,
    ];

    /// The word in the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Submitted => "submitted",
            Self::Issued => "issued",
            Self::Failed => "failed",
            Self::Withdrawn => "withdrawn",
            Self::Reddening => "reddening",
            Self::Red => "red",
            Self::RedFailed => "red_failed",
        }
    }

    /// The words on the page, in Chinese and English.
    #[must_use]
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Asked => ("待开具", "to be made"),
            Self::Submitted => ("开具中", "being made"),
            Self::Issued => ("已开具", "issued"),
            Self::Failed => ("开具失败", "failed"),
            Self::Withdrawn => ("已撤回", "withdrawn"),
            Self::Reddening => ("冲红中", "being taken back"),
            Self::Red => ("已冲红", "taken back"),
            Self::RedFailed => ("冲红失败", "could not be taken back"),
        }
    }
}

/// An invoice as pages show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceRow {
    /// 普票 or 专票; known once it is submitted.
    pub kind: Option<InvoiceKind>,
    /// How far it is.
    pub state: InvoiceState,
    /// Its number, once issued.
    pub number: Option<String>,
    /// The red one's number, once it was taken back.
    pub red_number: Option<String>,
    /// When it was issued.
    pub issued_ms: Option<i64>,
    /// Whether it waits until the seller has logged in at the tax bureau.
    pub needs_login: bool,
    /// Whether the provider refuses the account: whoever keeps its secrets must act, then it goes on by itself.
    pub needs_account: bool,
    /// Whether an operator must ask for it again.
    pub needs_operator: bool,
    /// The provider's last complaint; empty: none. For operators.
    pub trouble: String,
}

impl From<Invoice> for InvoiceRow {
    fn from(invoice: Invoice) -> Self {
        Self {
            needs_operator: invoice.is_stuck()
                || matches!(invoice.state, InvoiceState::Failed | InvoiceState::RedFailed),
            kind: invoice.kind,
            state: invoice.state,
            number: invoice.invoice_number,
            red_number: invoice.red_number,
            issued_ms: invoice.issued_ms,
            needs_login: invoice.needs_login,
            needs_account: invoice.needs_account,
            trouble: invoice.trouble,
        }
    }
}

/// A row, without its PDF.
#[derive(Clone)]
pub(super) struct Invoice {
    pub order: OrderNumber,
    pub kind: Option<InvoiceKind>,
    pub state: InvoiceState,
    pub attempt: i64,
    pub red: bool,
    pub needs_login: bool,
    pub needs_account: bool,
    pub asks: i64,
    pub invoice_number: Option<String>,
    pub red_number: Option<String>,
    pub issued_ms: Option<i64>,
    pub next_ms: Option<i64>,
    pub trouble: String,
}

impl Invoice {
    /// Whether it was given up in the middle of its way.
    pub(super) fn is_stuck(&self) -> bool {
        let under_way =
            matches!(self.state, InvoiceState::Asked | InvoiceState::Submitted | InvoiceState::Reddening);
        under_way && self.next_ms.is_none()
    }

    /// The provider's name for it: at most 20 characters, so the century and the letters of the order's number are left out.
    pub(super) fn order_no(&self) -> String {
        format!("{}{:02}", self.order.as_str().get(7..).unwrap_or_default(), self.attempt)
    }
}

const COLUMNS: &str = "select order_number, kind, state, attempt, red, needs_login, account, asks, number, red_number, issued_ms, \
                       next_ms, trouble, created_ms from invoices";

pub(super) async fn find(
    connection: &mut Connection,
    number: &OrderNumber,
) -> Result<Option<Invoice>, DbError> {
    let sql = format!("{COLUMNS} where order_number = $1");
    let query = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql)).bind(number.as_str());
    query.fetch_optional(connection).await?.map(|row| read(&row)).transpose()
}

/// What is due now, the longest first.
pub(super) async fn due(state: &AppState, most: i64) -> Result<Vec<Invoice>, DbError> {
    let sql = format!("{COLUMNS} where next_ms <= $1 order by next_ms, order_number limit $2");
    let query = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql)).bind(state.clock.now_ms()).bind(most);
    query.fetch_all(&state.db).await?.iter().map(read).collect()
}

/// A customer's, the newest first.
pub(super) async fn of_customer(
    db: &Db,
    mobile_digest: &str,
    most: i64,
) -> Result<Vec<ListedInvoice>, DbError> {
    let sql = "select i.order_number, i.kind, i.state, i.attempt, i.red, i.needs_login, i.account, i.asks, i.number, i.red_number, i.issued_ms, \
               i.next_ms, i.trouble, o.unit_name, o.amount_fen from invoices i join orders o on o.number = i.order_number \
               where o.handler_mobile_digest = $1 order by o.created_ms desc, o.number desc limit $2";
    let rows = sqlx::query::<Sql>(sql).bind(mobile_digest).bind(most).fetch_all(db).await?;
    let listed = |row: &Row| {
        let invoice = read(row)?;
        Ok(ListedInvoice {
            order: invoice.order.clone(),
            unit_name: row.try_get("unit_name")?,
            amount: Fen(row.try_get::<i64, _>("amount_fen")?.unsigned_abs()),
            invoice: invoice.into(),
        })
    };
    rows.iter().map(listed).collect()
}

/// What waits for a person, the oldest first: order, since when, and the invoice.
pub(super) async fn needing_person(
    db: &Db,
    most: i64,
) -> Result<Vec<(OrderNumber, i64, InvoiceRow)>, DbError> {
    let sql = format!(
        "{COLUMNS} where needs_login = 1 or account = 1 or state in ('failed', 'red_failed') \
         or (state in ('asked', 'submitted', 'reddening') and next_ms is null) order by created_ms, order_number limit $1"
    );
    let rows = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql)).bind(most).fetch_all(db).await?;
    let waiting = |row: &Row| {
        let invoice = read(row)?;
        Ok((invoice.order.clone(), row.try_get("created_ms")?, invoice.into()))
    };
    rows.iter().map(waiting).collect()
}

fn read(row: &Row) -> Result<Invoice, DbError> {
    let order: String = row.try_get("order_number")?;
    let word = |column: &str| row.try_get::<String, _>(column);
    let (kind, state) = (word("kind")?, word("state")?);
    Ok(Invoice {
        order: order.parse().map_err(|_| damaged(format!("the order number {order:?}")))?,
        kind: InvoiceKind::ALL.iter().copied().find(|known| known.code() == kind),
        state: InvoiceState::ALL
            .into_iter()
            .find(|known| known.code() == state)
            .ok_or_else(|| damaged(format!("the invoice state {state:?}")))?,
        attempt: row.try_get("attempt")?,
        red: row.try_get::<i64, _>("red")? == 1,
        needs_login: row.try_get::<i64, _>("needs_login")? == 1,
        needs_account: row.try_get::<i64, _>("account")? == 1,
        asks: row.try_get("asks")?,
        invoice_number: row.try_get("number")?,
        red_number: row.try_get("red_number")?,
        issued_ms: row.try_get("issued_ms")?,
        next_ms: row.try_get("next_ms")?,
        trouble: row.try_get("trouble")?,
    })
}

/// Writes a row; false if it does not stand in the state `from` any more.
pub(super) async fn update(tx: &mut Connection, from: InvoiceState, to: &Invoice) -> Result<bool, DbError> {
    let updated = sqlx::query::<Sql>(
        "update invoices set state = $3, attempt = $4, red = $5, needs_login = $6, asks = $7, number = $8, \
         red_number = $9, issued_ms = $10, next_ms = $11, trouble = $12, kind = $13, account = $14 where order_number = $1 and state = $2",
    )
    .bind(to.order.as_str())
    .bind(from.code())
    .bind(to.state.code())
    .bind(to.attempt)
    .bind(i64::from(to.red))
    .bind(i64::from(to.needs_login))
    .bind(to.asks)
    .bind(&to.invoice_number)
    .bind(&to.red_number)
    .bind(to.issued_ms)
    .bind(to.next_ms)
    .bind(&to.trouble)
    .bind(to.kind.map_or("", InvoiceKind::code))
    .bind(i64::from(to.needs_account))
    .execute(tx)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Keeps the PDF, sealed.
pub(super) async fn keep_pdf(
    tx: &mut Connection,
    order: &OrderNumber,
    sealed: Vec<u8>,
) -> Result<(), DbError> {
    sqlx::query::<Sql>("update invoices set pdf = $2 where order_number = $1")
        .bind(order.as_str())
        .bind(sealed)
        .execute(tx)
        .await?;
    Ok(())
}

/// The context a PDF is sealed under.
pub(super) fn context(order: &OrderNumber) -> String {
    format!("invoice:{order}")
}
