//! The two actions behind the signature.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{Double, Fault, MESSAGES_MAX, Sent, sign};
use crate::faults::{cut_after, lock, timeout};

type Parameters = Vec<(String, String)>;

pub(super) async fn service(
    State(double): State<Arc<Double>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let options = &double.options;
    let secret = options.access_key_secret.expose();
    let nonce = match sign::check(&method, &uri, &headers, &body, &options.access_key_id, secret) {
        Ok(nonce) => nonce,
        Err(sign::No(status, code, text)) => return refusal(status, code, text),
    };
    if !double.is_fresh(&nonce) {
        return refusal(400, "SignatureNonceUsed", "Specified signature nonce was used already.");
    }
    let Ok(Query(parameters)) = Query::<Parameters>::try_from_uri(&uri) else {
        return refusal(400, "InvalidParameter", "the query cannot be read");
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("x-acs-version") != "2017-05-25" {
        return refusal(404, "InvalidVersion", "Specified parameter Version is not valid.");
    }
    let fault = double.faults.take().unwrap_or(Fault::None);
    tracing::info!(action = header("x-acs-action"), ?fault, "called");
    match &fault {
        Fault::Timeout => return timeout().await,
        Fault::Http500 => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::Refuse(code) => return refusal(200, code, "沙箱故障"),
        _ => {}
    }
    let answer = match header("x-acs-action") {
        "SendSms" => send(&double, &parameters, &fault),
        "QuerySendDetails" => query(&double, &parameters),
        _ => return refusal(404, "InvalidAction.NotFound", "Specified api is not found."),
    };
    match fault {
        Fault::LoseReply => cut_after(b"{\"Code\":"),
        Fault::Late => {
            tokio::time::sleep(Duration::from_secs(2)).await;
            Json(answer).into_response()
        }
        Fault::Garbage => "<html>502 Bad Gateway</html>".into_response(),
        _ => Json(answer).into_response(),
    }
}

fn send(double: &Double, parameters: &Parameters, fault: &Fault) -> Value {
    let get = |name| get(parameters, name);
    let (mobile, sign_name, template) = (get("PhoneNumbers"), get("SignName"), get("TemplateCode"));
    if mobile.len() != 11 || !mobile.bytes().all(|byte| byte.is_ascii_digit()) {
        return code("isv.MOBILE_NUMBER_ILLEGAL", "号码不合法");
    }
    if sign_name.is_empty() {
        return code("isv.SMS_SIGNATURE_ILLEGAL", "签名不合法");
    }
    if !template.starts_with("SMS_") {
        return code("isv.SMS_TEMPLATE_ILLEGAL", "模板不合法");
    }
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(get("TemplateParam")) else {
        return code("isv.INVALID_JSON_PARAM", "参数不是 JSON");
    };
    let values: Option<Vec<(&String, &str)>> =
        fields.iter().map(|(name, value)| Some((name, value.as_str()?))).collect();
    let Some(values) = values.filter(|values| values.iter().all(|(_, value)| value.chars().count() <= 35))
    else {
        return code("isv.PARAM_LENGTH_LIMIT", "参数超过 35 字");
    };
    let text = text(sign_name, template, &values);
    let mut sent = lock(&double.sent);
    let biz_id = format!("{:012}^0", sent.all().len() + 1);
    let status = match fault {
        Fault::DeliveryFailed => 2,
        Fault::DeliveryPending => 1,
        _ => 3,
    };
    let message = Sent {
        mobile: mobile.to_owned(),
        sign_name: sign_name.to_owned(),
        template: template.to_owned(),
        text,
        parameters: Value::Object(fields),
        out_id: get("OutId").to_owned(),
        biz_id: biz_id.clone(),
        at: china((double.options.clock)()),
        status,
    };
    let kept = sent.change(|sent| {
        if sent.len() >= MESSAGES_MAX {
            sent.remove(0);
        }
        sent.push(message);
    });
    if let Err(error) = kept {
        tracing::error!(%error, "the state file cannot be written");
        return code("isp.SYSTEM_ERROR", "系统错误");
    }
    json!({ "Code": "OK", "Message": "OK", "BizId": biz_id, "RequestId": "SANDBOX" })
}

/// What a person would read. The real texts are the templates' and lie with the service.
fn text(sign_name: &str, template: &str, values: &[(&String, &str)]) -> String {
    let value = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let order = value("order").unwrap_or_default();
    let body = match (value("code"), value("reason"), value("waybill")) {
        (Some(code), _, _) => format!("您的验证码为 {code}，60 秒内有效，请勿告知他人。"),
        (_, Some(reason), _) => format!("您的订单 {order} 审核未通过：{reason}。请登录修改后重新提交。"),
        (_, _, Some(waybill)) => format!("您的订单 {order} 已由顺丰寄出（到付），运单号 {waybill}。"),
        _ => format!("您的订单 {order} 已审核通过，正在制证。"),
    };
    format!("【{sign_name}】{body} [{template}]")
}

fn query(double: &Double, parameters: &Parameters) -> Value {
    let (mobile, day) = (get(parameters, "PhoneNumber"), get(parameters, "SendDate"));
    let sent = lock(&double.sent);
    let of_day = |message: &&Sent| message.mobile == mobile && message.at[..10].replace('-', "") == day;
    let records: Vec<Value> = sent
        .all()
        .iter()
        .rev()
        .filter(of_day)
        .take(50)
        .map(|message| {
            json!({
                "PhoneNum": message.mobile, "SendStatus": message.status, "OutId": message.out_id,
                "TemplateCode": message.template, "Content": message.text, "SendDate": message.at,
                "ErrCode": if message.status == 2 { "MOBILE_NOT_ON_SERVICE" } else { "DELIVERED" },
            })
        })
        .collect();
    json!({
        "Code": "OK", "Message": "OK", "RequestId": "SANDBOX", "TotalCount": records.len().to_string(),
        "SmsSendDetailDTOs": { "SmsSendDetailDTO": records },
    })
}

fn get<'a>(parameters: &'a Parameters, name: &str) -> &'a str {
    parameters.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

fn china(now: jiff::Timestamp) -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    now.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn code(code: &str, text: &str) -> Value {
    json!({ "Code": code, "Message": text, "RequestId": "SANDBOX" })
}

fn refusal(status: u16, name: &str, text: &str) -> Response {
    tracing::info!(status, name, text, "refused");
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    (status, Json(code(name, text))).into_response()
}
