//! The packing table: one field for a scanner, large words for eyes two metres away.

use askama::Template;
use axum::{Form, Router, extract::State, http::StatusCode, response::Response, routing::get};
use serde::Deserialize;

use super::{Frame, order_trouble, page};
use crate::{
    app::AppState,
    clock::china_text,
    packing::{self, Pack, PackError},
    web::{answer::order_status, lang::Lang, session::Operator},
};

pub(in crate::web) fn routes() -> Router<AppState> {
    Router::new().route("/packing", get(table).post(scan))
}

#[derive(Template)]
#[template(path = "packing.html")]
struct PackingPage {
    frame: Frame,
    pack: Option<Pack>,
    /// Whether the last key has just been scanned.
    done: bool,
    message: String,
}

impl PackingPage {
    /// The parcel that the next scan belongs to: the one in work, until it is done.
    fn in_work(&self) -> Option<&Pack> {
        self.pack.as_ref().filter(|pack| pack.packed.is_none())
    }

    fn scanned(&self, pack: &Pack) -> String {
        pack.scanned().collect::<Vec<_>>().join("/")
    }

    fn time(&self, ms: &i64) -> String {
        china_text(*ms)
    }
}

async fn table(operator: Operator, lang: Lang) -> Response {
    let frame = Frame::new(lang, &operator, "packing");
    page(StatusCode::OK, &PackingPage { frame, pack: None, done: false, message: String::new() })
}

#[derive(Deserialize)]
struct ScanForm {
    /// The parcel in work; empty before its waybill is scanned.
    #[serde(default)]
    waybill: String,
    /// The serials that were scanned of it, a `/` between them: no serial has one.
    #[serde(default)]
    scanned: String,
    /// What the scanner says.
    #[serde(default)]
    code: String,
}

async fn scan(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Form(form): Form<ScanForm>,
) -> Response {
    let actor = operator.actor();
    let scanned: Vec<&str> = form.scanned.split('/').collect();
    let began = form.waybill.is_empty();
    let answer = if began {
        packing::open(&state, &form.code, &actor).await
    } else {
        packing::scan(&state, &form.waybill, &scanned, &form.code, &actor).await
    };
    let frame = Frame::new(lang, &operator, "packing");
    let error = match answer {
        Ok(pack) => {
            let done = !began && pack.packed.is_some();
            return page(
                StatusCode::OK,
                &PackingPage { frame, done, pack: Some(pack), message: String::new() },
            );
        }
        Err(PackError::Order(error)) => return order_trouble(lang, error),
        Err(error) => error,
    };
    // What was scanned before stays scanned.
    let before = if began { None } else { packing::open(&state, &form.waybill, &actor).await.ok() };
    let pack = before.map(|mut pack| {
        pack.mark(&scanned);
        pack
    });
    page(status(&error), &PackingPage { frame, pack, done: false, message: error.to_string() })
}

fn status(error: &PackError) -> StatusCode {
    match error {
        PackError::UnknownWaybill(_) => StatusCode::NOT_FOUND,
        PackError::State(_) | PackError::WrongKey(_) | PackError::Unfinished { .. } => StatusCode::CONFLICT,
        PackError::SamePerson => StatusCode::FORBIDDEN,
        PackError::Order(error) => order_status(error),
    }
}
