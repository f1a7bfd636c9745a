//! The bench screen: every slot in large type, live, readable from two metres.

use std::{
    convert::Infallible,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{
        Html, IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::get,
};
use futures_util::StreamExt as _;
use listen::{Door, Limits};
use tokio::sync::Semaphore;
use tokio_stream::wrappers::WatchStream;
use wire::{SlotPhase, Status};

use crate::board::Board;

/// One screen, and a few people who look in from elsewhere.
const LIMITS: Limits = Limits { connections: 64, silence: Duration::from_secs(60) };
/// Live screens at once.
const LIVE_MAX: usize = 32;

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
    live: Arc<Semaphore>,
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
        Ok(listener) => axum::serve(Door::new(listener, LIMITS), router(board, station)).await,
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
        .with_state(Kiosk { board, station, live: Arc::new(Semaphore::new(LIVE_MAX)) })
}

async fn page(State(kiosk): State<Kiosk>) -> Response {
    let status = kiosk.board.now();
    match (KioskPage { station: &kiosk.station, status: &status, troubles: &kiosk.board.troubles() }).render()
    {
        Ok(html) => Html(html).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn events(State(kiosk): State<Kiosk>) -> Response {
    let Ok(place) = kiosk.live.clone().try_acquire_owned() else {
        tracing::warn!("all live screens are taken; one was refused");
        return (StatusCode::SERVICE_UNAVAILABLE, "屏幕过多，请关闭几个 (too many screens: close some)\n")
            .into_response();
    };
    let stream = WatchStream::new(kiosk.board.subscribe()).map(move |status| {
        // The place goes with the stream.
        let _place = &place;
        let part =
            SlotsPart { status: &status, troubles: &kiosk.board.troubles() }.render().unwrap_or_default();
        Ok::<_, Infallible>(Event::default().event("slots").data(part.replace('\n', " ")))
    });
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    /// Opens a live screen: the connection, and the first line of the answer.
    async fn open(address: SocketAddr) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut bytes = [0; 12];
        stream.read_exact(&mut bytes).await.unwrap();
        (stream, String::from_utf8_lossy(&bytes).into_owned())
    }

    #[tokio::test]
    async fn live_screens_are_bounded_and_a_place_is_given_back() {
        let board = Board::new(&["A01".parse().unwrap()]);
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, board.clone(), "bench-1".to_owned()));
        let mut screens = Vec::new();
        for _ in 0..LIVE_MAX {
            let (stream, answer) = open(address).await;
            assert_eq!(answer, "HTTP/1.1 200");
            screens.push(stream);
        }
        assert_eq!(open(address).await.1, "HTTP/1.1 503");
        screens.pop();
        let mut outbox = 0;
        while open(address).await.1 != "HTTP/1.1 200" {
            // The station sees that a screen is gone when it writes to it.
            outbox += 1;
            board.outbox(outbox);
        }
    }
}
