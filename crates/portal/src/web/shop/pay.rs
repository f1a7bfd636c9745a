//! Paying an order by Alipay (rows S1.10 and S3.7): a code to scan, a link for a computer, and once more after a failure.
//!
//! What the browser brings back from Alipay is not believed: only what Alipay itself tells the portal moves an order.

use askama::Template;
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use model::{OrderNumber, OrderState};
use serde_json::json;

use super::{OwnOrder, ShopFrame, no_such_page, order_trouble, our_trouble, timeline};
use crate::{
    app::AppState,
    customers,
    orders::{self, Order, OrderError},
    payments::{self, Payment, PaymentError, PaymentState},
    web::{answer::order_status, lang::Lang, pages::page},
};

#[derive(Template)]
#[template(path = "shop/pay.html")]
struct PayPage {
    frame: ShopFrame,
    order: Order,
    /// What can be paid now; `None` shows why not, and the way to try again.
    open: Option<Payment>,
    /// Whether a new attempt makes sense.
    again: bool,
    left_ms: i64,
    message: String,
}

pub(super) async fn pay(
    State(state): State<AppState>,
    OwnOrder { customer, number }: OwnOrder,
    lang: Lang,
) -> Response {
    match pay_page(&state, &customer, lang, &number).await {
        Ok(Some(shown)) => page(StatusCode::OK, &shown),
        Ok(None) => Redirect::to(&format!("/my/orders/{number}/result")).into_response(),
        Err(error) => order_trouble(lang, &error),
    }
}

/// The page while the order waits for its payment. The first attempt begins by itself, the next ones when the customer asks.
async fn pay_page(
    state: &AppState,
    customer: &customers::Customer,
    lang: Lang,
    number: &OrderNumber,
) -> Result<Option<PayPage>, OrderError> {
    let order = orders::known(state, number).await?;
    if order.state != OrderState::AwaitingPayment {
        return Ok(None);
    }
    let found = match payments::of_order(state, number).await {
        Ok(Some(known)) if !is_open(state, &known) => Ok(Some(known)),
        Ok(_) => payments::begin(state, number).await.map(Some),
        Err(error) => Err(error),
    };
    let (open, again, message) = match found {
        Ok(Some(payment)) if is_open(state, &payment) => (Some(payment), false, String::new()),
        Ok(Some(payment)) if payment.is_trouble && payment.state == PaymentState::Paid => {
            let message = lang.t(
                "已收到一笔金额不符的款项，正在核对，请勿重复支付。",
                "Money of another amount has arrived and is being looked at: do not pay again.",
            );
            (None, false, message.to_owned())
        }
        Ok(_) => {
            let message = lang.t(
                "支付未完成：二维码已过期或支付失败。订单已保留，可以重新支付。",
                "Not paid: the code has expired or the payment failed. The order is kept and can be paid again.",
            );
            (None, true, message.to_owned())
        }
        Err(PaymentError::Order(error)) => {
            // It may have been paid while this page was made: Alipay brings the customer back as it tells us.
            let waits = orders::known(state, number).await?.state == OrderState::AwaitingPayment;
            return if waits { Err(error) } else { Ok(None) };
        }
        Err(error) => {
            tracing::warn!(%number, %error, "a customer could not be shown a payment");
            (None, true, lang.told(&error.to_string()))
        }
    };
    let left_ms = open.as_ref().map_or(0, |payment| payment.expires_ms - state.clock.now_ms());
    let frame = ShopFrame::new(lang, Some(customer), "orders");
    Ok(Some(PayPage { frame, order, open, again, left_ms, message }))
}

/// Whether the payment can be made now.
fn is_open(state: &AppState, payment: &Payment) -> bool {
    payment.state == PaymentState::Open && payment.expires_ms > state.clock.now_ms()
}

/// 重新支付: begins a new attempt.
pub(super) async fn again(
    State(state): State<AppState>,
    OwnOrder { number, .. }: OwnOrder,
    lang: Lang,
) -> Response {
    match payments::begin(&state, &number).await {
        Err(PaymentError::Order(error)) if order_status(&error).is_server_error() => {
            our_trouble(lang, &error)
        }
        // The page says what there is to say.
        Ok(_) | Err(_) => Redirect::to(&format!("/my/orders/{number}/pay")).into_response(),
    }
}

/// The code to scan, as a picture.
pub(super) async fn code(
    State(state): State<AppState>,
    OwnOrder { number, .. }: OwnOrder,
    lang: Lang,
) -> Response {
    let payment = match payments::of_order(&state, &number).await {
        Ok(payment) => payment.filter(|payment| is_open(&state, payment)),
        Err(error) => return our_trouble(lang, &error),
    };
    match payment.and_then(|payment| crate::qr::png(&payment.qr_code?)) {
        Some(png) => ([(header::CONTENT_TYPE, "image/png")], png).into_response(),
        None => no_such_page(lang),
    }
}

/// For the page's script: whether there is still something to wait for.
pub(super) async fn progress(
    State(state): State<AppState>,
    OwnOrder { number, .. }: OwnOrder,
    lang: Lang,
) -> Response {
    let waiting = match payments::of_order(&state, &number).await {
        Ok(payment) => payment.is_some_and(|payment| is_open(&state, &payment)),
        Err(error) => return our_trouble(lang, &error),
    };
    Json(json!({ "payment": if waiting { "waiting" } else { "over" } })).into_response()
}

#[derive(Template)]
#[template(path = "shop/result.html")]
struct ResultPage {
    frame: ShopFrame,
    order: Order,
    title: &'static str,
    next: String,
}

/// After submitting or paying: what was done and what comes next.
pub(super) async fn result(
    State(state): State<AppState>,
    OwnOrder { customer, number }: OwnOrder,
    lang: Lang,
) -> Response {
    let found = async {
        let packed = orders::packed_ms(&mut *state.db.acquire().await?, &number).await?.is_some();
        Ok::<_, OrderError>((orders::load(&state, &number).await?, packed))
    };
    let (order, packed) = match found.await {
        Ok((Some(order), packed)) => (order, packed),
        Ok((None, _)) => return no_such_page(lang),
        Err(error) => return order_trouble(lang, &error),
    };
    let title = match (order.state, &order.content.payment) {
        (OrderState::AwaitingReview, Some(_)) => lang.t("支付成功", "Paid"),
        (OrderState::AwaitingReview, None) => lang.t("提交成功", "Handed in"),
        (state, _) => lang.state(&state),
    };
    let frame = ShopFrame::new(lang, Some(&customer), "orders");
    let working_days = state.programmes.get(&order.content.programme).and_then(|it| it.working_days);
    let next = timeline::next(lang, &order, working_days, packed);
    page(StatusCode::OK, &ResultPage { frame, title, next, order })
}
