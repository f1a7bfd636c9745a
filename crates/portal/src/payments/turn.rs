//! What is done without anybody asking: lost notices made good, offers that ran out closed, refunds tried again.

use alipay::Client;
use model::OrderState;

use super::{
    ask,
    error::PaymentError,
    refund,
    settle::{self, Outcome},
    store::{self, Attempt, COLUMNS, PaymentState},
};
use crate::{
    app::AppState,
    db::{DbError, Sql, begin_write},
    outside::Port,
};

/// Payments, and refunds, that one turn asks Alipay about.
const AT_ONCE: i64 = 20;
/// Closed ones of them: nobody waits for these.
const CLOSED_AT_ONCE: i64 = 5;

/// How long a code is likely to be in somebody's hand.
const YOUNG_MS: i64 = 2 * 60_000;
/// How often Alipay is asked about a young payment.
const YOUNG_STEP_MS: i64 = 5_000;
/// How often Alipay is asked about an older one.
const STEP_MS: i64 = 30_000;
/// How long Alipay is left alone with a question that it refused.
const REFUSED_STEP_MS: i64 = 60_000;
/// When Alipay is asked next about what nobody can pay any more.
const NEVER_MS: i64 = i64::MAX;

/// One turn: asks about payments that are due, the longest-waiting first, and a last time about some that were closed. While Alipay does
/// not answer the turn ends at once, and the next one begins where it ended.
///
/// # Errors
/// The database's.
pub async fn turn(state: &AppState) -> Result<(), PaymentError> {
    let Some(client) = state.outside.alipay.clone() else { return Ok(()) };
    for row in due(state, PaymentState::Open, AT_ONCE).await? {
        match look(state, &client, &row, false).await {
            Ok(_) => {}
            Err(PaymentError::Alipay(error)) => {
                tracing::warn!(payment = row.out_trade_no, %error, "Alipay was asked in vain");
                let unreachable = error.may_pass();
                let step = if unreachable { YOUNG_STEP_MS } else { REFUSED_STEP_MS };
                put_off(state, &row, step).await?;
                if unreachable {
                    return Ok(());
                }
            }
            Err(error) => return Err(error),
        }
    }
    for row in due(state, PaymentState::Closed, CLOSED_AT_ONCE).await? {
        let next_ms = match ask_once(state, &client, &row).await {
            Ok(_) => NEVER_MS,
            Err(PaymentError::Alipay(error)) => {
                tracing::warn!(payment = row.out_trade_no, %error, "Alipay was asked in vain about a closed offer");
                if error.may_pass() { state.clock.now_ms() + STEP_MS } else { NEVER_MS }
            }
            Err(error) => return Err(error),
        };
        let mut tx = begin_write(&state.db).await?;
        store::set_next(&mut tx, &row.out_trade_no, next_ms).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// One turn of refunds, beside that of payments: neither waits for the other. While Alipay does not answer it ends at once.
///
/// # Errors
/// The database's.
pub async fn refund_turn(state: &AppState) -> Result<(), PaymentError> {
    match &state.outside.alipay {
        Some(client) => refund::turn(state, client, AT_ONCE).await,
        None => Ok(()),
    }
}

async fn due(state: &AppState, stands: PaymentState, most: i64) -> Result<Vec<Attempt>, DbError> {
    let sql = format!(
        "select {COLUMNS} from payments where state = $1 and next_ms <= $2 order by next_ms, out_trade_no limit $3"
    );
    let rows = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql))
        .bind(stands.code())
        .bind(state.clock.now_ms())
        .bind(most)
        .fetch_all(&state.db)
        .await?;
    rows.iter().map(store::attempt).collect()
}

async fn put_off(state: &AppState, row: &Attempt, step_ms: i64) -> Result<(), DbError> {
    let mut tx = begin_write(&state.db).await?;
    store::set_next(&mut tx, &row.out_trade_no, state.clock.now_ms() + step_ms).await?;
    tx.commit().await?;
    Ok(())
}

/// Asks Alipay about a payment and takes what it says. One that ran out, or that `give_up` says nobody wants, is closed if unpaid.
pub(super) async fn look(
    state: &AppState,
    client: &Port<Client>,
    row: &Attempt,
    give_up: bool,
) -> Result<Outcome, PaymentError> {
    let outcome = ask_once(state, client, row).await?;
    if outcome != Outcome::Waiting {
        return Ok(outcome);
    }
    if !give_up && row.expires_ms > state.clock.now_ms() && is_wanted(state, row).await? {
        let young = state.clock.now_ms() - row.created_ms < YOUNG_MS;
        put_off(state, row, if young { YOUNG_STEP_MS } else { STEP_MS }).await?;
        return Ok(Outcome::Waiting);
    }
    let number = row.out_trade_no.clone();
    if !ask(client, move |client| client.close(&number)).await? {
        // Paid, or closed, between the two questions.
        let outcome = ask_once(state, client, row).await?;
        if outcome == Outcome::Waiting {
            put_off(state, row, YOUNG_STEP_MS).await?;
        }
        return Ok(outcome);
    }
    let mut tx = begin_write(&state.db).await?;
    settle::close(&mut tx, row, state.clock.now_ms()).await?;
    tx.commit().await?;
    Ok(Outcome::Closed)
}

/// Whether the order still waits for money; it may have been cancelled, or paid by another way.
async fn is_wanted(state: &AppState, row: &Attempt) -> Result<bool, DbError> {
    let query = sqlx::query::<Sql>("select 1 from orders where number = $1 and state = $2");
    let query = query.bind(row.order.as_str()).bind(OrderState::AwaitingPayment.code());
    Ok(query.fetch_optional(&state.db).await?.is_some())
}

/// One question, and its answer settled. A payment that nobody has begun is waiting.
async fn ask_once(state: &AppState, client: &Port<Client>, row: &Attempt) -> Result<Outcome, PaymentError> {
    let number = row.out_trade_no.clone();
    let Some(trade) = ask(client, move |client| client.query(&number)).await? else {
        return Ok(Outcome::Waiting);
    };
    let mut tx = begin_write(&state.db).await?;
    // A notice may have come in between.
    let Some(row) = store::find(&mut tx, &row.out_trade_no).await? else {
        return Ok(Outcome::Unknown);
    };
    let outcome = settle::settle(&mut tx, state, &row, &trade).await?;
    tx.commit().await?;
    Ok(outcome)
}
