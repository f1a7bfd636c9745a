//! The shift's page: open, add, count, close.

use askama::Template;
use axum::{
    Form, Json,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::json;
use wire::ShiftClosed;

use super::{
    Desk,
    attention::{Done, decide, told, wants_json},
    html,
    lang::{Asked, Lang},
};
use crate::{
    clock,
    shift::Counted,
    shifts::{ShiftError, View},
};

#[derive(Template)]
#[template(path = "shift.html")]
struct ShiftPage {
    station: String,
    lang: Lang,
    view: View,
    message: String,
    /// What staff typed when the count was not taken.
    typed: CloseForm,
}

impl ShiftPage {
    fn time(&self, at: &str) -> String {
        clock::china_of(at)
    }

    fn lost(&self, closed: &ShiftClosed) -> String {
        difference(self.lang, closed.difference())
    }
}

/// `少 2` or `多 1`.
fn difference(lang: Lang, number: i64) -> String {
    let word = if number > 0 { lang.t("少", "missing") } else { lang.t("多", "too many") };
    format!("{word} {}", number.unsigned_abs())
}

fn shown(desk: &Desk, lang: Lang, status: StatusCode, message: String, typed: CloseForm) -> Response {
    match desk.shifts.view() {
        Ok(view) => html(status, &ShiftPage { station: desk.station.clone(), lang, view, message, typed }),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

pub(super) async fn page(State(desk): State<Desk>, Query(asked): Query<Asked>) -> Response {
    shown(&desk, asked.lang, StatusCode::OK, String::new(), CloseForm::default())
}

pub(super) async fn json(State(desk): State<Desk>) -> Response {
    match desk.shifts.view() {
        Ok(view) => {
            let difference = view.last.as_ref().map(ShiftClosed::difference);
            Json(json!({"running": view.running, "last": view.last, "difference": difference}))
                .into_response()
        }
        Err(error) => told(&Done::Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

fn done<T>(result: Result<T, ShiftError>) -> Done {
    match result {
        Ok(_) => Done::Done,
        Err(error @ ShiftError::Journal(_)) => {
            Done::Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        }
        Err(error @ (ShiftError::Open(_) | ShiftError::Closed)) => {
            Done::Refused(StatusCode::CONFLICT, error.to_string())
        }
        Err(error) => Done::Refused(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
    }
}

fn answer(desk: &Desk, lang: Lang, headers: &HeaderMap, done: Done, typed: CloseForm) -> Response {
    if wants_json(headers) {
        return told(&done);
    }
    match done {
        Done::Done => Redirect::to(&format!("/shift?lang={}", lang.code())).into_response(),
        Done::Refused(status, why) => shown(desk, lang, status, why, typed),
    }
}

#[derive(Deserialize)]
pub(super) struct CountForm {
    count: String,
    #[serde(default)]
    lang: Lang,
}

/// A number as staff type it; anything else is out of range.
fn number(text: &str) -> u32 {
    text.trim().parse().unwrap_or(u32::MAX)
}

pub(super) async fn open(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Form(form): Form<CountForm>,
) -> Response {
    let (shifts, time, lang) = (desk.shifts.clone(), desk.time.clone(), form.lang);
    let done = decide(move || done(shifts.open(number(&form.count), &time.now()))).await;
    answer(&desk, lang, &headers, done, CloseForm::default())
}

pub(super) async fn add(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Form(form): Form<CountForm>,
) -> Response {
    let (shifts, time, lang) = (desk.shifts.clone(), desk.time.clone(), form.lang);
    let done = decide(move || done(shifts.add(number(&form.count), &time.now()))).await;
    answer(&desk, lang, &headers, done, CloseForm::default())
}

#[derive(Clone, Default, Deserialize)]
pub(super) struct CloseForm {
    left: String,
    #[serde(default)]
    boxed: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    lang: Lang,
}

pub(super) async fn close(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Form(form): Form<CloseForm>,
) -> Response {
    let (shifts, time, typed) = (desk.shifts.clone(), desk.time.clone(), form.clone());
    let boxed = Some(form.boxed.trim()).filter(|boxed| !boxed.is_empty()).map(number);
    let counted = Counted { left: number(&form.left), boxed };
    let done = decide(move || done(shifts.close(counted, &form.reason, &time.now()))).await;
    answer(&desk, typed.lang, &headers, done, typed)
}
