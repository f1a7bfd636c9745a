//! Money that Alipay does not take back any more (a trade too old, an account that is closed): finance gives it back another way. One
//! person says how, another confirms it; while it is said Alipay is not asked again, so that nothing goes back twice.

use model::OrderNumber;

use super::{
    error::PaymentError,
    refund::{Refund, RefundState, ask_after, finish, in_order},
};
use crate::{
    app::AppState,
    audit::{self, What},
    db::{Connection, Sql, Transaction, begin_write},
    orders::{Actor, OrderError},
};

/// Longest number of a transfer, in characters.
const TRANSFER_MAX: usize = 64;

/// How money was given back that Alipay refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otherwise {
    /// The transfer's number.
    pub reference: String,
    /// The operator who says so.
    pub told_by: String,
}

/// The number of a transfer, as somebody typed it.
///
/// # Errors
/// [`OrderError::Transfer`].
pub(crate) fn transfer_number(text: &str) -> Result<&str, OrderError> {
    let text = text.trim();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_one = text.len() <= TRANSFER_MAX
        && text.bytes().all(fits)
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric());
    if is_one { Ok(text) } else { Err(OrderError::Transfer) }
}

/// One person says that a stuck refund was given back by a transfer of this number. Alipay is asked once more before: it may have sent the
/// money, and its answer been lost.
///
/// # Errors
/// [`OrderError::Transfer`]; [`PaymentError::NotStuck`], also if Alipay did it; [`OrderError::Raced`] if somebody said so before; Alipay's,
/// while it does not answer; the database's.
pub async fn tell(
    state: &AppState,
    number: &OrderNumber,
    out_request_no: &str,
    reference: &str,
    operator: &str,
) -> Result<(), PaymentError> {
    let reference = transfer_number(reference)?;
    refuse_done(state, number, out_request_no).await?;
    let now_ms = state.clock.now_ms();
    let mut tx = begin_write(&state.db).await?;
    let refund = stuck(&mut tx, number, out_request_no).await?;
    if refund.otherwise.is_some() {
        return Err(OrderError::Raced.into());
    }
    sqlx::query::<Sql>(
        "insert into refunds_otherwise (out_request_no, reference, told_by, told_ms) values ($1, $2, $3, $4)",
    )
    .bind(out_request_no)
    .bind(reference)
    .bind(operator)
    .bind(now_ms)
    .execute(&mut *tx)
    .await?;
    let detail = format!("payment={} reference={reference}", refund.out_trade_no);
    let who = Actor::Operator(operator.to_owned());
    audit::record(&mut tx, now_ms, &who, What::RefundTold, number, &detail).await?;
    tx.commit().await?;
    Ok(())
}

/// Another person confirms what was said, and the refund is done. `reference` is what he or she read.
///
/// # Errors
/// [`OrderError::SamePerson`] who said so; [`PaymentError::NotStuck`] if nobody did, or said another number, and if Alipay did it; Alipay's,
/// while it does not answer; the database's.
pub async fn confirm(
    state: &AppState,
    number: &OrderNumber,
    out_request_no: &str,
    reference: &str,
    operator: &str,
) -> Result<(), PaymentError> {
    refuse_done(state, number, out_request_no).await?;
    let now_ms = state.clock.now_ms();
    let mut tx = begin_write(&state.db).await?;
    let refund = stuck(&mut tx, number, out_request_no).await?;
    let told = refund.otherwise.as_ref().filter(|told| told.reference == reference);
    let told = told.ok_or(PaymentError::NotStuck)?;
    if told.told_by == operator {
        return Err(OrderError::SamePerson(
            "登记退回的人不能确认，请另一位财务或管理员办理 (who gave the money back does not confirm it: ask another)",
        )
        .into());
    }
    sqlx::query::<Sql>(
        "update refunds_otherwise set confirmed_by = $2, confirmed_ms = $3 where out_request_no = $1",
    )
    .bind(out_request_no)
    .bind(operator)
    .bind(now_ms)
    .execute(&mut *tx)
    .await?;
    let how = format!(" reference={} told={}", told.reference, told.told_by);
    finish(&mut tx, &refund, &Actor::Operator(operator.to_owned()), &how, now_ms).await?;
    tx.commit().await?;
    Ok(())
}

/// It was not given back after all: Alipay may be asked again.
///
/// # Errors
/// [`PaymentError::NotStuck`] if nobody said so, or it was confirmed; the database's.
pub async fn withdraw(
    state: &AppState,
    number: &OrderNumber,
    out_request_no: &str,
    operator: &str,
) -> Result<(), PaymentError> {
    let now_ms = state.clock.now_ms();
    let mut tx = begin_write(&state.db).await?;
    let refund = stuck(&mut tx, number, out_request_no).await?;
    let told = refund.otherwise.ok_or(PaymentError::NotStuck)?;
    withdraw_told(&mut tx, out_request_no).await?;
    let detail = format!("payment={} reference={}", refund.out_trade_no, told.reference);
    let who = Actor::Operator(operator.to_owned());
    audit::record(&mut tx, now_ms, &who, What::RefundUntold, number, &detail).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends a refund that Alipay has done although it never said so: nobody gives that money back once more.
async fn refuse_done(
    state: &AppState,
    number: &OrderNumber,
    out_request_no: &str,
) -> Result<(), PaymentError> {
    let Some(client) = &state.outside.alipay else { return Ok(()) };
    let mut connection = state.db.acquire().await?;
    let refund = stuck(&mut connection, number, out_request_no).await?;
    drop(connection);
    match ask_after(client, &refund).await {
        Ok(false) => Ok(()),
        Ok(true) => {
            let mut tx = begin_write(&state.db).await?;
            // Another may have confirmed it meanwhile, and that stays on record.
            let refund = stuck(&mut tx, number, out_request_no).await?;
            withdraw_told(&mut tx, out_request_no).await?;
            finish(&mut tx, &refund, &Actor::System, "", state.clock.now_ms()).await?;
            tx.commit().await?;
            Err(PaymentError::NotStuck)
        }
        Err(PaymentError::Alipay(error)) if !error.may_pass() => Ok(()),
        Err(error) => Err(error),
    }
}

async fn withdraw_told(tx: &mut Transaction, out_request_no: &str) -> Result<(), PaymentError> {
    sqlx::query::<Sql>("delete from refunds_otherwise where out_request_no = $1")
        .bind(out_request_no)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The order's refund of this number, which Alipay refuses.
async fn stuck(
    connection: &mut Connection,
    number: &OrderNumber,
    out_request_no: &str,
) -> Result<Refund, PaymentError> {
    let refunds = in_order(connection, number).await?;
    let found = refunds.into_iter().find(|refund| refund.out_request_no == out_request_no);
    found.filter(|refund| refund.state == RefundState::Stuck).ok_or(PaymentError::NotStuck)
}
