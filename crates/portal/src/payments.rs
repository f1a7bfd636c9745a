//! Payments by Alipay: offered, learned of by notice or by asking, closed, sent back, compared with the day's bill.
//!
//! What arrives is one transaction with what it does to the order, so whenever the portal is killed either both are there or Alipay
//! tells again (or is asked again). Money is never sent back but by a row of `refunds`, whose number is the idempotency key at Alipay.

mod error;
mod notices;
mod offer;
mod reconcile;
mod refund;
mod settle;
mod store;
mod trouble;
mod turn;

pub use error::PaymentError;
pub use notices::{Answer, notify};
pub use offer::{Payment, begin, close, of_order};
pub use reconcile::{Difference, Reconciliation, reconcile};
pub use refund::{Refund, RefundState, refund, refund_of};
pub use settle::Outcome;
pub use store::PaymentState;
pub use trouble::{Trouble, settle_troubles, trouble_count, troubles};
pub use turn::turn;

use std::sync::Arc;

use alipay::{AlipayError, Client};

use crate::app::AppState;

/// Alipay's client, if the config names it.
fn client(state: &AppState) -> Result<Arc<Client>, PaymentError> {
    state.outside.alipay.clone().ok_or(PaymentError::NotUsed)
}

/// One call to Alipay, which blocks for some seconds at most.
async fn ask<T: Send + 'static>(
    client: &Arc<Client>,
    call: impl FnOnce(&Client) -> Result<T, AlipayError> + Send + 'static,
) -> Result<T, PaymentError> {
    let client = Arc::clone(client);
    let answer = tokio::task::spawn_blocking(move || call(&client)).await;
    Ok(answer.map_err(|_| AlipayError::InDoubt("the call was cut short".to_owned()))??)
}
