//! The customers' pages: their log-in, their orders. Everybody sees the start page; the rest wants a session.

mod code;
mod login;
mod my_invoices;
mod my_order;
mod my_orders;
mod pay;
mod pictures;
mod session;
mod start;
mod timeline;

use askama::Template;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    response::Response,
    routing::{get, post},
};

pub(super) use my_order::OwnOrder;
pub(super) use session::{Customer, MaybeCustomer, login_address, set_cookie};

use super::{
    answer::{log_trouble, order_status},
    lang::Lang,
    pages::page,
};
use crate::{app::AppState, customers, orders::OrderError};

/// A customer's form is a few words; uploads have a limit of their own.
const FORM_BYTES_MAX: usize = 16 * 1024;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(start::start))
        .route("/my/login", get(login::form).post(login::log_in))
        .route("/my/logout", post(login::log_out))
        .route("/my/invoices", get(my_invoices::my_invoices))
        .route("/my/orders", get(my_orders::my_orders))
        .route("/my/orders/{number}", get(my_order::my_order))
        .route("/my/orders/{number}/cancel", post(my_order::cancel))
        .route("/my/orders/{number}/received", post(my_order::received))
        .route("/my/orders/{number}/pictures/{id}", get(pictures::picture))
        .route("/my/orders/{number}/pay", get(pay::pay).post(pay::again))
        .route("/my/orders/{number}/pay.png", get(pay::code))
        .route("/my/orders/{number}/payment.json", get(pay::progress))
        .route("/my/orders/{number}/result", get(pay::result))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
}

/// What surrounds every page for customers.
pub(super) struct ShopFrame {
    pub(super) lang: Lang,
    /// Who is logged in: the mobile, masked.
    pub(super) customer: Option<String>,
    /// Which entry of the menu is lit: `orders`, `invoices` or nothing.
    pub(super) here: &'static str,
    /// Where the page can be read again, if not at the address of its request.
    pub(super) address: Option<String>,
}

impl ShopFrame {
    pub(super) fn new(lang: Lang, customer: Option<&customers::Customer>, here: &'static str) -> Self {
        let customer = customer.map(|customer| model::mask_mobile(&customer.mobile));
        Self { lang, customer, here, address: None }
    }

    /// The page in the other language.
    pub(super) fn switch(&self) -> String {
        self.lang.switch(self.address.as_deref())
    }
}

#[derive(Template)]
#[template(path = "shop/trouble.html")]
struct Trouble {
    frame: ShopFrame,
    message: String,
}

/// An error as a page of its own.
pub(super) fn trouble(lang: Lang, status: StatusCode, message: &str) -> Response {
    page(status, &Trouble { frame: ShopFrame::new(lang, None, ""), message: lang.told(message) })
}

/// An order's error as a page of its own.
fn order_trouble(lang: Lang, error: &OrderError) -> Response {
    let status = order_status(error);
    if status.is_server_error() {
        our_trouble(lang, error)
    } else {
        trouble(lang, status, &error.to_string())
    }
}

/// What is not there, or is another customer's: the answer is the same.
pub(super) fn no_such_page(lang: Lang) -> Response {
    trouble(lang, StatusCode::NOT_FOUND, lang.t("没有这个页面", "There is no such page"))
}

/// Our own trouble: logged whole, told without its causes.
pub(super) fn our_trouble(lang: Lang, error: &(dyn std::error::Error + 'static)) -> Response {
    log_trouble(error);
    let message = lang.t("系统暂时无法处理，请稍后再试", "Something is wrong on our side: try again later");
    trouble(lang, StatusCode::INTERNAL_SERVER_ERROR, message)
}
