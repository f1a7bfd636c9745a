//! Orders in the database.

use model::{Fen, IllegalOrderState, OrderNumber, OrderState};
use sqlx::{Executor, Row as _};

use super::{content::Order, sealed};
use crate::{
    app::AppState,
    db::{Connection, DbError, Row, Sql, Transaction, damaged, fen_column},
    seal::{SealError, Sealer},
    webhooks,
};

/// Why an order was not read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// No such order.
    #[error("没有订单 {0} (there is no order {0}: compare the number)")]
    Unknown(OrderNumber),
    /// The life of an order does not know this change.
    #[error("订单状态为{from}，不能变为{to}；请刷新后再看 (an order in state {from} cannot become {to}: reload and look again)",
        from = .0.from.zh(), to = .0.to.zh())]
    Illegal(#[from] IllegalOrderState),
    /// Somebody else changed the order in between.
    #[error(
        "订单刚被他人处理，请刷新后再看 (somebody else has just changed this order: reload and look again)"
    )]
    Raced,
    /// The corrected order does not pass.
    #[error("订单内容有误 (the order has mistakes, see the fields)")]
    Content(Vec<super::form::FieldError>),
    /// A rejection without a reason, or with a very long one.
    #[error("请写明拒绝原因，最多 500 字 (write the reason, at most 500 characters)")]
    Reason,
    /// No certificate can carry what the order says.
    #[error(
        "订单无法制证，请拒绝并请客户更正，或更正项目文件 (the order cannot be certified: reject it for correction, or correct its programme: {0})"
    )]
    Uncertifiable(String),
    /// The order cannot be cancelled any more.
    #[error("{0} ({1})")]
    NotCancellable(&'static str, &'static str),
    /// It is not what the one who decides looked at.
    #[error(
        "订单在您打开之后有变动，请核对后再决定 (the order changed since you opened it: look once more, then decide)"
    )]
    Changed,
    /// Nobody checked the parcel.
    #[error(
        "包裹尚未复核寄出，复核台扫描运单和钥匙后才能登记收到 (the parcel is not sent yet: its waybill and keys are scanned at /packing first)"
    )]
    NotPacked,
    /// Two steps that take two people.
    #[error("{0}")]
    SamePerson(&'static str),
    /// There is nothing to refund, or not now.
    #[error("{0}")]
    NoRefund(&'static str),
    /// Its money is asked back: nobody begins a key of it before that is decided.
    #[error(
        "该订单有待办的退款申请，请财务先批准或拒绝 (a refund of this order is asked for: finance approves or declines it first)"
    )]
    RefundWaits,
    /// Not the number of a transfer.
    #[error(
        "请填写转账凭证号：字母、数字和连字符，最多 64 位 (write the transfer's number: letters, digits and hyphens, at most 64)"
    )]
    Transfer,
    /// No such job.
    #[error("没有任务 {0} (there is no job {0}: compare the number)")]
    UnknownJob(model::JobId),
    /// The job cannot be released.
    #[error("任务不能退回 (the job cannot be released): {0}")]
    NotReleasable(&'static str),
    /// No number could be made for the order.
    #[error(
        "暂时无法生成订单号，请重试 (no order number could be made: try again; check the machine's clock)"
    )]
    NoNumber,
    /// What the order says does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for OrderError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// A line of an order's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When.
    pub at_ms: i64,
    /// `operator:<name>`, `customer`, `import`, `station:<name>`, `command-line` or `system`.
    pub who: String,
    /// The state before; `None` when the order came in.
    pub from: Option<OrderState>,
    /// The state after.
    pub to: OrderState,
    /// Why; may be empty.
    pub reason: String,
}

const SELECT_ORDER: &str = "select number, content, sealed, product_title, amount_fen, state, reject_reason, created_ms, changed_ms \
     from orders where number = $1";

/// The order with this number.
///
/// # Errors
/// [`OrderError::Unknown`], [`OrderError::Db`], [`OrderError::Seal`].
pub async fn known(state: &AppState, number: &OrderNumber) -> Result<Order, OrderError> {
    load(state, number).await?.ok_or_else(|| OrderError::Unknown(number.clone()))
}

/// The order with this number, inside a transaction.
///
/// # Errors
/// [`OrderError::Unknown`], [`OrderError::Db`], [`OrderError::Seal`].
pub async fn known_in(
    tx: &mut Connection,
    sealer: &Sealer,
    number: &OrderNumber,
) -> Result<Order, OrderError> {
    load_in(tx, sealer, number).await?.ok_or_else(|| OrderError::Unknown(number.clone()))
}

/// The order with this number, if there is one.
///
/// # Errors
/// [`OrderError::Db`], [`OrderError::Seal`].
pub async fn load(state: &AppState, number: &OrderNumber) -> Result<Option<Order>, OrderError> {
    let row = sqlx::query(SELECT_ORDER).bind(number.as_str()).fetch_optional(&state.db).await?;
    row.map(|row| order(&state.sealer, &row)).transpose()
}

/// The order with this number, if there is one, inside a transaction.
///
/// # Errors
/// [`OrderError::Db`], [`OrderError::Seal`].
pub async fn load_in(
    tx: &mut Connection,
    sealer: &Sealer,
    number: &OrderNumber,
) -> Result<Option<Order>, OrderError> {
    let row = sqlx::query(SELECT_ORDER).bind(number.as_str()).fetch_optional(tx).await?;
    row.map(|row| order(sealer, &row)).transpose()
}

fn order(sealer: &Sealer, row: &Row) -> Result<Order, OrderError> {
    let number: String = row.try_get("number")?;
    Ok(Order {
        content: sealed::open(sealer, row)?,
        product_title: row.try_get("product_title")?,
        amount: Fen(row.try_get::<i64, _>("amount_fen")?.unsigned_abs()),
        state: state(row.try_get("state")?)?,
        reject_reason: row.try_get("reject_reason")?,
        created_ms: row.try_get("created_ms")?,
        changed_ms: row.try_get("changed_ms")?,
        number: number.parse().map_err(|_| damaged(format!("the order number {number:?}")))?,
    })
}

/// How an order stands, without what its customer gave: nothing needs to be opened for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its number.
    pub number: OrderNumber,
    /// The programme's id.
    pub programme: String,
    /// `unit` or `personal`.
    pub(super) holder_kind: String,
    /// The name the certificate is made out to.
    pub holder_name: String,
    /// How many keys.
    pub quantity: u16,
    /// What it costs.
    pub amount: Fen,
    /// Where it stands.
    pub state: OrderState,
    /// Why it stands rejected.
    pub reject_reason: Option<String>,
    /// When its state changed last.
    pub changed_ms: i64,
}

/// How the order with this number stands, inside a transaction.
///
/// # Errors
/// [`OrderError::Db`].
pub async fn standing(tx: &mut Connection, number: &OrderNumber) -> Result<Option<Standing>, OrderError> {
    let row = sqlx::query::<Sql>(
        "select programme, holder_kind, holder_name, quantity, amount_fen, state, reject_reason, changed_ms \
         from orders where number = $1",
    )
    .bind(number.as_str())
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let quantity: i64 = row.try_get("quantity")?;
    Ok(Some(Standing {
        number: number.clone(),
        programme: row.try_get("programme")?,
        holder_kind: row.try_get("holder_kind")?,
        holder_name: row.try_get("holder_name")?,
        quantity: u16::try_from(quantity).map_err(|_| damaged(format!("the quantity of order {number}")))?,
        amount: Fen(row.try_get::<i64, _>("amount_fen")?.unsigned_abs()),
        state: state(row.try_get("state")?)?,
        reject_reason: row.try_get("reject_reason")?,
        changed_ms: row.try_get("changed_ms")?,
    }))
}

pub(super) fn state(code: &str) -> Result<OrderState, DbError> {
    OrderState::from_code(code).ok_or_else(|| damaged(format!("the order state {code:?}")))
}

pub(super) async fn insert(tx: &mut Transaction, sealer: &Sealer, order: &Order) -> Result<(), OrderError> {
    let content = &order.content;
    sqlx::query::<Sql>(
        "insert into orders (number, programme, product, product_title, holder_kind, holder_name, unit_name, years, \
         quantity, amount_fen, state, content, sealed, handler_mobile_digest, created_ms, changed_ms) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '', $12, $13, $14, $14)",
    )
    .bind(order.number.as_str())
    .bind(&content.programme)
    .bind(&content.product)
    .bind(&order.product_title)
    .bind(kind_code(content.holder_kind))
    .bind(content.holder_name())
    .bind(&content.unit.name)
    .bind(i64::from(content.years))
    .bind(i64::from(content.quantity))
    .bind(fen_column(order.amount)?)
    .bind(order.state.code())
    .bind(sealed::seal(sealer, &order.number, content)?)
    .bind(sealed::mobile_digest(sealer, content))
    .bind(order.created_ms)
    .execute(&mut **tx)
    .await?;
    Ok(sealed::mark(tx, sealer, &order.number, content).await?)
}

pub(super) async fn replace_content(
    tx: &mut Transaction,
    sealer: &Sealer,
    order: &Order,
) -> Result<(), OrderError> {
    let content = &order.content;
    sqlx::query::<Sql>(
        "update orders set product = $2, product_title = $3, holder_kind = $4, holder_name = $5, unit_name = $6, \
         years = $7, quantity = $8, amount_fen = $9, content = '', sealed = $10, handler_mobile_digest = $11 \
         where number = $1",
    )
    .bind(order.number.as_str())
    .bind(&content.product)
    .bind(&order.product_title)
    .bind(kind_code(content.holder_kind))
    .bind(content.holder_name())
    .bind(&content.unit.name)
    .bind(i64::from(content.years))
    .bind(i64::from(content.quantity))
    .bind(fen_column(order.amount)?)
    .bind(sealed::seal(sealer, &order.number, content)?)
    .bind(sealed::mobile_digest(sealer, content))
    .execute(&mut **tx)
    .await?;
    Ok(sealed::mark(tx, sealer, &order.number, content).await?)
}

/// The word of a kind in `orders.holder_kind` and `jobs.certificate`.
pub(super) fn kind_code(kind: wire::CertificateKind) -> &'static str {
    match kind {
        wire::CertificateKind::Unit => "unit",
        wire::CertificateKind::Personal => "personal",
    }
}

pub(crate) async fn add_history(
    tx: &mut Transaction,
    number: &OrderNumber,
    entry: &HistoryEntry,
) -> Result<(), OrderError> {
    sqlx::query::<Sql>(
        "insert into order_history (order_number, step, at_ms, who, from_state, to_state, reason) \
         select $1, coalesce(max(step), 0) + 1, $2, $3, $4, $5, $6 from order_history where order_number = $1",
    )
    .bind(number.as_str())
    .bind(entry.at_ms)
    .bind(&entry.who)
    .bind(entry.from.map(OrderState::code))
    .bind(entry.to.code())
    .bind(&entry.reason)
    .execute(&mut **tx)
    .await?;
    if entry.from != Some(entry.to) {
        webhooks::note(tx, number).await?;
    }
    Ok(())
}

/// An order's history, oldest first.
///
/// # Errors
/// [`OrderError::Db`].
pub async fn history(
    db: impl Executor<'_, Database = Sql>,
    number: &OrderNumber,
) -> Result<Vec<HistoryEntry>, OrderError> {
    let rows = sqlx::query(
        "select at_ms, who, from_state, to_state, reason from order_history where order_number = $1 order by step",
    )
    .bind(number.as_str())
    .fetch_all(db)
    .await?;
    let entry = |row: &Row| {
        let from: Option<String> = row.try_get("from_state")?;
        Ok(HistoryEntry {
            at_ms: row.try_get("at_ms")?,
            who: row.try_get("who")?,
            from: from.as_deref().map(state).transpose()?,
            to: state(row.try_get("to_state")?)?,
            reason: row.try_get("reason")?,
        })
    };
    rows.iter().map(entry).collect()
}
