//! Reading the form that a browser sends: texts into the draft, pictures into their store as they come.

use axum::{
    extract::{Multipart, multipart::Field},
    http::StatusCode,
    response::Response,
};

use super::visitor::Visitor;
use crate::{
    app::AppState,
    drafts::Draft,
    orders::FieldError,
    papers::UploadTurn,
    pictures::{self, PICTURE_BYTES_MAX, PictureError},
    programmes::PictureKind,
    web::{answer::log_trouble, shop::trouble},
};

/// Parts of one form, at most: its inputs, its pictures, and some to spare.
const PARTS_MAX: usize = 80;
/// Bytes of one text.
const TEXT_BYTES_MAX: usize = 4 * 1024;
/// Before the word of a picture's kind.
const PICTURE: &str = "pictures.";

/// What came besides the draft's texts.
#[derive(Default)]
pub(super) struct Posted {
    /// Which button was pressed.
    pub(super) action: String,
    /// Pictures that were not taken.
    pub(super) refused: Vec<FieldError>,
}

/// Reads the whole form into the draft, which is not saved yet.
pub(super) async fn read(
    state: &AppState,
    visitor: &Visitor,
    wanted: &[PictureKind],
    draft: &mut Draft,
    mut form: Multipart,
) -> Result<Posted, Response> {
    let mut posted = Posted::default();
    let mut turn: Option<Option<UploadTurn>> = None;
    draft.fields.untick();
    for _ in 0..PARTS_MAX {
        let part = form.next_field().await.map_err(|error| broken(visitor, &error.body_text()))?;
        let Some(mut part) = part else { return Ok(posted) };
        let name = part.name().unwrap_or_default().to_owned();
        if let Some(code) = name.strip_prefix(PICTURE) {
            let kind = wanted.iter().copied().find(|kind| kind.code() == code);
            let mut bytes = Vec::new();
            read_some(visitor, &mut part, &mut bytes, PICTURE_BYTES_MAX + 1).await?;
            let Some(kind) = kind.filter(|_| !bytes.is_empty()) else { continue };
            // Only pictures wait for a turn, and those who get none lose nothing that they typed.
            if turn.is_none() {
                turn = Some(state.papers.upload_turn(&visitor.address).await);
            }
            let has_turn = turn.as_ref().is_some_and(Option::is_some);
            let max = if has_turn { PICTURE_BYTES_MAX + 1 } else { 0 };
            while read_some(visitor, &mut part, &mut bytes, max).await? {}
            let taken = if has_turn {
                pictures::bring(state, &draft.number, kind, bytes).await
            } else {
                Err(PictureError::Busy)
            };
            match taken {
                Ok(_) => {}
                Err(error) => posted.refused.push(refusal(name, &error)),
            }
            continue;
        }
        let mut bytes = Vec::new();
        while read_some(visitor, &mut part, &mut bytes, TEXT_BYTES_MAX).await? {}
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if name == "action" {
            posted.action = text;
        } else {
            draft.fields.set(&name, &text);
        }
    }
    Err(broken(visitor, "too many parts"))
}

/// What went wrong with a picture is told at its field, also when it is our fault: what was typed beside it is kept.
fn refusal(field: String, error: &PictureError) -> FieldError {
    if !error.is_ours() {
        return FieldError { field, message: error.to_string() };
    }
    log_trouble(error);
    let message = "图片没有保存，本站暂时有故障，请稍后重新选择 (this picture was not kept, by a fault of ours: choose it again later)";
    FieldError { field, message: message.to_owned() }
}

/// The next bytes of a part, up to `max` in all; the rest is read and dropped, so that the next part can be read. Whether there was any.
async fn read_some(
    visitor: &Visitor,
    part: &mut Field<'_>,
    bytes: &mut Vec<u8>,
    max: usize,
) -> Result<bool, Response> {
    let chunk = part.chunk().await.map_err(|error| broken(visitor, &error.body_text()))?;
    let Some(chunk) = chunk else { return Ok(false) };
    let room = max.saturating_sub(bytes.len());
    bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
    Ok(true)
}

fn broken(visitor: &Visitor, why: &str) -> Response {
    tracing::info!(why, "a form could not be read");
    let message = "表单没有完整收到，请返回重试；图片较大时请逐张上传 (the form did not arrive whole: go back and try again, with fewer pictures at once)";
    trouble(visitor.lang, StatusCode::BAD_REQUEST, message)
}
