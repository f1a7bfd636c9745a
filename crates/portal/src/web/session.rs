//! Which operator asks: the session's cookie.

use axum::{
    extract::{FromRequestParts, MatchedPath},
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::Value;

use super::{access, answer::ApiError, lang::Lang, pages};
use crate::{
    app::AppState,
    operators::{self, Role, Session, Token},
    orders::Actor,
};

const COOKIE: &str = "ukey_session";

/// An operator with a running session, whose roles open this route. Handlers that take one cannot be reached without.
#[derive(Clone)]
pub(super) struct Operator {
    /// The log-in name.
    pub name: String,
    /// What he or she may do.
    pub roles: Vec<Role>,
    /// Which of the operator's sessions this is.
    pub session: String,
}

impl Operator {
    pub(super) fn actor(&self) -> Actor {
        Actor::Operator(self.name.clone())
    }

    /// Whether one of the operator's roles opens a route, by its method and its path as the router has it.
    pub(super) fn may(&self, method: &str, path: &str) -> bool {
        access::roles(method, path).is_some_and(|opening| self.has_any(opening))
    }

    /// Why the operator may not bring in these orders: the roles that would.
    pub(super) fn lacks_to_bring(&self, orders: &Value) -> Option<&'static [Role]> {
        access::roles_to_bring(orders).filter(|opening| !self.has_any(opening))
    }

    /// Whether the operator has one of these roles.
    pub(super) fn has_any(&self, opening: &[Role]) -> bool {
        opening.iter().any(|role| self.roles.contains(role))
    }
}

impl FromRequestParts<AppState> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let found = match token(&parts.headers) {
            Some(token) => operators::session(state, token).await,
            None => Ok(None),
        };
        let api = parts.uri.path().starts_with("/api/");
        match found {
            Ok(Some(session)) => admit(parts, session).map_err(|refused| refused.tell(parts, api)),
            Ok(None) if api => Err(ApiError::LoggedOut.into_response()),
            Ok(None) if parts.method == Method::GET => Err(Redirect::to("/login").into_response()),
            Ok(None) => Err(Redirect::to("/login?expired=1").into_response()),
            Err(error) => Err(ApiError::from(error).into_response()),
        }
    }
}

/// Why a session is not let in.
enum Refused {
    AccountFirst,
    Role(Operator, &'static [Role]),
}

impl Refused {
    fn tell(self, parts: &Parts, api: bool) -> Response {
        match self {
            Self::AccountFirst if api => ApiError::AccountFirst.into_response(),
            Self::AccountFirst => Redirect::to("/account").into_response(),
            Self::Role(_, opening) if api => ApiError::Forbidden(opening).into_response(),
            Self::Role(operator, opening) => pages::forbidden(Lang::of(parts), operator, opening),
        }
    }
}

/// Lets a session in where its roles reach. A route that [`access`] does not know is closed.
fn admit(parts: &Parts, session: Session) -> Result<Operator, Refused> {
    let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if session.account_first && !access::is_account(path) {
        return Err(Refused::AccountFirst);
    }
    let operator = Operator { name: session.name, roles: session.roles, session: session.id };
    let method = if parts.method == Method::HEAD { "GET" } else { parts.method.as_str() };
    let opening = access::roles(method, path).unwrap_or_default();
    if operator.has_any(opening) { Ok(operator) } else { Err(Refused::Role(operator, opening)) }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::HeaderMap;

    use super::cookie;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let told = headers("cookie", "lang=en; ukey_session=ab; x_ukey_session=cd");
        assert_eq!(cookie(&told, "ukey_session"), Some("ab"));
        assert_eq!(cookie(&told, "absent"), None);
    }
}
