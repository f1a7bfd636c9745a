//! The stock page: deliveries are registered; lots, keys of no lot, and the shifts of the stations, with their differences.

use askama::Template;
use axum::{
    Form, Router,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::Response,
    routing::get,
};
use serde::Deserialize;

use super::{Frame, order_trouble, page};
use crate::{
    app::AppState,
    clock::china_text,
    stock::{self, Balance, CountedShift, Delivery, Registered, StockError},
    web::{lang::Lang, session::Operator},
};

/// The serials of a whole delivery.
const FORM_BYTES_MAX: usize = 512 * 1024;

pub(in crate::web) fn routes() -> Router<AppState> {
    Router::new().route("/stock", get(stock).post(register)).layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
}

#[derive(Template)]
#[template(path = "stock.html")]
struct StockPage {
    frame: Frame,
    balance: Balance,
    /// What was typed, if it was not taken.
    asked: DeliveryForm,
    registered: Option<Registered>,
    /// Why it was not taken, a line each.
    message: Vec<String>,
}

#[derive(Default, Deserialize)]
struct DeliveryForm {
    lot: String,
    model: String,
    serials: String,
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

async fn stock(State(state): State<AppState>, operator: Operator, lang: Lang) -> Response {
    show(&state, &operator, lang, StatusCode::OK, DeliveryForm::default(), None, Vec::new()).await
}

async fn register(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Form(form): Form<DeliveryForm>,
) -> Response {
    let delivery = Delivery::Serials { model: &form.model, text: &form.serials };
    let (actor, now_ms) = (operator.actor(), state.clock.now_ms());
    match stock::register(&state.db, form.lot.trim(), delivery, &actor, now_ms).await {
        Ok(done) => {
            let next = DeliveryForm { serials: String::new(), ..form };
            show(&state, &operator, lang, StatusCode::OK, next, Some(done), Vec::new()).await
        }
        Err(StockError::Db(error)) => order_trouble(lang, error.into()),
        Err(error) => {
            let told = error.to_string().lines().map(str::to_owned).collect();
            show(&state, &operator, lang, StatusCode::UNPROCESSABLE_ENTITY, form, None, told).await
        }
    }
}

async fn show(
    state: &AppState,
    operator: &Operator,
    lang: Lang,
    status: StatusCode,
    asked: DeliveryForm,
    registered: Option<Registered>,
    message: Vec<String>,
) -> Response {
    match stock::balance(&state.db, None).await {
        Ok(balance) => {
            let frame = Frame::new(lang, operator, "stock");
            page(status, &StockPage { frame, balance, asked, registered, message })
        }
        Err(error) => order_trouble(lang, error.into()),
    }
}
