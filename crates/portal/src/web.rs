//! The web side: API, pages, live stream.

use axum::{Router, routing::get};

use crate::app::AppState;

/// The whole web side.
pub fn router(state: AppState) -> Router {
    Router::new().route("/healthz", get(|| async { "ok" })).with_state(state)
}
