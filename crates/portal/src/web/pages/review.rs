//! The review queue: one order after another, papers beside data, by keyboard or without.

use askama::Template;
use axum::{
    Form, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use model::{OrderNumber, OrderState};
use serde::Deserialize;

use super::{
    Frame,
    facts::{self, Section},
    order::ApproveForm,
    order_trouble, page,
};
use crate::{
    app::AppState,
    clock::china_text,
    orders::{self, Correction, HistoryEntry, Order, OrderError},
    pictures::Picture,
    review::{self, Check, Claim, Found, Queue, Review, Verdict},
    web::{answer::order_status, lang::Lang, path::OrderPath, session::Operator},
};

pub(in crate::web) fn routes() -> Router<AppState> {
    Router::new()
        .route("/review", get(next))
        .route("/review/{number}", get(open))
        .route("/review/{number}/approve", post(approve))
        .route("/review/{number}/reject", post(reject))
}

#[derive(Template)]
#[template(path = "review.html")]
struct ReviewPage {
    frame: Frame,
    order: Order,
    queue: Queue,
    claim: Claim,
    sections: Vec<Section>,
    checks: Vec<Check>,
    papers: Vec<Picture>,
    history: Vec<HistoryEntry>,
    corrections: Vec<Correction>,
    reasons: Vec<String>,
    message: String,
}

impl ReviewPage {
    fn time(&self, ms: &i64) -> String {
        china_text(*ms)
    }

    /// The programme's reasons for a refusal, by the digit that chooses each.
    fn reasons(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.reasons.iter().map(String::as_str))
    }

    fn title(&self, check: &Check) -> &'static str {
        let lang = self.frame.lang;
        match check.found {
            Found::IdNumbers => lang.t("证件号校验位", "Check digits of id numbers"),
            Found::UnitCode => lang.t("单位代码校验位", "Check character of the unit's code"),
            Found::Paid => lang.t("支付金额", "Amount paid"),
            Found::Refund => lang.t("退款申请", "Refund asked for"),
            Found::Certificate => lang.t("证书试签", "Certificate rehearsed"),
            Found::SameMobile => lang.t("同一手机号的其他订单", "Other orders of this mobile"),
            Found::SameId => lang.t("同一证件号的其他订单", "Other orders of this document"),
            Found::SameUnit => lang.t("同一单位 30 天内的订单", "Orders of this unit within 30 days"),
            Found::Pictures => lang.t("必需的图片", "Pictures that must be there"),
            Found::Sheet(kind) => lang.t(kind.zh(), kind.en()),
        }
    }

    fn sign(&self, check: &Check) -> (&'static str, &'static str, &'static str) {
        let lang = self.frame.lang;
        match check.verdict {
            Verdict::Fine => ("fine", "✓", lang.t("正常", "fine")),
            Verdict::Look => ("look", "!", lang.t("请留意", "worth a look")),
            Verdict::Wrong => ("wrong", "✕", lang.t("有误", "wrong")),
        }
    }

    /// Whether a picture came after the order was refused for the last time.
    fn is_new(&self, paper: &Picture) -> bool {
        let refused = self.history.iter().rev().find(|entry| entry.to == OrderState::Rejected);
        refused.is_some_and(|entry| paper.created_ms > entry.at_ms)
    }

    fn fields(&self, correction: &Correction) -> String {
        facts::field_titles(self.frame.lang, &correction.fields)
    }
}

#[derive(Template)]
#[template(path = "review_empty.html")]
struct EmptyPage {
    frame: Frame,
    queue: Queue,
}

#[derive(Deserialize)]
struct NextQuery {
    #[serde(default)]
    after: String,
}

/// The next order of the queue.
async fn next(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Query(query): Query<NextQuery>,
) -> Response {
    let skipped = query.after.parse().ok();
    let found = async {
        let found = review::next(&state, &operator.name, skipped.as_ref()).await?;
        Ok::<_, OrderError>((found, review::queue(&state).await?))
    };
    match found.await {
        Ok((Some(number), _)) => Redirect::to(&format!("/review/{number}")).into_response(),
        Ok((None, queue)) => {
            let frame = Frame::new(lang, &operator, "review");
            page(StatusCode::OK, &EmptyPage { frame, queue })
        }
        Err(error) => order_trouble(lang, error),
    }
}

async fn open(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
) -> Response {
    show(&state, &operator, lang, &number, None).await
}

/// The order with all that a reviewer needs; with `refused` it says above why the last request was not done.
async fn show(
    state: &AppState,
    operator: &Operator,
    lang: Lang,
    number: &OrderNumber,
    refused: Option<OrderError>,
) -> Response {
    let status = refused.as_ref().map_or(StatusCode::OK, order_status);
    let message = refused.map(|error| error.to_string()).unwrap_or_default();
    match review_page(state, operator, lang, number, message).await {
        Ok(Some(review)) => page(status, &review),
        Ok(None) => Redirect::to(&format!("/orders/{number}")).into_response(),
        Err(error) => order_trouble(lang, error),
    }
}

/// `None` for an order that is not to be reviewed.
async fn review_page(
    state: &AppState,
    operator: &Operator,
    lang: Lang,
    number: &OrderNumber,
    message: String,
) -> Result<Option<ReviewPage>, OrderError> {
    let Some(review) = review::open(state, number, &operator.name).await? else { return Ok(None) };
    let Review { order, claim, queue, checks, papers, history, corrections } = review;
    let own = matches!(claim, Claim::Own(_));
    let programme = state.programmes.get(&order.content.programme);
    Ok(Some(ReviewPage {
        frame: Frame::new(lang, operator, "review"),
        sections: facts::for_operator(state, lang, &order, own),
        papers: if own { papers } else { Vec::new() },
        reasons: programme.map(|programme| programme.review.reasons.clone()).unwrap_or_default(),
        order,
        queue,
        claim,
        checks,
        history,
        corrections,
        message,
    }))
}

async fn approve(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
    Form(form): Form<ApproveForm>,
) -> Response {
    let done = async {
        review::may_decide(&state, &number, &operator.name).await?;
        orders::approve(&state, &number, &operator.actor(), Some(form.seen)).await
    };
    let done = done.await;
    after(&state, &operator, lang, &number, done).await
}

async fn reject(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Response {
    let reason = reason(&pairs);
    let seen = pairs.iter().find(|(name, _)| name == "seen").and_then(|(_, seen)| seen.parse().ok());
    let done = async {
        review::may_decide(&state, &number, &operator.name).await?;
        // A form without it is none that this page made.
        let seen = Some(seen.ok_or(OrderError::Changed)?);
        orders::reject(&state, &number, &reason, &operator.actor(), seen).await
    };
    let done = done.await;
    after(&state, &operator, lang, &number, done).await
}

/// The reasons that were chosen, as the reviewer read them, and what was written besides.
fn reason(pairs: &[(String, String)]) -> String {
    let given = pairs.iter().filter(|(name, _)| name == "reason").map(|(_, text)| text.trim());
    given.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("；")
}

/// Done: on to the next order. Not done: the page says why.
async fn after(
    state: &AppState,
    operator: &Operator,
    lang: Lang,
    number: &OrderNumber,
    done: Result<(), OrderError>,
) -> Response {
    match done {
        Ok(()) => Redirect::to("/review").into_response(),
        Err(error) if order_status(&error).is_server_error() => order_trouble(lang, error),
        Err(error) => show(state, operator, lang, number, Some(error)).await,
    }
}
