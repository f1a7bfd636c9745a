//! Chinese, or English for those who ask (`?lang=en`, remembered by a cookie).

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, MatchedPath, Request},
    http::{HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::Response,
};
use model::{OrderState, Outcome};
use wire::SlotPhase;

use super::{access, session::cookie};
use crate::{operators::Role, orders::JobRow};

tokio::task_local! {
    /// Where the page that answers the request can be read again: path and query.
    static ADDRESS: String;
}

/// Routes of customers that answer a POST alone. The page above them shows what they did.
const POSTED: [&str; 4] = [
    "/my/orders/{number}/cancel",
    "/my/orders/{number}/received",
    "/my/orders/{number}/invoice",
    "/p/{programme}/order/{number}/discard",
];

/// The language of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lang {
    Zh,
    En,
}

impl Lang {
    fn from_code(code: &str) -> Option<Self> {
        match code {
            "zh" => Some(Self::Zh),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    /// The language of a request.
    pub(super) fn of(parts: &Parts) -> Self {
        let remembered = || cookie(&parts.headers, "lang").and_then(Self::from_code);
        asked(parts.uri.query()).or_else(remembered).unwrap_or(Self::Zh)
    }

    /// For the page's `lang` attribute.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    /// The page at `address`, or the one that answers this request, in the other language: all else that was asked for stays.
    pub(super) fn switch(self, address: Option<&str>) -> String {
        let other = self.t("lang=en", "lang=zh");
        match address {
            Some(address) => with_lang(address, other),
            None => {
                ADDRESS.try_with(|address| with_lang(address, other)).unwrap_or_else(|_| format!("?{other}"))
            }
        }
    }

    /// The text in this language.
    pub(super) fn t<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// The part in this language of a message that has both: Chinese, then English in brackets.
    pub(super) fn told(self, message: &str) -> String {
        match message.split_once(" (").and_then(|(zh, en)| Some((zh, en.strip_suffix(')')?))) {
            Some((zh, en)) => self.t(zh, en).to_owned(),
            None => message.to_owned(),
        }
    }

    /// An order's state.
    pub(super) fn state(self, state: &OrderState) -> &'static str {
        match self {
            Self::Zh => state.zh(),
            Self::En => state_en(*state),
        }
    }

    /// How a job stands: its outcome, once it has one.
    pub(super) fn job(self, job: &JobRow) -> &str {
        let outcome = job.outcome.as_deref().and_then(outcome_from_code);
        match (outcome, job.state.as_str()) {
            (_, "stuck") => self.t("待处理", "stuck"),
            (Some(outcome), _) => self.t(outcome.zh(), outcome_en(outcome)),
            (None, "waiting") => self.t("待开工", "waiting"),
            (None, "leased") => self.t("已领取", "leased"),
            (None, _) => self.t("已结束", "done"),
        }
    }

    /// A role.
    pub(super) fn role(self, role: &Role) -> &'static str {
        match (self, role) {
            (Self::Zh, role) => role.zh(),
            (Self::En, Role::Reviewer) => "reviewer",
            (Self::En, Role::Production) => "production",
            (Self::En, Role::Finance) => "finance",
            (Self::En, Role::Stations) => "stations",
            (Self::En, Role::Auditor) => "auditor",
            (Self::En, Role::Administrator) => "administrator",
        }
    }

    /// A slot's phase.
    pub(super) fn phase(self, phase: SlotPhase) -> &'static str {
        match self {
            Self::Zh => phase.zh(),
            Self::En => phase_en(phase),
        }
    }
}

fn state_en(state: OrderState) -> &'static str {
    match state {
        OrderState::Draft => "Draft",
        OrderState::AwaitingPayment => "To be paid",
        OrderState::AwaitingReview => "To review",
        OrderState::Rejected => "Rejected",
        OrderState::AwaitingProduction => "To make",
        OrderState::AwaitingRenewal => "To renew",
        OrderState::AwaitingRecovery => "To recover",
        OrderState::AwaitingDelivery => "To deliver",
        OrderState::Completed => "Completed",
        OrderState::Refunded => "Refunded",
        OrderState::AwaitingDownload => "To download",
        OrderState::AwaitingUnlock => "To unlock",
        OrderState::Cancelled => "Cancelled",
    }
}

/// The outcomes as the jobs table and the wire spell them.
fn outcome_from_code(code: &str) -> Option<Outcome> {
    match code {
        "pass" => Some(Outcome::Pass),
        "fail" => Some(Outcome::Fail),
        "error" => Some(Outcome::Error),
        "timeout" => Some(Outcome::Timeout),
        "aborted" => Some(Outcome::Aborted),
        _ => None,
    }
}

fn outcome_en(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Error => "error",
        Outcome::Timeout => "timeout",
        Outcome::Aborted => "aborted",
    }
}

fn phase_en(phase: SlotPhase) -> &'static str {
    match phase {
        SlotPhase::Empty => "Empty",
        SlotPhase::Waiting => "Waiting",
        SlotPhase::Working => "Working",
        SlotPhase::Passed => "Passed",
        SlotPhase::Failed => "Failed",
        SlotPhase::Refused => "Refused",
        SlotPhase::Interrupted => "Pulled",
        SlotPhase::Offline => "Offline",
        SlotPhase::Stopped => "Stopped",
    }
}

fn asked(query: Option<&str>) -> Option<Lang> {
    let mut pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == "lang").and_then(|(_, code)| Lang::from_code(code))
}

impl<S: Sync> FromRequestParts<S> for Lang {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

fn with_lang(address: &str, lang: &str) -> String {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let kept = query.split('&').filter(|pair| !pair.is_empty() && pair.split('=').next() != Some("lang"));
    let query = kept.chain([lang]).collect::<Vec<_>>().join("&");
    // Two slashes would begin the address of another site.
    let path = if path.starts_with("//") { "" } else { path };
    format!("{path}?{query}")
}

/// Where the answer to a request can be read again. Of a POST that draws no page at its own address it is the page above.
fn address(request: &Request) -> String {
    let uri = request.uri();
    let asked = uri.path_and_query().map_or("/", |address| address.as_str());
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return asked.to_owned();
    }
    let mut route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let mut path = uri.path();
    while is_posted(route) {
        route = route.rsplit_once('/').map_or("", |(above, _)| above);
        path = path.rsplit_once('/').map_or("", |(above, _)| above);
    }
    match path {
        "" => "/start".to_owned(),
        _ if path.len() == uri.path().len() => asked.to_owned(),
        _ => path.to_owned(),
    }
}

/// Whether no page is to be had here by GET.
fn is_posted(route: &str) -> bool {
    let of_staff = |method| access::roles(method, route).is_some();
    let above_staff =
        || access::operator_routes().any(|(_, other, _)| other.starts_with(&format!("{route}/")));
    POSTED.contains(&route) || (!route.is_empty() && !of_staff("GET") && (of_staff("POST") || above_staff()))
}

/// Keeps the language that was asked for.
pub(super) async fn remember(request: Request, next: Next) -> Response {
    let asked = asked(request.uri().query());
    let mut response = ADDRESS.scope(address(&request), next.run(request)).await;
    if let Some(lang) = asked {
        let cookie = match lang {
            Lang::Zh => "lang=zh; Path=/; SameSite=Strict; Max-Age=31536000",
            Lang::En => "lang=en; Path=/; SameSite=Strict; Max-Age=31536000",
        };
        response.headers_mut().append(header::SET_COOKIE, HeaderValue::from_static(cookie));
    }
    response
}
