//! `POST /alipay/control` and `GET /alipay/control/trades`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::StatusCode,
};
use serde::Deserialize;

use super::{Double, UnknownFault, notify, store::Trade, trade};

/// `{"next": ["busy"]}`, `{"notice": ["lost"]}`, `{"pay": "OUT_TRADE_NO"}`, `{"clear": true}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Command {
    #[serde(default)]
    next: Vec<String>,
    #[serde(default)]
    notice: Vec<String>,
    pay: Option<String>,
    #[serde(default)]
    clear: bool,
}

type Refused = (StatusCode, String);

pub(crate) async fn set(
    State(double): State<Arc<Double>>,
    command: Result<Json<Command>, JsonRejection>,
) -> Result<StatusCode, Refused> {
    let refuse = |text: String| (StatusCode::BAD_REQUEST, text);
    let Json(command) = command.map_err(|e| refuse(e.body_text()))?;
    let calls: Result<Vec<_>, UnknownFault> = command.next.iter().map(|word| word.parse()).collect();
    let notices: Result<Vec<_>, UnknownFault> = command.notice.iter().map(|word| word.parse()).collect();
    let (calls, notices) =
        (calls.map_err(|e| refuse(e.to_string()))?, notices.map_err(|e| refuse(e.to_string()))?);
    double.call_faults.add(calls, command.clear)?;
    double.notice_faults.add(notices, command.clear)?;
    if let Some(number) = &command.pay {
        let paid = trade::pay(&double, number, "")
            .ok_or_else(|| (StatusCode::CONFLICT, format!("there is nothing to pay under {number:?}")))?;
        notify::send(&double, paid);
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn trades(State(double): State<Arc<Double>>) -> Json<Vec<Trade>> {
    Json(double.trades().all().to_vec())
}
