//! Changes of state. Each is one transaction: state, history and what follows from it, or nothing.

use std::fmt;

use model::{IllegalOrderState, JobId, OrderNumber, OrderState, StationId};
use serde_json::Value;

use super::{
    content::{Order, Payment},
    corrections,
    duties::has_entered,
    form::{OrderForm, read_payment},
    store::{HistoryEntry, OrderError, Standing, add_history, known, known_in, replace_content, standing},
};
use crate::{
    app::AppState,
    audit::{self, What},
    db::{DbError, Sql, Transaction, begin_write, damaged},
    drafts, invoices,
    messages::{self, MessageKind},
    programmes::Programme,
    refunds,
    stations::{self, RehearsalError},
};

/// Reasons that operators give have 1 to this many characters.
pub(crate) const REASON_CHARS_MAX: usize = 500;

/// Who changes an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An operator, by log-in.
    Operator(String),
    /// The customer whose order it is; who that is stands in the order alone.
    Customer,
    /// A file of orders.
    Import,
    /// A station's report.
    Station(StationId),
    /// A command that somebody typed at the portal's machine.
    CommandLine,
    /// The portal itself.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(name) => write!(f, "operator:{name}"),
            Self::Customer => f.write_str("customer"),
            Self::Import => f.write_str("import"),
            Self::Station(name) => write!(f, "station:{name}"),
            Self::CommandLine => f.write_str("command-line"),
            Self::System => f.write_str("system"),
        }
    }
}

/// Moves an order to `to` inside a transaction and writes its history. Gives back how the order stood before.
///
/// The update is bound to the state that was read, so of two who act at once one is told [`OrderError::Raced`].
///
/// # Errors
/// Unknown order, a change that `model::OrderState` does not know, a race, the database.
pub async fn change_state(
    tx: &mut Transaction,
    number: &OrderNumber,
    to: OrderState,
    actor: &Actor,
    reason: &str,
    now_ms: i64,
) -> Result<Standing, OrderError> {
    let order = standing(tx, number).await?.ok_or_else(|| OrderError::Unknown(number.clone()))?;
    order.state.become_state(to)?;
    let reject_reason = (to == OrderState::Rejected).then_some(reason);
    let updated = sqlx::query::<Sql>(
        "update orders set state = $3, reject_reason = $4, changed_ms = $5 where number = $1 and state = $2",
    )
    .bind(number.as_str())
    .bind(order.state.code())
    .bind(to.code())
    .bind(reject_reason)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    if updated.rows_affected() != 1 {
        return Err(OrderError::Raced);
    }
    let entry = HistoryEntry {
        at_ms: now_ms,
        who: actor.to_string(),
        from: Some(order.state),
        to,
        reason: reason.to_owned(),
    };
    add_history(tx, number, &entry).await?;
    if order.state == OrderState::Rejected {
        // What the customer had begun to correct is of no use to another state, nor to another refusal.
        drafts::remove(tx, number).await?;
    }
    let detail = format!("from={} to={}", order.state.code(), to.code());
    audit::record(tx, now_ms, actor, what(order.state, to), number, &detail).await?;
    invoices::follow(tx, &order, to, actor, now_ms).await?;
    Ok(order)
}

/// What a change of state is called in the audit.
fn what(from: OrderState, to: OrderState) -> What {
    match (from, to) {
        (OrderState::AwaitingReview, OrderState::AwaitingProduction) => What::OrderApproved,
        (_, OrderState::Rejected) => What::OrderRejected,
        _ => What::OrderState,
    }
}

/// 审核通过: the order waits for production and has one job a key. An order that was approved stays as it is. `seen` is the time of the change
/// that a person looked at, `None` if none looked.
///
/// # Errors
/// [`OrderError::Changed`] since then; [`OrderError::Uncertifiable`] if no certificate could carry what the order says; [`OrderError::RefundWaits`]; [`OrderError::SamePerson`] if the operator entered or
/// corrected the order; else as [`change_state`].
pub async fn approve(
    state: &AppState,
    number: &OrderNumber,
    actor: &Actor,
    seen: Option<i64>,
) -> Result<(), OrderError> {
    certifiable(state, &known(state, number).await?).await?;
    let mut tx = begin_write(&state.db).await?;
    if has_jobs(&mut tx, number).await? {
        return Ok(());
    }
    unchanged(standing(&mut tx, number).await?.as_ref(), seen)?;
    if refunds::is_waiting(&mut *tx, number).await? {
        return Err(OrderError::RefundWaits);
    }
    if has_entered(&mut tx, number, actor).await? {
        return Err(OrderError::SamePerson(
            "录入或更正订单的人不能审核通过，请另一位审核员办理 (who entered or corrected an order does not approve it: ask another reviewer)",
        ));
    }
    let to = OrderState::AwaitingProduction;
    let order = change_state(&mut tx, number, to, actor, "", state.clock.now_ms()).await?;
    let programme = programme_of(state, &order.programme)?;
    let profiles = serde_json::to_string(&programme.key_profiles)
        .map_err(|error| damaged(format!("profiles that are no JSON ({error})")))?;
    for index in 1..=order.quantity {
        insert_job(&mut tx, &order, index, &profiles).await?;
    }
    messages::enqueue(&mut tx, state, &order, MessageKind::Approved).await?;
    tx.commit().await?;
    Ok(())
}

/// Nobody decides about what he or she did not see.
fn unchanged(order: Option<&Standing>, seen: Option<i64>) -> Result<(), OrderError> {
    match (order, seen) {
        (Some(order), Some(seen)) if order.changed_ms != seen => Err(OrderError::Changed),
        _ => Ok(()),
    }
}

/// Rehearses the certificates while the customer can still correct the order. Later it would cost keys.
pub(crate) async fn certifiable(state: &AppState, order: &Order) -> Result<(), OrderError> {
    if order.state != OrderState::AwaitingReview {
        return Ok(());
    }
    let now = state.clock.now().into();
    let rehearsed = async {
        let subject = stations::subject(&state.programmes, &order.content)?;
        state.stage.rehearse((order.number.clone(), order.changed_ms), subject, now).await
    };
    match rehearsed.await {
        Err(RehearsalError::Order(why)) => Err(OrderError::Uncertifiable(why)),
        // The machine's clock, say: no fault of the order. The bench asks again before it takes a key.
        Err(RehearsalError::Other(why)) => {
            tracing::warn!(number = %order.number, why, "the certificates of an order could not be rehearsed");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

async fn has_jobs(tx: &mut Transaction, number: &OrderNumber) -> Result<bool, OrderError> {
    let row = sqlx::query("select 1 from jobs where order_number = $1 limit 1").bind(number.as_str());
    Ok(row.fetch_optional(&mut **tx).await?.is_some())
}

async fn insert_job(
    tx: &mut Transaction,
    order: &Standing,
    index: u16,
    profiles: &str,
) -> Result<(), DbError> {
    sqlx::query::<Sql>(
        "insert into jobs (job, order_number, idx, programme, certificate, profiles, holder, state, attempts) \
         values ($1, $2, $3, $4, $5, $6, $7, 'waiting', 0)",
    )
    .bind(JobId::new(order.number.clone(), index).to_string())
    .bind(order.number.as_str())
    .bind(i64::from(index))
    .bind(&order.programme)
    .bind(&order.holder_kind)
    .bind(profiles)
    .bind(&order.holder_name)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// 审核拒绝, with the reason the customer will read. The same rejection twice is one. `seen` as for [`approve`].
///
/// # Errors
/// [`OrderError::Changed`] since then; [`OrderError::Reason`] for none or one over 500 characters; else as [`change_state`].
pub async fn reject(
    state: &AppState,
    number: &OrderNumber,
    reason: &str,
    actor: &Actor,
    seen: Option<i64>,
) -> Result<(), OrderError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return Err(OrderError::Reason);
    }
    let mut tx = begin_write(&state.db).await?;
    let old = standing(&mut tx, number).await?;
    let same =
        |old: &Standing| old.state == OrderState::Rejected && old.reject_reason.as_deref() == Some(reason);
    if old.as_ref().is_some_and(same) {
        return Ok(());
    }
    unchanged(old.as_ref(), seen)?;
    let now = state.clock.now_ms();
    let order = change_state(&mut tx, number, OrderState::Rejected, actor, reason, now).await?;
    messages::enqueue(&mut tx, state, &order, MessageKind::Rejected { reason }).await?;
    tx.commit().await?;
    Ok(())
}

/// 修改后重新提交: a rejected order takes corrected content and goes back to review (row S1.13). The same correction
/// twice is one.
///
/// # Errors
/// [`OrderError::Content`] with every wrong field, also when what was ordered or paid differs from the first time
/// (money that arrived cannot be edited; the amount stays what it was); else as [`change_state`].
pub async fn correct(
    state: &AppState,
    number: &OrderNumber,
    content: &Value,
    actor: &Actor,
) -> Result<(), OrderError> {
    let mut tx = begin_write(&state.db).await?;
    let old = known_in(&mut tx, &state.sealer, number).await?;
    let form = OrderForm::read_correction(content, &state.programmes, &old).map_err(OrderError::Content)?;
    if old.state == OrderState::AwaitingReview && old.content == form.content {
        return Ok(());
    }
    correct_in(state, &mut tx, number, form, actor).await?;
    tx.commit().await?;
    Ok(())
}

/// As [`correct`], inside a transaction and with content that passed.
pub(crate) async fn correct_in(
    state: &AppState,
    tx: &mut Transaction,
    number: &OrderNumber,
    form: OrderForm,
    actor: &Actor,
) -> Result<OrderState, OrderError> {
    let to = OrderState::AwaitingReview;
    let old = known_in(tx, &state.sealer, number).await?;
    change_state(tx, number, to, actor, "", state.clock.now_ms()).await?;
    if old.state != OrderState::Rejected {
        return Err(IllegalOrderState { from: old.state, to }.into());
    }
    form.may_replace(&old).map_err(OrderError::Content)?;
    let order = Order { content: form.content, product_title: form.product_title, ..old.clone() };
    replace_content(tx, &state.sealer, &order).await?;
    corrections::write(tx, number, &old.content, &order.content, state.clock.now_ms()).await?;
    Ok(to)
}

/// 支付成功: the payment is kept with the order, which goes to review (row S3.7: until then it stays 待支付).
/// The same payment twice is one.
///
/// # Errors
/// [`OrderError::Content`] with every wrong field; else as [`change_state`].
pub async fn record_payment(
    state: &AppState,
    number: &OrderNumber,
    payment: &Value,
    actor: &Actor,
) -> Result<(), OrderError> {
    let mut tx = begin_write(&state.db).await?;
    let to = OrderState::AwaitingReview;
    let order = known_in(&mut tx, &state.sealer, number).await?;
    let programme = programme_of(state, &order.content.programme)?;
    let payment = read_payment(payment, programme, order.amount).map_err(OrderError::Content)?;
    if order.content.payment.as_ref() == Some(&payment) {
        return Ok(());
    }
    if order.state != OrderState::AwaitingPayment {
        return Err(IllegalOrderState { from: order.state, to }.into());
    }
    pay_in(&mut tx, state, order, payment, actor).await?;
    tx.commit().await?;
    Ok(())
}

/// 待支付 to 待审核, with the payment kept in the order; the caller has checked the payment and commits.
///
/// # Errors
/// As [`change_state`].
pub(crate) async fn pay_in(
    tx: &mut Transaction,
    state: &AppState,
    mut order: Order,
    payment: Payment,
    actor: &Actor,
) -> Result<(), OrderError> {
    let to = OrderState::AwaitingReview;
    change_state(tx, &order.number, to, actor, "", state.clock.now_ms()).await?;
    order.content.payment = Some(payment);
    replace_content(tx, &state.sealer, &order).await
}

fn programme_of<'a>(state: &'a AppState, id: &str) -> Result<&'a Programme, DbError> {
    state
        .programmes
        .get(id)
        .ok_or_else(|| damaged(format!("an order of programme {id:?}, which has no file")))
}
