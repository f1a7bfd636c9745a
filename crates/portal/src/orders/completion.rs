//! 已完成: the parcel has arrived. Its customer says so, or an operator whom SF told, or so many days after the pack check nobody says otherwise.

use model::{IllegalOrderState, OrderNumber, OrderState};

use super::{
    duties::has_entered,
    store::{OrderError, standing},
    transition::{Actor, change_state},
};
use crate::{
    app::AppState,
    db::{Connection, Sql, begin_write, damaged},
};

/// Orders of a programme that one turn completes.
const ORDERS_A_TURN: i64 = 50;
const DAY_MS: i64 = 86_400_000;

/// 确认收货: an order in 待配送 is completed, and its invoice is asked for. Once more does nothing.
///
/// # Errors
/// [`OrderError::NotPacked`], whoever asks: a completed order is not packed any more; [`OrderError::SamePerson`] for operators; an order that
/// is not in 待配送; else as [`change_state`].
pub async fn complete(state: &AppState, number: &OrderNumber, actor: &Actor) -> Result<(), OrderError> {
    let mut tx = begin_write(&state.db).await?;
    let order = standing(&mut tx, number).await?.ok_or_else(|| OrderError::Unknown(number.clone()))?;
    let to = OrderState::Completed;
    if order.state == to {
        return Ok(());
    }
    if order.state != OrderState::AwaitingDelivery {
        return Err(IllegalOrderState { from: order.state, to }.into());
    }
    if packed_ms(&mut tx, number).await?.is_none() {
        return Err(OrderError::NotPacked);
    }
    if has_entered(&mut tx, number, actor).await? {
        return Err(OrderError::SamePerson(
            "录入或更正订单的人不能登记签收，请另一位办理 (who entered or corrected an order does not say that it arrived: ask another)",
        ));
    }
    let reason = if *actor == Actor::System { "寄出后逾期未提出异议，自动完成" } else { "" };
    change_state(&mut tx, number, to, actor, reason, state.clock.now_ms()).await?;
    tx.commit().await?;
    Ok(())
}

/// When the order's parcel was checked; `None` if it was not.
///
/// # Errors
/// The database's.
pub async fn packed_ms(connection: &mut Connection, number: &OrderNumber) -> Result<Option<i64>, OrderError> {
    let packed =
        sqlx::query_scalar::<Sql, Option<i64>>("select packed_ms from parcels where order_number = $1");
    Ok(packed.bind(number.as_str()).fetch_optional(connection).await?.flatten())
}

/// Completes orders whose parcels were checked longer ago than their programmes wait for a word, some a turn.
///
/// # Errors
/// [`OrderError`]: what was completed so far stays so.
pub async fn complete_overdue(state: &AppState) -> Result<(), OrderError> {
    for programme in state.programmes.iter() {
        let wait_ms = i64::from(programme.completed_after_days) * DAY_MS;
        let due = sqlx::query_scalar::<Sql, String>(
            "select number from orders join parcels on order_number = number where programme = $1 and state = $2 and packed_ms < $3 \
             order by packed_ms limit $4",
        )
        .bind(&programme.id)
        .bind(OrderState::AwaitingDelivery.code())
        .bind(state.clock.now_ms() - wait_ms)
        .bind(ORDERS_A_TURN)
        .fetch_all(&state.db)
        .await?;
        for number in due {
            let number = number.parse().map_err(|_| damaged(format!("the order number {number:?}")))?;
            complete(state, &number, &Actor::System).await?;
        }
    }
    Ok(())
}
