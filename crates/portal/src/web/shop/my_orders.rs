//! 我的订单 (row S3.12): the customer's own orders, a tab a state, search, pages.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use model::OrderState;

use super::{Customer, ShopFrame, order_trouble, our_trouble};
use crate::{
    app::AppState,
    clock::china_text,
    customers,
    drafts::{self, Draft},
    orders::{self, OrderError, OrderRow, Query as Sought},
    programmes::Programmes,
    web::{
        lang::Lang,
        order_list::{ListQuery, Tab, tabs},
        order_pages::Visitor,
        pages::page,
    },
};

/// An order that is being filled in.
struct DraftRow {
    number: String,
    /// Where it is filled in.
    place: String,
    unit: String,
    product: String,
    saved_ms: i64,
}

impl DraftRow {
    fn of(draft: &Draft, programmes: &Programmes) -> Self {
        let product =
            programmes.get(&draft.programme).and_then(|programme| programme.product(&draft.product));
        Self {
            number: draft.number.to_string(),
            place: format!("/p/{}/order/{}", draft.programme, draft.number),
            unit: draft.fields.get("unit.name").to_owned(),
            product: product.map_or(&draft.product, |product| &product.title).clone(),
            saved_ms: draft.saved_ms,
        }
    }

    /// Whether it is looked for. There are so few that no index is needed.
    fn fits(&self, query: &Sought) -> bool {
        let text = query.text.trim().to_lowercase();
        let found = [&self.number, &self.unit, &self.product].map(|told| told.to_lowercase().contains(&text));
        found.contains(&true)
            && query.from_ms.is_none_or(|from| self.saved_ms >= from)
            && query.until_ms.is_none_or(|until| self.saved_ms < until)
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
    let (query, message) = asked.read(lang, Some(customer.mobile_digest.clone()));
    let counts = orders::count_states(&state.db, &query).await?;
    let found = orders::list(&state.db, &query).await?;
    let mut tabs = tabs(lang, &counts, query.state);
    let drafts = drafts.iter().map(|draft| DraftRow::of(draft, &state.programmes));
    let drafts: Vec<DraftRow> = drafts.filter(|draft| draft.fits(&query)).collect();
    // What is being filled in is no order yet.
    for tab in tabs.iter_mut().filter(|tab| tab.code == OrderState::Draft.code()) {
        tab.count = drafts.len().to_string();
    }
    Ok(MyOrdersPage {
        frame: ShopFrame::new(lang, Some(customer), "orders"),
        tabs,
        drafts: if query.state == Some(OrderState::Draft) { drafts } else { Vec::new() },
        asked,
        message,
        next: found.next.map(|next| next.to_string()),
        rows: found.rows,
    })
}
