//! The authorization letter as PDF, and the draft's own pictures.

use axum::{
    extract::{Path, Query, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use label::LabelError;
use serde::Deserialize;

use super::{
    form::{Shown, form_page},
    visitor::Visitor,
};
use crate::{
    app::AppState,
    drafts::FIELDS,
    orders::FieldError,
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
            let Some(field) = unprintable(&error) else {
                return trouble(visitor.lang, StatusCode::UNPROCESSABLE_ENTITY, &error.to_string());
            };
            let shown = Shown { errors: vec![field], ..Shown::default() };
            return form_page(&state, &visitor, &draft, programme, product, shown).await;
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

/// The input of a text that the letter cannot carry, with what to do; `None` if it is no text of the form.
fn unprintable(error: &PapersError) -> Option<FieldError> {
    let (field, message) = match error {
        PapersError::Label(LabelError::MissingGlyph { field, character }) => (
            field,
            format!(
                "授权书无法印出“{character}”，请改用常见写法或拼音；仍不行请联系客服 (the letter cannot show {character}: write it otherwise, or call support)"
            ),
        ),
        PapersError::Label(LabelError::TooLong { field }) => {
            (field, "过长，授权书放不下，请缩短 (too long for the letter: shorten it)".to_owned())
        }
        _ => return None,
    };
    FIELDS.contains(field).then(|| FieldError { field: (*field).to_owned(), message })
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
