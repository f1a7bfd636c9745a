//! The bench screen: every slot in large type, live, readable from two metres.

use std::{
    convert::Infallible,
    net::{SocketAddr, TcpListener},
};

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::header,
    response::{
        Html, IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::get,
};
use futures_util::{Stream, StreamExt as _};
use tokio_stream::wrappers::WatchStream;
use wire::{SlotPhase, Status};

use crate::board::Board;

#[derive(Template)]
#[template(path = "kiosk.html")]
struct KioskPage<'a> {
    station: &'a str,
    status: &'a Status,
    troubles: &'a [String],
}

#[derive(Template)]
#[template(path = "slots.html")]
struct SlotsPart<'a> {
    status: &'a Status,
    troubles: &'a [String],
}

#[derive(Clone)]
struct Kiosk {
    board: Board,
    station: String,
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
pub async fn serve(listener: TcpListener, board: Board, station: String) {
    let served = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => axum::serve(listener, router(board, station)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "the bench screen is gone; the work goes on");
    }
}

/// The screen's routes.
pub fn router(board: Board, station: String) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/events", get(events))
        .route("/status.json", get(json))
        .route("/kiosk.css", get(css))
        .with_state(Kiosk { board, station })
}

async fn page(State(kiosk): State<Kiosk>) -> Response {
    let status = kiosk.board.now();
    match (KioskPage { station: &kiosk.station, status: &status, troubles: &kiosk.board.troubles() }).render()
    {
        Ok(html) => Html(html).into_response(),
        Err(error) => (axum::http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn events(State(kiosk): State<Kiosk>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stream = WatchStream::new(kiosk.board.subscribe()).map(move |status| {
        let part =
            SlotsPart { status: &status, troubles: &kiosk.board.troubles() }.render().unwrap_or_default();
        Ok(Event::default().event("slots").data(part.replace('\n', " ")))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

async fn json(State(kiosk): State<Kiosk>) -> axum::Json<Status> {
    axum::Json(kiosk.board.now())
}

async fn css() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../templates/kiosk.css"))
}

/// How many slots are in a phase, for the line on top.
fn count(status: &Status, phase: SlotPhase) -> usize {
    status.slots.iter().filter(|slot| slot.phase == phase).count()
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
    }
}
