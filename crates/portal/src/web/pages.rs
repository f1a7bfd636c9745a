//! The operators' pages.

mod account;
mod attention;
mod audit;
mod facts;
mod login;
mod order;
mod orders;
mod packing;
mod paper;
mod pictures;
mod programmes;
mod refunds;
mod review;
mod stations;
mod stock;
mod users;

use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
};

pub(super) use account::routes as account_routes;
pub(super) use attention::routes as attention_routes;
pub(super) use audit::audit;
pub(super) use facts::{Section, mask, mask_documents, sections};
pub(super) use login::{log_in, log_out, login_form, secret};
pub(super) use order::{
    approve, ask_refund, cancel, decide_refund, delivered, order, payment, reject, release, reveal,
};
pub(super) use orders::{find as find_orders, orders};
pub(super) use packing::routes as packing_routes;
pub(super) use paper::routes as paper_routes;
pub(super) use pictures::{ViewQuery, routes as picture_routes};
pub(super) use programmes::{list as programmes, show as programme};
pub(super) use refunds::list as refunds;
pub(super) use review::routes as review_routes;
pub(super) use stations::{BoardQuery, StationPart, is_brief, stations};
pub(super) use stock::routes as stock_routes;
pub(super) use users::routes as user_routes;

use super::{
    answer::{self, ApiError, log_trouble, operator_status, order_status},
    lang::Lang,
    session::Operator,
};
use crate::{operators::Role, orders::OrderError};

/// The main menu.
const MENU: [(&str, &str, &str); 11] = [
    ("/review", "审核", "Review"),
    ("/orders", "订单", "Orders"),
    ("/paper", "纸质录入", "Paper"),
    ("/packing", "复核", "Pack check"),
    ("/refunds", "退款", "Refunds"),
    ("/attention", "待处理", "Attention"),
    ("/stock", "库存", "Stock"),
    ("/stations", "制证站", "Stations"),
    ("/programmes", "项目", "Programmes"),
    ("/users", "操作员", "Operators"),
    ("/audit", "审计", "Audit"),
];

/// What surrounds every page.
struct Frame {
    lang: Lang,
    /// Who is logged in.
    operator: Option<Operator>,
    /// Which entry of the menu is lit.
    here: &'static str,
}

impl Frame {
    fn new(lang: Lang, operator: &Operator, here: &'static str) -> Self {
        Self { lang, operator: Some(operator.clone()), here }
    }

    /// The page in the other language.
    fn switch(&self) -> String {
        self.lang.switch(None)
    }

    /// The pages that who is logged in may read: address, title, whether it is this one.
    fn menu(&self) -> Vec<(&'static str, &'static str, bool)> {
        let entries = MENU.iter().filter(|(path, ..)| self.may(path));
        entries
            .map(|&(path, zh, en)| (path, self.lang.t(zh, en), path.strip_prefix('/') == Some(self.here)))
            .collect()
    }

    /// Whether who is logged in may read a page.
    fn may(&self, path: &str) -> bool {
        self.may_post("GET", path)
    }

    /// Whether who is logged in may use a route.
    fn may_post(&self, method: &str, path: &str) -> bool {
        self.operator.as_ref().is_some_and(|operator| operator.may(method, path))
    }
}

pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            log_trouble(&error);
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct Trouble {
    frame: Frame,
    message: String,
}

/// An error as a page of its own.
pub(super) fn trouble(lang: Lang, error: ApiError) -> Response {
    let (status, message) = match error {
        ApiError::Order(error) => {
            let status = order_status(&error);
            if status.is_server_error() {
                log_trouble(&error);
            }
            (status, error.to_string())
        }
        ApiError::Operator(error) => (operator_status(&error), error.to_string()),
        ApiError::Parameter(name, message) => (StatusCode::BAD_REQUEST, format!("{name}: {message}")),
        other => return other.into_response(),
    };
    page(status, &Trouble { frame: Frame { lang, operator: None, here: "" }, message })
}

pub(super) fn order_trouble(lang: Lang, error: OrderError) -> Response {
    trouble(lang, error.into())
}

/// A page that says why something was not done.
fn message(frame: Frame, status: StatusCode, message: String) -> Response {
    page(status, &Trouble { frame, message })
}

/// 403: the page says which role is missing.
pub(super) fn forbidden(lang: Lang, operator: Operator, opening: &[Role]) -> Response {
    let frame = Frame { lang, operator: Some(operator), here: "" };
    message(frame, StatusCode::FORBIDDEN, answer::forbidden(opening))
}

/// Where each role begins.
pub(super) async fn start(operator: Operator) -> Redirect {
    let first = ["/review", "/orders", "/audit", "/users"].into_iter().find(|path| operator.may("GET", path));
    Redirect::to(first.unwrap_or("/account"))
}

pub(super) async fn not_found(lang: Lang) -> Response {
    let message = lang.t("没有这个页面", "There is no such page").to_owned();
    page(StatusCode::NOT_FOUND, &Trouble { frame: Frame { lang, operator: None, here: "" }, message })
}
