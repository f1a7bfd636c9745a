//! Pages for a person: the trades, and one trade with a button that pays it. No scripts.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
};

use super::{
    Double, notify,
    store::{Trade, TradeState},
    trade::{self, yuan},
};

/// How many trades the list shows, the newest first.
const SHOWN: usize = 100;

pub(crate) async fn trades(State(double): State<Arc<Double>>) -> Html<String> {
    let rows: String = double.trades().all().iter().rev().take(SHOWN).map(row).collect();
    Html(frame(
        "支付宝沙箱 (Alipay)",
        &format!(
            "<table><tr><th>商户订单号<th>商品<th>金额<th>状态<th>通知<th></tr>{rows}</table>\
             <p><a href=\"/\">沙箱</a></p>"
        ),
    ))
}

fn row(trade: &Trade) -> String {
    let told = match (trade.acknowledged, trade.notices) {
        (true, times) => format!("已确认 ({times})"),
        (false, 0) => "—".to_owned(),
        (false, times) => format!("未确认 ({times})"),
    };
    format!(
        "<tr><td>{}<td>{}<td>{}<td>{}<td>{told}<td>{}</tr>",
        trade.out_trade_no,
        escape(&trade.subject),
        yuan(trade.fen),
        word(trade),
        button(trade)
    )
}

fn word(trade: &Trade) -> &'static str {
    match trade.state {
        TradeState::NotScanned | TradeState::Waiting => "待支付",
        TradeState::Paid => "已支付",
        TradeState::Closed if trade.refunded() > 0 => "已退款",
        TradeState::Closed => "已关闭",
    }
}

fn button(trade: &Trade) -> String {
    if !matches!(trade.state, TradeState::NotScanned | TradeState::Waiting) {
        return String::new();
    }
    format!("<form method=\"post\" action=\"/alipay/pay/{}\"><button>支付</button></form>", trade.trade_no)
}

/// What the code, or a page pay, leads to.
pub(crate) async fn trade(State(double): State<Arc<Double>>, Path(trade_no): Path<String>) -> Response {
    let Some(trade) = double.trades().find("", &trade_no).cloned() else {
        return (StatusCode::NOT_FOUND, Html(frame("没有这笔交易", ""))).into_response();
    };
    let text = format!(
        "<p>{}</p><p>商户订单号 {}</p><p>¥ {}</p><p id=\"state\">{}</p>{}<p><a href=\"/alipay/trades\">全部交易</a></p>",
        escape(&trade.subject),
        trade.out_trade_no,
        yuan(trade.fen),
        word(&trade),
        button(&trade)
    );
    Html(frame("支付宝沙箱 (Alipay)", &text)).into_response()
}

/// The button.
pub(crate) async fn pay(State(double): State<Arc<Double>>, Path(trade_no): Path<String>) -> Response {
    let Some(paid) = trade::pay(&double, "", &trade_no) else {
        return (StatusCode::CONFLICT, Html(frame("没有待支付的交易", ""))).into_response();
    };
    let next =
        if paid.return_url.is_empty() { format!("/alipay/pay/{trade_no}") } else { paid.return_url.clone() };
    notify::send(&double, paid);
    Redirect::to(&next).into_response()
}

fn frame(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"zh\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><h1>{title}</h1>{body}</html>"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
