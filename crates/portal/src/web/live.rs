//! The live stream: each station's part of the board, whenever it changed, at most a few times a second.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::Instant,
};

use super::{
    fleet::{Fleet, Parts},
    lang::Lang,
    pages::BoardQuery,
    session::Operator,
};
use crate::app::AppState;

/// The browser comes back by itself, and its session is looked at again.
const LONGEST_STREAM: Duration = Duration::from_secs(10 * 60);

/// A quiet stream says something this often: whoever is gone is noticed, and no proxy ends it.
const LONGEST_SILENCE: Duration = Duration::from_secs(15);

struct Feed {
    parts: watch::Receiver<Parts>,
    /// The drawing that was sent last.
    seen: u64,
    greeted: bool,
    ends: Instant,
    /// Given back when the stream ends.
    _place: OwnedSemaphorePermit,
}

/// The page asks again by itself after this many seconds.
const FULL_RETRY_SECONDS: &str = "30";

pub(super) async fn stream(
    State(state): State<AppState>,
    Extension(fleet): Extension<Arc<Fleet>>,
    _operator: Operator,
    lang: Lang,
    Query(asked): Query<BoardQuery>,
) -> Response {
    let Ok(place) = state.live.clone().try_acquire_owned() else {
        tracing::warn!("all live streams are taken; one was refused");
        let told = "too many pages are open: close some, or wait\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, FULL_RETRY_SECONDS)], told)
            .into_response();
    };
    let parts = fleet.watch((lang, asked.only()), &state.stations);
    let ends = Instant::now() + LONGEST_STREAM;
    let feed = Feed { parts, seen: 0, greeted: false, ends, _place: place };
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(stream::unfold(feed, next))).into_response()
}

/// The next events: the whole board at once, then what changed.
async fn next(mut feed: Feed) -> Option<(Result<Bytes, Infallible>, Feed)> {
    if !feed.greeted {
        // Tells the browser at once that the stream stands.
        feed.greeted = true;
        return Some((Ok(Bytes::from_static(b": live\n\n")), feed));
    }
    loop {
        let (events, version) = {
            let parts = feed.parts.borrow_and_update();
            (parts.after(feed.seen), parts.version)
        };
        feed.seen = version;
        if !events.is_empty() {
            return Some((Ok(events), feed));
        }
        let silence = feed.ends.min(Instant::now() + LONGEST_SILENCE);
        match tokio::time::timeout_at(silence, feed.parts.changed()).await {
            Ok(changed) => changed.ok()?,
            Err(_) if Instant::now() >= feed.ends => return None,
            Err(_) => return Some((Ok(Bytes::from_static(b": still\n\n")), feed)),
        }
    }
}
