//! The customers' way to an order: a programme's home page, the order form and its pictures and letter, the confirmation by SMS.
//!
//! Every step works without a script: each button sends the whole form, which is saved before anything else is done.

mod confirm;
mod form;
mod home;
mod papers;
mod places;
mod posted;
mod view;
mod visitor;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};

pub(super) use visitor::{Visitor, browser};

use crate::app::AppState;

/// A form with all its pictures; each picture has a bound of its own.
const FORM_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The confirmation is a few words.
const WORDS_BYTES_MAX: usize = 16 * 1024;

pub(super) fn routes() -> Router<AppState> {
    let forms = Router::new()
        .route("/p/{programme}/order", get(form::blank).post(form::open))
        .route("/p/{programme}/order/{number}", get(form::show).post(form::save))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX));
    let rest = Router::new()
        .route("/p/{programme}", get(home::home))
        .route("/p/{programme}/agreements/{agreement}", get(home::agreement))
        .route("/p/{programme}/order/{number}/letter.pdf", get(papers::letter))
        .route("/p/{programme}/order/{number}/picture/{kind}", get(papers::picture))
        .route("/p/{programme}/order/{number}/confirm", get(confirm::show).post(confirm::confirm))
        .route("/p/{programme}/order/{number}/discard", post(form::discard))
        .route("/my/orders/{number}/modify", get(form::modify))
        .layer(DefaultBodyLimit::max(WORDS_BYTES_MAX));
    forms.merge(rest)
}
