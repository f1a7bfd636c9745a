//! Style sheets and scripts, in the binary.

use axum::http::header;

const CACHE: &str = "no-cache";

pub(super) async fn style() -> ([(header::HeaderName, &'static str); 2], &'static str) {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, CACHE)];
    (headers, include_str!("../../assets/style.css"))
}

pub(super) async fn pay_script() -> ([(header::HeaderName, &'static str); 2], &'static str) {
    let headers = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, CACHE)];
    (headers, include_str!("../../assets/pay.js"))
}

pub(super) async fn shop_style() -> ([(header::HeaderName, &'static str); 2], &'static str) {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, CACHE)];
    (headers, include_str!("../../assets/shop.css"))
}

pub(super) async fn script() -> ([(header::HeaderName, &'static str); 2], &'static str) {
    let headers = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, CACHE)];
    (headers, include_str!("../../assets/page.js"))
}

pub(super) async fn order_script() -> ([(header::HeaderName, &'static str); 2], &'static str) {
    let headers = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, CACHE)];
    (headers, include_str!("../../assets/order.js"))
}

pub(super) async fn regions() -> ([(header::HeaderName, &'static str); 2], &'static str) {
    let headers =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "max-age=86400")];
    (headers, include_str!("../../assets/regions.txt"))
}
