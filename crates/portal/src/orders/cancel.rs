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
    refunds,
};

/// Why an order is cancelled, in its history.
fn reason(actor: &Actor) -> &'static str {
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
    /// What was paid goes back the way it came: it becomes 已退款.
    Refund,
    /// What was paid came by no service: finance is asked to send it back, and then it becomes 已退款.
    Ask,
    /// It cannot be cancelled; why, in Chinese and English. Nothing is said where nobody would ask.
    Never(&'static str, &'static str),
}

/// On what terms an order can be cancelled. A key that a station has begun is made for its holder and has no other use.
///
/// # Errors
/// The database's.
pub async fn cancel_terms(connection: &mut Connection, order: &Order) -> Result<CancelTerms, OrderError> {
    let paid = order.content.payment.is_some();
    let by_service = paid && payments::is_paid_here(connection, &order.number).await?;
    let way_back = if by_service { CancelTerms::Refund } else { CancelTerms::Ask };
    Ok(match order.state {
        OrderState::AwaitingPayment => CancelTerms::Free,
        OrderState::AwaitingReview | OrderState::Rejected if paid => way_back,
        OrderState::AwaitingReview | OrderState::Rejected => CancelTerms::Free,
        OrderState::AwaitingProduction if begun(connection, &order.number).await? => CancelTerms::Never(
            "电子钥匙已开始制作，不能取消",
            "the keys are being made, the order cannot be cancelled",
        ),
        OrderState::AwaitingProduction if paid => way_back,
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

/// As [`cancel_terms`], inside the transaction that cancels: a station may have begun meanwhile, or the customer come back to an order
/// that the portal ends because nobody did.
///
/// # Errors
/// [`OrderError::NotCancellable`]; the database's.
pub(crate) async fn may_cancel(
    tx: &mut Connection,
    order: &Order,
    actor: &Actor,
) -> Result<CancelTerms, OrderError> {
    let waits = matches!(order.state, OrderState::AwaitingPayment | OrderState::Rejected);
    match cancel_terms(tx, order).await? {
        CancelTerms::Never(zh, en) => Err(OrderError::NotCancellable(zh, en)),
        // What was paid goes back by two people alone, or by the customer.
        CancelTerms::Refund | CancelTerms::Ask if matches!(actor, Actor::Operator(_)) => {
            Err(OrderError::NotCancellable("已支付的订单请申请退款", "ask for a refund of a paid order"))
        }
        _ if *actor == Actor::System && !waits => Err(OrderError::NotCancellable(
            "订单不再等待客户，不会自动取消",
            "the order does not wait for its customer any more",
        )),
        terms => Ok(terms),
    }
}

/// Whether a station has, or had, a job of the order.
async fn begun(connection: &mut Connection, number: &OrderNumber) -> Result<bool, OrderError> {
    let row = sqlx::query::<Sql>(
        "select 1 from jobs where order_number = $1 and (state <> 'waiting' or key_id is not null) limit 1",
    );
    Ok(row.bind(number.as_str()).fetch_optional(connection).await?.is_some())
}

/// 取消, as [`cancel_terms`] says; the portal itself cancels only what waits for its customer. The same cancellation twice is one.
///
/// # Errors
/// [`OrderError::NotCancellable`] with the reason; else as [`change_state`].
pub async fn cancel(state: &AppState, number: &OrderNumber, actor: &Actor) -> Result<(), PaymentError> {
    let mut tx = begin_write(&state.db).await?;
    let order = known_in(&mut tx, &state.sealer, number).await?;
    if matches!(order.state, OrderState::Cancelled | OrderState::Refunded) {
        return Ok(());
    }
    let now_ms = state.clock.now_ms();
    match may_cancel(&mut tx, &order, actor).await? {
        CancelTerms::Never(zh, en) => Err(OrderError::NotCancellable(zh, en).into()),
        CancelTerms::Refund => {
            tx.rollback().await?;
            payments::refund(state, number, actor, reason(actor)).await?;
            Ok(())
        }
        CancelTerms::Ask => {
            refunds::ask_in(&mut tx, &order, reason(actor), actor, now_ms).await?;
            Ok(tx.commit().await?)
        }
        CancelTerms::Free => {
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
