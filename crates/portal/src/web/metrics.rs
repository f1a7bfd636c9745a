//! Figures for Prometheus, the log's line of each request, and what watchdogs ask.

use std::{sync::Arc, time::Instant};

use axum::{
    Extension, Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use subtle::ConstantTimeEq as _;

use super::answer::log_trouble;
use crate::{
    app::AppState, db::DbError, invoices, mail, messages, orders, payments, readiness::database_answers,
    refunds, stations, webhooks,
};

/// Upper bounds of the latency's buckets, in seconds; the goal is 50 ms.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0];

const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;

/// What is counted here while requests are served.
pub(super) struct Metrics {
    requests: Family<Labels, Counter>,
    seconds: Family<Labels, Histogram>,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self { requests: Family::default(), seconds: Family::new_with_constructor(histogram) }
    }
}

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready)).route("/metrics", get(metrics))
}

/// Counts a request by its route, never by its path: a path has numbers and tokens in it.
pub(super) async fn count(
    Extension(metrics): Extension<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let method = known(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    metrics.seconds.get_or_create(&vec![("route", route.clone())]).observe(took.as_secs_f64());
    tracing::debug!(method, route, status, microseconds = took.as_micros(), "request");
    let labels = vec![("method", method.to_owned()), ("route", route), ("status", status.to_string())];
    metrics.requests.get_or_create(&labels).inc();
    response
}

/// A method may be any word: each would be a line for ever.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The process answers.
async fn alive() -> &'static str {
    "ok\n"
}

/// Whether requests can be served: database and vault answer. A broker that is away stops the stations alone.
async fn ready(State(state): State<AppState>) -> Response {
    let word = |yes: bool| if yes { "yes" } else { "no" };
    let database = database_answers(&state.db).await;
    let vault = match &state.vault {
        Some(vault) => Some(vault.works().await),
        None => None,
    };
    let (leads, link) = (*state.leads.borrow(), *state.link.borrow());
    let told = format!(
        "database {}\nvault {}\nleads {}\nbroker {}\n",
        word(database),
        vault.map_or("unknown", word),
        word(leads),
        link.map_or("unknown", word)
    );
    let ready = database && vault != Some(false);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, told).into_response()
}

/// For whoever knows the token in the config's file; without `[metrics]` there is no such page.
async fn metrics(
    State(state): State<AppState>,
    Extension(metrics): Extension<Arc<Metrics>>,
    headers: HeaderMap,
) -> Response {
    let Some(section) = &state.config.metrics else { return StatusCode::NOT_FOUND.into_response() };
    let token = match stations::secret_file(&section.token_file) {
        Ok(token) => token,
        Err(error) => {
            tracing::error!("{error:#}");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let given =
        headers.get(header::AUTHORIZATION).and_then(|line| line.to_str().ok()?.strip_prefix("Bearer "));
    if !bool::from(given.unwrap_or_default().as_bytes().ct_eq(token.expose())) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    let encoded = async {
        let mut registry = figures(&state).await?;
        registry.register("portal_requests", "Requests answered", metrics.requests.clone());
        registry.register("portal_request_seconds", "Time to an answer", metrics.seconds.clone());
        let mut text = String::new();
        Ok::<_, DbError>(text::encode(&mut text, &registry).map(|()| text))
    };
    match encoded.await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        Ok(Err(error)) => {
            log_trouble(&error);
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(error) => {
            log_trouble(&error);
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What is looked up when it is asked for.
async fn figures(state: &AppState) -> Result<Registry, DbError> {
    let mut registry = Registry::default();
    let orders = Family::<Labels, Gauge>::default();
    for (of, count) in orders::state_totals(&state.db).await? {
        orders.get_or_create(&vec![("state", of.code().to_owned())]).set(count);
    }
    registry.register("portal_orders", "Orders by state", orders);
    let now_ms = state.clock.now_ms();
    let hooks = webhooks::depths(&state.db).await?;
    let sms = messages::depths(&state.db, now_ms).await?;
    let mails = mail::depths(&state.db, now_ms).await?;
    for (name, help, depths) in [
        ("portal_webhook_events", "Changes of state that a platform was not told of", hooks),
        ("portal_messages", "SMS that wait, and that were given up in the last 14 days", sms),
        ("portal_mails", "Mails that wait, and that were given up in the last 14 days", mails),
    ] {
        let outbox = Family::<Labels, Gauge>::default();
        for (word, count) in [("waiting", depths.waiting), ("dead", depths.dead)] {
            outbox.get_or_create(&vec![("delivery", word.to_owned())]).set(count);
        }
        registry.register(name, help, outbox);
    }
    let online = state.stations.borrow().values().filter(|status| status.online).count();
    let leased = orders::jobs_leased(&state.db).await?;
    let leads = i64::from(*state.leads.borrow());
    let troubles = payments::trouble_count(&state.db).await? + refunds::to_transfer_count(&state.db).await?;
    let tax_login = invoices::needing_tax_login(&state.db).await?;
    for (name, help, value) in [
        ("portal_leads", "Whether this portal serves the stations", leads),
        ("portal_stations_online", "Stations that are online", i64::try_from(online).unwrap_or(i64::MAX)),
        ("portal_jobs_leased", "Jobs that stations have", leased),
        ("portal_payment_troubles", "Payments and refunds that wait for an operator", troubles),
        ("portal_invoices_awaiting_login", "Invoices that wait for the log-in at the tax bureau", tax_login),
    ] {
        let gauge = Gauge::<i64>::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
    Ok(registry)
}
