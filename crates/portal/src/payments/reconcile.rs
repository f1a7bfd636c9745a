//! The day's bill against the table: neither is believed alone.

use std::{collections::BTreeMap, fmt};

use alipay::{BillKind, BillLine, Client};
use jiff::civil::Date;
use model::Fen;
use sqlx::Row as _;

use super::{
    ask, client,
    error::PaymentError,
    settle::Outcome,
    store::{self, Attempt},
    turn::look,
};
use crate::{
    app::AppState,
    clock::china,
    db::{DbError, Row, Sql, damaged},
    outside::Port,
};

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Money came under a number that is not known here.
    UnknownPayment(String, Fen),
    /// Money came that was not recorded; Alipay was asked, and this came of it.
    Unrecorded(String, Fen, Outcome),
    /// Alipay could not be asked about a line: why.
    Unasked(String, Fen, String),
    /// Another amount came than was recorded: in the bill, here.
    PaymentAmount(String, Fen, Fen),
    /// Money was recorded that is not in the bill.
    MissingPayment(String, Fen),
    /// Money went back that nobody here sent: the payment, Alipay's number of the refund.
    UnknownRefund(String, String, Fen),
    /// Another amount went back than was recorded: in the bill, here.
    RefundAmount(String, Fen, Fen),
    /// Money went back whose refund is not done here; it is tried again and found done.
    UndoneRefund(String, Fen),
    /// A refund is done here and not in the bill.
    MissingRefund(String, Fen),
    /// Money went back, and two people say that it was given back otherwise as well.
    TwiceBack(String, Fen),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPayment(number, fen) => {
                write!(
                    f,
                    "{number}: {fen} yuan came, and no such payment is known here: was the database restored?"
                )
            }
            Self::Unrecorded(number, fen, outcome) => {
                write!(f, "{number}: {fen} yuan came and was not recorded; asked now: {}", outcome.code())
            }
            Self::Unasked(number, fen, error) => {
                write!(
                    f,
                    "{number}: {fen} yuan, and Alipay could not be asked: compare the day again: {error}"
                )
            }
            Self::PaymentAmount(number, bill, here) => {
                write!(f, "{number}: {bill} yuan came, {here} is recorded")
            }
            Self::MissingPayment(number, fen) => {
                write!(f, "{number}: {fen} yuan is recorded and not in the bill: do not deliver")
            }
            Self::UnknownRefund(number, request, fen) => {
                write!(f, "{number}: {fen} yuan went back as {request:?}, which nobody here asked for")
            }
            Self::RefundAmount(number, bill, here) => {
                write!(f, "{number}: {bill} yuan went back, {here} is recorded")
            }
            Self::UndoneRefund(number, fen) => {
                write!(
                    f,
                    "{number}: {fen} yuan went back, and the refund is not done here: the next turn finds it"
                )
            }
            Self::MissingRefund(number, fen) => {
                write!(f, "{number}: {fen} yuan is recorded as gone back and not in the bill")
            }
            Self::TwiceBack(number, fen) => {
                write!(
                    f,
                    "{number}: {fen} yuan went back, and was given back otherwise before: ask the customer"
                )
            }
        }
    }
}

/// What the comparison gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciliation {
    /// Lines of the bill.
    pub lines: usize,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// A refund here, as far as the bill speaks of it.
struct Back {
    amount: Fen,
    done: bool,
}

/// Compares Alipay's bill of a day (China's) with the tables. Money of the bill that is not recorded is asked about and taken now.
///
/// # Errors
/// Alipay's: it has the bill from about 9 o'clock of the next day. [`PaymentError::NoBill`] for a day of which the tables know and Alipay
/// does not; a day without trades has no bill either. The database's.
pub async fn reconcile(state: &AppState, day: Date) -> Result<Reconciliation, PaymentError> {
    let client = client(state)?;
    let bill = ask(&client, move |client| client.bill(day)).await?;
    let (from_ms, to_ms) = bounds(day)?;
    let mut differences = Vec::new();
    let mut paid = of_day(state, from_ms, to_ms).await?;
    let mut back = refunds_of_day(state, from_ms, to_ms).await?;
    if bill.is_none() && !(paid.is_empty() && back.is_empty()) {
        return Err(PaymentError::NoBill { day: day.to_string(), known: paid.len() + back.len() });
    }
    let bill = bill.unwrap_or_default();
    for line in &bill {
        let found = match &line.kind {
            BillKind::Payment => {
                paid.remove(&line.out_trade_no);
                payment(state, line).await?
            }
            BillKind::Refund(request) => {
                back.remove(request);
                refund(state, line, request).await?
            }
        };
        differences.extend(found);
    }
    differences.extend(paid.into_iter().map(|(number, fen)| Difference::MissingPayment(number, fen)));
    for (request, back) in back {
        differences.extend(missing_refund(&client, request, back).await?);
    }
    Ok(Reconciliation { lines: bill.len(), differences })
}

fn bounds(day: Date) -> Result<(i64, i64), DbError> {
    let at = |day: Date| {
        let start = day.to_zoned(china()).map_err(|_| damaged("a day that cannot be"))?;
        Ok::<_, DbError>(start.timestamp().as_millisecond())
    };
    Ok((at(day)?, at(day.tomorrow().map_err(|_| damaged("a day that cannot be"))?)?))
}

async fn of_day(state: &AppState, from_ms: i64, to_ms: i64) -> Result<BTreeMap<String, Fen>, DbError> {
    let sql = "select out_trade_no, paid_fen from payments where paid_ms >= $1 and paid_ms < $2";
    let rows = sqlx::query::<Sql>(sql).bind(from_ms).bind(to_ms).fetch_all(&state.db).await?;
    let amount = |row: &Row| {
        Ok((row.try_get("out_trade_no")?, Fen(row.try_get::<i64, _>("paid_fen")?.unsigned_abs())))
    };
    rows.iter().map(amount).collect()
}

/// What Alipay sent back, by their numbers there: the payment and the amount. When they are done is when this portal learned of it.
async fn refunds_of_day(
    state: &AppState,
    from_ms: i64,
    to_ms: i64,
) -> Result<BTreeMap<String, (String, Fen)>, DbError> {
    let sql = "select out_request_no, out_trade_no, amount_fen from refunds where done_ms >= $1 and done_ms < $2 \
               and not exists (select 1 from refunds_otherwise o where o.out_request_no = refunds.out_request_no)";
    let rows = sqlx::query::<Sql>(sql).bind(from_ms).bind(to_ms).fetch_all(&state.db).await?;
    let refund = |row: &Row| {
        let amount = Fen(row.try_get::<i64, _>("amount_fen")?.unsigned_abs());
        Ok((row.try_get("out_request_no")?, (row.try_get("out_trade_no")?, amount)))
    };
    rows.iter().map(refund).collect()
}

/// A refund that this day's bill does not have. It may stand in that of the day before: learned of after midnight, or tried again.
async fn missing_refund(
    client: &Port<Client>,
    request: String,
    (trade, amount): (String, Fen),
) -> Result<Option<Difference>, PaymentError> {
    let number = request.clone();
    match ask(client, move |client| client.refunded(&trade, &number, amount)).await {
        Ok(true) => Ok(None),
        Ok(false) => Ok(Some(Difference::MissingRefund(request, amount))),
        Err(PaymentError::Alipay(error)) => Ok(Some(Difference::Unasked(request, amount, error.to_string()))),
        Err(error) => Err(error),
    }
}

async fn payment(state: &AppState, line: &BillLine) -> Result<Option<Difference>, PaymentError> {
    let number = line.out_trade_no.clone();
    let Some(row) = store::find(&mut *state.db.acquire().await?, &number).await? else {
        return Ok(Some(Difference::UnknownPayment(number, line.amount)));
    };
    Ok(match &row {
        Attempt { paid: Some(here), .. } if *here == line.amount => None,
        Attempt { paid: Some(here), .. } => Some(Difference::PaymentAmount(number, line.amount, *here)),
        Attempt { paid: None, .. } => Some(match look(state, &client(state)?, &row, false).await {
            Ok(outcome) => Difference::Unrecorded(number, line.amount, outcome),
            Err(PaymentError::Alipay(error)) => Difference::Unasked(number, line.amount, error.to_string()),
            Err(error) => return Err(error),
        }),
    })
}

async fn refund(
    state: &AppState,
    line: &BillLine,
    request: &str,
) -> Result<Option<Difference>, PaymentError> {
    let row = sqlx::query::<Sql>(
        "select amount_fen, state, (select count(*) from refunds_otherwise o where o.out_request_no = refunds.out_request_no) as otherwise \
         from refunds where out_request_no = $1 and out_trade_no = $2",
    )
    .bind(request)
    .bind(&line.out_trade_no)
    .fetch_optional(&state.db)
    .await?;
    let Some(row) = row else {
        let (number, request) = (line.out_trade_no.clone(), request.to_owned());
        return Ok(Some(Difference::UnknownRefund(number, request, line.amount)));
    };
    let back = Back {
        amount: Fen(row.try_get::<i64, _>("amount_fen")?.unsigned_abs()),
        done: row.try_get::<String, _>("state")? == "done",
    };
    let request = request.to_owned();
    if row.try_get::<i64, _>("otherwise")? > 0 {
        return Ok(Some(Difference::TwiceBack(request, line.amount)));
    }
    Ok(match back {
        Back { amount, .. } if amount != line.amount => {
            Some(Difference::RefundAmount(request, line.amount, amount))
        }
        Back { done: false, amount } => Some(Difference::UndoneRefund(request, amount)),
        Back { .. } => None,
    })
}
