//! The list of orders: a tab a state (row S3.12), search, pages.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use model::OrderState;
use serde::Deserialize;

use super::{Frame, order_trouble, page};
use crate::{
    app::AppState,
    clock::{china, china_text},
    orders::{self, COUNTED, OrderError, OrderRow, StateCount},
    web::{lang::Lang, session::Operator},
};

#[derive(Deserialize)]
pub(in crate::web) struct ListQuery {
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
    let (from, to) = (midnight(&asked.from, 0), midnight(&asked.to, 1));
    let wrong = from.is_err() || to.is_err();
    let message = if wrong {
        lang.t("日期应为 yyyy-MM-dd，已忽略", "Dates are yyyy-MM-dd; what was given is ignored")
    } else {
        ""
    };
    let query = orders::Query {
        owner: None,
        state: OrderState::from_code(&asked.state),
        text: asked.q.clone(),
        from_ms: from.unwrap_or_default(),
        until_ms: to.unwrap_or_default(),
        after: asked.page.parse().ok(),
    };
    let counts = orders::count_states(&state.db, &query).await?;
    let found = orders::list(&state.db, &query).await?;
    let all =
        Tab { code: "", title: lang.t("全部", "All"), count: total(&counts), lit: query.state.is_none() };
    let tabs = counts.into_iter().map(|of| Tab {
        code: of.state.code(),
        title: lang.state(&of.state),
        count: count(of.orders, of.more),
        lit: query.state == Some(of.state),
    });
    Ok(OrdersPage {
        frame: Frame::new(lang, operator, "orders"),
        tabs: std::iter::once(all).chain(tabs).collect(),
        asked,
        message,
        next: found.next.map(|next| next.to_string()),
        rows: found.rows,
    })
}

/// What was counted, with a sign where counting stopped.
pub(in crate::web) fn count(orders: i64, more: bool) -> String {
    format!("{orders}{}", if more { "+" } else { "" })
}

/// All of them together, in the same way.
pub(in crate::web) fn total(counts: &[StateCount]) -> String {
    let orders: i64 = counts.iter().map(|one| one.orders).sum();
    count(orders.min(COUNTED), orders > COUNTED || counts.iter().any(|one| one.more))
}

/// Midnight in China at the begin of a day, `days` later. Empty = not asked for.
pub(in crate::web) fn midnight(text: &str, days: i64) -> Result<Option<i64>, jiff::Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let date: jiff::civil::Date = text.parse()?;
    let day = date.checked_add(jiff::Span::new().try_days(days)?)?;
    Ok(Some(day.to_zoned(china())?.timestamp().as_millisecond()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::midnight;

    #[test]
    fn a_day_begins_and_ends_in_china() {
        assert_eq!(midnight("1970-01-02", 0).unwrap(), Some(16 * 3_600_000));
        assert_eq!(midnight("1970-01-02", 1).unwrap(), Some(40 * 3_600_000));
        assert_eq!(midnight("", 1).unwrap(), None);
        assert!(midnight("2026-02-30", 0).is_err());
        assert!(midnight("9999-12-31", 1).is_err());
    }
}
