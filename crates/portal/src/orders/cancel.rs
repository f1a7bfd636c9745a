//! 取消: the customer takes an order back while no key is in work for it.

use super::{
    content::Order,
    jobs::{JobRow, jobs},
    store::{OrderError, load, load_in},
    transition::{Actor, change_state},
};
use crate::{
    app::AppState,
    db::{Db, Sql, begin_write},
};
use model::{OrderNumber, OrderState};

/// Whether and how an order can be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelTerms {
    /// Nothing was paid: it becomes 已取消.
    Free,
    /// What was paid goes back: it becomes 已退款.
    Refund,
    /// It cannot be cancelled; why, in Chinese and English. Nothing is said where nobody would ask.
    Never(&'static str, &'static str),
}

/// On what terms an order can be cancelled. A key that a station has begun is made for its holder and has no other use.
#[must_use]
pub fn cancel_terms(order: &Order, jobs: &[JobRow]) -> CancelTerms {
    let paid = order.content.payment.is_some();
    let begun = jobs.iter().any(|job| job.state != "waiting" || job.key.is_some());
    match order.state {
        OrderState::AwaitingPayment => CancelTerms::Free,
        OrderState::AwaitingReview | OrderState::Rejected if paid => CancelTerms::Refund,
        OrderState::AwaitingReview | OrderState::Rejected => CancelTerms::Free,
        OrderState::AwaitingProduction if begun => CancelTerms::Never(
            "电子钥匙已开始制作，不能取消",
            "the keys are being made, the order cannot be cancelled",
        ),
        OrderState::AwaitingProduction if paid => CancelTerms::Refund,
        OrderState::AwaitingProduction => CancelTerms::Never(
            "订单已审核通过并排入制证，不能取消",
            "the order is approved and waits to be made, it cannot be cancelled",
        ),
        OrderState::AwaitingDelivery => CancelTerms::Never(
            "电子钥匙已制好并寄出，不能取消",
            "the keys are made and on their way, the order cannot be cancelled",
        ),
        _ => CancelTerms::Never("", ""),
    }
}

/// 取消, as [`cancel_terms`] says. The same cancellation twice is one.
///
/// # Errors
/// [`OrderError::NotCancellable`] with the reason; else as [`change_state`].
pub async fn cancel(state: &AppState, number: &OrderNumber, actor: &Actor) -> Result<(), OrderError> {
    let order = load(state, number).await?.ok_or_else(|| OrderError::Unknown(number.clone()))?;
    if matches!(order.state, OrderState::Cancelled | OrderState::Refunded) {
        return Ok(());
    }
    match cancel_terms(&order, &jobs(&state.db, number).await?) {
        CancelTerms::Never(zh, en) => Err(OrderError::NotCancellable(zh, en)),
        CancelTerms::Refund => Err(OrderError::NotCancellable("TODO", "TODO")),
        CancelTerms::Free => cancel_unpaid(state, number, actor).await,
    }
}

async fn cancel_unpaid(state: &AppState, number: &OrderNumber, actor: &Actor) -> Result<(), OrderError> {
    let mut tx = begin_write(&state.db).await?;
    let order =
        load_in(&mut tx, &state.sealer, number).await?.ok_or_else(|| OrderError::Unknown(number.clone()))?;
    // The payment may have arrived since.
    if order.content.payment.is_some() {
        return Err(OrderError::Raced);
    }
    change_state(&mut tx, number, OrderState::Cancelled, actor, "", state.clock.now_ms()).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether the order is there and was placed with this mobile.
///
/// # Errors
/// The database's.
pub async fn is_of(db: &Db, number: &OrderNumber, mobile_digest: &str) -> Result<bool, OrderError> {
    let row = sqlx::query::<Sql>("select 1 from orders where number = $1 and handler_mobile_digest = $2");
    Ok(row.bind(number.as_str()).bind(mobile_digest).fetch_optional(db).await?.is_some())
}
