//! The gateway and the methods behind it.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Double, INVOICES_MAX, Made};
use crate::faults::{cut_after, timeout};

/// The clock's window on both sides; our choice.
const WINDOW_SECONDS: i64 = 300;

#[derive(Deserialize)]
pub(super) struct Public {
    senid: String,
    nonce: String,
    timestamp: String,
    appkey: String,
}

pub(super) async fn service(
    State(double): State<Arc<Double>>,
    Query(public): Query<Public>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if let Some((code, text)) = wrong(&double, &public, &header, &body) {
        tracing::info!(code, text, "refused at the gateway");
        return Json(answer(code, text, Value::Null)).into_response();
    }
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return Json(answer("E9001", "请求不是 JSON", Value::Null)).into_response();
    };
    let method = header("method").rsplit('.').next().unwrap_or_default();
    let fault = double.faults.take().unwrap_or_default();
    tracing::info!(method, fault, "called");
    match fault.as_str() {
        "timeout" => return timeout().await,
        "http500" => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => {}
    }
    if let Some(code) = fault.strip_prefix("refuse_") {
        return Json(answer(code, "沙箱故障", Value::Null)).into_response();
    }
    let done = match method {
        "requestBillingNew" => submit(&double, &body["order"]),
        "queryInvoiceResult" => query(&double, &body),
        "saveInvoiceRedConfirm" => redden(&double, &body),
        "queryInvoiceRedConfirm" => red(&double, &body),
        "getCertificationStatus" => session(&double, &body),
        _ => answer("070201", "方法不存在", Value::Null),
    };
    if fault == "lose_reply" {
        return cut_after(b"{\"code\":");
    }
    Json(done).into_response()
}

/// Who calls, when, and whether the body is theirs.
fn wrong<'a>(
    double: &Double,
    public: &Public,
    header: &impl Fn(&str) -> &'a str,
    body: &[u8],
) -> Option<(&'static str, &'static str)> {
    let options = &double.options;
    if public.appkey != options.app_key {
        return Some(("070101", "appkey 无效"));
    }
    if header("accesstoken").as_bytes() != options.access_token.expose() {
        return Some(("070304", "accessToken 无效"));
    }
    if header("usertax") != options.tax_number {
        return Some(("070305", "税号未授权"));
    }
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if public.senid.len() != 32 || !digits(&public.nonce, 8) {
        return Some(("070202", "senid 或 nonce 格式错误"));
    }
    let time: i64 = public.timestamp.parse().unwrap_or_default();
    if (jiff::Timestamp::now().as_second() - time).abs() > WINDOW_SECONDS {
        return Some(("070203", "timestamp 已过期"));
    }
    let mut text = format!(
        "a=services&l=v1&p=open&k={}&i={}&n={}&t={}&f=",
        public.appkey, public.senid, public.nonce, public.timestamp
    )
    .into_bytes();
    text.extend_from_slice(body);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, options.app_secret.expose());
    (STANDARD.encode(hmac::sign(&key, &text)) != header("x-nuonuo-sign")).then_some(("070301", "签名错误"))
}

fn submit(double: &Double, order: &Value) -> Value {
    let text = |field: &str| order[field].as_str().unwrap_or_default().to_owned();
    let order_no = text("orderNo");
    if !(1..=20).contains(&order_no.len()) {
        return answer("E9101", "订单号须为 1 至 20 位", Value::Null);
    }
    let line = text("invoiceLine");
    if !["pc", "bs"].contains(&line.as_str()) || line == "bs" && text("buyerTaxNum").is_empty() {
        return answer("E9102", "发票种类或购方税号有误", Value::Null);
    }
    let goods = &order["invoiceDetail"][0];
    let fen = |field: &str| goods[field].as_str().and_then(fen);
    let (net, tax, total) = (fen("taxExcludedAmount"), fen("tax"), fen("taxIncludedAmount"));
    let adds_up =
        matches!((net, tax, total), (Some(net), Some(tax), Some(total)) if net + tax == total && total > 0);
    if !adds_up {
        return answer("E9103", "金额、税额与价税合计不符", Value::Null);
    }
    let mut invoices = double.invoices();
    if invoices.all().iter().any(|made| made.order_no == order_no) {
        return answer("E9106", "订单编号或流水号不能重复", Value::Null);
    }
    if invoices.all().len() >= INVOICES_MAX {
        return full();
    }
    let serial = format!("{:020}", invoices.all().len() + 1);
    let fail_cause = double.state().fail.pop_front().unwrap_or_default();
    let made = Made {
        serial: serial.clone(),
        line,
        buyer: text("buyerName"),
        buyer_tax_number: text("buyerTaxNum"),
        amount: goods["taxIncludedAmount"].as_str().unwrap_or_default().to_owned(),
        tax: goods["tax"].as_str().unwrap_or_default().to_owned(),
        status: if fail_cause.is_empty() { 20 } else { 22 },
        number: String::new(),
        fail_cause,
        red: None,
        asked: 0,
        order: order.clone(),
        order_no,
    };
    if let Err(error) = invoices.change(|invoices| invoices.push(made)) {
        tracing::error!(%error, "the state file cannot be written");
        return full();
    }
    answer("E0000", "同步成功", json!({ "invoiceSerialNum": serial }))
}

/// Fen of a text in yuan with two decimals.
fn fen(yuan: &str) -> Option<u64> {
    let (whole, part) = yuan.split_once('.')?;
    (part.len() == 2).then_some(())?;
    Some(whole.parse::<u64>().ok()? * 100 + part.parse::<u64>().ok()?)
}

fn query(double: &Double, body: &Value) -> Value {
    let order_no = body["orderNos"][0].as_str().unwrap_or_default();
    let (pending, held) = {
        let state = double.state();
        (state.pending, state.needs_login)
    };
    let asked = double.change(|invoices| {
        let number = next_number(26, invoices);
        let made = invoices.iter_mut().find(|made| made.order_no == order_no)?;
        made.asked += 1;
        if made.status == 20 && !held && made.asked > pending {
            made.status = 2;
            made.number = number;
        }
        Some(made.clone())
    });
    let made = match asked {
        None => return full(),
        Some(None) => return answer("E9500", "未查询到发票信息", Value::Null),
        Some(Some(made)) => made,
    };
    let result = json!([{
        "orderNo": made.order_no,
        "serialNo": made.serial,
        "status": made.status.to_string(),
        "statusMsg": match made.status { 2 => "开票完成", 22 => "开票失败", 3 => "发票已作废", _ => "开票中" },
        "failCause": made.fail_cause,
        "allElectronicInvoiceNumber": made.number,
        "pdfUrl": format!("http://{}/invoice/pdf/{}", double.address, made.serial),
        "orderAmount": made.amount,
    }]);
    answer("E0000", "查询成功", result)
}

/// Blue numbers begin with 26 and red ones with 27; none is given twice.
fn next_number(begin: u8, invoices: &[Made]) -> String {
    let given =
        invoices.iter().map(|made| usize::from(!made.number.is_empty()) + usize::from(made.red.is_some()));
    format!("{begin}{:018}", given.sum::<usize>() + 1)
}

fn redden(double: &Double, body: &Value) -> Value {
    let text = |field: &str| body[field].as_str().unwrap_or_default();
    let (bill, blue) = (text("billId"), text("blueElecInvoiceNumber"));
    if double.state().needs_login {
        return answer("E9105", "请先登录电子税务局", Value::Null);
    }
    let done = double.change(|invoices| {
        let red = next_number(27, invoices);
        let made = invoices.iter_mut().find(|made| made.status == 2 && made.number == blue);
        let made = made.ok_or(("E9104", "未找到蓝字发票"))?;
        if made.red.is_some() {
            return Err(("E9103", "该发票不能重复冲红"));
        }
        if made.line != text("blueInvoiceLine") || !(1..=32).contains(&bill.len()) {
            return Err(("E9102", "发票种类或申请号有误"));
        }
        made.red = Some((bill.to_owned(), red));
        Ok(())
    });
    match done {
        None => full(),
        Some(Err((code, text))) => answer(code, text, Value::Null),
        Some(Ok(())) => answer("E0000", "成功", json!(bill)),
    }
}

fn red(double: &Double, body: &Value) -> Value {
    let bill = body["billId"].as_str().unwrap_or_default();
    let needs_login = double.state().needs_login;
    let forms: Vec<Value> = double
        .invoices()
        .all()
        .iter()
        .filter_map(|made| made.red.as_ref())
        .filter(|(id, _)| id == bill)
        .map(|(id, number)| {
            // 15: applied for; 01: needs no confirmation.
            let (status, number) = if needs_login { ("15", "") } else { ("01", number.as_str()) };
            json!({ "billId": id, "billStatus": status, "redInvoiceNumber": number, "billMessage": "" })
        })
        .collect();
    answer("E0000", "调用成功", json!({ "total": forms.len(), "list": forms }))
}

fn session(double: &Double, body: &Value) -> Value {
    // queryType 2: 0 not logged in, 1 logged in. queryType 1: 1 confirmed, 2 a face is wanted.
    let out = double.state().needs_login && body["queryType"] == "2";
    answer("E0000", "调用成功", json!({ "certificationStatus": if out { "0" } else { "1" } }))
}

/// It can keep no more.
fn full() -> Value {
    answer("E9999", "沙箱已满", Value::Null)
}

fn answer(code: &str, text: &str, result: Value) -> Value {
    json!({ "code": code, "describe": text, "result": result })
}
