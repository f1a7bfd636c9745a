//! The gateway: the envelope, checked in the order SF checks it, and the two services behind it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Form, Json,
    extract::{State, rejection::FormRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tracing::info;

use super::{Double, Fault, order, sign};
use crate::faults::{cut_after, timeout};

/// SF does not publish its window: five minutes is our choice.
const WINDOW: Duration = Duration::from_secs(300);

/// A refusal: the code and SF's words.
pub(crate) struct No(pub(crate) String, pub(crate) &'static str);

impl No {
    pub(crate) fn new(code: &str, text: &'static str) -> Self {
        Self(code.to_owned(), text)
    }
}

type Fields = Vec<(String, String)>;

pub(crate) async fn service(
    State(double): State<Arc<Double>>,
    form: Result<Form<Fields>, FormRejection>,
) -> Response {
    let checked = form
        .map_err(|_| No::new("A1001", "必传参数不可为空"))
        .and_then(|Form(fields)| check(&double, &fields));
    let (service, data) = match checked {
        Ok(call) => call,
        Err(No(code, text)) => return refusal(&code, text),
    };
    let fault = double.faults.take().unwrap_or(Fault::None);
    info!(service, %fault, order = data["orderId"].as_str().unwrap_or_default(), "called");
    answer(&double, &service, data, fault).await
}

/// Who calls, when, and whether the text is theirs.
fn check(double: &Double, fields: &Fields) -> Result<(String, Value), No> {
    let missing = || No::new("A1001", "必传参数不可为空");
    let get = |name: &str| {
        let mut values = fields.iter().filter(|(field, value)| field == name && !value.is_empty());
        let first = values.next().map(|(_, value)| value.as_str());
        // A field given twice is not a call SF could understand.
        if values.next().is_none() { first } else { None }
    };
    let [partner, request, service, timestamp, data] =
        ["partnerID", "requestID", "serviceCode", "timestamp", "msgData"]
            .map(|name| get(name).ok_or_else(missing));
    let (partner, request, service, timestamp, data) = (partner?, request?, service?, timestamp?, data?);
    if request.len() > 40 || partner.len() > 64 || service.len() > 50 {
        return Err(missing());
    }
    let digest = match (get("msgDigest"), get("accessToken")) {
        (Some(digest), None) => digest,
        (None, Some(_)) => return Err(No::new("A1011", "OAuth2认证失败")),
        _ => return Err(missing()),
    };
    if !in_window(timestamp.parse().map_err(|_| missing())?) {
        return Err(No::new("A1002", "请求时效已过期"));
    }
    let options = &double.options;
    if partner != options.partner_id {
        return Err(No::new("A1004", "无对应服务权限"));
    }
    if digest != sign::digest(options.sign_mode, data, timestamp, options.checkword.expose()) {
        return Err(No::new("A1006", "数字签名无效"));
    }
    let data = serde_json::from_str(data).map_err(|_| No::new("A1001", "msgData 不是 JSON"))?;
    Ok((service.to_owned(), data))
}

/// Milliseconds, or seconds where the number is short: SF takes both.
fn in_window(timestamp: u64) -> bool {
    let milliseconds = if timestamp < 100_000_000_000 { timestamp.saturating_mul(1000) } else { timestamp };
    let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else { return false };
    now.abs_diff(Duration::from_millis(milliseconds)) <= WINDOW
}

async fn answer(double: &Double, service: &str, data: Value, fault: Fault) -> Response {
    match &fault {
        Fault::Timeout => return timeout().await,
        Fault::Http500 => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::Gateway(code) => return refusal(code, "沙箱故障"),
        _ => {}
    }
    let result = match (&fault, service) {
        (Fault::Refuse(code), _) => Err(No(code.clone(), "沙箱故障")),
        (_, "EXP_RECE_CREATE_ORDER") => order::create(double, data, &fault),
        (_, "EXP_RECE_SEARCH_ORDER_RESP") => order::search(double, &data, &fault),
        _ => return refusal("A1004", "无对应服务权限"),
    };
    let inner = match result {
        Ok(data) => json!({"success": true, "errorCode": "S0000", "errorMsg": null, "msgData": data}),
        Err(No(code, text)) => {
            json!({"success": false, "errorCode": code, "errorMsg": text, "msgData": null})
        }
    };
    match fault {
        Fault::LoseReply => cut_after(b"{\"apiResultCode\":"),
        Fault::Garbage => "<html>502 Bad Gateway</html>".into_response(),
        Fault::Oversize => format!("{}{}", " ".repeat(1024 * 1024), envelope(inner)).into_response(),
        Fault::AsObject => Json(envelope(inner)).into_response(),
        // As the real gateway does it: JSON inside a string.
        _ => Json(envelope(Value::String(inner.to_string()))).into_response(),
    }
}

fn envelope(result: Value) -> Value {
    json!({"apiErrorMsg": "", "apiResponseID": "0", "apiResultCode": "A1000", "apiResultData": result})
}

fn refusal(code: &str, text: &str) -> Response {
    info!(code, text, "refused at the gateway");
    let body =
        json!({"apiErrorMsg": text, "apiResponseID": "0", "apiResultCode": code, "apiResultData": null});
    Json(body).into_response()
}
