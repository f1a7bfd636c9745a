//! Money that goes back: written down first, then asked of Alipay under one number until it says that the money moved.

use alipay::{AlipayError, Client, Refunded};
use model::{Fen, OrderNumber, OrderState};
use sqlx::Row as _;

use super::{
    ask,
    error::PaymentError,
    otherwise::Otherwise,
    store::{self, Attempt, PaymentState},
};
use crate::{
    app::AppState,
    audit::{self, What},
    db::{Connection, DbError, Row, Sql, Transaction, begin_write, damaged, fen_column},
    orders::{self, Actor, Order, OrderError},
    outside::Port,
};

/// How often a refund is tried before it waits for an operator: some eight days, since the pauses grow to an hour.
const TRIES_MAX: i64 = 200;
const STEP_MS: i64 = 5_000;
const STEP_MS_MAX: i64 = 3_600_000;

/// What Alipay is told: the reason of the refund is ours.
const REASON: &str = "订单退款";

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundState {
    /// 退款中: it is tried until it is done.
    Wanted,
    /// 已退款.
    Done,
    /// Alipay refuses it: an operator looks, and asks again.
    Stuck,
}

impl RefundState {
    const ALL: [Self; 3] = [Self::Wanted, Self::Done, Self::Stuck];

    /// The word in databases and interfaces.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Done => "done",
            Self::Stuck => "stuck",
        }
    }
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Its number at Alipay.
    pub out_request_no: String,
    /// The payment that it sends back.
    pub out_trade_no: String,
    /// The order.
    pub order: OrderNumber,
    /// How much.
    pub amount: Fen,
    /// Where it stands.
    pub state: RefundState,
    /// Alipay's last sub code; empty before one came.
    pub answer: String,
    /// How often it was tried.
    pub tries: i64,
    /// When it was asked for.
    pub created_ms: i64,
    /// How it was given back, if it was and not by Alipay.
    pub otherwise: Option<Otherwise>,
}

const SELECT: &str = "select r.out_request_no, r.out_trade_no, r.order_number, r.amount_fen, r.state, r.answer, r.tries, r.created_ms, \
     o.reference, o.told_by from refunds r left join refunds_otherwise o on o.out_request_no = r.out_request_no";

fn read(row: &Row) -> Result<Refund, DbError> {
    let out_request_no: String = row.try_get("out_request_no")?;
    let broken = || damaged(format!("the refund {out_request_no}"));
    let (order, state): (String, String) = (row.try_get("order_number")?, row.try_get("state")?);
    let state = RefundState::ALL.into_iter().find(|known| known.code() == state).ok_or_else(broken)?;
    let (reference, told_by): (Option<String>, Option<String>) =
        (row.try_get("reference")?, row.try_get("told_by")?);
    let otherwise = reference.zip(told_by);
    Ok(Refund {
        otherwise: otherwise.map(|(reference, told_by)| Otherwise { reference, told_by }),
        out_trade_no: row.try_get("out_trade_no")?,
        order: order.parse().map_err(|_| broken())?,
        amount: Fen(row.try_get::<i64, _>("amount_fen")?.unsigned_abs()),
        state,
        answer: row.try_get("answer")?,
        tries: row.try_get("tries")?,
        created_ms: row.try_get("created_ms")?,
        out_request_no,
    })
}

/// The refund of an order's payment, the newest; `None` if none was asked for.
///
/// # Errors
/// The database's.
pub async fn refund_of(state: &AppState, number: &OrderNumber) -> Result<Option<Refund>, PaymentError> {
    let mut connection = state.db.acquire().await?;
    Ok(in_order(&mut connection, number).await?.into_iter().next())
}

/// An order's refunds, the newest first.
pub(super) async fn in_order(
    connection: &mut Connection,
    number: &OrderNumber,
) -> Result<Vec<Refund>, DbError> {
    let sql = format!(
        "{SELECT} where r.order_number = $1 order by r.created_ms desc, r.out_request_no desc limit 1000"
    );
    let rows =
        sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql)).bind(number.as_str()).fetch_all(connection).await?;
    rows.iter().map(read).collect()
}

/// Refunds stuck at Alipay, the oldest first.
pub(super) async fn stuck(state: &AppState, limit: i64) -> Result<Vec<Refund>, DbError> {
    let sql = format!("{SELECT} where r.state = 'stuck' order by r.created_ms limit $1");
    let rows = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql)).bind(limit).fetch_all(&state.db).await?;
    rows.iter().map(read).collect()
}

/// Sends back what an order was paid: the order becomes 已退款 with it, so that no key of it is made any more. Money of a wrong amount goes
/// back as well; by itself it leaves the order as it is, to be paid rightly. Asked twice it is one refund; asked again it frees one that
/// is stuck.
///
/// # Errors
/// [`PaymentError::NothingToRefund`], also for an order that was paid otherwise: what it was paid with is left. A state from which an
/// order is not refunded, terms on which it is not cancelled, a reason as in [`orders::reject`], the database. What Alipay says is in the
/// refund given back.
pub async fn refund(
    state: &AppState,
    number: &OrderNumber,
    actor: &Actor,
    reason: &str,
) -> Result<Refund, PaymentError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > orders::REASON_CHARS_MAX {
        return Err(OrderError::Reason.into());
    }
    let now_ms = state.clock.now_ms();
    let mut tx = begin_write(&state.db).await?;
    let order = orders::known_in(&mut tx, &state.sealer, number).await?;
    if matches!(actor, Actor::Customer | Actor::System) && order.state != OrderState::Refunded {
        orders::may_cancel(&mut tx, &order, actor).await?;
    }
    let whole = give_back(&mut tx, &order, actor, reason, now_ms).await?;
    let is_left = !whole && order.content.payment.is_some() && order.state != OrderState::Refunded;
    if is_left || in_order(&mut tx, number).await?.is_empty() {
        return Err(PaymentError::NothingToRefund);
    }
    tx.commit().await?;
    attempt_wanted(state, number).await?;
    refund_of(state, number).await?.ok_or(PaymentError::NothingToRefund)
}

/// Lets every payment of an order that is here go back; with what it was paid with the order becomes 已退款. False if that did not come by
/// Alipay, or is not there any more: the order stays. The caller commits, and tries the refunds with [`attempt_wanted`].
///
/// # Errors
/// A station that has the order's jobs, a state from which an order is not refunded, the database.
pub(crate) async fn give_back(
    tx: &mut Transaction,
    order: &Order,
    actor: &Actor,
    reason: &str,
    now_ms: i64,
) -> Result<bool, OrderError> {
    let number = &order.number;
    let refunds = in_order(tx, number).await?;
    let is_new = |row: &Attempt| !refunds.iter().any(|refund| refund.out_trade_no == row.out_trade_no);
    free_stuck(tx, number, actor, now_ms).await?;
    let mut whole = false;
    for row in store::of_order(tx, number).await? {
        let came = matches!(row.state, PaymentState::Paid | PaymentState::Refunded);
        whole |= came && row.trouble.is_none();
        if row.state != PaymentState::Paid || row.is_gone() || !is_new(&row) {
            continue;
        }
        if row.trouble.is_none() && order.state != OrderState::Refunded {
            orders::not_in_work(tx, number).await?;
            orders::change_state(tx, number, OrderState::Refunded, actor, reason, now_ms).await?;
        }
        want_refund(tx, &row, row.paid.unwrap_or(row.amount), actor, reason, now_ms).await?;
    }
    Ok(whole)
}

/// Lets an order's refunds that Alipay refused be tried again, but for those that somebody says were given back; false if there is none.
/// The caller commits.
pub(super) async fn free_stuck(
    tx: &mut Transaction,
    number: &OrderNumber,
    actor: &Actor,
    now_ms: i64,
) -> Result<bool, DbError> {
    let freed = sqlx::query::<Sql>(
        "update refunds set state = 'wanted', tries = 0, next_ms = $2 where order_number = $1 and state = 'stuck' \
         and not exists (select 1 from refunds_otherwise o where o.out_request_no = refunds.out_request_no)",
    )
    .bind(number.as_str())
    .bind(now_ms)
    .execute(&mut **tx)
    .await?
    .rows_affected();
    if freed > 0 {
        audit::record(tx, now_ms, actor, What::RefundWanted, number, &format!("again={freed}")).await?;
    }
    Ok(freed > 0)
}

/// Tries an order's refunds at once; what Alipay does not answer is tried again by [`turn`].
///
/// # Errors
/// The database's.
pub(crate) async fn attempt_wanted(state: &AppState, number: &OrderNumber) -> Result<(), PaymentError> {
    let Some(client) = &state.outside.alipay else { return Ok(()) };
    for wanted in in_order(&mut *state.db.acquire().await?, number).await? {
        if wanted.state == RefundState::Wanted {
            attempt(state, client, &wanted).await?;
        }
    }
    Ok(())
}

/// Writes a refund down. The caller commits.
pub(super) async fn want_refund(
    tx: &mut Transaction,
    row: &Attempt,
    amount: Fen,
    actor: &Actor,
    reason: &str,
    now_ms: i64,
) -> Result<(), DbError> {
    sqlx::query::<Sql>(
        "insert into refunds (out_request_no, out_trade_no, order_number, amount_fen, state, reason, who, answer, tries, \
         next_ms, created_ms) values ($1, $2, $3, $4, 'wanted', $5, $6, '', 0, $7, $7)",
    )
    .bind(format!("{}R", row.out_trade_no))
    .bind(&row.out_trade_no)
    .bind(row.order.as_str())
    .bind(fen_column(amount)?)
    .bind(reason)
    .bind(actor.to_string())
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    let detail = format!("payment={} fen={}", row.out_trade_no, amount.0);
    audit::record(tx, now_ms, actor, What::RefundWanted, &row.order, &detail).await
}

/// Tries the refunds that are due; ends at once while Alipay does not answer.
pub(super) async fn turn(state: &AppState, client: &Port<Client>, limit: i64) -> Result<(), PaymentError> {
    let sql = format!(
        "{SELECT} where r.state = 'wanted' and r.next_ms <= $1 order by r.next_ms, r.out_request_no limit $2"
    );
    let rows = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql))
        .bind(state.clock.now_ms())
        .bind(limit)
        .fetch_all(&state.db)
        .await?;
    for row in &rows {
        if !attempt(state, client, &read(row)?).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Asks Alipay once, and writes down what it says. False while it does not answer.
async fn attempt(state: &AppState, client: &Port<Client>, refund: &Refund) -> Result<bool, PaymentError> {
    let asked = refund.clone();
    let call = move |client: &Client| {
        client.refund(&asked.out_trade_no, &asked.out_request_no, asked.amount, REASON)
    };
    match ask(client, call).await {
        Ok(Refunded::Done) => done(state, refund).await?,
        Ok(Refunded::Pending) => later(state, refund, "PENDING").await?,
        Err(PaymentError::Alipay(error)) => return failed(state, client, refund, &error).await,
        Err(error) => return Err(error),
    }
    Ok(true)
}

async fn failed(
    state: &AppState,
    client: &Port<Client>,
    refund: &Refund,
    error: &AlipayError,
) -> Result<bool, PaymentError> {
    let code = match error {
        AlipayError::Refused { code, .. } => code.as_str(),
        _ => "",
    };
    if error.may_pass() {
        tracing::warn!(refund = refund.out_request_no, %error, "a refund is tried again later");
        later(state, refund, code).await?;
    } else if has_gone(client, refund).await? {
        done(state, refund).await?;
    } else {
        tracing::error!(refund = refund.out_request_no, %error, "Alipay refuses a refund");
        stick(state, refund, code).await?;
    }
    Ok(!code.is_empty())
}

/// Whether Alipay has sent the money of a refund.
pub(super) async fn ask_after(client: &Port<Client>, refund: &Refund) -> Result<bool, PaymentError> {
    let asked = refund.clone();
    let call =
        move |client: &Client| client.refunded(&asked.out_trade_no, &asked.out_request_no, asked.amount);
    ask(client, call).await
}

/// What is refused may have been done long ago, and the answer lost. Alipay's silence says that it is not known.
async fn has_gone(client: &Port<Client>, refund: &Refund) -> Result<bool, PaymentError> {
    match ask_after(client, refund).await {
        Ok(gone) => Ok(gone),
        Err(PaymentError::Alipay(error)) => {
            tracing::warn!(refund = refund.out_request_no, %error, "Alipay did not say whether it was done");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

async fn done(state: &AppState, refund: &Refund) -> Result<(), PaymentError> {
    let mut tx = begin_write(&state.db).await?;
    finish(&mut tx, refund, &Actor::System, "", state.clock.now_ms()).await?;
    tx.commit().await?;
    Ok(())
}

/// The money is back with the customer; `how` ends the audit's words. What was done before stays. The caller commits.
pub(super) async fn finish(
    tx: &mut Transaction,
    refund: &Refund,
    actor: &Actor,
    how: &str,
    now_ms: i64,
) -> Result<(), DbError> {
    let updated = sqlx::query::<Sql>(
        "update refunds set state = 'done', done_ms = $2, tries = tries + 1, answer = '' where out_request_no = $1 and state <> 'done'",
    )
    .bind(&refund.out_request_no)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    if updated.rows_affected() == 1 {
        sqlx::query::<Sql>("update payments set state = 'refunded' where out_trade_no = $1")
            .bind(&refund.out_trade_no)
            .execute(&mut **tx)
            .await?;
        let detail = format!("payment={} fen={}{how}", refund.out_trade_no, refund.amount.0);
        audit::record(tx, now_ms, actor, What::RefundDone, &refund.order, &detail).await?;
    }
    Ok(())
}

async fn later(state: &AppState, refund: &Refund, code: &str) -> Result<(), PaymentError> {
    if refund.tries + 1 >= TRIES_MAX {
        return stick(state, refund, code).await;
    }
    let pause = STEP_MS.saturating_mul(1 << refund.tries.clamp(0, 20)).min(STEP_MS_MAX);
    sqlx::query::<Sql>(
        "update refunds set tries = tries + 1, next_ms = $2, answer = $3 where out_request_no = $1 and state = 'wanted'",
    )
    .bind(&refund.out_request_no)
    .bind(state.clock.now_ms() + pause)
    .bind(code)
    .execute(&state.db)
    .await?;
    Ok(())
}

async fn stick(state: &AppState, refund: &Refund, code: &str) -> Result<(), PaymentError> {
    let mut tx = begin_write(&state.db).await?;
    let updated = sqlx::query::<Sql>(
        "update refunds set state = 'stuck', tries = tries + 1, answer = $2 where out_request_no = $1 and state = 'wanted'",
    )
    .bind(&refund.out_request_no)
    .bind(code)
    .execute(&mut *tx)
    .await?;
    if updated.rows_affected() == 1 {
        let detail = format!("payment={} fen={}", refund.out_trade_no, refund.amount.0);
        audit::record(
            &mut tx,
            state.clock.now_ms(),
            &Actor::System,
            What::RefundStuck,
            &refund.order,
            &detail,
        )
        .await?;
    }
    tx.commit().await?;
    Ok(())
}
