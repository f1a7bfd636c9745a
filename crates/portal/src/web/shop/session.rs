//! Which customer asks: the session's cookie.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Method, StatusCode, request::Parts},
    response::{IntoResponse as _, Redirect, Response},
};

use super::our_trouble;
use crate::{
    app::AppState,
    customers::{self, CustomerError, Token},
    token::random_hex,
    web::{lang::Lang, session::cookie},
};

const COOKIE: &str = "ukey_customer";

/// Tells one browser from another before it is logged in: a code works in the browser that asked for it.
const ASKER_COOKIE: &str = "ukey_asker";
const ASKER_SECONDS: i64 = 600;
const ASKER_BYTES: usize = 16;

/// Longest address that a log-in leads back to.
const NEXT_BYTES_MAX: usize = 512;

/// A customer with a running session. Handlers that take one cannot be reached without.
pub(in crate::web) struct Customer(pub(in crate::web) customers::Customer);

/// Whoever asks, with or without a session.
pub(in crate::web) struct MaybeCustomer(pub(in crate::web) Option<customers::Customer>);

impl FromRequestParts<AppState> for MaybeCustomer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        match found(parts, state).await {
            Ok(customer) => Ok(Self(customer)),
            Err(error) => Err(refuse(parts, state, &error).await),
        }
    }
}

impl FromRequestParts<AppState> for Customer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        match found(parts, state).await {
            Ok(Some(customer)) => Ok(Self(customer)),
            Ok(None) if parts.uri.path().ends_with(".json") => Err(StatusCode::UNAUTHORIZED.into_response()),
            Ok(None) if parts.method == Method::GET => {
                let next = parts.uri.path_and_query().map_or("", |next| next.as_str());
                Err(Redirect::to(&login_address(next)).into_response())
            }
            Ok(None) => Err(Redirect::to("/my/login?expired=1").into_response()),
            Err(error) => Err(refuse(parts, state, &error).await),
        }
    }
}

async fn found(parts: &Parts, state: &AppState) -> Result<Option<customers::Customer>, CustomerError> {
    match token(&parts.headers) {
        Some(token) => customers::session(state, token).await,
        None => Ok(None),
    }
}

async fn refuse(parts: &mut Parts, state: &AppState, error: &CustomerError) -> Response {
    let lang = Lang::from_request_parts(parts, state).await.unwrap_or(Lang::Zh);
    our_trouble(lang, error)
}

/// The log-in that leads back to `next`.
pub(in crate::web) fn login_address(next: &str) -> String {
    if local(next).is_none() { "/my/login".to_owned() } else { format!("/my/login?next={}", encode(next)) }
}

/// `next` if it is a customers' page of this portal: a log-in leads nowhere else.
pub(super) fn local(next: &str) -> Option<&str> {
    let ours = ["/my/", "/p/"].iter().any(|folder| next.starts_with(folder));
    let plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (ours && plain && next.len() <= NEXT_BYTES_MAX).then_some(next)
}

/// Percent-encoded for a value in a query.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// The session cookie's value, if one came.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, COOKIE)
}

/// Which browser asks for a code, if it has asked before.
pub(super) fn asker(headers: &HeaderMap) -> Option<&str> {
    let known = |asker: &&str| asker.len() == 2 * ASKER_BYTES && asker.bytes().all(|b| b.is_ascii_hexdigit());
    cookie(headers, ASKER_COOKIE).filter(known)
}

/// A name for a browser that has not asked before.
pub(super) fn new_asker() -> Result<String, CustomerError> {
    random_hex::<ASKER_BYTES>().map_err(|_| CustomerError::Random)
}

/// The header that gives a browser its name.
pub(super) fn set_asker_cookie(state: &AppState, asker: &str) -> Option<HeaderValue> {
    cookie_header(state, ASKER_COOKIE, asker, ASKER_SECONDS)
}

/// The header that gives a browser its session.
pub(in crate::web) fn set_cookie(state: &AppState, token: &Token) -> Option<HeaderValue> {
    cookie_header(state, COOKIE, token.expose(), customers::SESSION_HOURS * 3600)
}

/// The header that takes it away.
pub(super) fn clear_cookie(state: &AppState) -> Option<HeaderValue> {
    cookie_header(state, COOKIE, "", 0)
}

/// `SameSite=Lax`: the payment service's page leads back to us, and the customer is still logged in.
fn cookie_header(state: &AppState, name: &str, value: &str, seconds: i64) -> Option<HeaderValue> {
    let secure = if state.config.http.is_https() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{encode, local, login_address};

    #[test]
    fn a_log_in_leads_to_a_page_of_ours_or_nowhere() {
        for next in ["/my/orders?state=rejected&q=%E5%8D%95", "/p/programme/new"] {
            assert_eq!(local(next), Some(next));
        }
        let long = format!("/my/{}", "a".repeat(512));
        for next in [
            "",
            "/",
            "//evil.example/my/",
            "https://evil.example/my/",
            "/\\evil.example",
            "/my/\\evil",
            "my/orders",
            "/my/\r\nset-cookie: a=b",
            "/my/单位",
            "/orders",
            &long,
        ] {
            assert_eq!(local(next), None, "{next}");
            assert_eq!(login_address(next), "/my/login");
        }
        assert_eq!(login_address("/my/orders?q=a&page=1"), "/my/login?next=/my/orders%3Fq%3Da%26page%3D1");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_one_value(text in "\\PC{0,40}") {
            let encoded = encode(&text);
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~%".contains(&byte)));
        }
    }
}
