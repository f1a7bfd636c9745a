//! What people and tests see: the page of messages, the same as JSON, and the control.

use std::sync::Arc;

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::StatusCode,
    response::Html,
};
use serde::Deserialize;

use super::{Double, Fault, Sent};

/// `{"next": ["ok", "limit"]}`, `{"clear": true}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Command {
    #[serde(default)]
    next: Vec<String>,
    #[serde(default)]
    clear: bool,
}

pub(super) async fn control(
    State(double): State<Arc<Double>>,
    command: Result<Json<Command>, JsonRejection>,
) -> Result<StatusCode, (StatusCode, String)> {
    let refuse = |text: String| (StatusCode::BAD_REQUEST, text);
    let Json(command) = command.map_err(|error| refuse(error.body_text()))?;
    let faults: Result<Vec<Fault>, _> = command.next.iter().map(|word| word.parse()).collect();
    let faults = faults.map_err(|error| refuse(error.to_string()))?;
    double.faults.add(faults, command.clear)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn messages(State(double): State<Arc<Double>>) -> Json<Vec<Sent>> {
    Json(double.sent())
}

/// The newest first; the page asks again by itself.
pub(super) async fn page(State(double): State<Arc<Double>>) -> Html<String> {
    let rows: String = double
        .sent()
        .iter()
        .rev()
        .take(200)
        .map(|sent| {
            let state = match sent.status {
                1 => "等待回执",
                2 => "未送达",
                _ => "已送达",
            };
            let text = escaped(&sent.text);
            format!("<tr><td>{}</td><td>{}</td><td>{text}</td><td>{state}</td></tr>", sent.at, sent.mobile)
        })
        .collect();
    Html(format!(
        "<!doctype html><html lang=\"zh\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"3\">\
         <title>短信 (SMS)</title><h1>短信沙箱：已发送 (sent messages)</h1>\
         <table border=\"1\" cellpadding=\"6\"><tr><th>时间</th><th>手机</th><th>内容</th><th>状态</th></tr>{rows}</table></html>"
    ))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
