//! Who asks: the session's cookie, and the address for the brake on log-ins.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};

use super::answer::ApiError;
use crate::{
    app::AppState,
    operators::{self, Token},
    orders::Actor,
};

const COOKIE: &str = "ukey_session";

/// An operator with a running session. Handlers that take one cannot be reached without.
pub(super) struct Operator {
    /// The log-in name.
    pub name: String,
}

impl Operator {
    pub(super) fn actor(&self) -> Actor {
        Actor::Operator(self.name.clone())
    }
}

impl FromRequestParts<AppState> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let found = match token(&parts.headers) {
            Some(token) => operators::session(state, token).await,
            None => Ok(None),
        };
        match found {
            Ok(Some(name)) => Ok(Self { name }),
            Ok(None) if parts.uri.path().starts_with("/api/") => Err(ApiError::LoggedOut.into_response()),
            Ok(None) if parts.method == Method::GET => Err(Redirect::to("/login").into_response()),
            Ok(None) => Err(Redirect::to("/login?expired=1").into_response()),
            Err(error) => Err(ApiError::from(error).into_response()),
        }
    }
}

/// The session cookie's value, if one came.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, COOKIE)
}

/// A cookie's value.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The header that gives a browser its session.
pub(super) fn set_cookie(state: &AppState, token: &Token) -> Option<HeaderValue> {
    let seconds = u64::from(state.config.operators.session_hours) * 3600;
    cookie_header(state, token.expose(), seconds)
}

/// The header that takes it away.
pub(super) fn clear_cookie(state: &AppState) -> Option<HeaderValue> {
    cookie_header(state, "", 0)
}

fn cookie_header(state: &AppState, value: &str, seconds: u64) -> Option<HeaderValue> {
    let secure = if state.config.http.is_https() { "; Secure" } else { "" };
    let text = format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::try_from(text).ok()
}

/// Where a request came from. Behind a proxy on this machine that is what the proxy says last.
pub(super) struct Address(pub String);

impl FromRequestParts<AppState> for Address {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &AppState) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        let forwarded = parts.headers.get_all("x-forwarded-for").into_iter().next_back();
        let forwarded =
            forwarded.and_then(|line| line.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        let address: Option<std::net::IpAddr> = match peer {
            Some(peer) if peer.is_loopback() => forwarded.or(Some(peer)),
            other => other,
        };
        Ok(Self(address.map_or_else(|| "unknown".to_owned(), |address| address.to_string())))
    }
}
