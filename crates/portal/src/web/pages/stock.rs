//! The stock page: lots, keys of no lot, and the shifts of the stations, with their differences.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};

use super::{Frame, order_trouble, page};
use crate::{
    app::AppState,
    clock::china_text,
    stock::{self, Balance, CountedShift},
    web::{lang::Lang, session::Operator},
};

#[derive(Template)]
#[template(path = "stock.html")]
struct StockPage {
    frame: Frame,
    balance: Balance,
}

impl StockPage {
    fn time(&self, shift: &CountedShift) -> String {
        china_text(shift.closed_ms)
    }

    fn state<'a>(&self, state: &'a str) -> &'a str {
        let lang = self.frame.lang;
        match state {
            "bound" => lang.t("在制", "in work"),
            "issued" => lang.t("已制成", "issued"),
            "spoiled" => lang.t("已作废", "spoiled"),
            "lost" => lang.t("遗失", "lost"),
            other => other,
        }
    }

    /// `少 2`, `多 1`, or 0.
    fn difference(&self, number: i64) -> String {
        let lang = self.frame.lang;
        match number {
            0 => "0".to_owned(),
            1.. => format!("{} {number}", lang.t("少", "missing")),
            _ => format!("{} {}", lang.t("多", "too many"), number.unsigned_abs()),
        }
    }
}

pub(in crate::web) async fn stock(State(state): State<AppState>, operator: Operator, lang: Lang) -> Response {
    match stock::balance(&state.db, None).await {
        Ok(balance) => {
            let frame = Frame::new(lang, &operator, "stock");
            page(StatusCode::OK, &StockPage { frame, balance })
        }
        Err(error) => order_trouble(lang, error.into()),
    }
}
