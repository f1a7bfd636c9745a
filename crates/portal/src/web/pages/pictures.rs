//! Pictures: the phone's page behind a one-time link, and what operators see of an order's papers.

use askama::Template;
use axum::{
    Json, Router,
    extract::{FromRequest as _, Path, Query, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::json;

use super::{Frame, page};
use crate::{
    app::AppState,
    letters::{self, LetterFacts},
    pictures::{
        self, PictureError, PictureKind,
        links::{self, LinkState},
    },
    views::{self, Reason, Shown},
    web::{
        answer::log_trouble,
        lang::Lang,
        path::OrderPath,
        session::Operator,
        upload::{self, Upload, picture_status},
    },
};

pub(in crate::web) fn routes() -> Router<AppState> {
    let phone = get(phone_page).post(take).layer(upload::limit());
    Router::new()
        .route("/u/{token}", phone)
        .route("/u/{token}/state", get(link_state))
        .route("/orders/{number}/pictures/{id}", get(picture))
        .route("/orders/{number}/letter.pdf", get(letter))
}

#[derive(Template)]
#[template(path = "phone.html")]
struct PhonePage {
    frame: Frame,
    stands: LinkState,
    kind: Option<PictureKind>,
    message: String,
}

impl PhonePage {
    fn waits(&self) -> bool {
        self.stands == LinkState::Waiting
    }

    fn done(&self) -> bool {
        self.stands == LinkState::Done
    }

    fn shows(&self) -> &'static str {
        self.kind.map_or("", |kind| self.frame.lang.t(kind.zh(), kind.en()))
    }
}

async fn phone_page(State(state): State<AppState>, lang: Lang, Path(token): Path<String>) -> Response {
    show(&state, lang, &token, None).await
}

/// The page as the link stands; with `refused` it says why the last picture was not taken.
async fn show(state: &AppState, lang: Lang, token: &str, refused: Option<(StatusCode, String)>) -> Response {
    let (stands, kind) = match links::look(state, token).await {
        Ok(found) => found,
        Err(error) => return trouble(lang, &error),
    };
    let ended = if stands == LinkState::Ended { StatusCode::GONE } else { StatusCode::OK };
    let (status, message) = refused.unwrap_or((ended, String::new()));
    page(status, &PhonePage { frame: Frame { lang, operator: None, here: "" }, stands, kind, message })
}

/// Takes the picture; then the page is fetched by GET, so that a reload sends nothing again. Nobody without a link that waits takes a turn
/// from those who have one.
async fn take(
    State(state): State<AppState>,
    lang: Lang,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    match links::look(&state, &token).await {
        Ok((LinkState::Waiting, _)) => {}
        Ok(_) => {
            upload::read_away(request).await;
            let told = lang.told(&PictureError::Link.to_string());
            return show(&state, lang, &token, Some((StatusCode::GONE, told))).await;
        }
        Err(error) => return trouble(lang, &error),
    }
    let Upload(picture) = match Upload::from_request(request, &state).await {
        Ok(form) => form,
        Err(error) => {
            return show(&state, lang, &token, Some((error.status(), lang.told(&error.message())))).await;
        }
    };
    match links::take(&state, &token, picture).await {
        Ok(_) => Redirect::to(&format!("/u/{token}")).into_response(),
        Err(error) if error.is_ours() => trouble(lang, &error),
        Err(error) => {
            show(&state, lang, &token, Some((picture_status(&error), lang.told(&error.to_string())))).await
        }
    }
}

/// For the page on the computer that waits: `{"state":"waiting"|"done"|"ended"}`.
async fn link_state(State(state): State<AppState>, lang: Lang, Path(token): Path<String>) -> Response {
    match links::look(&state, &token).await {
        Ok((stands, _)) => Json(json!({ "state": stands })).into_response(),
        Err(error) => trouble(lang, &error),
    }
}

/// Why an operator looks at a paper.
#[derive(Deserialize)]
pub(in crate::web) struct ViewQuery {
    #[serde(default)]
    pub(in crate::web) reason: Reason,
}

/// An order's picture, marked and on record.
async fn picture(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Path((order, id)): Path<(String, String)>,
    Query(query): Query<ViewQuery>,
) -> Response {
    let of_order = pictures::list(&state.db, &order).await;
    let known = of_order.map(|pictures| pictures.iter().any(|picture| picture.id == id));
    let seen = match known {
        Ok(true) => pictures::view(&state, &id, &operator.name, query.reason).await,
        Ok(false) => Err(PictureError::Unknown),
        Err(error) => Err(error),
    };
    match seen {
        Ok((_, jpeg)) => ([(header::CONTENT_TYPE, "image/jpeg")], jpeg).into_response(),
        Err(error) => trouble(lang, &error),
    }
}

/// An order's letter as it would be printed today, to compare or to send again; on record.
async fn letter(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    OrderPath(number): OrderPath,
    Query(query): Query<ViewQuery>,
) -> Response {
    let order = match views::reveal(&state, &number, &operator.name, query.reason, Shown::Letter).await {
        Ok(order) => order,
        Err(error) => return super::order_trouble(lang, error),
    };
    let Some(programme) = state.programmes.get(&order.content.programme) else {
        return trouble(lang, &PictureError::Unknown);
    };
    let facts = LetterFacts::of(number.as_str(), &order.content, programme);
    match letters::pdf(&state, &facts, programme.seal_sampling).await {
        Ok(pdf) => ([(header::CONTENT_TYPE, "application/pdf")], pdf).into_response(),
        Err(error) => trouble(lang, &error.into()),
    }
}

fn trouble(lang: Lang, error: &PictureError) -> Response {
    let status = picture_status(error);
    if status.is_server_error() {
        log_trouble(error);
    }
    let frame = Frame { lang, operator: None, here: "" };
    page(status, &super::Trouble { frame, message: lang.told(&error.to_string()) })
}
