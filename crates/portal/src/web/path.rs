//! The order that a page's path names by `{number}`.

use std::collections::BTreeMap;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
    response::{IntoResponse as _, Response},
};
use model::OrderNumber;

use super::{api::number, lang::Lang, pages};
use crate::app::AppState;

/// The number of an operators' page. What is no number gets a page that says so.
pub(super) struct OrderPath(pub(super) OrderNumber);

impl FromRequestParts<AppState> for OrderPath {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let text = path_number(parts, state).await?;
        number(&text).map(Self).map_err(|error| pages::trouble(Lang::of(parts), error))
    }
}

/// The text at `{number}`; empty for a route without.
pub(super) async fn path_number(parts: &mut Parts, state: &AppState) -> Result<String, Response> {
    let found = Path::<BTreeMap<String, String>>::from_request_parts(parts, state).await;
    let Path(mut named) = found.map_err(|refused| refused.into_response())?;
    Ok(named.remove("number").unwrap_or_default())
}
