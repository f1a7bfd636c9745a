//! Who fills in a form: a browser by its cookie, a customer by the session, an address.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::{IntoResponse as _, Redirect, Response},
};
use model::{OrderNumber, Secret};

use crate::{
    app::AppState,
    customers,
    drafts::{self, Draft, DraftError, Owner},
    orders::OrderError,
    programmes::{Product, Programme},
    web::{
        address::Address,
        lang::Lang,
        session::cookie,
        shop::{MaybeCustomer, ShopFrame, login_address, no_such_page, our_trouble, trouble},
    },
};

const COOKIE: &str = "ukey_drafts";

/// The cookie lives as long as drafts do, about: counted from the last form that was sent.
const COOKIE_SECONDS: u32 = 30 * 24 * 60 * 60;

/// Hex digits of a token.
const TOKEN_CHARS: usize = 64;

/// The browser's token for drafts; empty if it has none.
pub(in crate::web) fn browser(headers: &HeaderMap) -> &str {
    let ours = |token: &&str| token.len() == TOKEN_CHARS && token.bytes().all(|b| b.is_ascii_hexdigit());
    cookie(headers, COOKIE).filter(ours).unwrap_or_default()
}

/// Whoever asks for a page of the order form.
pub(in crate::web) struct Visitor {
    pub(super) lang: Lang,
    pub(super) customer: Option<customers::Customer>,
    pub(super) address: String,
    pub(in crate::web) owner: Owner,
    /// The browser's token; empty if it has none.
    token: Secret,
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let lang = Lang::from_request_parts(parts, state).await.unwrap_or(Lang::Zh);
        let MaybeCustomer(customer) = MaybeCustomer::from_request_parts(parts, state).await?;
        let Ok(Address(address)) = Address::from_request_parts(parts, state).await;
        let token = browser(&parts.headers);
        let mobile = customer.as_ref().map(|customer| customer.mobile_digest.as_str());
        let owner = Owner::new(state, Some(token), mobile);
        Ok(Self { lang, customer, address, owner, token: Secret::from(token) })
    }
}

impl Visitor {
    pub(super) fn frame(&self) -> ShopFrame {
        ShopFrame::new(self.lang, self.customer.as_ref(), "")
    }

    /// As [`Self::frame`], for a page that is read again at `address`.
    pub(super) fn frame_at(&self, address: String) -> ShopFrame {
        ShopFrame { address: Some(address), ..self.frame() }
    }

    /// The visitor's draft, its programme and product. Another's is as one that is not there.
    pub(super) async fn draft<'a>(
        &self,
        state: &'a AppState,
        programme: &str,
        number: &str,
    ) -> Result<(Draft, &'a Programme, &'a Product), Response> {
        let programme = state.programmes.get(programme).ok_or_else(|| no_such_page(self.lang))?;
        let number: OrderNumber = number.parse().map_err(|_| no_such_page(self.lang))?;
        let draft = drafts::load(state, &number, &self.owner).await.map_err(|error| self.trouble(error))?;
        let draft = draft.ok_or_else(|| self.gone(programme, &number))?;
        if draft.programme != programme.id {
            return Err(no_such_page(self.lang));
        }
        let product = programme.product(&draft.product).ok_or_else(|| no_such_page(self.lang))?;
        Ok((draft, programme, product))
    }

    /// The answer where the visitor has no such draft, whether there is one or not: a customer finds the order that it has become, anybody
    /// else the log-in.
    pub(super) fn gone(&self, programme: &Programme, number: &OrderNumber) -> Response {
        let place = match self.customer {
            Some(_) => format!("/my/orders/{number}"),
            None => login_address(&format!("/p/{}/order/{number}", programme.id)),
        };
        Redirect::to(&place).into_response()
    }

    /// A draft's error as a page of its own.
    pub(super) fn trouble(&self, error: DraftError) -> Response {
        use axum::http::StatusCode;
        match error {
            DraftError::Unknown => trouble(self.lang, StatusCode::NOT_FOUND, &error.to_string()),
            DraftError::TooMany | DraftError::TooManyNear => {
                trouble(self.lang, StatusCode::TOO_MANY_REQUESTS, &error.to_string())
            }
            DraftError::Order(OrderError::Db(error)) => our_trouble(self.lang, &error),
            DraftError::Order(error) => trouble(self.lang, StatusCode::CONFLICT, &error.to_string()),
            other => our_trouble(self.lang, &other),
        }
    }

    /// The browser's token as text; empty if it has none.
    pub(super) fn token(&self) -> &str {
        std::str::from_utf8(self.token.expose()).unwrap_or_default()
    }

    /// Gives a browser without a token one; the header tells it, or renews what the browser has. `SameSite=Lax`: a browser that follows a
    /// link of a platform must not be taken for one without a token and get another.
    pub(super) fn recognise(&mut self, state: &AppState) -> Result<Option<HeaderValue>, DraftError> {
        if self.token.expose().is_empty() {
            self.token = drafts::new_token()?;
            let mobile = self.customer.as_ref().map(|customer| customer.mobile_digest.as_str());
            self.owner = Owner::new(state, Some(self.token()), mobile);
        }
        let token = self.token();
        let secure = if state.config.http.is_https() { "; Secure" } else { "" };
        let text =
            format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={COOKIE_SECONDS}{secure}");
        Ok(HeaderValue::try_from(text).ok())
    }
}

/// A response that also sets a cookie.
pub(super) fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    response
}
