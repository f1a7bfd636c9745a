//! Why something about a payment was not done.

use alipay::AlipayError;

use crate::{db::DbError, orders::OrderError};

/// Why something about a payment was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PaymentError {
    /// No such order, or one in another state, or the database.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The order's programme is not paid by Alipay, or this portal has no account there.
    #[error(
        "本项目不支持支付宝支付 (this is not paid by Alipay: see [payment] of the programme and [alipay] of the config)"
    )]
    NotUsed,
    /// Money of this order has to be looked at first.
    #[error(
        "该订单有一笔款项待核对，请联系客服 (money that arrived for this order is being looked at: an operator refunds it first)"
    )]
    Trouble,
    /// Too many attempts.
    #[error("该订单支付次数过多，请联系客服 (too many attempts to pay this order: place a new one)")]
    TooMany,
    /// Nothing that arrived by Alipay is left to send back.
    #[error(
        "该订单没有可退的支付宝款项 (nothing that came by Alipay is left to refund: look at the order's payment)"
    )]
    NothingToRefund,
    /// Alipay does not refuse the refund, or nobody says that it was given back otherwise.
    #[error("这笔退款的情况刚有变动，请刷新后再看 (this refund has just changed: reload and look again)")]
    NotStuck,
    /// Alipay has no bill of a day of which the tables know.
    #[error(
        "支付宝没有 {day} 的账单，而本站有 {known} 笔：账单次日 9 点后生成，请稍后再对账；仍没有则请联系支付宝 (Alipay has no bill of {day}, \
         of which {known} lines are known here: not ready before 9 o'clock of the next day, or missing)"
    )]
    NoBill {
        /// The day.
        day: String,
        /// Payments and refunds here.
        known: usize,
    },
    /// Alipay.
    #[error(transparent)]
    Alipay(#[from] AlipayError),
}

impl From<DbError> for PaymentError {
    fn from(error: DbError) -> Self {
        Self::Order(error.into())
    }
}

impl From<sqlx::Error> for PaymentError {
    fn from(error: sqlx::Error) -> Self {
        Self::Order(error.into())
    }
}
