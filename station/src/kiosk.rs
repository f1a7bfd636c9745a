//! The bench screen: every slot in large type, live, readable from two metres; and what staff enter there.

mod attention;
mod guard;
mod lang;
mod shift;

use std::{
    convert::Infallible,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use askama::Template;
use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header},
    middleware,
    response::{
        Html, IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::{get, post},
};
use futures_util::StreamExt as _;
use listen::{Door, Limits};
use tokio::sync::Semaphore;
use tokio_stream::wrappers::WatchStream;
use wire::{SlotPhase, Status};

use crate::{
    board::Board,
    breakers::{Breakers, Stopped},
    clock::Time,
    parking::{ParkedReport, Parking},
    shifts::{Running, Shifts},
};

/// A form has a few words.
const FORM_BYTES_MAX: usize = 4 * 1024;

/// What the screen shows and changes.
#[derive(Clone)]
pub struct Desk {
    /// The station's name.
    pub station: String,
    /// The slots.
    pub board: Board,
    /// What is stopped.
    pub breakers: Arc<Breakers>,
    /// The books of the shift.
    pub shifts: Arc<Shifts>,
    /// Reports that the portal refused.
    pub parking: Arc<Parking>,
    /// Time.
    pub time: Arc<dyn Time>,
}

/// What lies above the slots.
struct Head {
    troubles: Vec<String>,
    stopped: Vec<Stopped>,
    parked: Vec<ParkedReport>,
    shift: Option<Running>,
}

impl Head {
    /// What the journal does not give is told in its place: the screen itself stays.
    fn new(desk: &Desk) -> Self {
        let mut troubles = desk.board.troubles();
        let parked = desk.parking.list().unwrap_or_else(|error| {
            troubles.push(format!("搁置的报告无法读取：{error}"));
            Vec::new()
        });
        let shift = desk.shifts.view().map_or_else(
            |error| {
                troubles.push(format!("本班账目无法读取：{error}"));
                None
            },
            |view| view.running,
        );
        Self { troubles, stopped: desk.breakers.open(), parked, shift }
    }
}

/// One screen, and a few people who look in from elsewhere.
const LIMITS: Limits = Limits { connections: 64, silence: Duration::from_secs(60), rate: 32 * 1024 };
/// Live screens at once.
const LIVE_MAX: usize = 32;

#[derive(Template)]
#[template(path = "kiosk.html")]
struct KioskPage<'a> {
    station: &'a str,
    status: &'a Status,
    head: &'a Head,
}

#[derive(Template)]
#[template(path = "slots.html")]
struct SlotsPart<'a> {
    status: &'a Status,
    head: &'a Head,
}

/// Takes the screen's address, at start, so that a taken one is told at once.
///
/// # Errors
/// The address is taken.
pub fn listen(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(listen)
        .map_err(|error| anyhow::anyhow!("kiosk.listen {listen}: {error}; choose another port"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves the screen until the process ends.
pub async fn serve(listener: TcpListener, desk: Desk) {
    let served = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => axum::serve(Door::new(listener, LIMITS), router(desk)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "the bench screen is gone; the work goes on");
    }
}

/// The screen's routes.
pub fn router(desk: Desk) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/events", get(events))
        .route("/status.json", get(json))
        .route("/kiosk.css", get(css))
        .route("/attention", get(attention::page))
        .route("/attention.json", get(attention::json))
        .route("/breakers/reset", post(attention::reset))
        .route("/parked/retry", post(attention::retry))
        .route("/parked/discard", post(attention::discard))
        .route("/shift", get(shift::page))
        .route("/shift.json", get(shift::json))
        .route("/shift/open", post(shift::open))
        .route("/shift/add", post(shift::add))
        .route("/shift/close", post(shift::close))
        .layer(Extension(Arc::new(Semaphore::new(LIVE_MAX))))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(middleware::from_fn(guard::this_machine_alone))
        .with_state(desk)
}

fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn page(State(desk): State<Desk>) -> Response {
    let status = desk.board.now();
    html(StatusCode::OK, &KioskPage { station: &desk.station, status: &status, head: &Head::new(&desk) })
}

async fn events(State(desk): State<Desk>, Extension(live): Extension<Arc<Semaphore>>) -> Response {
    let Ok(place) = live.try_acquire_owned() else {
        tracing::warn!("all live screens are taken; one was refused");
        return (StatusCode::SERVICE_UNAVAILABLE, "屏幕过多，请关闭几个 (too many screens: close some)\n")
            .into_response();
    };
    let stream = WatchStream::new(desk.board.subscribe()).map(move |status| {
        // The place goes with the stream.
        let _place = &place;
        let part = SlotsPart { status: &status, head: &Head::new(&desk) }.render().unwrap_or_default();
        Ok::<_, Infallible>(Event::default().event("slots").data(part.replace('\n', " ")))
    });
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}

async fn json(State(desk): State<Desk>) -> axum::Json<Status> {
    axum::Json(desk.board.now())
}

async fn css() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../templates/kiosk.css"))
}

/// How many slots are in one of these phases, for the line on top.
fn count(status: &Status, phases: &[SlotPhase]) -> usize {
    status.slots.iter().filter(|slot| phases.contains(&slot.phase)).count()
}

/// Class of a phase in the style sheet.
fn class(phase: &SlotPhase) -> &'static str {
    match phase {
        SlotPhase::Empty => "empty",
        SlotPhase::Waiting => "waiting",
        SlotPhase::Working => "working",
        SlotPhase::Passed => "passed",
        SlotPhase::Failed => "failed",
        SlotPhase::Refused => "refused",
        SlotPhase::Interrupted => "interrupted",
        SlotPhase::Offline => "offline",
        SlotPhase::Stopped => "stopped",
    }
}

#[cfg(test)]
mod tests;
