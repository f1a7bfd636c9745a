//! The gateway: the envelope, checked, and the methods behind it.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::{Value, json};
use tracing::info;

use super::{
    CallFault, Double, bill, sign,
    store::TradeState,
    trade::{self, No},
};
use crate::faults::{cut_after, timeout};

type Fields = Vec<(String, String)>;

/// A call that passed the gateway.
struct Call {
    method: String,
    notify_url: String,
    return_url: String,
    biz: Value,
}

/// A server's call: parameters in the body, the query, or both.
pub(crate) async fn post(
    State(double): State<Arc<Double>>,
    headers: HeaderMap,
    query: Query<Fields>,
    body: Bytes,
) -> Response {
    let mut fields = query.0;
    for (name, value) in form_urlencoded::parse(&body) {
        let field = (name.into_owned(), value.into_owned());
        // Our caller repeats the charset in the address, as Alipay's manuals want it.
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    let base = base(&headers);
    let call = match check(&double, &fields) {
        Ok(call) => call,
        Err((method, No(code, text))) => {
            info!(code, text, "refused at the gateway");
            let body =
                json!({"code": "40002", "msg": "Invalid Arguments", "sub_code": code, "sub_msg": text});
            return envelope(&double, &method, &body, &CallFault::None);
        }
    };
    let fault = double.call_faults.take().unwrap_or(CallFault::None);
    info!(method = call.method, %fault, trade = trade::text(&call.biz, "out_trade_no"), "called");
    answer(&double, &call, &fault, &base).await
}

/// A browser's call: page pay.
pub(crate) async fn get(State(double): State<Arc<Double>>, query: Query<Fields>) -> Response {
    let call = match check(&double, &query.0) {
        Ok(call) if call.method == "alipay.trade.page.pay" => call,
        Ok(_) => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
        Err((_, No(code, text))) => {
            return (StatusCode::BAD_REQUEST, format!("{code} {text}")).into_response();
        }
    };
    let opened = trade::open(&double, &call.biz, TradeState::Waiting, &call.notify_url, &call.return_url);
    match opened {
        // The same trade may have been shown as a code before; where the browser goes is told by this call.
        Ok(trade) => {
            let known = double.trades().change_one(&trade.trade_no, |trade| {
                trade.state = TradeState::Waiting;
                trade.return_url.clone_from(&call.return_url);
            });
            match known {
                Ok(_) => Redirect::to(&format!("/alipay/pay/{}", trade.trade_no)).into_response(),
                Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
            }
        }
        Err(No(code, text)) => (StatusCode::BAD_REQUEST, format!("{code} {text}")).into_response(),
    }
}

fn base(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
    format!("http://{host}")
}

/// Who calls, when, and whether the text is theirs; else the method and the refusal.
fn check(double: &Double, fields: &Fields) -> Result<Call, (String, No)> {
    let get = |name: &str| {
        let mut values = fields.iter().filter(|(field, value)| field == name && !value.is_empty());
        let first = values.next().map(|(_, value)| value.as_str());
        // A field given twice is not a call Alipay could understand.
        if values.next().is_none() { first } else { None }
    };
    let method = get("method").unwrap_or("alipay.error").to_owned();
    let no = |code: &str, text| (method.clone(), No(code.to_owned(), text));
    let need = |name: &str, code: &str| get(name).ok_or_else(|| no(code, "缺少参数"));
    let app_id = need("app_id", "isv.missing-app-id")?;
    let timestamp = need("timestamp", "isv.missing-timestamp")?;
    let signature = need("sign", "isv.missing-signature")?;
    let biz = need("biz_content", "isv.missing-biz-content")?;
    if get("sign_type") != Some("RSA2") || get("charset").is_none() || get("version") != Some("1.0") {
        return Err(no("isv.invalid-signature-type", "无效签名类型、字符集或版本"));
    }
    if app_id != double.options.app_id {
        return Err(no("isv.invalid-app-id", "无效的AppID参数"));
    }
    if timestamp.len() != 19 || !double.is_now(timestamp) {
        return Err(no("isv.invalid-timestamp", "非法的时间戳参数"));
    }
    if !double.verifier.holds(&sign::content(fields, &["sign"]), signature) {
        return Err(no("isv.invalid-signature", "无效签名"));
    }
    let biz = serde_json::from_str(biz).map_err(|_| no("isv.invalid-parameter", "biz_content 不是 JSON"))?;
    let address = |name| get(name).unwrap_or_default().to_owned();
    Ok(Call { notify_url: address("notify_url"), return_url: address("return_url"), biz, method })
}

async fn answer(double: &Double, call: &Call, fault: &CallFault, base: &str) -> Response {
    match fault {
        CallFault::Timeout => return timeout().await,
        CallFault::Http500 => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        CallFault::Busy => {
            let body = json!({"code": "20000", "msg": "Service Currently Unavailable",
                "sub_code": "isp.unknow-error", "sub_msg": "系统繁忙"});
            return envelope(double, &call.method, &body, fault);
        }
        _ => {}
    }
    let result = match (fault, call.method.as_str()) {
        (CallFault::Refuse(code), _) => Err(No(code.clone(), "沙箱故障")),
        (_, "alipay.trade.precreate") => {
            trade::open(double, &call.biz, TradeState::NotScanned, &call.notify_url, "").map(|trade| {
                json!({"out_trade_no": trade.out_trade_no, "qr_code": format!("{base}/alipay/pay/{}", trade.trade_no)})
            })
        }
        (_, "alipay.trade.query") => trade::query(double, &call.biz),
        (_, "alipay.trade.close") => trade::close(double, &call.biz),
        (_, "alipay.trade.refund") => trade::refund(double, &call.biz, fault),
        (_, "alipay.trade.fastpay.refund.query") => trade::refund_query(double, &call.biz),
        (_, "alipay.data.dataservice.bill.downloadurl.query") => bill::address(&call.biz, base),
        _ => Err(No("isv.invalid-method".to_owned(), "不存在的方法名")),
    };
    let body = match result {
        Ok(mut body) => {
            body["code"] = json!("10000");
            body["msg"] = json!("Success");
            body
        }
        Err(No(code, text)) => {
            json!({"code": "40004", "msg": "Business Failed", "sub_code": code, "sub_msg": text})
        }
    };
    match fault {
        CallFault::LoseReply => cut_after(b"{\"alipay_trade"),
        CallFault::Garbage => "<html>502 Bad Gateway</html>".into_response(),
        _ => envelope(double, &call.method, &body, fault),
    }
}

/// The answer under its name, signed as it stands there, slashes escaped as the real gateway escapes them.
fn envelope(double: &Double, method: &str, body: &Value, fault: &CallFault) -> Response {
    let name = format!("{}_response", method.replace('.', "_"));
    let body = body.to_string().replace('/', "\\/");
    let sign = double.signer.sign(&body);
    let text = match fault {
        CallFault::Unsigned => format!("{{\"{name}\":{body}}}"),
        CallFault::Forged => {
            format!("{{\"{name}\":{},\"sign\":\"{sign}\"}}", body.replace("\"msg\"", "\"msg_\""))
        }
        _ => format!("{{\"{name}\":{body},\"sign\":\"{sign}\"}}"),
    };
    ([(header::CONTENT_TYPE, "application/json;charset=utf-8")], text).into_response()
}
