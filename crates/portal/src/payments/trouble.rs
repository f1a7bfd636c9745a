//! What an operator has to look at.

use model::{Fen, OrderNumber};

use super::{
    error::PaymentError,
    refund,
    store::{self, COLUMNS},
};
use crate::{app::AppState, db::Sql};

/// Troubles shown at most, of each kind.
const SHOWN_MAX: i64 = 100;

/// Money that does not go its way by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The order.
    pub order: OrderNumber,
    /// The payment.
    pub out_trade_no: String,
    /// How much.
    pub amount: Fen,
    /// What is wrong and what to do, Chinese with English in brackets.
    pub text: String,
}

/// Money of a wrong amount that was not sent back, and refunds that Alipay refuses; the oldest first.
///
/// # Errors
/// The database's.
pub async fn troubles(state: &AppState) -> Result<Vec<Trouble>, PaymentError> {
    let sql = format!(
        "select {COLUMNS} from payments where state = 'paid' and trouble = 'amount' order by paid_ms limit $1"
    );
    let rows = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql)).bind(SHOWN_MAX).fetch_all(&state.db).await?;
    let mut troubles = Vec::new();
    for row in &rows {
        let row = store::attempt(row)?;
        let (paid, due) = (row.paid.unwrap_or_default(), row.amount);
        troubles.push(Trouble {
            order: row.order,
            out_trade_no: row.out_trade_no,
            amount: paid,
            text: format!("应付 {due} 元，实付 {paid} 元：请退款 (due {due}, paid {paid} yuan: refund it)"),
        });
    }
    for refund in refund::stuck(state, SHOWN_MAX).await? {
        let code = &refund.answer;
        troubles.push(Trouble {
            text: format!("退款被支付宝拒绝 {code}：处理后请再次退款 (Alipay refuses the refund, {code}: settle that and refund again)"),
            order: refund.order,
            out_trade_no: refund.out_trade_no,
            amount: refund.amount,
        });
    }
    Ok(troubles)
}
