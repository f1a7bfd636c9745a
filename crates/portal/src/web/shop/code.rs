//! The code by which a mobile is proved to be the customer's.

use axum::http::StatusCode;

use crate::{
    app::AppState,
    codes::{self, CodeError, Purpose},
    web::{answer::log_trouble, lang::Lang},
};

/// Why no code was sent, or none was right.
pub(super) struct Refused {
    pub(super) status: StatusCode,
    /// Whether a code sent before still holds.
    pub(super) sent_before: bool,
    pub(super) message: String,
}

impl Refused {
    fn new(lang: Lang, error: &CodeError) -> Self {
        let status = match error {
            CodeError::Mobile | CodeError::Wrong => StatusCode::UNPROCESSABLE_ENTITY,
            CodeError::Wait { .. } => StatusCode::TOO_MANY_REQUESTS,
            CodeError::NoService | CodeError::NotSent | CodeError::NoRandom => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            CodeError::Db(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            log_trouble(error);
        }
        let message = lang.told(&error.to_string());
        Self { status, sent_before: matches!(error, CodeError::Wait { .. }), message }
    }
}

/// Sends a code with which this browser may log in.
pub(super) async fn send(
    state: &AppState,
    lang: Lang,
    mobile: &str,
    address: &str,
    asker: &str,
) -> Result<(), Refused> {
    let sent = codes::send(state, Purpose::LogIn, mobile, asker, address, asker).await;
    sent.map(|_| ()).map_err(|error| Refused::new(lang, &error))
}

/// Whether this is the code that was sent.
pub(super) async fn check(
    state: &AppState,
    lang: Lang,
    mobile: &str,
    asker: &str,
    code: &str,
) -> Result<(), Refused> {
    let checked = codes::check(state, Purpose::LogIn, mobile, asker, code).await;
    checked.map_err(|error| Refused::new(lang, &error))
}
