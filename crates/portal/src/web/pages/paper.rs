//! Applications on paper, entered by an operator (row S4.12): the same fields and the same checks as the customers' own form.

mod fields;

use askama::Template;
use axum::{
    Form, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use model::OrderState;
use serde::Deserialize;

use super::{Frame, forbidden, message, order_trouble, page};
use crate::{
    app::AppState,
    orders::{self, FieldError, RowOutcome},
    pictures::{self, PictureKind},
    programmes::{Product, Programme},
    web::{
        lang::Lang,
        path::OrderPath,
        session::Operator,
        upload::{self, Upload, UploadError, picture_status},
    },
};
use fields::Group;

pub(in crate::web) fn routes() -> Router<AppState> {
    Router::new()
        .route("/paper", get(form).post(enter))
        .route("/orders/{number}/paper", post(scan).layer(upload::limit()))
}

#[derive(Template)]
#[template(path = "paper_choice.html")]
struct ChoicePage<'a> {
    frame: Frame,
    programmes: Vec<&'a Programme>,
}

#[derive(Template)]
#[template(path = "paper.html")]
struct PaperPage<'a> {
    frame: Frame,
    programme: &'a Programme,
    product: &'a Product,
    groups: Vec<Group>,
    /// Mistakes of fields that are not on the form.
    others: Vec<FieldError>,
    wrong: usize,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    programme: String,
    #[serde(default)]
    product: String,
}

fn find<'a>(state: &'a AppState, programme: &str, product: &str) -> Option<(&'a Programme, &'a Product)> {
    let programme = state.programmes.get(programme)?;
    Some((programme, programme.product(product)?))
}

async fn form(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Query(choice): Query<Choice>,
) -> Response {
    match find(&state, &choice.programme, &choice.product) {
        Some(found) => show(&operator, lang, found, &Vec::new(), Vec::new()),
        None => choose(&state, &operator, lang),
    }
}

fn choose(state: &AppState, operator: &Operator, lang: Lang) -> Response {
    let frame = Frame::new(lang, operator, "paper");
    page(StatusCode::OK, &ChoicePage { frame, programmes: state.programmes.iter().collect() })
}

/// The form with what was typed, each mistake at its field.
fn show(
    operator: &Operator,
    lang: Lang,
    (programme, product): (&Programme, &Product),
    typed: &fields::Pairs,
    errors: Vec<FieldError>,
) -> Response {
    let wrong = errors.len();
    let (groups, others) = fields::groups(lang, programme, product, typed, errors);
    let frame = Frame::new(lang, operator, "paper");
    let status = if wrong > 0 { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    page(status, &PaperPage { frame, programme, product, groups, others, wrong })
}

async fn enter(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Form(typed): Form<fields::Pairs>,
) -> Response {
    let value =
        |name: &str| typed.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let Some(found) = find(&state, value("programme"), value("product")) else {
        return choose(&state, &operator, lang);
    };
    let order = fields::order(&typed);
    if let Some(opening) = operator.lacks_to_bring(&order) {
        return forbidden(lang, operator, opening);
    }
    match orders::accept(&state, &order, &operator.actor()).await {
        Ok(row) => match (row.outcome, row.number) {
            (RowOutcome::Accepted | RowOutcome::Repeated, Some(number)) => {
                Redirect::to(&format!("/orders/{number}")).into_response()
            }
            _ => show(&operator, lang, found, &typed, row.errors),
        },
        Err(error) => order_trouble(lang, error),
    }
}

/// Whether nobody has decided by the paper yet.
pub(super) fn is_open(state: OrderState) -> bool {
    matches!(state, OrderState::AwaitingPayment | OrderState::AwaitingReview | OrderState::Rejected)
}

/// Takes the scan of the paper, or why not: the page is the order's.
async fn scan(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
    form: Result<Upload, UploadError>,
) -> Response {
    if let Err(error) = orders::known(&state, &number).await {
        return order_trouble(lang, error);
    }
    let refused = match form {
        Ok(Upload(bytes)) => {
            match pictures::put(&state, number.as_str(), PictureKind::Paper, bytes, &operator.actor()).await {
                Ok(_) => return Redirect::to(&format!("/orders/{number}")).into_response(),
                Err(error) => (picture_status(&error), error.to_string()),
            }
        }
        Err(error) => (error.status(), error.message()),
    };
    message(Frame::new(lang, &operator, "orders"), refused.0, refused.1)
}
