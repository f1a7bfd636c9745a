//! The live stream: the board as HTML, whenever it changed, at most a few times a second.

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use askama::Template as _;
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use model::StationId;
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::Instant,
};
use wire::Status;

use super::{lang::Lang, pages::Board, session::Operator};
use crate::app::AppState;

/// A wave of 32 slots changes many times a second; a person does not read faster.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);

/// The browser comes back by itself, and its session is looked at again.
const LONGEST_STREAM: Duration = Duration::from_secs(10 * 60);

struct Feed {
    state: AppState,
    lang: Lang,
    changes: watch::Receiver<BTreeMap<StationId, Status>>,
    first: bool,
    ends: Instant,
    /// Given back when the stream ends.
    _place: OwnedSemaphorePermit,
}

/// The page asks again by itself after this many seconds.
const FULL_RETRY_SECONDS: &str = "30";

pub(super) async fn stream(State(state): State<AppState>, _operator: Operator, lang: Lang) -> Response {
    let Ok(place) = state.live.clone().try_acquire_owned() else {
        tracing::warn!("all live streams are taken; one was refused");
        let told = "too many pages are open: close some, or wait\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, FULL_RETRY_SECONDS)], told)
            .into_response();
    };
    let changes = state.stations.subscribe();
    let ends = Instant::now() + LONGEST_STREAM;
    let feed = Feed { state, lang, changes, first: true, ends, _place: place };
    Sse::new(stream::unfold(feed, next)).keep_alive(KeepAlive::default()).into_response()
}

/// The next board: the first at once, then one after each change.
async fn next(mut feed: Feed) -> Option<(Result<Event, Infallible>, Feed)> {
    if !feed.first {
        let wait = async {
            tokio::time::sleep(SHORTEST_PAUSE).await;
            feed.changes.changed().await
        };
        tokio::time::timeout_at(feed.ends, wait).await.ok()?.ok()?;
    }
    feed.first = false;
    feed.changes.mark_unchanged();
    let html = Board::new(&feed.state, feed.lang).render().ok()?;
    Some((Ok(Event::default().event("board").data(html)), feed))
}
