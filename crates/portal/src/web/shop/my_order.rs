//! One order, for its customer: what was ordered, how far it is, what comes next, and the way to cancel it.

use askama::Template;
use axum::{
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
    response::{IntoResponse as _, Redirect, Response},
};
use model::{OrderNumber, OrderState};

use super::{Customer, ShopFrame, no_such_page, order_trouble, our_trouble, timeline};
use crate::{
    app::AppState,
    customers,
    invoices::{self, InvoiceRow},
    orders::{self, Actor, CancelTerms, Order, OrderError},
    payments::{self, PaymentError, Refund, RefundState},
    pictures::{self, Picture},
    refunds::{self, ByHand, RefundRequest},
    stations,
    web::{
        answer::{log_trouble, order_status, payment_status},
        lang::Lang,
        pages::{Section, mask_documents, page, sections},
        path::path_number,
    },
};

#[derive(Template)]
#[template(path = "shop/my_order.html")]
struct MyOrderPage {
    frame: ShopFrame,
    order: Order,
    sections: Vec<Section>,
    steps: Vec<timeline::Step>,
    waybill: Option<String>,
    /// Whether the parcel was checked, and so is gone.
    packed: bool,
    invoice: Option<InvoiceRow>,
    pictures: Vec<Picture>,
    /// What goes back, once a refund was asked for.
    refund: Option<Refund>,
    /// Whether finance was asked to send the money back, and has not yet.
    is_asked: bool,
    /// What was asked of finance.
    request: Option<RefundRequest>,
    /// What comes next, in a sentence.
    next: String,
    /// Whether and how the order can be cancelled.
    cancel: CancelTerms,
    message: String,
}

/// The logged-in customer and an order of his or her own, by the path's `number`. What is another's is as what is not there.
pub(in crate::web) struct OwnOrder {
    /// Who asks.
    pub(in crate::web) customer: customers::Customer,
    /// The order.
    pub(in crate::web) number: OrderNumber,
}

impl FromRequestParts<AppState> for OwnOrder {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let Customer(customer) = Customer::from_request_parts(parts, state).await?;
        let lang = Lang::of(parts);
        let Ok(number) = path_number(parts, state).await?.parse::<OrderNumber>() else {
            return Err(no_such_page(lang));
        };
        match orders::is_of(&state.db, &number, &customer.mobile_digest).await {
            Ok(true) => Ok(Self { customer, number }),
            Ok(false) => Err(no_such_page(lang)),
            Err(error) => Err(order_trouble(lang, &error)),
        }
    }
}

pub(super) async fn my_order(
    State(state): State<AppState>,
    OwnOrder { customer, number }: OwnOrder,
    lang: Lang,
) -> Response {
    show(&state, &customer, lang, &number, None).await
}

pub(super) async fn cancel(
    State(state): State<AppState>,
    OwnOrder { customer, number }: OwnOrder,
    lang: Lang,
) -> Response {
    match orders::cancel(&state, &number, &Actor::Customer).await {
        Ok(()) => Redirect::to(&format!("/my/orders/{number}")).into_response(),
        Err(PaymentError::Order(error)) if order_status(&error).is_server_error() => {
            order_trouble(lang, &error)
        }
        Err(error) => show(&state, &customer, lang, &number, Some(error)).await,
    }
}

pub(super) async fn received(
    State(state): State<AppState>,
    OwnOrder { customer, number }: OwnOrder,
    lang: Lang,
) -> Response {
    match orders::complete(&state, &number, &Actor::Customer).await {
        Ok(()) => Redirect::to(&format!("/my/orders/{number}")).into_response(),
        Err(error) if order_status(&error).is_server_error() => order_trouble(lang, &error),
        Err(error) => show(&state, &customer, lang, &number, Some(error.into())).await,
    }
}

/// The order's page; with `refused` it says above why the last request was not done.
async fn show(
    state: &AppState,
    customer: &customers::Customer,
    lang: Lang,
    number: &OrderNumber,
    refused: Option<PaymentError>,
) -> Response {
    let status = refused.as_ref().map_or(StatusCode::OK, payment_status);
    let message = refused.map(|error| lang.told(&error.to_string())).unwrap_or_default();
    match my_order_page(state, customer, lang, number, message).await {
        Ok(order) => page(status, &order),
        Err(PaymentError::Order(error)) => order_trouble(lang, &error),
        Err(error) => our_trouble(lang, &error),
    }
}

async fn my_order_page(
    state: &AppState,
    customer: &customers::Customer,
    lang: Lang,
    number: &OrderNumber,
    message: String,
) -> Result<MyOrderPage, PaymentError> {
    let order = orders::known(state, number).await?;
    let programme = state.programmes.title(&order.content.programme);
    let working_days = state.programmes.get(&order.content.programme).and_then(|it| it.working_days);
    let packed = orders::packed_ms(&mut *state.db.acquire().await?, number).await?.is_some();
    Ok(MyOrderPage {
        packed,
        frame: ShopFrame::new(lang, Some(customer), "orders"),
        sections: sections(lang, &mask_documents(&order), programme),
        steps: timeline::steps(lang, &orders::history(&state.db, number).await?),
        waybill: stations::waybill(&state.db, number).await?,
        invoice: invoices::of_order(&state.db, number).await?,
        next: timeline::next(lang, &order, working_days, packed),
        cancel: orders::cancel_terms(&mut *state.db.acquire().await?, &order).await?,
        pictures: pictures::list(&state.db, number.as_str()).await.or_else(no_pictures)?,
        refund: payments::refund_of(state, number).await?,
        is_asked: refunds::is_waiting(&state.db, number).await?,
        request: refunds::of_order(&state.db, number).await?,
        order,
        message,
    })
}

/// The order is shown without its pictures rather than not at all.
fn no_pictures(error: pictures::PictureError) -> Result<Vec<Picture>, OrderError> {
    match error {
        pictures::PictureError::Db(error) => Err(error.into()),
        other => {
            log_trouble(&other);
            Ok(Vec::new())
        }
    }
}
