//! Payments by Alipay: offered, learned of by notice or by asking, closed, sent back, compared with the day's bill.
//!
//! What arrives is one transaction with what it does to the order, so whenever the portal is killed either both are there or Alipay
//! tells again (or is asked again). Money is never sent back but by a row of `refunds`, whose number is the idempotency key at Alipay.

mod error;
mod notices;
mod offer;
mod otherwise;
mod reconcile;
mod refund;
mod settle;
mod store;
mod trouble;
mod turn;

pub use error::PaymentError;
pub use notices::{Answer, notify};
pub use offer::{Payment, begin, close, of_order};
pub(crate) use otherwise::transfer_number;
pub use otherwise::{Otherwise, confirm, tell, withdraw};
pub use reconcile::{Difference, Reconciliation, reconcile};
pub use refund::{Refund, RefundState, refund, refund_of};
pub(crate) use refund::{attempt_wanted, give_back};
pub use settle::Outcome;
pub use store::PaymentState;
pub(crate) use store::{is_paid_here, was_taken_back};
pub use trouble::{Trouble, settle_troubles, taken_back, trouble_count, troubles};
pub use turn::{refund_turn, turn};

use alipay::{AlipayError, Client};

use crate::{app::AppState, outside::Port};

/// Alipay's client, if the config names it.
fn client(state: &AppState) -> Result<Port<Client>, PaymentError> {
    state.outside.alipay.clone().ok_or(PaymentError::NotUsed)
}

/// One call to Alipay, which blocks for some seconds at most. While all its places are taken it is as one that does not answer.
async fn ask<T: Send + 'static>(
    client: &Port<Client>,
    call: impl FnOnce(&Client) -> Result<T, AlipayError> + Send + 'static,
) -> Result<T, PaymentError> {
    let turn = client.turn().ok_or_else(|| AlipayError::Later("too many calls wait for it".to_owned()))?;
    let answer = turn.call(call).await;
    Ok(answer.map_err(|_| AlipayError::InDoubt("the call was cut short".to_owned()))??)
}
