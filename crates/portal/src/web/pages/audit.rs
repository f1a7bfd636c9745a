//! The audit for reading: what was done, the newest first.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;

use super::{Frame, order_trouble, page};
use crate::{
    app::AppState,
    audit::{self, Done},
    clock::china_text,
    web::{lang::Lang, session::Operator},
};

#[derive(Deserialize)]
pub(in crate::web) struct AuditQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    before: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    asked: AuditQuery,
    rows: Vec<Done>,
    next: Option<i64>,
}

impl AuditPage {
    fn time(&self, row: &Done) -> String {
        china_text(row.at_ms)
    }
}

pub(in crate::web) async fn audit(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Query(asked): Query<AuditQuery>,
) -> Response {
    let before = asked.before.parse().unwrap_or(i64::MAX);
    match audit::newest(&state.db, asked.q.trim(), before).await {
        Ok(rows) => {
            let next =
                (rows.len() >= audit::PAGE_ROWS).then(|| rows.last().map(|row| row.sequence)).flatten();
            let frame = Frame::new(lang, &operator, "audit");
            page(StatusCode::OK, &AuditPage { frame, asked, rows, next })
        }
        Err(error) => order_trouble(lang, error.into()),
    }
}
