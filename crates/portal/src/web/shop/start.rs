//! The start page: what can be ordered here.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};

use super::{MaybeCustomer, ShopFrame};
use crate::{
    app::AppState,
    web::{lang::Lang, pages::page},
};

#[derive(Template)]
#[template(path = "shop/start.html")]
struct StartPage {
    frame: ShopFrame,
    /// Id, title, platform.
    programmes: Vec<(String, String, String)>,
}

pub(super) async fn start(
    State(state): State<AppState>,
    MaybeCustomer(customer): MaybeCustomer,
    lang: Lang,
) -> Response {
    let programmes = state.programmes.iter();
    let programmes = programmes
        .map(|programme| (programme.id.clone(), programme.title.clone(), programme.platform.clone()))
        .collect();
    page(StatusCode::OK, &StartPage { frame: ShopFrame::new(lang, customer.as_ref(), ""), programmes })
}
