//! What people and tests see: the page of invoices, the same as JSON, PDFs, and the control.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use super::{Control, Double, Made, pdf};

pub(super) async fn control(
    State(double): State<Arc<Double>>,
    control: Result<Json<Control>, JsonRejection>,
) -> Result<StatusCode, (StatusCode, String)> {
    let Json(control) = control.map_err(|error| (StatusCode::BAD_REQUEST, error.body_text()))?;
    double.control(control)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn invoices(State(double): State<Arc<Double>>) -> Json<Vec<Made>> {
    Json(double.invoices().all().to_vec())
}

pub(super) async fn pdf(State(double): State<Arc<Double>>, Path(serial): Path<String>) -> Response {
    let invoices = double.invoices();
    match invoices.all().iter().find(|made| made.serial == serial && made.status == 2) {
        Some(made) => ([(header::CONTENT_TYPE, "application/pdf")], pdf::of(made)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

pub(super) async fn page(State(double): State<Arc<Double>>) -> Html<String> {
    let needs_login = double.state().needs_login;
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let rows: String = double
        .invoices()
        .all()
        .iter()
        .rev()
        .take(200)
        .map(|made| {
            let word = match (made.status, &made.red) {
                (_, Some((_, number))) => format!("已冲红 {number}"),
                (2, _) => "已开具".to_owned(),
                (22, _) => format!("失败：{}", made.fail_cause),
                (3, _) => "已作废".to_owned(),
                _ => "开票中".to_owned(),
            };
            format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td><a href=\"/invoice/pdf/{}\">{}</a></td></tr>",
                made.order_no, made.line, escaped(&made.buyer), made.amount, escaped(&word), made.serial, made.number
            )
        })
        .collect();
    Html(format!(
        "<!doctype html><html lang=\"zh\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"3\">\
         <title>发票 (invoices)</title><h1>发票沙箱 (invoices)</h1><p>{}</p>\
         <table border=\"1\" cellpadding=\"6\"><tr><th>单号</th><th>种类</th><th>抬头</th><th>金额</th><th>状态</th><th>PDF</th></tr>{rows}</table></html>",
        if needs_login { "电子税务局需要登录 (the tax bureau wants a log-in)" } else { "" }
    ))
}
