//! The list of orders: a tab a state (row S3.12), search, pages.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};

use super::{Frame, order_trouble, page};
use crate::{
    app::AppState,
    clock::china_text,
    orders::{self, OrderError, OrderRow},
    web::{
        lang::Lang,
        order_list::{ListQuery, Tab, tabs},
        session::Operator,
    },
};

#[derive(Template)]
#[template(path = "orders.html")]
struct OrdersPage {
    frame: Frame,
    tabs: Vec<Tab>,
    asked: ListQuery,
    message: &'static str,
    rows: Vec<OrderRow>,
    next: Option<String>,
}

impl OrdersPage {
    fn time(&self, row: &OrderRow) -> String {
        china_text(row.created_ms)
    }
}

pub(in crate::web) async fn orders(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Query(asked): Query<ListQuery>,
) -> Response {
    match orders_page(&state, &operator, lang, asked).await {
        Ok(list) => page(StatusCode::OK, &list),
        Err(error) => order_trouble(lang, error),
    }
}

async fn orders_page(
    state: &AppState,
    operator: &Operator,
    lang: Lang,
    asked: ListQuery,
) -> Result<OrdersPage, OrderError> {
    let (query, message) = asked.read(lang, None);
    let counts = orders::count_states(&state.db, &query).await?;
    let found = orders::list(&state.db, &query).await?;
    Ok(OrdersPage {
        frame: Frame::new(lang, operator, "orders"),
        tabs: tabs(lang, &counts, query.state),
        asked,
        message,
        next: found.next.map(|next| next.to_string()),
        rows: found.rows,
    })
}
