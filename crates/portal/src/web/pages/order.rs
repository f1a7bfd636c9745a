//! One order: what the customer gave, its history, its keys, and the review.

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use model::{OrderNumber, OrderState};
use serde::Deserialize;
use wire::CertificateKind;

use super::{Frame, order_trouble, page, trouble};
use crate::{
    app::AppState,
    clock::china_text,
    invoices::{self, InvoiceRow},
    messages::{self, MessageRow},
    orders::{self, HistoryEntry, JobRow, Order, OrderError, Person},
    stations::{self, KeyFate},
    web::{
        answer::order_status,
        api::{job, number},
        lang::Lang,
        session::Operator,
    },
};

/// A heading and its lines.
pub(in crate::web) struct Section {
    pub(in crate::web) title: &'static str,
    pub(in crate::web) lines: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    frame: Frame,
    order: Order,
    sections: Vec<Section>,
    history: Vec<HistoryEntry>,
    jobs: Vec<JobRow>,
    waybill: Option<String>,
    invoice: Option<InvoiceRow>,
    messages: Vec<MessageRow>,
    message: String,
}

impl OrderPage {
    fn in_review(&self) -> bool {
        self.order.state == OrderState::AwaitingReview
    }

    /// Whether a way out is offered: the job waits for an operator, or is in work at a station that may be gone.
    fn releasable(&self, job: &JobRow) -> bool {
        self.order.state == OrderState::AwaitingProduction && matches!(job.state.as_str(), "stuck" | "leased")
    }

    fn time(&self, ms: &i64) -> String {
        china_text(*ms)
    }
}

pub(in crate::web) async fn order(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Path(text): Path<String>,
) -> Response {
    match number(&text) {
        Ok(number) => show(&state, &operator, lang, &number, None).await,
        Err(error) => trouble(lang, error),
    }
}

/// The order's page; with `refused` it says above why the last request was not done.
async fn show(
    state: &AppState,
    operator: &Operator,
    lang: Lang,
    number: &OrderNumber,
    refused: Option<OrderError>,
) -> Response {
    let status = refused.as_ref().map_or(StatusCode::OK, order_status);
    let message = refused.map(|error| error.to_string()).unwrap_or_default();
    match order_page(state, operator, lang, number, message).await {
        Ok(order) => page(status, &order),
        Err(error) => order_trouble(lang, error),
    }
}

async fn order_page(
    state: &AppState,
    operator: &Operator,
    lang: Lang,
    number: &OrderNumber,
    message: String,
) -> Result<OrderPage, OrderError> {
    let order = orders::load(state, number).await?;
    let order = order.ok_or_else(|| OrderError::Unknown(number.clone()))?;
    let programme = state.programmes.get(&order.content.programme);
    let programme =
        programme.map_or_else(|| order.content.programme.clone(), |programme| programme.title.clone());
    Ok(OrderPage {
        frame: Frame::new(lang, &operator.name, "orders"),
        sections: sections(lang, &order, programme),
        history: orders::history(&state.db, number).await?,
        jobs: orders::jobs(&state.db, number).await?,
        waybill: stations::waybill(&state.db, number).await?,
        invoice: invoices::of_order(&state.db, number).await?,
        messages: messages::of_order(state, number).await?,
        order,
        message,
    })
}

/// What the customer gave, as both sides read it.
pub(in crate::web) fn sections(lang: Lang, order: &Order, programme: String) -> Vec<Section> {
    let content = &order.content;
    let mut sections = vec![product_section(lang, order, programme)];
    let unit = &content.unit;
    sections.push(Section {
        title: lang.t("单位信息", "Unit"),
        lines: vec![
            (lang.t("单位名称", "Name"), unit.name.clone()),
            (lang.t("统一社会信用代码", "Credit code"), unit.credit_code.clone()),
            (lang.t("单位类型", "Kind"), lang.t(unit.kind.zh(), unit.kind.en()).to_owned()),
            (lang.t("所属行业", "Industry"), unit.industry.clone()),
        ],
    });
    if let Some(person) = &content.legal_representative {
        sections.push(person_section(lang, lang.t("法定代表人", "Legal representative"), person));
    }
    if let Some(person) = &content.holder {
        sections.push(person_section(lang, lang.t("证书持有人", "Holder"), person));
    }
    let handler = &content.handler;
    sections.push(Section {
        title: lang.t("经办人", "Handler"),
        lines: vec![
            (lang.t("姓名", "Name"), handler.name.clone()),
            (lang.t("证件类型", "Document"), lang.t(handler.id_type.zh(), handler.id_type.en()).to_owned()),
            (lang.t("证件号码", "Number"), handler.id_number.clone()),
            (lang.t("手机号", "Mobile"), handler.mobile.clone()),
            (lang.t("邮箱", "Mail"), handler.mail.clone()),
        ],
    });
    sections.push(receiver_section(lang, order));
    sections.push(money_section(lang, order));
    sections
}

fn product_section(lang: Lang, order: &Order, programme: String) -> Section {
    let content = &order.content;
    let kind = match content.holder_kind {
        CertificateKind::Unit => lang.t("单位证书", "Unit certificate"),
        CertificateKind::Personal => lang.t("个人证书", "Personal certificate"),
    };
    Section {
        title: lang.t("产品规格", "Product"),
        lines: vec![
            (lang.t("项目", "Programme"), programme),
            (lang.t("产品", "Product"), order.product_title.clone()),
            (lang.t("证书类型", "Certificate"), kind.to_owned()),
            (lang.t("有效期", "Validity"), format!("{} {}", content.years, lang.t("年", "years"))),
            (lang.t("数量", "Quantity"), content.quantity.to_string()),
            (
                lang.t("认证类型", "Verification"),
                lang.t(content.verification.zh(), content.verification.en()).to_owned(),
            ),
        ],
    }
}

fn person_section(lang: Lang, title: &'static str, person: &Person) -> Section {
    Section {
        title,
        lines: vec![
            (lang.t("姓名", "Name"), person.name.clone()),
            (lang.t("证件类型", "Document"), lang.t(person.id_type.zh(), person.id_type.en()).to_owned()),
            (lang.t("证件号码", "Number"), person.id_number.clone()),
        ],
    }
}

fn receiver_section(lang: Lang, order: &Order) -> Section {
    let receiver = &order.content.receiver;
    let region = format!("{} {} {}", receiver.province, receiver.city, receiver.county);
    Section {
        title: lang.t("收件信息（顺丰到付）", "Receiver (SF, freight collect)"),
        lines: vec![
            (lang.t("姓名", "Name"), receiver.name.clone()),
            (lang.t("手机号", "Mobile"), receiver.mobile.clone()),
            (lang.t("地区", "Region"), region.trim_end().to_owned()),
            (lang.t("详细地址", "Address"), receiver.address.clone()),
        ],
    }
}

fn money_section(lang: Lang, order: &Order) -> Section {
    let mut lines = vec![(lang.t("金额", "Amount"), format!("¥ {}", order.amount))];
    if let Some(payment) = &order.content.payment {
        let method = lang.t(payment.method.zh(), payment.method.en());
        lines.push((lang.t("已付", "Paid"), format!("¥ {} · {method}", payment.paid_fen)));
        lines.push((lang.t("支付流水号", "Reference"), payment.reference.clone()));
    }
    if let Some(invoice) = &order.content.invoice {
        lines.push((lang.t("发票类型", "Invoice"), lang.t(invoice.kind.zh(), invoice.kind.en()).to_owned()));
        lines.push((lang.t("发票抬头", "Made out to"), invoice.title.clone()));
    }
    Section { title: lang.t("费用与发票", "Money and invoice"), lines }
}

pub(in crate::web) async fn approve(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Path(text): Path<String>,
) -> Response {
    let number = match number(&text) {
        Ok(number) => number,
        Err(error) => return trouble(lang, error),
    };
    let done = orders::approve(&state, &number, &operator.actor()).await;
    after_review(&state, &operator, lang, &number, done).await
}

#[derive(Deserialize)]
pub(in crate::web) struct RejectForm {
    #[serde(default)]
    reason: String,
}

pub(in crate::web) async fn reject(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Path(text): Path<String>,
    Form(form): Form<RejectForm>,
) -> Response {
    let number = match number(&text) {
        Ok(number) => number,
        Err(error) => return trouble(lang, error),
    };
    let done = orders::reject(&state, &number, &form.reason, &operator.actor()).await;
    after_review(&state, &operator, lang, &number, done).await
}

#[derive(Deserialize)]
pub(in crate::web) struct ReleaseForm {
    key: KeyFate,
    #[serde(default)]
    reason: String,
    /// The key beside the job when the page was made; empty for none.
    seen_key: String,
}

pub(in crate::web) async fn release(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Path(text): Path<String>,
    Form(form): Form<ReleaseForm>,
) -> Response {
    let job = match job(&text) {
        Ok(job) => job,
        Err(error) => return trouble(lang, error),
    };
    let release = stations::Release { key: form.key, reason: form.reason, seen_key: Some(form.seen_key) };
    let done = stations::release(&state.db, &state.clock, &job, &release, &operator.actor()).await;
    after_review(&state, &operator, lang, job.order(), done).await
}

/// Done: back to the order by GET, so that a reload repeats nothing. Not done: the page says why.
async fn after_review(
    state: &AppState,
    operator: &Operator,
    lang: Lang,
    number: &OrderNumber,
    done: Result<(), OrderError>,
) -> Response {
    match done {
        Ok(()) => Redirect::to(&format!("/orders/{number}")).into_response(),
        Err(error @ (OrderError::Db(_) | OrderError::Seal(_))) => order_trouble(lang, error),
        Err(error) => show(state, operator, lang, number, Some(error)).await,
    }
}
