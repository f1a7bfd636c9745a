//! `POST /control` and `GET /control/orders`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::StatusCode,
};
use serde::Deserialize;

use super::{Double, Fault, Order};

/// `{"next": "timeout"}`, `{"next": ["ok", "http500"]}`, `{"next": "refuse_8256", "times": 3}`, `{"clear": true}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Command {
    next: Option<Next>,
    #[serde(default = "once")]
    times: u16,
    #[serde(default)]
    clear: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Next {
    One(String),
    Several(Vec<String>),
}

fn once() -> u16 {
    1
}

type Refused = (StatusCode, String);

pub(crate) async fn set(
    State(double): State<Arc<Double>>,
    command: Result<Json<Command>, JsonRejection>,
) -> Result<StatusCode, Refused> {
    let refuse = |text: String| (StatusCode::BAD_REQUEST, text);
    let Json(command) = command.map_err(|e| refuse(e.body_text()))?;
    let words = match command.next {
        None => Vec::new(),
        Some(Next::One(word)) => vec![word],
        Some(Next::Several(words)) => words,
    };
    let faults: Result<Vec<Fault>, _> = words.iter().map(|word| word.parse()).collect();
    let faults = faults.map_err(|e| refuse(e.to_string()))?;
    let faults = std::iter::repeat_n(faults, command.times.into()).flatten();
    double.faults.add(faults, command.clear)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn orders(State(double): State<Arc<Double>>) -> Json<Vec<Order>> {
    Json(double.orders().all().to_vec())
}
