//! The authorization letter as PDF, and the draft's own pictures.

use axum::{
    extract::{Path, Query, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::visitor::Visitor;
use crate::{
    app::AppState,
    papers::PapersError,
    pictures,
    web::shop::{no_such_page, our_trouble, trouble},
};

#[derive(Deserialize)]
pub(super) struct LetterQuery {
    #[serde(default)]
    download: Option<String>,
}

/// The letter, from what was saved; shown, or saved as a file.
pub(super) async fn letter(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((programme, number)): Path<(String, String)>,
    Query(query): Query<LetterQuery>,
) -> Response {
    let (draft, programme, product) = match visitor.draft(&state, &programme, &number).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    let pdf = match super::form::letter_pdf(&state, &draft, programme, product).await {
        Ok(Some(pdf)) => pdf,
        Ok(None) => {
            return Redirect::to(&format!("/p/{}/order/{}?check=1", programme.id, draft.number))
                .into_response();
        }
        Err(error @ PapersError::Label(_)) => {
            return trouble(
                visitor.lang,
                StatusCode::UNPROCESSABLE_ENTITY,
                visitor.lang.told(&error.to_string()),
            );
        }
        Err(error) => return our_trouble(visitor.lang, &error),
    };
    let kind = if query.download.is_some() { "attachment" } else { "inline" };
    let disposition = format!("{kind}; filename=\"{}.pdf\"", draft.number);
    let mut response = (StatusCode::OK, [(header::CONTENT_TYPE, "application/pdf")], pdf).into_response();
    response.headers_mut().extend(
        HeaderValue::try_from(disposition).ok().map(|disposition| (header::CONTENT_DISPOSITION, disposition)),
    );
    response
}

/// A picture of the draft, to its owner alone.
pub(super) async fn picture(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((programme, number, kind)): Path<(String, String, String)>,
) -> Response {
    let draft = match visitor.draft(&state, &programme, &number).await {
        Ok((draft, _, _)) => draft,
        Err(response) => return response,
    };
    let found = async {
        let brought = pictures::list(&state.db, draft.number.as_str()).await?;
        match brought.iter().find(|picture| picture.kind.code() == kind) {
            Some(picture) => pictures::get(&state, &picture.id).await,
            None => Ok(None),
        }
    };
    match found.await {
        Ok(Some((_, jpeg))) => {
            ([(header::CONTENT_TYPE, "image/jpeg")], jpeg.expose().to_vec()).into_response()
        }
        Ok(None) => no_such_page(visitor.lang),
        Err(error) => our_trouble(visitor.lang, &error),
    }
}
