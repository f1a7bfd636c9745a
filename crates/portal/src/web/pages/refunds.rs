//! Refunds that wait for the second person.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};

use super::{Frame, order_trouble, page};
use crate::{
    app::AppState,
    clock::china_text,
    refunds::{self, RefundRequest},
    web::{lang::Lang, session::Operator},
};

#[derive(Template)]
#[template(path = "refunds.html")]
struct RefundsPage {
    frame: Frame,
    requests: Vec<RefundRequest>,
}

impl RefundsPage {
    fn time(&self, ms: &i64) -> String {
        china_text(*ms)
    }

    fn is_own(&self, request: &RefundRequest) -> bool {
        self.frame.operator.as_ref().is_some_and(|operator| operator.name == request.asked_by)
    }
}

pub(in crate::web) async fn list(State(state): State<AppState>, operator: Operator, lang: Lang) -> Response {
    match refunds::waiting(&state.db).await {
        Ok(requests) => {
            let frame = Frame::new(lang, &operator, "refunds");
            page(StatusCode::OK, &RefundsPage { frame, requests })
        }
        Err(error) => order_trouble(lang, error),
    }
}
