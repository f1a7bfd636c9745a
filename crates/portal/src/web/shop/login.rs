//! Log-in by mobile and code (row S1.12), and log-out. Whether a number has orders is not told before its code is right.

use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::{
    MaybeCustomer, ShopFrame, code, our_trouble,
    session::{self, local, login_address},
};
use crate::{
    app::AppState,
    customers::{self, CustomerError, Token},
    db::begin_write,
    drafts::{self, Owner},
    web::{address::Address, lang::Lang, order_pages::browser, pages::page},
};

const HOME: &str = "/my/orders";

#[derive(Template)]
#[template(path = "shop/login.html")]
struct LoginPage {
    frame: ShopFrame,
    /// Whether a code is on its way, so that it is asked for.
    sent: bool,
    mobile: String,
    next: String,
    message: String,
}

#[derive(Deserialize)]
pub(super) struct LoginQuery {
    #[serde(default)]
    next: String,
    #[serde(default)]
    expired: Option<String>,
}

/// Who is logged in already goes on.
pub(super) async fn form(
    lang: Lang,
    MaybeCustomer(customer): MaybeCustomer,
    Query(query): Query<LoginQuery>,
) -> Response {
    if let Some(next) = local(&query.next).filter(|_| customer.is_some()) {
        return Redirect::to(next).into_response();
    }
    let expired = lang.t(
        "登录已过期，请重新登录；刚才的操作没有执行",
        "The log-in has expired: log in again; nothing was done",
    );
    let message = query.expired.as_ref().map(|_| expired.to_owned()).unwrap_or_default();
    let next = local(&query.next).unwrap_or_default().to_owned();
    let address = query.expired.is_none().then(|| login_address(&next));
    let frame = ShopFrame { address, ..ShopFrame::new(lang, None, "") };
    page(StatusCode::OK, &LoginPage { frame, sent: false, mobile: String::new(), next, message })
}

/// The mobile, then the code; `action` says which of the two. No `Debug`: it holds a code.
#[derive(Deserialize)]
pub(super) struct LoginForm {
    action: String,
    mobile: String,
    #[serde(default)]
    next: String,
    #[serde(default)]
    code: String,
}

pub(super) async fn log_in(
    State(state): State<AppState>,
    lang: Lang,
    Address(address): Address,
    headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> Response {
    let next = local(&form.next).unwrap_or_default();
    let answer = |status: StatusCode, sent: bool, mobile: &str, message: String| {
        let frame = ShopFrame { address: Some(login_address(next)), ..ShopFrame::new(lang, None, "") };
        page(status, &LoginPage { frame, sent, mobile: mobile.to_owned(), next: next.to_owned(), message })
    };
    let asker = match session::asker(&headers).map_or_else(session::new_asker, |asker| Ok(asker.to_owned())) {
        Ok(asker) => asker,
        Err(error) => return our_trouble(lang, &error),
    };
    let mobile = match model::check_mobile(&form.mobile) {
        Ok(mobile) => mobile,
        Err(error) => {
            return answer(
                StatusCode::UNPROCESSABLE_ENTITY,
                false,
                &form.mobile,
                lang.told(&error.to_string()),
            );
        }
    };
    if form.action != "login" {
        let mut response = match code::send(&state, lang, &mobile, &address, &asker).await {
            Ok(()) => answer(StatusCode::OK, true, &mobile, String::new()),
            Err(refused) => answer(refused.status, refused.sent_before, &mobile, refused.message),
        };
        let cookie = session::set_asker_cookie(&state, &asker).map(|cookie| (header::SET_COOKIE, cookie));
        response.headers_mut().extend(cookie);
        return response;
    }
    if let Err(refused) = code::check(&state, lang, &mobile, &asker, &form.code).await {
        return answer(refused.status, true, &mobile, refused.message);
    }
    match open(&state, &mobile, &headers).await {
        Ok(token) => {
            let cookie = session::set_cookie(&state, &token).map(|cookie| (header::SET_COOKIE, cookie));
            let mut response = Redirect::to(if next.is_empty() { HOME } else { next }).into_response();
            response.headers_mut().extend(cookie);
            response
        }
        Err(error) => our_trouble(lang, &error),
    }
}

/// A new session; the one this browser had before ends, and another customer's drafts are not this one's.
async fn open(state: &AppState, mobile: &str, headers: &HeaderMap) -> Result<Token, CustomerError> {
    if let Some(old) = session::token(headers) {
        customers::log_out(state, old).await?;
    }
    let mobile_digest = customers::mobile_digest(state, mobile);
    let owner = Owner::new(state, Some(browser(headers)), Some(&mobile_digest));
    let mut tx = begin_write(&state.db).await?;
    drafts::part(&mut tx, &owner).await?;
    let token = customers::open_session(state, &mut tx, mobile).await?;
    tx.commit().await?;
    Ok(token)
}

/// The next person at this browser finds nothing of this one.
async fn leave(state: &AppState, headers: &HeaderMap) -> Result<(), CustomerError> {
    let owner = Owner::new(state, Some(browser(headers)), None);
    drafts::part(&mut *state.db.acquire().await?, &owner).await?;
    match session::token(headers) {
        Some(token) => customers::log_out(state, token).await,
        None => Ok(()),
    }
}

pub(super) async fn log_out(State(state): State<AppState>, lang: Lang, headers: HeaderMap) -> Response {
    if let Err(error) = leave(&state, &headers).await {
        return our_trouble(lang, &error);
    }
    let mut response = Redirect::to("/").into_response();
    response.headers_mut().extend(session::clear_cookie(&state).map(|cookie| (header::SET_COOKIE, cookie)));
    response
}
