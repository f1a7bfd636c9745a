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
use serde_json::json;

use super::{
    Frame,
    facts::{self, Section},
    order_trouble, page, paper, trouble,
};
use crate::{
    app::AppState,
    clock::china_text,
    invoices::{self, InvoiceRow},
    messages::{self, MessageRow},
    orders::{self, CancelTerms, HistoryEntry, JobRow, Order, OrderError},
    payments::{PaymentError, Refund, RefundState},
    pictures::Picture,
    programmes::PaymentMethod,
    refunds::{self, ByHand, NO_TRANSFER, RefundRequest},
    review,
    stations::{self, KeyFate},
    views::{self, Reason, Shown},
    web::{
        answer::{order_status, payment_status},
        api::job,
        lang::Lang,
        path::OrderPath,
        session::Operator,
    },
};

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
    papers: Vec<Picture>,
    /// On what terms it could be cancelled.
    cancel: CancelTerms,
    /// When the parcel was checked.
    packed_ms: Option<i64>,
    /// The way back of money that came by a payment service.
    back: Option<Refund>,
    refund: Option<RefundRequest>,
    /// How the programme is paid for; empty = it is not.
    methods: Vec<PaymentMethod>,
    /// Whether personal data stands there in full.
    shown: bool,
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

    fn awaits_payment(&self) -> bool {
        self.order.state == OrderState::AwaitingPayment
            && self.frame.may_post("POST", "/orders/{number}/payment")
    }

    fn way_back(&self, refund: &Refund) -> &'static str {
        let lang = self.frame.lang;
        match refund.state {
            RefundState::Wanted => lang.t("退款中", "on its way"),
            RefundState::Done if refund.otherwise.is_some() => {
                lang.t("已转账退回", "given back by a transfer")
            }
            RefundState::Done => lang.t("已退回", "given back"),
            RefundState::Stuck => lang.t("支付宝拒绝退款，请人工处理", "Alipay refuses it: look at it"),
        }
    }

    /// The reason under which who is logged in looks at a picture from here.
    fn why(&self) -> &'static str {
        if self.frame.may_post("POST", "/orders/{number}/reveal") { "complaint" } else { "audit" }
    }

    /// Whether a scan of the paper is taken: not once the order was decided.
    fn takes_paper(&self) -> bool {
        paper::is_open(self.order.state) && self.frame.may_post("POST", "/orders/{number}/paper")
    }

    fn may_cancel(&self) -> bool {
        self.cancel == CancelTerms::Free && self.frame.may_post("POST", "/orders/{number}/cancel")
    }

    /// Whether who is logged in may say that the parcel arrived.
    fn may_deliver(&self) -> bool {
        self.order.state == OrderState::AwaitingDelivery
            && self.packed_ms.is_some()
            && self.frame.may_post("POST", "/orders/{number}/delivered")
    }

    fn may_ask_refund(&self) -> bool {
        let asked = self.refund.as_ref().is_some_and(|refund| refund.state != "declined");
        let paid = self.order.content.payment.is_some();
        let possible = self.order.state.become_state(OrderState::Refunded).is_ok();
        !asked && paid && possible && self.frame.may_post("POST", "/orders/{number}/refund")
    }

    /// Whether the refund waits for a decision: it was asked for, and the money did not go back meanwhile.
    fn is_open(&self, refund: &RefundRequest) -> bool {
        refund.state == "asked" && self.order.state.become_state(OrderState::Refunded).is_ok()
    }

    /// Whether who is logged in may decide about the refund: it waits, and somebody else asked.
    fn may_decide_refund(&self, refund: &RefundRequest) -> bool {
        let own = self.frame.operator.as_ref().is_some_and(|operator| operator.name == refund.asked_by);
        self.is_open(refund) && !own && self.frame.may_post("POST", "/orders/{number}/refund/decision")
    }

    fn time(&self, ms: &i64) -> String {
        china_text(*ms)
    }
}

/// How the page is seen: after a request that was refused, or with whole numbers.
#[derive(Default)]
struct Seen {
    refused: Option<PaymentError>,
    shown: bool,
}

pub(in crate::web) async fn order(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
) -> Response {
    show(&state, &operator, lang, &number, Seen::default()).await
}

/// The order's page; after a refused request it says above why it was not done.
async fn show(
    state: &AppState,
    operator: &Operator,
    lang: Lang,
    number: &OrderNumber,
    seen: Seen,
) -> Response {
    let status = seen.refused.as_ref().map_or(StatusCode::OK, payment_status);
    match order_page(state, operator, lang, number, seen).await {
        Ok(order) => page(status, &order),
        Err(error) => order_trouble(lang, error),
    }
}

async fn order_page(
    state: &AppState,
    operator: &Operator,
    lang: Lang,
    number: &OrderNumber,
    seen: Seen,
) -> Result<OrderPage, OrderError> {
    let order = orders::known(state, number).await?;
    let programme = state.programmes.get(&order.content.programme);
    let methods = programme.map(|programme| programme.payment_methods.clone()).unwrap_or_default();
    Ok(OrderPage {
        frame: Frame::new(lang, operator, "orders"),
        sections: facts::for_operator(state, lang, &order, seen.shown),
        history: orders::history(&state.db, number).await?,
        jobs: orders::jobs(&state.db, number).await?,
        waybill: stations::waybill(&state.db, number).await?,
        invoice: invoices::of_order(&state.db, number).await?,
        messages: messages::of_order(state, number).await?,
        refund: refunds::of_order(&state.db, number).await?,
        papers: review::papers(&mut *state.db.acquire().await?, number).await?,
        cancel: orders::cancel_terms(&mut *state.db.acquire().await?, &order).await?,
        packed_ms: orders::packed_ms(&mut *state.db.acquire().await?, number).await?,
        back: refunds::under_way(state, number).await?,
        methods,
        shown: seen.shown,
        message: seen.refused.map(|error| error.to_string()).unwrap_or_default(),
        order,
    })
}

#[derive(Deserialize)]
pub(in crate::web) struct RevealForm {
    reason: Reason,
}

/// The page with whole numbers, once: the audit says who saw them and why.
pub(in crate::web) async fn reveal(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
    Form(form): Form<RevealForm>,
) -> Response {
    match views::reveal(&state, &number, &operator.name, form.reason, Shown::Numbers).await {
        Ok(_) => show(&state, &operator, lang, &number, Seen { shown: true, ..Seen::default() }).await,
        Err(error) => order_trouble(lang, error),
    }
}

#[derive(Deserialize)]
pub(in crate::web) struct PaymentForm {
    method: String,
    #[serde(default)]
    reference: String,
}

/// Records that the whole amount arrived, by a way that no service tells of.
pub(in crate::web) async fn payment(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
    Form(form): Form<PaymentForm>,
) -> Response {
    let done = async {
        let order = orders::known(&state, &number).await?;
        let payment = json!({ "method": form.method, "reference": form.reference, "paid_fen": order.amount });
        orders::record_payment(&state, &number, &payment, &operator.actor()).await
    };
    let done = done.await;
    after_review(&state, &operator, lang, &number, done).await
}

#[derive(Deserialize)]
pub(in crate::web) struct DecisionForm {
    approve: bool,
}

/// Approves or declines a refund that somebody else asked for.
pub(in crate::web) async fn decide_refund(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
    Form(form): Form<DecisionForm>,
) -> Response {
    match refunds::decide(&state, &number, form.approve, &operator.name).await {
        Ok(()) => Redirect::to("/refunds").into_response(),
        Err(error) => order_trouble(lang, error),
    }
}

/// Cancels an order for which nothing was paid, at the customer's word.
pub(in crate::web) async fn cancel(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
) -> Response {
    let done = orders::cancel(&state, &number, &operator.actor()).await;
    after_review(&state, &operator, lang, &number, done).await
}

/// Records that SF has delivered the parcel.
pub(in crate::web) async fn delivered(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
) -> Response {
    let done = orders::complete(&state, &number, &operator.actor()).await;
    after_review(&state, &operator, lang, &number, done).await
}

/// Asks for a refund.
pub(in crate::web) async fn ask_refund(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
    Form(form): Form<RefundForm>,
) -> Response {
    let done = refunds::ask(&state, &number, &form.reason, &operator.actor()).await;
    after_review(&state, &operator, lang, &number, done).await
}

pub(in crate::web) async fn approve(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
    Form(form): Form<ApproveForm>,
) -> Response {
    let done = orders::approve(&state, &number, &operator.actor(), Some(form.seen)).await;
    after_review(&state, &operator, lang, &number, done).await
}

#[derive(Deserialize)]
pub(in crate::web) struct RefundForm {
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
pub(in crate::web) struct ApproveForm {
    /// When the order that the page shows was changed last.
    pub(super) seen: i64,
}

#[derive(Deserialize)]
pub(in crate::web) struct RejectForm {
    #[serde(default)]
    reason: String,
    /// As in [`ApproveForm`].
    seen: i64,
}

pub(in crate::web) async fn reject(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
    Form(form): Form<RejectForm>,
) -> Response {
    let done = orders::reject(&state, &number, &form.reason, &operator.actor(), Some(form.seen)).await;
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
    done: Result<(), impl Into<PaymentError>>,
) -> Response {
    match done.map_err(Into::into) {
        Ok(()) => Redirect::to(&format!("/orders/{number}")).into_response(),
        Err(PaymentError::Order(error)) if order_status(&error).is_server_error() => {
            order_trouble(lang, error)
        }
        Err(error) => {
            let seen = Seen { refused: Some(error), ..Seen::default() };
            show(state, operator, lang, number, seen).await
        }
    }
}
