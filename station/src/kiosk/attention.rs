//! What staff must decide: what was stopped, and reports that the portal refused.

use askama::Template;
use axum::{
    Form, Json,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Desk, Head, html,
    lang::{Asked, Lang},
};
use crate::{breakers::ResetError, parking::ParkingError};

#[derive(Template)]
#[template(path = "attention.html")]
struct AttentionPage {
    station: String,
    lang: Lang,
    head: Head,
    message: String,
}

impl AttentionPage {
    fn new(desk: &Desk, lang: Lang, message: String) -> Self {
        Self { station: desk.station.clone(), lang, head: Head::new(desk), message }
    }
}

/// What became of staff's wish: a page for browsers, a line of JSON for commands.
pub(super) enum Done {
    /// It was done.
    Done,
    /// It was not, and why.
    Refused(StatusCode, String),
}

/// Runs what waits for the disk away from the runtime's threads.
pub(super) async fn decide(work: impl FnOnce() -> Done + Send + 'static) -> Done {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Done::Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

/// Whether a command asks, not a browser.
pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).is_some_and(|accept| accept == "application/json")
}

/// The answer for commands.
pub(super) fn told(done: &Done) -> Response {
    match done {
        Done::Done => Json(json!({"done": true})).into_response(),
        Done::Refused(status, why) => (*status, Json(json!({"done": false, "why": why}))).into_response(),
    }
}

pub(super) async fn page(State(desk): State<Desk>, Query(asked): Query<Asked>) -> Response {
    html(StatusCode::OK, &AttentionPage::new(&desk, asked.lang, String::new()))
}

pub(super) async fn json(State(desk): State<Desk>) -> Response {
    match desk.parking.list() {
        Ok(parked) => Json(json!({"stopped": desk.breakers.open(), "parked": parked})).into_response(),
        Err(error) => told(&Done::Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

fn answer(desk: &Desk, lang: Lang, headers: &HeaderMap, done: Done) -> Response {
    if wants_json(headers) {
        return told(&done);
    }
    match done {
        Done::Done => Redirect::to(&format!("/attention?lang={}", lang.code())).into_response(),
        Done::Refused(status, why) => html(status, &AttentionPage::new(desk, lang, why)),
    }
}

#[derive(Deserialize)]
pub(super) struct ResetForm {
    scope: String,
    reason: String,
    #[serde(default)]
    lang: Lang,
}

pub(super) async fn reset(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Form(form): Form<ResetForm>,
) -> Response {
    let (breakers, time) = (desk.breakers.clone(), desk.time.clone());
    let done = decide(move || match breakers.reset(&form.scope, &form.reason, &time.now()) {
        Ok(()) => Done::Done,
        Err(error @ ResetError::Journal(_)) => {
            Done::Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        }
        Err(error @ ResetError::NotOpen(_)) => Done::Refused(StatusCode::CONFLICT, error.to_string()),
        Err(error) => Done::Refused(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
    });
    let done = done.await;
    answer(&desk, form.lang, &headers, done)
}

#[derive(Deserialize)]
pub(super) struct ParkedForm {
    report: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    lang: Lang,
}

fn parked(result: Result<(), ParkingError>) -> Done {
    match result {
        Ok(()) => Done::Done,
        Err(error @ ParkingError::Journal(_)) => {
            Done::Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        }
        Err(error @ ParkingError::NotParked(_)) => Done::Refused(StatusCode::CONFLICT, error.to_string()),
        Err(error @ ParkingError::Reason(_)) => {
            Done::Refused(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
        }
    }
}

pub(super) async fn retry(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Form(form): Form<ParkedForm>,
) -> Response {
    let (parking, time, lang) = (desk.parking.clone(), desk.time.clone(), form.lang);
    let done = decide(move || parked(parking.retry(&form.report, &time.now()))).await;
    answer(&desk, lang, &headers, done)
}

pub(super) async fn discard(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Form(form): Form<ParkedForm>,
) -> Response {
    let (parking, time, lang) = (desk.parking.clone(), desk.time.clone(), form.lang);
    let done = decide(move || parked(parking.discard(&form.report, &form.reason, &time.now()))).await;
    answer(&desk, lang, &headers, done)
}
