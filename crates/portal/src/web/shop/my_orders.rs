//! 我的订单 (row S3.12): the customer's own orders, a tab a state, search, pages.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use model::OrderState;
use serde::Deserialize;

use super::{Customer, ShopFrame, order_trouble, our_trouble};
use crate::{
    app::AppState,
    clock::china_text,
    customers,
    drafts::{self, Draft},
    orders::{self, OrderError, OrderRow, StateCount},
    web::{
        lang::Lang,
        order_pages::Visitor,
        pages::{count, midnight, page, total},
    },
};

#[derive(Deserialize)]
pub(super) struct ListQuery {
    #[serde(default)]
    state: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    page: String,
}

struct Tab {
    code: &'static str,
    title: &'static str,
    count: String,
    lit: bool,
}

/// An order that is being filled in.
struct DraftRow {
    number: String,
    /// Where it is filled in.
    place: String,
    unit: String,
    saved_ms: i64,
}

impl DraftRow {
    fn of(draft: &Draft) -> Self {
        Self {
            number: draft.number.to_string(),
            place: format!("/p/{}/order/{}", draft.programme, draft.number),
            unit: draft.fields.get("unit.name").to_owned(),
            saved_ms: draft.saved_ms,
        }
    }
}

#[derive(Template)]
#[template(path = "shop/my_orders.html")]
struct MyOrdersPage {
    frame: ShopFrame,
    tabs: Vec<Tab>,
    asked: ListQuery,
    message: &'static str,
    drafts: Vec<DraftRow>,
    rows: Vec<OrderRow>,
    next: Option<String>,
}

impl MyOrdersPage {
    fn time(&self, ms: &i64) -> String {
        china_text(*ms)
    }
}

pub(super) async fn my_orders(
    State(state): State<AppState>,
    Customer(customer): Customer,
    lang: Lang,
    visitor: Visitor,
    Query(asked): Query<ListQuery>,
) -> Response {
    let drafts = match drafts::of_owner(&state, &visitor.owner).await {
        Ok(drafts) => drafts,
        Err(error) => return our_trouble(lang, &error),
    };
    match my_orders_page(&state, &customer, lang, asked, &drafts).await {
        Ok(list) => page(StatusCode::OK, &list),
        Err(error) => order_trouble(lang, &error),
    }
}

async fn my_orders_page(
    state: &AppState,
    customer: &customers::Customer,
    lang: Lang,
    asked: ListQuery,
    drafts: &[Draft],
) -> Result<MyOrdersPage, OrderError> {
    let (from, to) = (midnight(&asked.from, 0), midnight(&asked.to, 1));
    let message = if from.is_err() || to.is_err() {
        lang.t("日期应为 yyyy-MM-dd，已忽略", "Dates are yyyy-MM-dd; what was given is ignored")
    } else {
        ""
    };
    let query = orders::Query {
        owner: Some(customer.mobile_digest.clone()),
        state: OrderState::from_code(&asked.state),
        text: asked.q.clone(),
        from_ms: from.unwrap_or_default(),
        until_ms: to.unwrap_or_default(),
        after: asked.page.parse().ok(),
    };
    let counts = orders::count_states(&state.db, &query).await?;
    let found = orders::list(&state.db, &query).await?;
    Ok(MyOrdersPage {
        frame: ShopFrame::new(lang, Some(customer), "orders"),
        tabs: tabs(lang, &counts, query.state, drafts.len()),
        drafts: if query.state == Some(OrderState::Draft) {
            drafts.iter().map(DraftRow::of).collect()
        } else {
            Vec::new()
        },
        asked,
        message,
        next: found.next.map(|next| next.to_string()),
        rows: found.rows,
    })
}

/// 全部, and every state in the manual's order.
fn tabs(lang: Lang, counts: &[StateCount], lit: Option<OrderState>, drafts: usize) -> Vec<Tab> {
    let all = Tab { code: "", title: lang.t("全部", "All"), count: total(counts), lit: lit.is_none() };
    let tabs = counts.iter().map(|of| Tab {
        code: of.state.code(),
        title: lang.state(&of.state),
        // What is being filled in is no order yet.
        count: if of.state == OrderState::Draft { drafts.to_string() } else { count(of.orders, of.more) },
        lit: lit == Some(of.state),
    });
    std::iter::once(all).chain(tabs).collect()
}
