//! Log-in and log-out.

use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use model::Secret;
use serde::Deserialize;

use super::{Frame, page, trouble};
use crate::{
    app::AppState,
    operators,
    web::{address::Address, answer::operator_status, lang::Lang, session},
};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    name: String,
    message: String,
}

fn login_page(lang: Lang, status: StatusCode, name: &str, message: String) -> Response {
    let frame = Frame { lang, operator: None, here: "" };
    page(status, &LoginPage { frame, name: name.to_owned(), message })
}

#[derive(Deserialize)]
pub(in crate::web) struct LoginQuery {
    #[serde(default)]
    expired: Option<String>,
}

pub(in crate::web) async fn login_form(lang: Lang, Query(query): Query<LoginQuery>) -> Response {
    let expired = lang.t(
        "登录已过期，请重新登录；刚才的操作没有执行",
        "The log-in has expired: log in again; nothing was done",
    );
    let message = query.expired.map(|_| expired.to_owned()).unwrap_or_default();
    login_page(lang, StatusCode::OK, "", message)
}

/// Name and password of an operator. No `Debug`: it holds a password.
#[derive(Deserialize)]
pub(in crate::web) struct LoginForm {
    name: String,
    #[serde(deserialize_with = "secret")]
    password: Secret,
    #[serde(default)]
    code: String,
}

/// Reads a password without making a plain text of it that stays.
pub(in crate::web) fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(|text| Secret::new(text.into_bytes()))
}

pub(in crate::web) async fn log_in(
    State(state): State<AppState>,
    lang: Lang,
    Address(address): Address,
    Form(form): Form<LoginForm>,
) -> Response {
    let name = form.name.trim().to_owned();
    let given = operators::Credentials { name: name.clone(), password: form.password, code: form.code };
    match operators::log_in(&state, given, &address).await {
        Ok(token) => {
            let cookie = session::set_cookie(&state, &token).map(|cookie| (header::SET_COOKIE, cookie));
            let mut response = Redirect::to("/start").into_response();
            response.headers_mut().extend(cookie);
            response
        }
        Err(error) => login_page(lang, operator_status(&error), &name, error.to_string()),
    }
}

pub(in crate::web) async fn log_out(
    State(state): State<AppState>,
    lang: Lang,
    headers: HeaderMap,
) -> Response {
    if let Some(token) = session::token(&headers)
        && let Err(error) = operators::log_out(&state, token).await
    {
        return trouble(lang, error.into());
    }
    let mut response = Redirect::to("/login").into_response();
    response.headers_mut().extend(session::clear_cookie(&state).map(|cookie| (header::SET_COOKIE, cookie)));
    response
}
