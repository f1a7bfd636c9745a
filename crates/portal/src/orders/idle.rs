//! Orders whose customers never came back: not paid, or refused and not corrected. They end, so that what is known of persons can end as well.

use model::{OrderNumber, OrderState};

use super::{cancel::cancel, store::OrderError, transition::Actor};
use crate::{
    app::AppState,
    db::{Sql, damaged},
    payments::PaymentError,
};

/// Orders of a programme that one turn ends.
const ORDERS_A_TURN: i64 = 50;
const DAY_MS: i64 = 86_400_000;

/// Cancels orders that have waited for their customers longer than their programmes allow, some a turn. What was paid goes back the way it
/// came; what came by no service, finance is asked to send back. Where finance declines, the time begins anew.
///
/// # Errors
/// The database's. An order that a payment service does not let go yet is met again next time.
pub async fn end_idle(state: &AppState) -> Result<(), OrderError> {
    for programme in state.programmes.iter() {
        let idle_ms = i64::from(programme.retention.idle_days) * DAY_MS;
        let idle = sqlx::query_scalar::<Sql, String>(
            "select number from orders where programme = $1 and state in ($2, $3) and changed_ms < $4 \
             and not exists (select 1 from refund_requests r where r.order_number = number \
                 and (r.state <> 'declined' or r.decided_ms >= $4)) order by changed_ms limit $5",
        )
        .bind(&programme.id)
        .bind(OrderState::AwaitingPayment.code())
        .bind(OrderState::Rejected.code())
        .bind(state.clock.now_ms() - idle_ms)
        .bind(ORDERS_A_TURN)
        .fetch_all(&state.db)
        .await?;
        for number in idle {
            let number = number.parse().map_err(|_| damaged(format!("the order number {number:?}")))?;
            end(state, &number).await?;
        }
    }
    Ok(())
}

async fn end(state: &AppState, number: &OrderNumber) -> Result<(), OrderError> {
    match cancel(state, number, &Actor::System).await {
        Ok(()) => Ok(()),
        Err(PaymentError::Order(error @ (OrderError::Db(_) | OrderError::Seal(_)))) => Err(error),
        Err(error) => {
            tracing::warn!(%number, %error, "an order that nobody came back to could not be ended; it is tried again");
            Ok(())
        }
    }
}
