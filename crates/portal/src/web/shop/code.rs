//! The code by which a mobile is proved to be the customer's.

use axum::http::StatusCode;

use crate::app::AppState;

/// Why no code was sent, or none was right.
pub(super) struct Refused {
    pub(super) status: StatusCode,
    /// Whether a code sent before still holds.
    pub(super) sent_before: bool,
    pub(super) message: String,
}

fn not_served() -> Refused {
    let message = "短信服务未开通 (no message service is configured)".to_owned();
    Refused { status: StatusCode::SERVICE_UNAVAILABLE, sent_before: false, message }
}

/// Sends a code.
pub(super) async fn send(
    _state: &AppState,
    _mobile: &str,
    _address: &str,
    _asker: &str,
) -> Result<(), Refused> {
    Err(not_served())
}

/// Whether this is the code that was sent.
pub(super) async fn check(
    _state: &AppState,
    _mobile: &str,
    _asker: &str,
    _code: &str,
) -> Result<(), Refused> {
    Err(not_served())
}
