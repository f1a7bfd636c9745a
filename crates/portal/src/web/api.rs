//! The JSON API.

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use model::{JobId, OrderNumber, OrderState, Secret};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    address::Address,
    answer::ApiError,
    pages::{mask, secret},
    session::{self, Operator},
};
use crate::{
    app::AppState,
    operators,
    orders::{self, Intake, OrderError, OrderRow, RowOutcome},
    stations::{self, Release},
};

type Answer = Result<Response, ApiError>;
type Body = Result<Json<Value>, JsonRejection>;

/// Takes one order or an array. 201 or 200: all stored, now or before; 207: some refused; 422: all refused.
pub(super) async fn take_orders(State(state): State<AppState>, operator: Operator, body: Body) -> Answer {
    let Json(value) = body?;
    if let Some(opening) = operator.lacks_to_bring(&value) {
        return Err(ApiError::Forbidden(opening));
    }
    let intake = orders::accept_all(&state, &value, &operator.actor()).await?;
    Ok((intake_status(&intake), Json(intake)).into_response())
}

fn intake_status(intake: &Intake) -> StatusCode {
    match (intake.count(RowOutcome::Refused), intake.count(RowOutcome::Accepted)) {
        (0, 0) => StatusCode::OK,
        (0, _) => StatusCode::CREATED,
        (refused, _) if refused == intake.results.len() => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::MULTI_STATUS,
    }
}

/// Query parameters of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParameters {
    state: Option<String>,
    q: Option<String>,
    page: Option<String>,
}

pub(super) async fn list_orders(
    State(state): State<AppState>,
    _operator: Operator,
    parameters: Result<Query<ListParameters>, QueryRejection>,
) -> Answer {
    let wrong = |error: QueryRejection| ApiError::Parameter("", error.body_text());
    let Query(parameters) = parameters.map_err(wrong)?;
    let mut query = orders::Query { text: parameters.q.unwrap_or_default(), ..Default::default() };
    if let Some(code) = parameters.state.filter(|code| !code.is_empty()) {
        let codes = OrderState::ALL.map(OrderState::code).join(", ");
        let found = OrderState::from_code(&code);
        query.state =
            Some(found.ok_or_else(|| ApiError::Parameter("state", format!("it is one of {codes}")))?);
    }
    if let Some(page) = parameters.page.filter(|page| !page.is_empty()) {
        let wrong = || ApiError::Parameter("page", "it is the \"next\" of the page before".to_owned());
        query.after = Some(page.parse().map_err(|()| wrong())?);
    }
    let page = orders::list(&state.db, &query).await?;
    let rows: Vec<Value> = page.rows.iter().map(row_json).collect();
    let next = page.next.map(|next| next.to_string());
    Ok(Json(json!({ "orders": rows, "next": next })).into_response())
}

fn row_json(row: &OrderRow) -> Value {
    json!({
        "number": row.number, "programme": row.programme, "product": row.product_title, "unit": row.unit_name,
        "quantity": row.quantity, "amount_fen": row.amount, "state": row.state, "reject_reason": row.reject_reason,
        "created_at": rfc3339(row.created_ms),
    })
}

fn rfc3339(ms: i64) -> Option<String> {
    Timestamp::from_millisecond(ms).ok().map(|time| time.to_string())
}

/// Reads the number in a path.
pub(super) fn number(text: &str) -> Result<OrderNumber, ApiError> {
    text.parse().map_err(|error: model::IdError| ApiError::Parameter("number", error.to_string()))
}

pub(super) async fn show_order(
    State(state): State<AppState>,
    _operator: Operator,
    Path(text): Path<String>,
) -> Answer {
    Ok(Json(order_json(&state, &number(&text)?).await?).into_response())
}

/// An order as operators' programs read it: documents and mobiles are masked as on the page, where whole numbers are shown for a reason.
async fn order_json(state: &AppState, number: &OrderNumber) -> Result<Value, ApiError> {
    let order = orders::known(state, number).await?;
    let history = orders::history(&state.db, number).await?;
    let made = stations::made(&state.db, number).await.map_err(OrderError::from)?;
    let waybill = stations::waybill(&state.db, number).await.map_err(OrderError::from)?;
    let history: Vec<Value> = history
        .iter()
        .map(|entry| {
            json!({ "at": rfc3339(entry.at_ms), "who": entry.who, "from": entry.from, "to": entry.to, "reason": entry.reason })
        })
        .collect();
    Ok(json!({
        "number": order.number, "state": order.state, "reject_reason": order.reject_reason,
        "product_title": order.product_title, "amount_fen": order.amount, "created_at": rfc3339(order.created_ms),
        "changed_at": rfc3339(order.changed_ms), "content": mask(&order).content, "history": history,
        "jobs": orders::jobs(&state.db, number).await?, "made": made, "waybill": waybill,
    }))
}

pub(super) async fn approve_order(
    State(state): State<AppState>,
    operator: Operator,
    Path(text): Path<String>,
) -> Answer {
    let number = number(&text)?;
    orders::approve(&state, &number, &operator.actor(), None).await?;
    Ok(Json(order_json(&state, &number).await?).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rejection {
    reason: String,
}

pub(super) async fn reject_order(
    State(state): State<AppState>,
    operator: Operator,
    Path(text): Path<String>,
    body: Result<Json<Rejection>, JsonRejection>,
) -> Answer {
    let (number, Json(rejection)) = (number(&text)?, body?);
    orders::reject(&state, &number, &rejection.reason, &operator.actor(), None).await?;
    Ok(Json(order_json(&state, &number).await?).into_response())
}

pub(super) async fn correct_order(
    State(state): State<AppState>,
    operator: Operator,
    Path(text): Path<String>,
    body: Body,
) -> Answer {
    let (number, Json(content)) = (number(&text)?, body?);
    orders::correct(&state, &number, &content, &operator.actor()).await?;
    Ok(Json(order_json(&state, &number).await?).into_response())
}

pub(super) async fn record_payment(
    State(state): State<AppState>,
    operator: Operator,
    Path(text): Path<String>,
    body: Body,
) -> Answer {
    let (number, Json(payment)) = (number(&text)?, body?);
    orders::record_payment(&state, &number, &payment, &operator.actor()).await?;
    Ok(Json(order_json(&state, &number).await?).into_response())
}

/// Reads the job in a path.
pub(super) fn job(text: &str) -> Result<JobId, ApiError> {
    text.parse().map_err(|error: model::IdError| ApiError::Parameter("job", error.to_string()))
}

pub(super) async fn release_job(
    State(state): State<AppState>,
    operator: Operator,
    Path(text): Path<String>,
    body: Result<Json<Release>, JsonRejection>,
) -> Answer {
    let (job, Json(release)) = (job(&text)?, body?);
    stations::release(&state.db, &state.clock, &job, &release, &operator.actor()).await?;
    Ok(Json(order_json(&state, job.order()).await?).into_response())
}

pub(super) async fn list_stations(State(state): State<AppState>, _operator: Operator) -> Json<Value> {
    let board = state.stations.borrow();
    let stations: Vec<Value> =
        board.iter().map(|(name, status)| json!({ "station": name, "status": status })).collect();
    Json(json!({ "stations": stations }))
}

/// Name and password of an operator. No `Debug`: it holds a password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    name: String,
    #[serde(deserialize_with = "secret")]
    password: Secret,
    /// Of the second factor, where there is one.
    #[serde(default)]
    code: String,
}

pub(super) async fn log_in(
    State(state): State<AppState>,
    Address(address): Address,
    body: Result<Json<Credentials>, JsonRejection>,
) -> Answer {
    let Json(Credentials { name, password, code }) = body?;
    let given = operators::Credentials { name, password, code };
    let token = operators::log_in(&state, given, &address).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response
        .headers_mut()
        .extend(session::set_cookie(&state, &token).map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

pub(super) async fn log_out(State(state): State<AppState>, headers: HeaderMap) -> Answer {
    if let Some(token) = session::token(&headers) {
        operators::log_out(&state, token).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(session::clear_cookie(&state).map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}
