//! The confirmation: all data once more, the agreements, then the code that is sent to the handler's mobile (rows S1.8 and S1.9).

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use model::{OrderNumber, OrderState, mask_mobile};

use super::{view::Mistakes, visitor::Visitor};
use crate::{
    app::AppState,
    codes::{self, CodeError, Purpose},
    drafts::{self, Draft, DraftError, FormFields},
    orders::{self, Order, OrderError, OrderForm},
    programmes::{Agreement, PictureKind, Programme},
    web::{
        pages::{Section, page, sections},
        shop::{self, ShopFrame, our_trouble},
    },
};

/// How far the confirmation is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The data is looked at and the agreements are ticked.
    Look,
    /// The code may be asked for.
    Ask,
    /// A code was sent; seconds until the next may be asked for.
    Sent(u64),
}

#[derive(Template)]
#[template(path = "shop/order_confirm.html")]
struct ConfirmPage<'a> {
    frame: ShopFrame,
    programme: &'a Programme,
    number: OrderNumber,
    sections: Vec<Section>,
    pictures: &'a [PictureKind],
    amount: model::Fen,
    /// The handler's mobile, masked.
    mobile: String,
    stage: Stage,
    ticks: &'a FormFields,
    mistakes: Mistakes,
    /// Why the code was not sent or not taken.
    message: String,
}

impl ConfirmPage<'_> {
    fn ticked(&self, agreement: &Agreement) -> bool {
        self.ticks.agreed(&agreement.id) == agreement.version
    }

    fn unticked(&self, agreement: &Agreement) -> String {
        self.mistakes.of(&format!("agree.{}", agreement.id))
    }

    fn looking(&self) -> bool {
        self.stage == Stage::Look
    }

    fn wait(&self) -> u64 {
        match self.stage {
            Stage::Sent(seconds) => seconds,
            Stage::Look | Stage::Ask => 0,
        }
    }
}

/// A draft without mistakes, on its way to being an order.
struct Ready<'a> {
    draft: Draft,
    programme: &'a Programme,
    form: OrderForm,
}

/// The draft; one with mistakes leads back to its form, which tells them.
async fn ready<'a>(
    state: &'a AppState,
    visitor: &Visitor,
    programme: &str,
    number: &str,
) -> Result<Ready<'a>, Response> {
    let (draft, programme, _) = visitor.draft(state, programme, number).await?;
    match drafts::check(state, programme, &draft).await {
        Ok(form) => Ok(Ready { draft, programme, form }),
        Err(DraftError::Content(_)) => Err(back(programme, &draft.number)),
        Err(error) => Err(visitor.trouble(error)),
    }
}

fn back(programme: &Programme, number: &OrderNumber) -> Response {
    Redirect::to(&format!("/p/{}/order/{number}?check=1#summary", programme.id)).into_response()
}

fn drawn(visitor: &Visitor, ready: &Ready<'_>, stage: Stage, ticks: &FormFields, told: Told) -> Response {
    let form = &ready.form;
    // The order that will be, so that it is shown as orders are.
    let order = Order {
        number: ready.draft.number.clone(),
        content: form.content.clone(),
        product_title: form.product_title.clone(),
        amount: form.amount,
        state: OrderState::Draft,
        reject_reason: None,
        created_ms: ready.draft.saved_ms,
        changed_ms: ready.draft.saved_ms,
    };
    let page_of = ConfirmPage {
        frame: visitor.frame(),
        programme: ready.programme,
        sections: sections(visitor.lang, &order, ready.programme.title.clone()),
        pictures: &ready.programme.pictures,
        amount: form.amount,
        mobile: mask_mobile(&form.content.handler.mobile),
        stage,
        ticks,
        mistakes: told.mistakes,
        message: told.message,
        number: order.number,
    };
    page(told.status, &page_of)
}

/// What a confirmation says besides the data.
struct Told {
    status: StatusCode,
    mistakes: Mistakes,
    message: String,
}

impl Told {
    fn nothing() -> Self {
        Self { status: StatusCode::OK, mistakes: Mistakes::default(), message: String::new() }
    }
}

pub(super) async fn show(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((programme, number)): Path<(String, String)>,
) -> Response {
    match ready(&state, &visitor, &programme, &number).await {
        Ok(ready) => drawn(&visitor, &ready, Stage::Look, &FormFields::default(), Told::nothing()),
        Err(response) => response,
    }
}

/// The ticks, then the code; `action` says which button was pressed.
pub(super) async fn confirm(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((programme, number)): Path<(String, String)>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Response {
    let ready = match ready(&state, &visitor, &programme, &number).await {
        Ok(ready) => ready,
        Err(response) => return response,
    };
    let value =
        |name: &str| pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let mut ticks = FormFields::default();
    for (name, value) in pairs.iter().take(40) {
        ticks.set(name, value);
    }
    let missing = drafts::accepted(ready.programme, &ticks);
    if !missing.is_empty() {
        let mistakes = Mistakes::new(visitor.lang, missing);
        let told = Told { status: StatusCode::UNPROCESSABLE_ENTITY, mistakes, message: String::new() };
        return drawn(&visitor, &ready, Stage::Look, &ticks, told);
    }
    match value("action") {
        "send" => send(&state, &visitor, &ready, &ticks).await,
        "submit" => submit(&state, &visitor, &ready, &ticks, value("code")).await,
        _ => drawn(&visitor, &ready, Stage::Ask, &ticks, Told::nothing()),
    }
}

async fn send(state: &AppState, visitor: &Visitor, ready: &Ready<'_>, ticks: &FormFields) -> Response {
    let mobile = &ready.form.content.handler.mobile;
    let number = ready.draft.number.as_str();
    // A browser without a token is counted by its draft, and not with all others that have none.
    let session = if visitor.token().is_empty() { number } else { visitor.token() };
    match codes::send(state, Purpose::Submit, mobile, number, &visitor.address, session).await {
        Ok(sent) => drawn(visitor, ready, Stage::Sent(sent.again_seconds), ticks, Told::nothing()),
        Err(error) => refused(visitor, ready, ticks, &error),
    }
}

async fn submit(
    state: &AppState,
    visitor: &Visitor,
    ready: &Ready<'_>,
    ticks: &FormFields,
    code: &str,
) -> Response {
    let (mobile, number) = (&ready.form.content.handler.mobile, &ready.draft.number);
    if let Err(error) = codes::check(state, Purpose::Submit, mobile, number.as_str(), code).await {
        return match placed(state, number).await {
            Ok(Some(order)) => Redirect::to(&next(number, order)).into_response(),
            Ok(None) => refused(visitor, ready, ticks, &error),
            Err(error) => our_trouble(visitor.lang, &error),
        };
    }
    let submitted = match drafts::submit(state, &visitor.owner, number, ticks, mobile).await {
        Ok(submitted) => submitted,
        Err(DraftError::Content(_)) => return back(ready.programme, number),
        Err(DraftError::Unknown) => return visitor.gone(ready.programme, number),
        Err(error) => return visitor.trouble(error),
    };
    let next = next(number, submitted.state);
    let cookie = shop::set_cookie(state, &submitted.session).map(|cookie| (header::SET_COOKIE, cookie));
    let mut response = Redirect::to(&next).into_response();
    response.headers_mut().extend(cookie);
    response
}

/// Where the order stands that the draft became while this request was on its way: a button pressed twice has used its code up.
async fn placed(state: &AppState, number: &OrderNumber) -> Result<Option<OrderState>, OrderError> {
    let order = orders::load(state, number).await?;
    Ok(order.map(|order| order.state).filter(|state| *state != OrderState::Rejected))
}

/// Where a customer goes on whose order was placed or corrected.
fn next(number: &OrderNumber, state: OrderState) -> String {
    match state {
        OrderState::AwaitingPayment => format!("/my/orders/{number}/pay"),
        _ => format!("/my/orders/{number}?new=1"),
    }
}

fn refused(visitor: &Visitor, ready: &Ready<'_>, ticks: &FormFields, error: &CodeError) -> Response {
    let (status, stage) = match error {
        CodeError::Wait { seconds } => (StatusCode::TOO_MANY_REQUESTS, Stage::Sent(*seconds)),
        CodeError::Wrong | CodeError::Mobile => (StatusCode::UNPROCESSABLE_ENTITY, Stage::Ask),
        CodeError::NoService | CodeError::NotSent | CodeError::NoRandom => {
            (StatusCode::SERVICE_UNAVAILABLE, Stage::Ask)
        }
        other => return our_trouble(visitor.lang, other),
    };
    let message = visitor.lang.told(&error.to_string());
    drawn(visitor, ready, stage, ticks, Told { status, mistakes: Mistakes::default(), message })
}
