//! 取消: the customer takes an order back while no key is in work for it.

use model::{OrderNumber, OrderState};

use super::{
    content::Order,
    store::{OrderError, known_in},
    transition::{Actor, change_state},
};
use crate::{
    app::AppState,
    db::{Connection, Db, Sql, begin_write},
    payments::{self, PaymentError},
};

/// Why an order is cancelled, in its history.
pub(super) fn reason(actor: &Actor) -> &'static str {
    match actor {
        Actor::System => "逾期未支付或未修改，自动取消",
        Actor::Customer => "客户取消订单",
        _ => "应客户要求取消订单",
    }
}

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
///
/// # Errors
/// The database's.
pub async fn cancel_terms(connection: &mut Connection, order: &Order) -> Result<CancelTerms, OrderError> {
    let paid = order.content.payment.is_some();
    Ok(match order.state {
        OrderState::AwaitingPayment => CancelTerms::Free,
        OrderState::AwaitingReview | OrderState::Rejected if paid => CancelTerms::Refund,
        OrderState::AwaitingReview | OrderState::Rejected => CancelTerms::Free,
        OrderState::AwaitingProduction if begun(connection, &order.number).await? => CancelTerms::Never(
            "电子钥匙已开始制作，不能取消",
            "the keys are being made, the order cannot be cancelled",
        ),
        OrderState::AwaitingProduction if paid => CancelTerms::Refund,
        OrderState::AwaitingProduction => CancelTerms::Never(
            "订单已审核通过并排入制证，不能取消",
            "the order is approved and waits to be made, it cannot be cancelled",
        ),
        OrderState::AwaitingDelivery => {
            CancelTerms::Never("电子钥匙已制好，不能取消", "the keys are made, the order cannot be cancelled")
        }
        _ => CancelTerms::Never("", ""),
    })
}

/// As [`cancel_terms`], inside the transaction that sends money back: a station may have begun meanwhile.
///
/// # Errors
/// [`OrderError::NotCancellable`]; the database's.
pub(crate) async fn may_cancel(
    state: &AppState,
    tx: &mut Connection,
    number: &OrderNumber,
) -> Result<(), OrderError> {
    let order = known_in(tx, &state.sealer, number).await?;
    match cancel_terms(tx, &order).await? {
        CancelTerms::Never(zh, en) if !zh.is_empty() => Err(OrderError::NotCancellable(zh, en)),
        _ => Ok(()),
    }
}

/// Whether a station has, or had, a job of the order.
async fn begun(connection: &mut Connection, number: &OrderNumber) -> Result<bool, OrderError> {
    let row = sqlx::query::<Sql>(
        "select 1 from jobs where order_number = $1 and (state <> 'waiting' or key_id is not null) limit 1",
    );
    Ok(row.bind(number.as_str()).fetch_optional(connection).await?.is_some())
}

/// 取消, as [`cancel_terms`] says. The same cancellation twice is one.
///
/// # Errors
/// [`OrderError::NotCancellable`] with the reason; else as [`change_state`].
pub async fn cancel(state: &AppState, number: &OrderNumber, actor: &Actor) -> Result<(), PaymentError> {
    let mut tx = begin_write(&state.db).await?;
    let order = known_in(&mut tx, &state.sealer, number).await?;
    if matches!(order.state, OrderState::Cancelled | OrderState::Refunded) {
        return Ok(());
    }
    match cancel_terms(&mut tx, &order).await? {
        CancelTerms::Never(zh, en) => Err(OrderError::NotCancellable(zh, en).into()),
        CancelTerms::Refund => {
            tx.rollback().await?;
            payments::refund(state, number, actor, reason(actor)).await?;
            Ok(())
        }
        CancelTerms::Free => {
            let now_ms = state.clock.now_ms();
            change_state(&mut tx, number, OrderState::Cancelled, actor, reason(actor), now_ms).await?;
            tx.commit().await?;
            // Money that comes all the same goes back by itself; Alipay is asked again if it does not answer now.
            if order.state == OrderState::AwaitingPayment
                && let Err(error) = payments::close(state, number).await
            {
                tracing::warn!(%number, %error, "the payment of a cancelled order is closed later");
            }
            Ok(())
        }
    }
}

/// Whether the order is there and was placed with this mobile.
///
/// # Errors
/// The database's.
pub async fn is_of(db: &Db, number: &OrderNumber, mobile_digest: &str) -> Result<bool, OrderError> {
    let row = sqlx::query::<Sql>("select 1 from orders where number = $1 and handler_mobile_digest = $2");
    Ok(row.bind(number.as_str()).bind(mobile_digest).fetch_optional(db).await?.is_some())
}
