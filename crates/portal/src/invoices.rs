//! Invoices: asked for when an order is completed, made by the provider, kept for download, taken back when the order is refunded.
//!
//! The provider knows an invoice by a number made of the order's and the attempt; the same number is the same invoice, so every call may
//! be repeated. What is to be done stands in the row, and [`turn`] does it.

mod links;
mod row;
mod steps;

use model::{Fen, OrderNumber, OrderState};
use sqlx::Row as _;

pub use links::{open as open_link, redeem as redeem_link};
pub use row::{InvoiceRow, InvoiceState};
pub use steps::turn;

use crate::{
    app::AppState,
    audit::{self, What},
    db::{Db, DbError, Sql, Transaction, begin_write},
    orders::{self, Actor, OrderError, Standing},
    seal::SealError,
};

/// Invoices on a customer's list at most.
pub const LISTED: i64 = 200;

/// Times an invoice may be asked for anew: the attempt has two digits at the provider.
const ATTEMPTS_MAX: i64 = 99;

/// Why an invoice was not asked for or given out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvoiceError {
    /// The order has none, or not yet.
    #[error(
        "该订单没有可开具的发票：完成且已支付的订单才能开票 (this order has no invoice: only a completed and paid one has)"
    )]
    None,
    /// It was asked for too often.
    #[error("该订单开票失败次数过多，请联系技术支持 (this invoice has failed too often: call support)")]
    TooOften,
    /// It is not made yet.
    #[error("发票正在开具，请稍后再来 (the invoice is being made: come back later)")]
    NotYet,
    /// The kept PDF does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The order.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for InvoiceError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// An invoice's PDF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdf {
    /// A name for the file: the invoice's number.
    pub name: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// What follows for the invoice from an order's change of state: asked for when it is completed, taken back when it is refunded.
pub(crate) async fn follow(
    tx: &mut Transaction,
    order: &Standing,
    to: OrderState,
    actor: &Actor,
    now_ms: i64,
) -> Result<(), DbError> {
    match to {
        OrderState::Completed if order.amount.0 > 0 => ask(tx, &order.number, actor, now_ms).await,
        OrderState::Refunded => redden(tx, &order.number, actor, now_ms).await,
        _ => Ok(()),
    }
}

/// Writes the row, unless there is one. Whether the order has an invoice at all, and which, is read when it is submitted.
async fn ask(tx: &mut Transaction, number: &OrderNumber, actor: &Actor, now_ms: i64) -> Result<(), DbError> {
    let written = sqlx::query::<Sql>(
        "insert into invoices (order_number, kind, state, attempt, red, needs_login, asks, next_ms, trouble, created_ms) \
         values ($1, '', 'asked', 1, 0, 0, 0, $2, '', $2) on conflict (order_number) do nothing",
    )
    .bind(number.as_str())
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    if written.rows_affected() == 1 {
        audit::record(tx, now_ms, actor, What::InvoiceAsked, number, "attempt=1").await?;
    }
    Ok(())
}

/// 开具发票: asks for the invoice of a completed order, or once more after it failed. What is under way or done stays as it is.
///
/// # Errors
/// [`InvoiceError`].
pub async fn request(state: &AppState, number: &OrderNumber, actor: &Actor) -> Result<(), InvoiceError> {
    let now = state.clock.now_ms();
    let mut tx = begin_write(&state.db).await?;
    let order = orders::known_in(&mut tx, &state.sealer, number).await?;
    let Some(row) = row::find(&mut tx, number).await? else {
        let has_one = order.content.invoice.is_some() && order.amount.0 > 0;
        if order.state != OrderState::Completed || !has_one {
            return Err(InvoiceError::None);
        }
        ask(&mut tx, number, actor, now).await?;
        tx.commit().await?;
        return Ok(());
    };
    let (again, attempt) = match row.state {
        // The provider said no: it wants another number for another try.
        InvoiceState::Failed => (InvoiceState::Asked, row.attempt + 1),
        InvoiceState::RedFailed => (InvoiceState::Reddening, row.attempt + 1),
        // It was given up, and may be made all the same: on with the same number.
        _ if row.is_stuck() => (row.state, row.attempt),
        _ => return Ok(()),
    };
    if attempt > ATTEMPTS_MAX {
        return Err(InvoiceError::TooOften);
    }
    let next = row::Invoice { state: again, attempt, asks: 0, next_ms: Some(now), ..row.clone() };
    row::update(&mut tx, row.state, &next).await?;
    let detail = format!("attempt={}", next.attempt);
    audit::record(&mut tx, now, actor, What::InvoiceAsked, number, &detail).await?;
    tx.commit().await?;
    Ok(())
}

/// Takes the invoice back: an issued one by a red one, one that is not submitted yet by leaving it. Once more does nothing.
///
/// # Errors
/// [`DbError`].
pub async fn redden(
    tx: &mut Transaction,
    number: &OrderNumber,
    actor: &Actor,
    now_ms: i64,
) -> Result<(), DbError> {
    let Some(row) = row::find(tx, number).await? else { return Ok(()) };
    let (to, next_ms) = match row.state {
        InvoiceState::Asked | InvoiceState::Failed => (InvoiceState::Withdrawn, None),
        InvoiceState::Issued => (InvoiceState::Reddening, Some(now_ms)),
        // It may be made already: it is taken back once it is known.
        InvoiceState::Submitted if !row.red => (InvoiceState::Submitted, row.next_ms),
        _ => return Ok(()),
    };
    let next = row::Invoice {
        state: to,
        red: true,
        asks: 0,
        needs_login: false,
        needs_account: false,
        next_ms,
        ..row.clone()
    };
    row::update(tx, row.state, &next).await?;
    audit::record(tx, now_ms, actor, What::InvoiceTakenBack, number, "").await
}

/// An order's invoice as pages show it.
///
/// # Errors
/// [`DbError`].
pub async fn of_order(db: &Db, number: &OrderNumber) -> Result<Option<InvoiceRow>, DbError> {
    Ok(row::find(&mut *db.acquire().await?, number).await?.map(Into::into))
}

/// An invoice on its customer's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedInvoice {
    /// The order.
    pub order: OrderNumber,
    /// The unit, which is its title.
    pub unit_name: String,
    /// What it is over.
    pub amount: Fen,
    /// The invoice.
    pub invoice: InvoiceRow,
}

/// The newest invoices of the customer whose mobile has this digest, at most [`LISTED`].
///
/// # Errors
/// [`DbError`].
pub async fn of_customer(db: &Db, mobile_digest: &str) -> Result<Vec<ListedInvoice>, DbError> {
    row::of_customer(db, mobile_digest, LISTED).await
}

/// The PDF of an order's invoice. The caller has made sure that the asker may have it.
///
/// # Errors
/// [`InvoiceError::None`], [`InvoiceError::NotYet`]; the seal, the database.
pub async fn download(state: &AppState, number: &OrderNumber) -> Result<Pdf, InvoiceError> {
    let row = sqlx::query::<Sql>("select number, pdf from invoices where order_number = $1")
        .bind(number.as_str())
        .fetch_optional(&state.db)
        .await?;
    let row = row.ok_or(InvoiceError::None)?;
    let (name, sealed) =
        (row.try_get::<Option<String>, _>("number")?, row.try_get::<Option<Vec<u8>>, _>("pdf")?);
    let (Some(name), Some(sealed)) = (name, sealed) else { return Err(InvoiceError::NotYet) };
    let opened = state.sealer.open_sealed(&row::context(number), &sealed)?;
    Ok(Pdf { name: format!("{name}.pdf"), bytes: opened.expose().to_vec() })
}

/// Invoices that wait for a person, the oldest first, at most `most`: for the seller's log-in at the tax bureau, or for an operator.
///
/// # Errors
/// [`DbError`].
pub async fn needing_person(db: &Db, most: u16) -> Result<Vec<(OrderNumber, i64, InvoiceRow)>, DbError> {
    row::needing_person(db, i64::from(most)).await
}

/// How many invoices wait until the seller has logged in at the tax bureau.
///
/// # Errors
/// [`DbError`].
pub async fn needing_tax_login(db: &Db) -> Result<i64, DbError> {
    let count = "select count(*) from invoices where needs_login = 1";
    Ok(sqlx::query_scalar::<Sql, i64>(count).fetch_one(db).await?)
}
