//! Notices of Alipay: anybody may send one, so nothing is believed or written before its signature was checked.

use alipay::{Notice, NoticeError, Trade, TradeStatus};
use sqlx::Row as _;

use super::{client, error::PaymentError, settle, settle::Outcome, store};
use crate::{
    app::AppState,
    db::{DbError, Sql, Transaction, begin_write, fen_column},
};

/// Notices kept at most.
const KEPT_MAX: i64 = 10_000;

/// What a notice is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is on disk: Alipay need not tell again.
    Success,
    /// Not believed, or about no payment of ours: Alipay tells again.
    Failure,
}

impl Answer {
    /// The body, to the letter.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// Takes a notice as it came. What it does is on disk when this returns; the same notice again does nothing.
///
/// # Errors
/// [`PaymentError::NotUsed`], or the database's; a notice that is not believed is [`Answer::Failure`].
pub async fn notify(state: &AppState, body: &[u8]) -> Result<Answer, PaymentError> {
    let notice = match client(state)?.client().notice(body) {
        Ok(notice) => notice,
        Err(NoticeError::Form(what)) => {
            tracing::warn!(what, "a payment notice has not the form of one");
            return Ok(Answer::Failure);
        }
        Err(error) => {
            tracing::warn!(%error, "a payment notice was refused");
            return Ok(Answer::Failure);
        }
    };
    // Read before the write lock is taken: a notice sent a thousand times costs nobody a turn.
    if let Some(answer) = known(state, &notice).await? {
        return Ok(answer);
    }
    let mut tx = begin_write(&state.db).await?;
    let outcome = match store::find(&mut tx, &notice.out_trade_no).await? {
        Some(row) => settle::settle(&mut tx, state, &row, &trade(&notice)).await?,
        None => {
            // Another program on the same app, or a database restored from yesterday: `portal pay reconcile` tells.
            tracing::error!(
                payment = notice.out_trade_no,
                "Alipay tells of a payment that is not known here"
            );
            Outcome::Unknown
        }
    };
    keep(&mut tx, &notice, outcome, state.clock.now_ms()).await?;
    tx.commit().await?;
    tracing::info!(payment = notice.out_trade_no, outcome = outcome.code(), "a payment notice was taken");
    Ok(answer(outcome.code()))
}

fn answer(outcome: &str) -> Answer {
    if outcome == Outcome::Unknown.code() { Answer::Failure } else { Answer::Success }
}

fn trade(notice: &Notice) -> Trade {
    Trade {
        out_trade_no: notice.out_trade_no.clone(),
        trade_no: notice.trade_no.clone(),
        status: notice.status,
        amount: notice.amount,
        paid: notice.paid,
    }
}

fn status(notice: &Notice) -> &'static str {
    match notice.status {
        TradeStatus::Waiting => "waiting",
        TradeStatus::Paid | TradeStatus::Finished => "paid",
        TradeStatus::Closed => "closed",
    }
}

async fn known(state: &AppState, notice: &Notice) -> Result<Option<Answer>, DbError> {
    let row = sqlx::query::<Sql>(
        "select outcome from payment_notices where notify_id = $1 and out_trade_no = $2 and status = $3 and amount_fen = $4",
    )
    .bind(&notice.notify_id)
    .bind(&notice.out_trade_no)
    .bind(status(notice))
    .bind(fen_column(notice.amount)?)
    .fetch_optional(&state.db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(answer(row.try_get("outcome")?)))
}

async fn keep(tx: &mut Transaction, notice: &Notice, outcome: Outcome, now_ms: i64) -> Result<(), DbError> {
    sqlx::query::<Sql>(
        "insert into payment_notices (notify_id, out_trade_no, status, amount_fen, outcome, at_ms) \
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
    )
    .bind(&notice.notify_id)
    .bind(&notice.out_trade_no)
    .bind(status(notice))
    .bind(fen_column(notice.amount)?)
    .bind(outcome.code())
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    sqlx::query::<Sql>(
        "delete from payment_notices where at_ms < \
         (select at_ms from payment_notices order by at_ms desc limit 1 offset $1)",
    )
    .bind(KEPT_MAX)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
