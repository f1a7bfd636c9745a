//! The pictures of an order, for its own customer.

use axum::{
    extract::{Path, State},
    http::header,
    response::{IntoResponse as _, Response},
};

use super::{Customer, my_order::own, no_such_page, our_trouble};
use crate::{app::AppState, pictures, web::lang::Lang};

pub(super) async fn picture(
    State(state): State<AppState>,
    Customer(customer): Customer,
    lang: Lang,
    Path((text, id)): Path<(String, String)>,
) -> Response {
    let number = match own(&state, &customer, lang, &text).await {
        Ok(number) => number,
        Err(refused) => return refused,
    };
    match pictures::get(&state, &id).await {
        // An id of another order's picture is as one that is not there.
        Ok(Some((picture, jpeg))) if picture.owner == number.as_str() => {
            ([(header::CONTENT_TYPE, "image/jpeg")], jpeg.expose().to_vec()).into_response()
        }
        Ok(_) => no_such_page(lang),
        Err(error) => our_trouble(lang, &error),
    }
}
