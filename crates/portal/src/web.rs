//! The web side: API, pages, live stream. Every route but the log-in, the assets and the health check wants a session.

mod access;
mod address;
mod answer;
mod api;
mod assets;
mod fleet;
mod guard;
mod invoices;
mod lang;
mod live;
mod metrics;
mod openapi;
mod order_list;
mod order_pages;
mod pages;
mod path;
mod pay;
mod session;
mod shop;
mod upload;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
    serve::ListenerExt as _,
};
use listen::{Door, Limits};
use tokio::net::TcpListener;

pub use access::operator_routes;
pub(crate) use address::Address;

use crate::app::AppState;

/// Orders come by the thousand, at some 1.5 KB each.
const ORDERS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Everything else is a few words.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// A request is in, and its answer on the way, within `silence`, unless it keeps coming at `rate`: five photos over a quarter of a megabit a
/// second take their time. Below 1,024, which is what a process may open unless it is told otherwise.
const LIMITS: Limits = Limits { connections: 768, silence: Duration::from_secs(75), rate: 32 * 1024 };

/// Serves `app` until the listener fails. Too many connections wait, silent ones are ended.
///
/// # Errors
/// The listener's.
pub async fn serve(listener: TcpListener, app: Router) -> std::io::Result<()> {
    let door = Door::new(listener, LIMITS).tap_io(|_| ());
    axum::serve(door, app.into_make_service_with_connect_info::<SocketAddr>()).await
}

/// The whole web side.
pub fn router(state: AppState) -> Router {
    Router::new()
        .merge(api_routes())
        .merge(page_routes())
        .merge(shop::routes())
        .merge(metrics::routes())
        .merge(pay::routes())
        .merge(pages::picture_routes())
        .merge(invoices::routes())
        .merge(order_pages::routes())
        .route("/assets/style.css", get(assets::style))
        .route("/assets/shop.css", get(assets::shop_style))
        .route("/assets/pay.js", get(assets::pay_script))
        .route("/assets/page.js", get(assets::script))
        .route("/assets/order.js", get(assets::order_script))
        .route("/assets/regions.txt", get(assets::regions))
        .fallback(pages::not_found)
        .layer(middleware::from_fn(lang::remember))
        .layer(middleware::from_fn_with_state(state.clone(), guard::refuse_other_sites))
        .layer(middleware::from_fn(guard::add_headers))
        .layer(middleware::from_fn(metrics::count))
        .layer(Extension(Arc::new(metrics::Metrics::default())))
        .layer(Extension(Arc::new(fleet::Fleet::default())))
        .with_state(state)
}

fn api_routes() -> Router<AppState> {
    let orders = get(api::list_orders).post(api::take_orders).layer(DefaultBodyLimit::max(ORDERS_BYTES_MAX));
    Router::new()
        .route("/api/orders", orders)
        .route("/api/orders/{number}", get(api::show_order).put(api::correct_order))
        .route("/api/orders/{number}/approve", post(api::approve_order))
        .route("/api/orders/{number}/reject", post(api::reject_order))
        .route("/api/orders/{number}/payment", post(api::record_payment))
        .route("/api/jobs/{job}/release", post(api::release_job))
        .route("/api/stations", get(api::list_stations))
        .route("/api/login", post(api::log_in))
        .route("/api/logout", post(api::log_out))
        .route("/api/openapi.json", get(openapi::show))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
}

fn page_routes() -> Router<AppState> {
    Router::new()
        .route("/login", get(pages::login_form).post(pages::log_in))
        .route("/logout", post(pages::log_out))
        .route("/orders", get(pages::orders))
        .route("/orders/find", post(pages::find_orders))
        .route("/orders/{number}", get(pages::order))
        .route("/orders/{number}/approve", post(pages::approve))
        .route("/orders/{number}/reject", post(pages::reject))
        .route("/orders/{number}/reveal", post(pages::reveal))
        .route("/orders/{number}/payment", post(pages::payment))
        .route("/orders/{number}/cancel", post(pages::cancel))
        .route("/orders/{number}/refund", post(pages::ask_refund))
        .route("/orders/{number}/delivered", post(pages::delivered))
        .route("/orders/{number}/refund/decision", post(pages::decide_refund))
        .route("/refunds", get(pages::refunds))
        .route("/jobs/{job}/release", post(pages::release))
        .route("/start", get(pages::start))
        .route("/audit", get(pages::audit))
        .route("/programmes", get(pages::programmes))
        .route("/programmes/{id}", get(pages::programme))
        .route("/stations", get(pages::stations))
        .route("/stations/live", get(live::stream))
        .merge(pages::account_routes())
        .merge(pages::attention_routes())
        .merge(pages::review_routes())
        .merge(pages::packing_routes())
        .merge(pages::paper_routes())
        .merge(pages::user_routes())
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .merge(pages::stock_routes())
}
