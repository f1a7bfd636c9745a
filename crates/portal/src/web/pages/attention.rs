//! What needs a person: what went wrong for good, or waits for somebody, with the next move.

use askama::Template;
use axum::{
    Form, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use model::OrderNumber;
use serde::Deserialize;

use super::{Frame, message, order_trouble, page};
use crate::{
    app::AppState,
    clock::china_text,
    db::DbError,
    invoices::{self, InvoiceRow},
    mail, messages,
    payments::{self, Otherwise, PaymentError, Refund},
    refunds::{self, ByHand, ToTransfer},
    web::{access, answer::payment_status, lang::Lang, path::OrderPath, session::Operator},
    webhooks,
};

/// Lines of a part at most; a longer part says that it is cut off.
const SHOWN_MAX: u16 = 100;

pub(in crate::web) fn routes() -> Router<AppState> {
    Router::new()
        .route("/attention", get(show))
        .route("/attention/webhooks", post(send_again))
        .route("/attention/payments/{number}", post(settle))
        .route("/attention/refunds/{number}", post(given_back))
        .route("/attention/transfers/{number}", post(transferred))
}

#[derive(Template)]
#[template(path = "attention.html")]
struct AttentionPage {
    frame: Frame,
    parts: Vec<Part>,
}

impl AttentionPage {
    fn time(&self, ms: &i64) -> String {
        china_text(*ms)
    }

    /// Whether who is logged in said so.
    fn is_own(&self, told: &Otherwise) -> bool {
        self.frame.operator.as_ref().is_some_and(|operator| operator.name == told.told_by)
    }

    fn total(&self) -> usize {
        self.parts.iter().map(|part| part.rows.len()).sum()
    }
}

/// One kind of trouble.
struct Part {
    id: &'static str,
    title: &'static str,
    /// What is done about it.
    next: &'static str,
    rows: Vec<Line>,
    /// Whether there are more than are shown.
    is_cut: bool,
    /// A button for all of it: route and label.
    button: Option<(&'static str, &'static str)>,
    /// A button of each line: its route and label.
    each: Option<(&'static str, &'static str)>,
    /// Whether each line asks for the number of a transfer.
    transfers: bool,
}

struct Line {
    order: OrderNumber,
    since_ms: i64,
    what: String,
    /// The refund that Alipay refuses, if it is one.
    refund: Option<Refund>,
    /// Whether there may be nothing to transfer.
    may_be_none: bool,
}

impl Line {
    fn new(order: OrderNumber, since_ms: i64, what: String) -> Self {
        Self { order, since_ms, what, refund: None, may_be_none: false }
    }

    fn told(&self) -> Option<&Otherwise> {
        self.refund.as_ref().and_then(|refund| refund.otherwise.as_ref())
    }
}

impl Part {
    fn new(id: &'static str, title: &'static str, next: &'static str, mut rows: Vec<Line>) -> Self {
        let is_cut = rows.len() > usize::from(SHOWN_MAX);
        rows.truncate(usize::from(SHOWN_MAX));
        Self { id, title, next, rows, is_cut, button: None, each: None, transfers: false }
    }

    /// Where a line's button sends.
    fn action(&self, line: &Line) -> String {
        let route = self.each.map(|(route, _)| route).unwrap_or_default();
        route.replace("{number}", line.order.as_str())
    }
}

async fn show(State(state): State<AppState>, operator: Operator, lang: Lang) -> Response {
    match parts(&state, &operator, lang).await {
        Ok(parts) => {
            let frame = Frame::new(lang, &operator, "attention");
            page(StatusCode::OK, &AttentionPage { frame, parts })
        }
        Err(error) => order_trouble(lang, error.into()),
    }
}

/// What the operator's roles are for, without what is empty.
async fn parts(state: &AppState, operator: &Operator, lang: Lang) -> Result<Vec<Part>, DbError> {
    let mut parts = Vec::new();
    if operator.has_any(access::MONEY_TROUBLES) {
        parts.push(money(state, lang).await?);
        parts.push(money_taken_back(state, lang).await?);
        parts.push(transfers(state, lang).await?);
        parts.extend(invoices(state, lang).await?);
        parts.push(mails(state, lang).await?);
    }
    if operator.has_any(access::NEWS_TROUBLES) {
        parts.push(news(state, lang).await?);
    }
    if operator.has_any(access::PLATFORM_TROUBLES) {
        parts.push(platforms(state, lang).await?);
    }
    parts.retain(|part| !part.rows.is_empty());
    Ok(parts)
}

/// One more than is shown tells that there are more.
const ASKED: u16 = SHOWN_MAX + 1;

fn money_line(lang: Lang, it: payments::Trouble) -> Line {
    let what = format!("¥ {} · {}", it.amount, lang.told(&it.text));
    Line { refund: it.refund, ..Line::new(it.order, it.since_ms, what) }
}

async fn money(state: &AppState, lang: Lang) -> Result<Part, DbError> {
    let troubles = payments::troubles(state, ASKED).await?.into_iter();
    let title = lang.t("待处理的款项", "Money in trouble");
    let next = lang.t(
        "按“退回款项”由支付宝原路退回，客户可重新支付；支付宝不再受理的，转账退回后登记凭证号，由另一人确认",
        "Send it back: it returns by Alipay to who paid, and the customer may pay anew. What Alipay refuses for good goes back by a \
         transfer: write its number down, and let another confirm it",
    );
    let lines = troubles.map(|it| money_line(lang, it)).collect();
    let mut part = Part::new("payments", title, next, lines);
    part.each = Some(("/attention/payments/{number}", lang.t("退回款项", "Send back")));
    Ok(part)
}

/// Nothing is left to send back: the order is ended by the two people who end any paid one.
async fn money_taken_back(state: &AppState, lang: Lang) -> Result<Part, DbError> {
    let found = payments::taken_back(state, ASKED).await?.into_iter();
    let title = lang.t("在支付宝后台退回的款项", "Money sent back at Alipay");
    let next = lang.t(
        "在订单页申请退款，由另一人批准：订单变为已退款，不再制证；如属误退，请客户重新付款后再办理",
        "Ask for the refund on the order's page and let another approve it: the order ends and nothing is made; \
         if it was a mistake, have the customer pay again first",
    );
    let lines = found.map(|it| money_line(lang, it)).collect();
    Ok(Part::new("taken-back", title, next, lines))
}

/// What came by no service goes back by none.
async fn transfers(state: &AppState, lang: Lang) -> Result<Part, DbError> {
    let found = refunds::to_transfer(&state.db, ASKED).await?.into_iter();
    let line = |it: ToTransfer| {
        let look = it.by_hand == ByHand::Look;
        let hint = if look {
            lang.t(
                " · 款项已在支付宝后台退回，客户另行付款的才需转账",
                " · sent back at Alipay: transfer what the customer paid otherwise since, if anything",
            )
        } else {
            ""
        };
        let what = format!("¥ {} · {}{hint}", it.amount, it.reason);
        Line { may_be_none: look, ..Line::new(it.order, it.since_ms, what) }
    };
    let title = lang.t("待转账的退款", "Refunds to be transferred");
    let next = lang.t(
        "已批准、并非由支付宝支付的款项：向付款账户转账，再登记凭证号",
        "Approved, and not paid by Alipay: transfer the money to who paid, then write the transfer's number down",
    );
    let part = Part::new("transfers", title, next, found.map(line).collect());
    Ok(Part { transfers: true, ..part })
}

/// Those that wait for the log-in or the account go on by themselves; the others are asked for again.
async fn invoices(state: &AppState, lang: Lang) -> Result<[Part; 3], DbError> {
    let found = invoices::needing_person(&state.db, ASKED).await?;
    let (waiting, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|(.., it)| it.needs_login);
    let (refused, failed): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(.., it)| it.needs_account && !it.needs_operator);
    let line = |(order, since_ms, it): (OrderNumber, i64, InvoiceRow)| {
        let state = lang.t(it.state.words().0, it.state.words().1);
        let colon = if it.trouble.is_empty() { "" } else { lang.t("：", ": ") };
        Line::new(order, since_ms, format!("{state}{colon}{}", it.trouble))
    };
    let waiting = Part::new(
        "tax-login",
        lang.t("等待电子税务局登录的发票", "Invoices that wait for the tax log-in"),
        lang.t(
            "请开票人登录电子税务局或扫脸；登录后自动继续",
            "The seller logs in at the tax bureau or shows a face; they go on by themselves",
        ),
        waiting.into_iter().map(line).collect(),
    );
    let refused = Part::new(
        "invoice-account",
        lang.t("开票账户被拒绝的发票", "Invoices whose account the provider refuses"),
        lang.t(
            "换上有效的令牌文件（access_token_file），或核对配置 [invoice]；一小时内自动继续",
            "Put a valid token into access_token_file, or look at [invoice] in the config; they go on within an hour",
        ),
        refused.into_iter().map(line).collect(),
    );
    let failed = Part::new(
        "invoices",
        lang.t("未开成的发票", "Invoices that failed"),
        lang.t("查明原因后，在订单页按“重新开具”", "Look why, then press Try again on the order's page"),
        failed.into_iter().map(line).collect(),
    );
    Ok([waiting, refused, failed])
}

async fn mails(state: &AppState, lang: Lang) -> Result<Part, DbError> {
    let failed = mail::failed(state, ASKED).await?.into_iter();
    let line = |it: mail::FailedMail| Line::new(it.order, it.created_ms, it.trouble);
    let title = lang.t("14 天内未发出的邮件", "Mails of the last 14 days that could not be sent");
    let next = lang.t(
        "检查发信程序；请客户登录“我的订单”下载发票",
        "Look at the mail program; tell the customer to download the invoice under My orders",
    );
    Ok(Part::new("mails", title, next, failed.map(line).collect()))
}

async fn news(state: &AppState, lang: Lang) -> Result<Part, DbError> {
    let failed = messages::failed(state, ASKED).await?.into_iter();
    let line = |(order, it): (OrderNumber, messages::MessageRow)| {
        let (zh, en) = it.kind_words();
        let colon = if it.trouble.is_empty() { "" } else { lang.t("：", ": ") };
        Line::new(order, it.created_ms, format!("{}{colon}{}", lang.t(zh, en), it.trouble))
    };
    let title = lang.t("14 天内未送达的短信", "SMS of the last 14 days that did not arrive");
    let next = lang.t(
        "在订单页查看手机号（会记录），电话告知客户",
        "Show the mobile on the order's page (it is on record) and call the customer",
    );
    Ok(Part::new("messages", title, next, failed.map(line).collect()))
}

async fn platforms(state: &AppState, lang: Lang) -> Result<Part, DbError> {
    let dead = webhooks::dead(&state.db, ASKED).await?.into_iter();
    let line = |it: webhooks::Event| {
        let what = format!("{} · {} · ×{} · {}", it.programme, lang.state(&it.state), it.tries, it.error);
        Line::new(it.order, it.at_ms, what)
    };
    let title = lang.t("采购平台未收到的订单状态", "States of orders that a platform was not told");
    let next = lang
        .t("与平台一方排除故障后，按“全部重发”", "Settle it with the platform, then send all of them again");
    let mut part = Part::new("webhooks", title, next, dead.map(line).collect());
    part.button = Some(("/attention/webhooks", lang.t("全部重发", "Send all again")));
    Ok(part)
}

/// Sends all that platforms were not told of anew.
async fn send_again(State(state): State<AppState>, operator: Operator, lang: Lang) -> Response {
    match webhooks::revive(&state.db, &operator.actor(), state.clock.now_ms()).await {
        Ok(_) => Redirect::to("/attention").into_response(),
        Err(error) => order_trouble(lang, error.into()),
    }
}

/// Sends an order's money in trouble back.
async fn settle(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
) -> Response {
    // What Alipay refuses once more is on the page with its words.
    after(&operator, lang, payments::settle_troubles(&state, &number, &operator.actor()).await)
}

#[derive(Deserialize)]
struct GivenBack {
    /// The refund's number at Alipay.
    request: String,
    what: Said,
    /// The transfer's number.
    #[serde(default)]
    reference: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Tell,
    Confirm,
    Withdraw,
}

/// Money that Alipay refuses to send back was given back otherwise.
async fn given_back(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
    Form(form): Form<GivenBack>,
) -> Response {
    let (request, who) = (form.request.as_str(), operator.name.as_str());
    let done = match form.what {
        Said::Tell => payments::tell(&state, &number, request, &form.reference, who).await,
        Said::Confirm => payments::confirm(&state, &number, request, &form.reference, who).await,
        Said::Withdraw => payments::withdraw(&state, &number, request, who).await,
    };
    after(&operator, lang, done)
}

#[derive(Deserialize)]
struct Transferred {
    reference: String,
}

/// The money of an approved refund was transferred.
async fn transferred(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
    Form(form): Form<Transferred>,
) -> Response {
    let done = refunds::transferred(&state, &number, &form.reference, &operator.name).await;
    after(&operator, lang, done.map_err(PaymentError::from))
}

fn after(operator: &Operator, lang: Lang, done: Result<(), PaymentError>) -> Response {
    match done {
        Ok(()) => Redirect::to("/attention").into_response(),
        Err(PaymentError::Order(error)) => order_trouble(lang, error),
        Err(error) => {
            let frame = Frame::new(lang, operator, "attention");
            message(frame, payment_status(&error), error.to_string())
        }
    }
}
