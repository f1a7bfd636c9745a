//! What an operator has to look at.

use model::{Fen, OrderNumber};

use super::{
    error::PaymentError,
    refund::{self, Refund},
    store::{self, COLUMNS},
};
use crate::{
    app::AppState,
    db::{Db, DbError, Sql, begin_write},
    orders::Actor,
};

/// Why money of another amount goes back, in the books.
const REASON: &str = "实付金额与应付不符";

/// Money of a wrong amount that nobody sent back yet.
const WRONG: &str = "state = 'paid' and trouble = 'amount' \
                     and not exists (select 1 from refunds r where r.out_trade_no = payments.out_trade_no)";

/// What an order was paid with, gone back by nobody here, while the order goes on.
const GONE: &str = "state = 'paid' and trouble = 'gone' and exists (select 1 from orders o \
                    where o.number = payments.order_number and o.state not in ('refunded', 'cancelled'))";

/// Money that does not go its way by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The order.
    pub order: OrderNumber,
    /// The payment.
    pub out_trade_no: String,
    /// How much.
    pub amount: Fen,
    /// When the payment was offered, or the refund asked for.
    pub since_ms: i64,
    /// What is wrong and what to do, Chinese with English in brackets.
    pub text: String,
    /// The refund that Alipay refuses, if it is one.
    pub refund: Option<Refund>,
}

/// Money of a wrong amount that was not sent back, and refunds that Alipay refuses; the oldest first, at most `most` of each.
///
/// # Errors
/// The database's.
pub async fn troubles(state: &AppState, most: u16) -> Result<Vec<Trouble>, DbError> {
    let sql = format!("select {COLUMNS} from payments where {WRONG} order by paid_ms limit $1");
    let most = i64::from(most);
    let rows = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql)).bind(most).fetch_all(&state.db).await?;
    let mut troubles = Vec::new();
    for row in &rows {
        let row = store::attempt(row)?;
        let (paid, due) = (row.paid.unwrap_or_default(), row.amount);
        troubles.push(Trouble {
            order: row.order,
            out_trade_no: row.out_trade_no,
            amount: paid,
            since_ms: row.created_ms,
            refund: None,
            text: format!("应付 {due} 元，实付 {paid} 元：请退款 (due {due}, paid {paid} yuan: refund it)"),
        });
    }
    for refund in refund::stuck(state, most).await? {
        let text = match refund.answer.as_str() {
            "" => "支付宝一直没有答复这笔退款，请再次退款 (Alipay never answered this refund: try it again)"
                .to_owned(),
            code => format!(
                "退款被支付宝拒绝 {code}：处理后请再次退款 (Alipay refuses the refund, {code}: settle that and refund again)"
            ),
        };
        troubles.push(Trouble {
            text,
            order: refund.order.clone(),
            out_trade_no: refund.out_trade_no.clone(),
            amount: refund.amount,
            since_ms: refund.created_ms,
            refund: Some(refund),
        });
    }
    Ok(troubles)
}

/// Orders whose money was sent back at Alipay by nobody here, and which go on all the same; the oldest first, at most `most`.
///
/// # Errors
/// The database's.
pub async fn taken_back(state: &AppState, most: u16) -> Result<Vec<Trouble>, DbError> {
    let sql = format!("select {COLUMNS} from payments where {GONE} order by paid_ms limit $1");
    let rows =
        sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql)).bind(i64::from(most)).fetch_all(&state.db).await?;
    let trouble = |row| {
        let row = store::attempt(row)?;
        let text = "款项已在支付宝后台退回，订单仍在进行 (sent back at Alipay, and the order goes on)";
        Ok(Trouble {
            amount: row.paid.unwrap_or(row.amount),
            order: row.order,
            out_trade_no: row.out_trade_no,
            since_ms: row.created_ms,
            text: text.to_owned(),
            refund: None,
        })
    };
    rows.iter().map(trouble).collect()
}

/// How many [`troubles`] and orders [`taken_back`] there are.
///
/// # Errors
/// The database's.
pub async fn trouble_count(db: &Db) -> Result<i64, DbError> {
    let count = format!(
        "select (select count(*) from payments where {WRONG}) + (select count(*) from payments where {GONE}) \
         + (select count(*) from refunds where state = 'stuck')"
    );
    Ok(sqlx::query_scalar::<Sql, i64>(sqlx::AssertSqlSafe(count)).fetch_one(db).await?)
}

/// Ends an order's [`troubles`]: money of a wrong amount goes back, and a refund that is stuck is asked for again. What the order was paid
/// with stays: that goes back by two people alone.
///
/// # Errors
/// [`PaymentError::NothingToRefund`], the database's. What Alipay says is in the troubles that are left.
pub async fn settle_troubles(
    state: &AppState,
    number: &OrderNumber,
    actor: &Actor,
) -> Result<(), PaymentError> {
    let now_ms = state.clock.now_ms();
    let mut tx = begin_write(&state.db).await?;
    let mut found = refund::free_stuck(&mut tx, number, actor, now_ms).await?;
    let sql = format!("select {COLUMNS} from payments where order_number = $1 and {WRONG}");
    let wrong = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql)).bind(number.as_str());
    for row in &wrong.fetch_all(&mut *tx).await? {
        let row = store::attempt(row)?;
        refund::want_refund(&mut tx, &row, row.paid.unwrap_or(row.amount), actor, REASON, now_ms).await?;
        found = true;
    }
    if !found {
        return Err(PaymentError::NothingToRefund);
    }
    tx.commit().await?;
    refund::attempt_wanted(state, number).await
}
