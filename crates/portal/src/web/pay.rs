//! Where Alipay tells of payments. No session: what is sent here is believed by its signature alone.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};

use super::answer::log_trouble;
use crate::{
    app::AppState,
    outside::ALIPAY_NOTIFY_PATH,
    payments::{self, PaymentError},
};

/// The longest notice; Alipay's are some two kilobytes.
const NOTICE_BYTES_MAX: usize = 16 * 1024;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route(ALIPAY_NOTIFY_PATH, post(notify)).layer(DefaultBodyLimit::max(NOTICE_BYTES_MAX))
}

/// `success`, to the letter, once it is on disk; else Alipay tells again.
async fn notify(State(state): State<AppState>, body: Bytes) -> Response {
    match payments::notify(&state, &body).await {
        Ok(answer) => answer.text().into_response(),
        Err(PaymentError::NotUsed) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            log_trouble(&error);
            (StatusCode::INTERNAL_SERVER_ERROR, payments::Answer::Failure.text()).into_response()
        }
    }
}
