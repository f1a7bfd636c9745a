//! The operators' pages.

mod login;
mod order;
mod orders;
mod pictures;
mod stations;
mod stock;

use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};

pub(super) use login::{log_in, log_out, login_form};
pub(super) use order::{Section, approve, order, reject, release, sections};
pub(super) use orders::{count, midnight, orders, total};
pub(super) use pictures::routes as picture_routes;
pub(super) use stations::{BoardQuery, StationPart, is_brief, stations};
pub(super) use stock::stock;

use super::{
    answer::{ApiError, log_trouble, operator_status, order_status},
    lang::Lang,
};
use crate::orders::OrderError;

/// What surrounds every page.
struct Frame {
    lang: Lang,
    /// Who is logged in.
    operator: Option<String>,
    /// Which entry of the menu is lit.
    here: &'static str,
}

impl Frame {
    fn new(lang: Lang, operator: &str, here: &'static str) -> Self {
        Self { lang, operator: Some(operator.to_owned()), here }
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
fn trouble(lang: Lang, error: ApiError) -> Response {
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

fn order_trouble(lang: Lang, error: OrderError) -> Response {
    trouble(lang, error.into())
}

pub(super) async fn not_found(lang: Lang) -> Response {
    let message = lang.t("没有这个页面", "There is no such page").to_owned();
    page(StatusCode::NOT_FOUND, &Trouble { frame: Frame { lang, operator: None, here: "" }, message })
}
