//! Refunds take two people: finance asks, another approves. Then the money goes back.

use model::{Fen, OrderNumber, OrderState};
use sqlx::Executor;

use crate::{
    app::AppState,
    audit::{self, What},
    db::{Connection, Db, DbError, Sql, Transaction, begin_write, damaged},
    orders::{Actor, Order, OrderError, REASON_CHARS_MAX, change_state, known_in, not_in_work},
    payments::{self, PaymentError, Refund},
};

/// Requests on the list at most.
const LIST_MAX: i64 = 200;

/// Requests that are not settled, because their orders are not either.
const WAITING: &str = "refund_requests r join orders o on o.number = r.order_number \
                       where r.state in ('asked', 'approved') and o.state not in ('refunded', 'cancelled')";

/// A refund that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRequest {
    /// The order.
    pub order: OrderNumber,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub asked_by: String,
    /// When.
    pub asked_ms: i64,
    /// `asked`, `approved` or `declined`.
    pub state: String,
    /// Who decided.
    pub decided_by: Option<String>,
    /// What finance has to do itself.
    pub by_hand: ByHand,
    /// The transfer's number, once it was made; [`NO_TRANSFER`] if there was none to make.
    pub transfer: Option<String>,
}

/// What finance has to do itself once a refund is approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByHand {
    /// Nothing: the money goes back the way it came, or nobody has approved it.
    Nothing,
    /// To transfer it, because it came by no service.
    Transfer,
    /// To look: it was sent back at Alipay before, and the customer may have paid otherwise since.
    Look,
}

impl ByHand {
    fn read(code: i64) -> Self {
        match code {
            0 => Self::Nothing,
            2 => Self::Look,
            _ => Self::Transfer,
        }
    }
}

/// In place of a transfer's number where there was nothing to transfer.
pub const NO_TRANSFER: &str = "-";

const COLUMNS: &str =
    "r.order_number, r.reason, r.asked_by, r.asked_ms, r.state, r.decided_by, r.by_hand, r.transfer";

type Columns = (String, String, String, i64, String, Option<String>, i64, Option<String>);

fn request(row: Columns) -> Result<RefundRequest, OrderError> {
    let (order, reason, asked_by, asked_ms, state, decided_by, by_hand, transfer) = row;
    let order = order.parse().map_err(|_| damaged("an order number"))?;
    Ok(RefundRequest {
        order,
        reason,
        asked_by,
        asked_ms,
        state,
        decided_by,
        by_hand: ByHand::read(by_hand),
        transfer,
    })
}

/// The order's request, if a refund was ever asked for.
///
/// # Errors
/// The database's.
pub async fn of_order(db: &Db, number: &OrderNumber) -> Result<Option<RefundRequest>, OrderError> {
    find(&mut *db.acquire().await?, number).await
}

async fn find(
    connection: &mut Connection,
    number: &OrderNumber,
) -> Result<Option<RefundRequest>, OrderError> {
    let sql = format!("select {COLUMNS} from refund_requests r where r.order_number = $1");
    let row = sqlx::query_as::<Sql, Columns>(sqlx::AssertSqlSafe(sql));
    row.bind(number.as_str()).fetch_optional(connection).await?.map(request).transpose()
}

/// The way back of what an order was paid by a payment service, once it was begun.
///
/// # Errors
/// The database's.
pub async fn under_way(state: &AppState, number: &OrderNumber) -> Result<Option<Refund>, OrderError> {
    payments::refund_of(state, number).await.map_err(|error| match error {
        PaymentError::Order(error) => error,
        other => damaged(format!("the refund of order {number}: {other}")).into(),
    })
}

/// Refunds that wait for the second person, or were approved and not begun since, the oldest first. What went back meanwhile, because the
/// customer cancelled, waits for nobody.
///
/// # Errors
/// The database's.
pub async fn waiting(db: &Db) -> Result<Vec<RefundRequest>, OrderError> {
    let sql = format!("select {COLUMNS} from {WAITING} order by r.asked_ms, r.order_number limit $1");
    let rows = sqlx::query_as::<Sql, Columns>(sqlx::AssertSqlSafe(sql));
    rows.bind(LIST_MAX).fetch_all(db).await?.into_iter().map(request).collect()
}

/// Whether the order's refund was asked for, and its money is not on its way yet.
///
/// # Errors
/// The database's.
pub async fn is_waiting(
    db: impl Executor<'_, Database = Sql>,
    number: &OrderNumber,
) -> Result<bool, OrderError> {
    let sql = format!("select 1 from {WAITING} and r.order_number = $1");
    let row = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql)).bind(number.as_str()).fetch_optional(db).await?;
    Ok(row.is_some())
}

/// Asks for a refund. One that was declined may be asked for again; the same twice is one.
///
/// # Errors
/// [`OrderError::Reason`], [`OrderError::NoRefund`], the database's.
pub async fn ask(
    state: &AppState,
    number: &OrderNumber,
    reason: &str,
    actor: &Actor,
) -> Result<(), OrderError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return Err(OrderError::Reason);
    }
    let mut tx = begin_write(&state.db).await?;
    let order = known_in(&mut tx, &state.sealer, number).await?;
    ask_in(&mut tx, &order, reason, actor, state.clock.now_ms()).await?;
    tx.commit().await?;
    Ok(())
}

/// As [`ask`], inside a transaction.
///
/// # Errors
/// As [`ask`].
pub(crate) async fn ask_in(
    tx: &mut Transaction,
    order: &Order,
    reason: &str,
    actor: &Actor,
    now_ms: i64,
) -> Result<(), OrderError> {
    let asker = match actor {
        Actor::Operator(name) => name.clone(),
        // No operator has such a name.
        other => format!("({other})"),
    };
    refundable(tx, order).await?;
    let asked = sqlx::query::<Sql>(
        "insert into refund_requests (order_number, reason, asked_by, asked_ms, state) values ($1, $2, $3, $4, 'asked') \
         on conflict (order_number) do update set reason = excluded.reason, asked_by = excluded.asked_by, \
         asked_ms = excluded.asked_ms, state = 'asked', decided_by = null, decided_ms = null \
         where refund_requests.state = 'declined'",
    )
    .bind(order.number.as_str())
    .bind(reason)
    .bind(asker)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    if asked.rows_affected() == 1 {
        audit::record(tx, now_ms, actor, What::RefundAsked, &order.number, "").await?;
    }
    Ok(())
}

/// There is money to give back, and nobody is making a key of it now.
async fn refundable(tx: &mut Transaction, order: &Order) -> Result<(), OrderError> {
    order.state.become_state(OrderState::Refunded)?;
    if order.content.payment.is_none() {
        return Err(OrderError::NoRefund("没有支付记录，无款可退 (nothing was paid)"));
    }
    not_in_work(tx, &order.number).await
}

/// Approves or declines a refund. Who asked does not decide. With the approval the order is 已退款 and its money on its way back: what came
/// by a payment service goes back by it; what came otherwise, finance transfers ([`to_transfer`]).
///
/// # Errors
/// [`OrderError::SamePerson`], [`OrderError::NoRefund`] if none waits or none can be, the database's.
pub async fn decide(
    state: &AppState,
    number: &OrderNumber,
    approve: bool,
    operator: &str,
) -> Result<(), OrderError> {
    let mut tx = begin_write(&state.db).await?;
    let asked = find(&mut tx, number).await?.filter(|request| request.state != "declined");
    let asked = asked.ok_or(OrderError::NoRefund("没有待批准的退款 (no refund waits for a decision)"))?;
    if asked.asked_by == operator {
        return Err(OrderError::SamePerson(
            "申请退款的人不能批准，请另一位财务或管理员办理 (who asked for a refund does not decide: ask another)",
        ));
    }
    let who = Actor::Operator(operator.to_owned());
    if asked.state == "asked" {
        write_decision(state, &mut tx, &asked, approve, &who, operator).await?;
    } else if !approve {
        return Err(OrderError::NoRefund(
            "该退款已批准，不能再改为不批准 (it was approved: it cannot be declined any more)",
        ));
    }
    if approve {
        pay_back(state, &mut tx, &asked, &who).await?;
    }
    tx.commit().await?;
    if approve && let Err(error) = payments::attempt_wanted(state, number).await {
        tracing::warn!(order = %number, %error, "a refund that was approved is tried again");
    }
    Ok(())
}

async fn write_decision(
    state: &AppState,
    tx: &mut Transaction,
    asked: &RefundRequest,
    approve: bool,
    who: &Actor,
    operator: &str,
) -> Result<(), OrderError> {
    let now_ms = state.clock.now_ms();
    sqlx::query::<Sql>(
        "update refund_requests set state = $2, decided_by = $3, decided_ms = $4 where order_number = $1",
    )
    .bind(asked.order.as_str())
    .bind(if approve { "approved" } else { "declined" })
    .bind(operator)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    let what = if approve { What::RefundApproved } else { What::RefundDeclined };
    let detail = format!("asked={}", asked.asked_by);
    audit::record(tx, now_ms, who, what, &asked.order, &detail).await?;
    Ok(())
}

/// Judged and done in one transaction: no station begins in between.
async fn pay_back(
    state: &AppState,
    tx: &mut Transaction,
    asked: &RefundRequest,
    who: &Actor,
) -> Result<(), OrderError> {
    let order = known_in(tx, &state.sealer, &asked.order).await?;
    refundable(tx, &order).await?;
    let now_ms = state.clock.now_ms();
    if payments::give_back(tx, &order, who, &asked.reason, now_ms).await? {
        return Ok(());
    }
    change_state(tx, &asked.order, OrderState::Refunded, who, &asked.reason, now_ms).await?;
    let by_hand = if payments::was_taken_back(tx, &asked.order).await? { 2_i64 } else { 1 };
    sqlx::query::<Sql>("update refund_requests set by_hand = $2 where order_number = $1")
        .bind(asked.order.as_str())
        .bind(by_hand)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// A refund whose money finance has to transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToTransfer {
    /// The order.
    pub order: OrderNumber,
    /// How much.
    pub amount: Fen,
    /// Why.
    pub reason: String,
    /// When it was approved.
    pub since_ms: i64,
    /// Transfer, or look.
    pub by_hand: ByHand,
}

/// Refunds whose money finance has to transfer, the oldest first.
///
/// # Errors
/// The database's.
pub async fn to_transfer(db: &Db, most: u16) -> Result<Vec<ToTransfer>, DbError> {
    let rows = sqlx::query_as::<Sql, (String, i64, String, i64, i64)>(
        "select r.order_number, o.amount_fen, r.reason, r.decided_ms, r.by_hand from refund_requests r \
         join orders o on o.number = r.order_number where r.by_hand > 0 and r.transfer is null \
         order by r.decided_ms, r.order_number limit $1",
    );
    let read = |(order, amount, reason, since_ms, by_hand): (String, i64, String, i64, i64)| {
        let order = order.parse().map_err(|_| damaged("an order number"))?;
        let by_hand = ByHand::read(by_hand);
        Ok(ToTransfer { order, amount: Fen(amount.unsigned_abs()), reason, since_ms, by_hand })
    };
    rows.bind(i64::from(most)).fetch_all(db).await?.into_iter().map(read).collect()
}

/// How many [`to_transfer`] there are.
///
/// # Errors
/// The database's.
pub async fn to_transfer_count(db: &Db) -> Result<i64, DbError> {
    let count = "select count(*) from refund_requests where by_hand > 0 and transfer is null";
    Ok(sqlx::query_scalar::<Sql, i64>(count).fetch_one(db).await?)
}

/// Writes down that the money of an approved refund was transferred, and under which number; [`NO_TRANSFER`] where a look said that there
/// was nothing to transfer.
///
/// # Errors
/// [`OrderError::Transfer`]; [`OrderError::NoRefund`] if none waits for it; the database's.
pub async fn transferred(
    state: &AppState,
    number: &OrderNumber,
    reference: &str,
    operator: &str,
) -> Result<(), OrderError> {
    let none = reference == NO_TRANSFER;
    let reference = if none { NO_TRANSFER } else { payments::transfer_number(reference)? };
    let now_ms = state.clock.now_ms();
    let mut tx = begin_write(&state.db).await?;
    let updated = sqlx::query::<Sql>(
        "update refund_requests set transfer = $2, transfer_by = $3, transfer_ms = $4 \
         where order_number = $1 and by_hand >= $5 and transfer is null",
    )
    .bind(number.as_str())
    .bind(reference)
    .bind(operator)
    .bind(now_ms)
    .bind(if none { 2_i64 } else { 1 })
    .execute(&mut *tx)
    .await?;
    if updated.rows_affected() != 1 {
        return Err(OrderError::NoRefund(
            "没有待转账的退款，请刷新后再看 (no refund waits for a transfer: reload)",
        ));
    }
    let who = Actor::Operator(operator.to_owned());
    audit::record(&mut tx, now_ms, &who, What::RefundDone, number, &format!("transfer={reference}")).await?;
    tx.commit().await?;
    Ok(())
}
