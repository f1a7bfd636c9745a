//! The pictures of an order, for its own customer.

use axum::{
    extract::{Path, State},
    http::header,
    response::{IntoResponse as _, Response},
};

use super::{OwnOrder, no_such_page, our_trouble};
use crate::{app::AppState, pictures, web::lang::Lang};

pub(super) async fn picture(
    State(state): State<AppState>,
    OwnOrder { number, .. }: OwnOrder,
    lang: Lang,
    Path((_, id)): Path<(String, String)>,
) -> Response {
    match pictures::get(&state, &id).await {
        // An id of another order's picture is as one that is not there.
        Ok(Some((picture, jpeg))) if picture.owner == number.as_str() => {
            ([(header::CONTENT_TYPE, "image/jpeg")], jpeg.expose().to_vec()).into_response()
        }
        Ok(_) => no_such_page(lang),
        Err(error) => our_trouble(lang, &error),
    }
}
