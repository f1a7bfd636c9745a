//! The customer's side: an offer to pay, the same one while it holds, a new one afterwards.

use alipay::Offer;
use jiff::Timestamp;
use model::{Fen, IllegalOrderState, OrderNumber, OrderState};

use super::{
    ask, client,
    error::PaymentError,
    store::{self, Attempt, PaymentState, hurry},
    turn::look,
};
use crate::{
    app::AppState,
    audit::{self, What},
    db::{Sql, begin_write, damaged},
    orders::{self, Actor, Order, OrderError},
    programmes::PaymentMethod,
};

/// Attempts of one order; each holds for some minutes, so nobody who wants to pay needs as many.
const ATTEMPTS_MAX: i64 = 100;

/// How often an offer that ran out is looked at before a new one must be asked for again.
const ROUNDS: usize = 3;

/// A payment, as the customer's page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Our number of it at Alipay.
    pub out_trade_no: String,
    /// The text of the QR code, see [`png`](crate::qr::png); `None` until Alipay gave it.
    pub qr_code: Option<String>,
    /// Alipay's own page for it; `None` when it cannot be paid any more.
    pub page_url: Option<String>,
    /// How much is due.
    pub amount: Fen,
    /// Where it stands.
    pub state: PaymentState,
    /// Until when it may be paid.
    pub expires_ms: i64,
    /// Whether an operator has to look at it.
    pub is_trouble: bool,
}

/// Begins the payment of an order, or gives back the one that is open. One that ran out is closed first, and a new one begins
/// (row S3.7: a payment that failed leaves the order as it is, to be paid again).
///
/// # Errors
/// An order that waits for no payment; [`PaymentError`]. After an error of Alipay the same call again is right.
pub async fn begin(state: &AppState, number: &OrderNumber) -> Result<Payment, PaymentError> {
    let client = client(state)?;
    for _ in 0..ROUNDS {
        let (order, row) = open_row(state, number).await?;
        if row.expires_ms <= state.clock.now_ms() || row.amount != order.amount {
            // Paid meanwhile, or closed now; the next round tells.
            look(state, &client, &row, true).await?;
            continue;
        }
        if row.qr_code.is_some() {
            return shown(state, &row);
        }
        // The number was written down before it is told, so that whatever happens here leads back to the same trade.
        let offer = offer(state, &row)?;
        let code = ask(&client, move |client| client.precreate(&offer)).await?;
        sqlx::query::<Sql>("update payments set qr_code = $2 where out_trade_no = $1")
            .bind(&row.out_trade_no)
            .bind(&code)
            .execute(&state.db)
            .await?;
        return shown(state, &Attempt { qr_code: Some(code), ..row });
    }
    Err(OrderError::Raced.into())
}

/// The open payment of an order, written down now if there is none.
async fn open_row(state: &AppState, number: &OrderNumber) -> Result<(Order, Attempt), PaymentError> {
    let mut tx = begin_write(&state.db).await?;
    let order = orders::known_in(&mut tx, &state.sealer, number).await?;
    let programme = state.programmes.get(&order.content.programme);
    if !programme.is_some_and(|programme| programme.payment_methods.contains(&PaymentMethod::Alipay)) {
        return Err(PaymentError::NotUsed);
    }
    if order.state != OrderState::AwaitingPayment {
        let illegal = IllegalOrderState { from: order.state, to: OrderState::AwaitingReview };
        return Err(OrderError::from(illegal).into());
    }
    let attempts = store::of_order(&mut tx, number).await?;
    if attempts.iter().any(|row| row.state == PaymentState::Paid) {
        return Err(PaymentError::Trouble);
    }
    if let Some(row) = attempts.iter().find(|row| row.state == PaymentState::Open) {
        return Ok((order, row.clone()));
    }
    let attempt = attempts.first().map_or(1, |last| last.attempt + 1);
    if attempt > ATTEMPTS_MAX {
        return Err(PaymentError::TooMany);
    }
    let now_ms = state.clock.now_ms();
    let minutes = state.config.alipay.as_ref().map_or(15, |section| section.expire_minutes);
    let row = Attempt {
        out_trade_no: format!("{number}_{attempt}"),
        order: number.clone(),
        attempt,
        amount: order.amount,
        state: PaymentState::Open,
        qr_code: None,
        paid: None,
        trouble: None,
        created_ms: now_ms,
        expires_ms: now_ms + i64::from(minutes) * 60_000,
    };
    store::insert(&mut tx, &row).await?;
    let detail = format!("payment={} fen={}", row.out_trade_no, row.amount.0);
    audit::record(&mut tx, now_ms, &Actor::System, What::PaymentOffered, number, &detail).await?;
    tx.commit().await?;
    Ok((order, row))
}

fn offer(state: &AppState, row: &Attempt) -> Result<Offer, PaymentError> {
    let expires =
        Timestamp::from_millisecond(row.expires_ms).map_err(|_| damaged("a time that cannot be"))?;
    let (number, name) = (&row.order, &state.config.sender.company);
    Ok(Offer {
        out_trade_no: row.out_trade_no.clone(),
        subject: format!("{name} 数字证书订单 {number}"),
        amount: row.amount,
        expires,
    })
}

fn shown(state: &AppState, row: &Attempt) -> Result<Payment, PaymentError> {
    let open = row.state == PaymentState::Open && row.expires_ms > state.clock.now_ms();
    let page_url = match (&state.outside.alipay, open) {
        (Some(client), true) => {
            let back = format!("{}/my/orders/{}/pay", state.config.http.public_url, row.order);
            Some(client.client().page_url(&offer(state, row)?, &back)?)
        }
        _ => None,
    };
    Ok(Payment {
        out_trade_no: row.out_trade_no.clone(),
        qr_code: row.qr_code.clone(),
        page_url,
        amount: row.amount,
        state: row.state,
        expires_ms: row.expires_ms,
        is_trouble: row.trouble.is_some(),
    })
}

/// The payment that matters of an order: the one that paid it, else the newest.
///
/// # Errors
/// The database's.
pub async fn of_order(state: &AppState, number: &OrderNumber) -> Result<Option<Payment>, PaymentError> {
    let mut connection = state.db.acquire().await?;
    let attempts = store::of_order(&mut connection, number).await?;
    let paid = attempts.iter().find(|row| row.paid.is_some() && row.trouble.is_none());
    paid.or(attempts.first()).map(|row| shown(state, row)).transpose()
}

/// Closes the open payment of an order that shall not be paid any more. True if no payment of it is open now; money that comes all the
/// same goes back once the order is not waiting for it.
///
/// # Errors
/// [`PaymentError`]; after an error of Alipay it is closed by [`turn`](super::turn).
pub async fn close(state: &AppState, number: &OrderNumber) -> Result<bool, PaymentError> {
    let mut tx = begin_write(&state.db).await?;
    hurry(&mut tx, number, state.clock.now_ms()).await?;
    let open: Vec<Attempt> = store::of_order(&mut tx, number)
        .await?
        .into_iter()
        .filter(|row| row.state == PaymentState::Open)
        .collect();
    tx.commit().await?;
    for row in &open {
        look(state, &client(state)?, row, true).await?;
    }
    let mut connection = state.db.acquire().await?;
    let attempts = store::of_order(&mut connection, number).await?;
    Ok(attempts.iter().all(|row| row.state != PaymentState::Open))
}
