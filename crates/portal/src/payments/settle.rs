//! What a fact about a payment does: to the payment, to its order, to the audit; in one transaction.

use alipay::{Trade, TradeStatus};
use model::{Fen, OrderState};

use super::{
    error::PaymentError,
    refund::want_refund,
    store::{Attempt, GONE, PaymentState, hurry},
};
use crate::{
    app::AppState,
    audit::{self, What},
    db::{DbError, Sql, Transaction, fen_column},
    orders::{self, Actor, Order},
    programmes::PaymentMethod,
};

/// How long after the end of an offer nobody can be paying it any more.
const AFTER_END_MS: i64 = 10 * 60_000;

/// What became of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The order is paid by it.
    Paid,
    /// It was known.
    Repeated,
    /// The payment is closed.
    Closed,
    /// Nothing has happened yet.
    Waiting,
    /// Money that the order does not need: it goes back.
    Surplus,
    /// Money of another amount than due: an operator looks at it.
    Amount,
    /// Money that came went back, and nobody here sent it: an operator looks at it.
    TakenBack,
    /// There is no such payment here.
    Unknown,
}

impl Outcome {
    /// The word in the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Repeated => "repeated",
            Self::Closed => "closed",
            Self::Waiting => "waiting",
            Self::Surplus => "surplus",
            Self::Amount => "amount",
            Self::TakenBack => "taken_back",
            Self::Unknown => "unknown",
        }
    }
}

/// Takes what Alipay says of a payment. The caller commits.
pub(super) async fn settle(
    tx: &mut Transaction,
    state: &AppState,
    row: &Attempt,
    trade: &Trade,
) -> Result<Outcome, PaymentError> {
    match (trade.status, row.state) {
        (TradeStatus::Waiting, _) => Ok(Outcome::Waiting),
        (TradeStatus::Closed, PaymentState::Open) => {
            close(tx, row, state.clock.now_ms()).await?;
            Ok(Outcome::Closed)
        }
        (TradeStatus::Closed, PaymentState::Paid) => taken_back(tx, row, state.clock.now_ms()).await,
        (TradeStatus::Closed, _) | (_, PaymentState::Paid | PaymentState::Refunded) => Ok(Outcome::Repeated),
        (TradeStatus::Paid | TradeStatus::Finished, PaymentState::Open | PaymentState::Closed) => {
            arrived(tx, state, row, trade).await
        }
    }
}

/// Money arrived for a payment that had none.
async fn arrived(
    tx: &mut Transaction,
    state: &AppState,
    row: &Attempt,
    trade: &Trade,
) -> Result<Outcome, PaymentError> {
    let now_ms = state.clock.now_ms();
    let order = orders::known_in(tx, &state.sealer, &row.order).await?;
    let outcome = judge(&order, row, trade);
    let trouble = matches!(outcome, Outcome::Amount | Outcome::Surplus).then_some(outcome.code());
    sqlx::query::<Sql>(
        "update payments set state = 'paid', trade_no = $2, paid_fen = $3, paid_ms = $4, trouble = $5 where out_trade_no = $1",
    )
    .bind(&row.out_trade_no)
    .bind(&trade.trade_no)
    .bind(fen_column(trade.amount)?)
    .bind(trade.paid.map_or(now_ms, |paid| paid.as_millisecond()))
    .bind(trouble)
    .execute(&mut **tx)
    .await?;
    let detail = format!("payment={} fen={} as={}", row.out_trade_no, trade.amount.0, outcome.code());
    audit::record(tx, now_ms, &Actor::System, What::PaymentReceived, &row.order, &detail).await?;
    match outcome {
        Outcome::Surplus => {
            want_refund(tx, row, trade.amount, &Actor::System, "重复或迟到的支付", now_ms).await?
        }
        Outcome::Paid if order.state == OrderState::AwaitingPayment => {
            let payment = orders::Payment {
                method: PaymentMethod::Alipay,
                paid_fen: trade.amount,
                reference: trade.trade_no.clone(),
            };
            orders::pay_in(tx, state, order, payment, &Actor::System).await?;
            // Another attempt may be open, because this one was given up.
            hurry(tx, &row.order, now_ms).await?;
        }
        _ => {}
    }
    Ok(outcome)
}

/// A trade that was paid is closed once all of it went back. By a refund of ours it is known; else somebody sent it back at Alipay.
async fn taken_back(tx: &mut Transaction, row: &Attempt, now_ms: i64) -> Result<Outcome, PaymentError> {
    let ours = sqlx::query::<Sql>("select 1 from refunds where out_trade_no = $1").bind(&row.out_trade_no);
    if row.is_gone() || ours.fetch_optional(&mut **tx).await?.is_some() {
        return Ok(Outcome::Repeated);
    }
    // Money of a wrong amount paid nothing: it came and went. What the order was paid with leaves an order that nobody paid.
    let (state, trouble) = match &row.trouble {
        None => (PaymentState::Paid, GONE),
        Some(trouble) => (PaymentState::Refunded, trouble.as_str()),
    };
    sqlx::query::<Sql>("update payments set state = $2, trouble = $3 where out_trade_no = $1")
        .bind(&row.out_trade_no)
        .bind(state.code())
        .bind(trouble)
        .execute(&mut **tx)
        .await?;
    tracing::error!(
        payment = row.out_trade_no,
        "money was sent back at Alipay, and nobody here asked for it"
    );
    let detail = format!("payment={} fen={}", row.out_trade_no, row.paid.unwrap_or(row.amount).0);
    audit::record(tx, now_ms, &Actor::System, What::PaymentTakenBack, &row.order, &detail).await?;
    Ok(Outcome::TakenBack)
}

/// Whether the order is paid by this money.
fn judge(order: &Order, row: &Attempt, trade: &Trade) -> Outcome {
    let recorded = order.content.payment.as_ref().map(|payment| payment.reference.as_str());
    let due: Fen = row.amount;
    if trade.amount != due || trade.amount != order.amount {
        Outcome::Amount
    } else if order.state == OrderState::AwaitingPayment || recorded == Some(trade.trade_no.as_str()) {
        Outcome::Paid
    } else {
        Outcome::Surplus
    }
}

/// Closes an open payment here; Alipay has closed it, or knows of none. A code that nobody had scanned can be paid until its end all the
/// same: Alipay is asked once more then.
pub(super) async fn close(tx: &mut Transaction, row: &Attempt, now_ms: i64) -> Result<(), DbError> {
    let closed = sqlx::query::<Sql>(
        "update payments set state = 'closed', next_ms = $2 where out_trade_no = $1 and state = 'open'",
    )
    .bind(&row.out_trade_no)
    .bind(row.expires_ms.max(now_ms) + AFTER_END_MS)
    .execute(&mut **tx)
    .await?;
    if closed.rows_affected() == 1 {
        let detail = format!("payment={}", row.out_trade_no);
        audit::record(tx, now_ms, &Actor::System, What::PaymentClosed, &row.order, &detail).await?;
    }
    Ok(())
}
