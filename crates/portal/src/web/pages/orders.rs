//! The list of orders: a tab a state (row S3.12), search, pages.

use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;

use super::{Frame, order_trouble, page};
use crate::{
    app::AppState,
    clock::china_text,
    orders::{self, OrderError, OrderRow},
    views,
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
    /// What was looked for by a whole number, masked.
    found_by: Option<String>,
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

/// A whole id number, credit code or mobile. It comes in a form, because addresses are written down in many places.
#[derive(Deserialize)]
pub(in crate::web) struct FindForm {
    number: String,
}

pub(in crate::web) async fn find(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Form(form): Form<FindForm>,
) -> Response {
    let found = async {
        let rows = orders::find_by_number(&state, &form.number).await?;
        let counts = orders::count_states(&state.db, &orders::Query::default()).await?;
        Ok::<_, OrderError>((rows, counts))
    };
    match found.await {
        Ok((rows, counts)) => {
            let list = OrdersPage {
                frame: Frame::new(lang, &operator, "orders"),
                tabs: tabs(lang, &counts, None),
                asked: ListQuery::default(),
                message: "",
                found_by: Some(views::mask_id_number(form.number.trim())),
                next: None,
                rows,
            };
            page(StatusCode::OK, &list)
        }
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
        found_by: None,
        next: found.next.map(|next| next.to_string()),
        rows: found.rows,
    })
}
