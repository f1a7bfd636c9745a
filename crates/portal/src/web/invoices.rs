//! Invoices: the page behind a mailed link, and the operators' request and download.

use askama::Template;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};

use super::{
    lang::Lang,
    pages::{ViewQuery, order_trouble, page},
    path::OrderPath,
    session::Operator,
    shop::{self, OwnOrder, ShopFrame},
};
use crate::{
    app::AppState,
    invoices::{self, InvoiceError, Pdf},
    orders::Actor,
    views::{self, Shown},
};

/// Nothing but a click is sent here.
const FORM_BYTES_MAX: usize = 1024;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/i/{token}", get(link).post(redeem))
        .route("/my/orders/{number}/invoice", post(own_request))
        .route("/my/orders/{number}/invoice.pdf", get(own_download))
        .route("/orders/{number}/invoice", post(request))
        .route("/orders/{number}/invoice.pdf", get(download))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
}

#[derive(Template)]
#[template(path = "shop/invoice_link.html")]
struct LinkPage {
    frame: ShopFrame,
}

/// The page behind a mailed link. It takes a click to use the link up: mail programs look at links before people do.
async fn link(State(state): State<AppState>, lang: Lang, Path(token): Path<String>) -> Response {
    match invoices::open_link(&state, &token).await {
        Ok(true) => page(StatusCode::OK, &LinkPage { frame: ShopFrame::new(lang, None, "") }),
        Ok(false) => gone(lang),
        Err(error) => shop::our_trouble(lang, &error),
    }
}

async fn redeem(State(state): State<AppState>, lang: Lang, Path(token): Path<String>) -> Response {
    match invoices::redeem_link(&state, &token).await {
        Ok(pdf) => file(pdf),
        Err(InvoiceError::None) => gone(lang),
        Err(error) => trouble(lang, &error),
    }
}

fn gone(lang: Lang) -> Response {
    let message = lang.t(
        "链接已使用或已过期，请登录“我的订单”下载发票",
        "This link was used or has expired: log in and download the invoice under My orders",
    );
    shop::trouble(lang, StatusCode::NOT_FOUND, message)
}

/// 开具发票, by an operator: for a completed order without one, or again after it failed.
async fn request(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
) -> Response {
    match invoices::request(&state, &number, &operator.actor()).await {
        Ok(()) => Redirect::to(&format!("/orders/{number}")).into_response(),
        Err(error) => trouble(lang, &error),
    }
}

/// The invoice's file, on record.
async fn download(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
    Query(query): Query<ViewQuery>,
) -> Response {
    if let Err(error) = views::reveal(&state, &number, &operator.name, query.reason, Shown::Invoice).await {
        return order_trouble(lang, error);
    }
    match invoices::download(&state, &number).await {
        Ok(pdf) => file(pdf),
        Err(error) => trouble(lang, &error),
    }
}

/// 开具发票, by the customer: for a completed order without one.
async fn own_request(
    State(state): State<AppState>,
    OwnOrder { number, .. }: OwnOrder,
    lang: Lang,
) -> Response {
    let asked = match invoices::of_order(&state.db, &number).await {
        // What failed is asked for again by an operator, who has looked why.
        Ok(Some(_)) => Ok(()),
        Ok(None) => invoices::request(&state, &number, &Actor::Customer).await,
        Err(error) => Err(error.into()),
    };
    match asked {
        Ok(()) => Redirect::to(&format!("/my/orders/{number}")).into_response(),
        Err(error) => trouble(lang, &error),
    }
}

/// The invoice of an order of the customer's own.
async fn own_download(
    State(state): State<AppState>,
    OwnOrder { number, .. }: OwnOrder,
    lang: Lang,
) -> Response {
    match invoices::download(&state, &number).await {
        Ok(pdf) => file(pdf),
        Err(error) => trouble(lang, &error),
    }
}

/// The file, to be kept and not shown in the page's own name. Its name is digits and `.pdf`.
fn file(pdf: Pdf) -> Response {
    let name = format!("attachment; filename=\"{}\"", pdf.name);
    ([(header::CONTENT_TYPE, "application/pdf".to_owned()), (header::CONTENT_DISPOSITION, name)], pdf.bytes)
        .into_response()
}

/// Why there is no file, as a page.
fn trouble(lang: Lang, error: &InvoiceError) -> Response {
    let status = match error {
        InvoiceError::None => StatusCode::NOT_FOUND,
        InvoiceError::TooOften | InvoiceError::NotYet => StatusCode::CONFLICT,
        _ => return shop::our_trouble(lang, error),
    };
    shop::trouble(lang, status, &error.to_string())
}
