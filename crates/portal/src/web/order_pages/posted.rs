//! Reading the form that a browser sends: texts into the draft, pictures into their store as they come.

use std::time::Duration;

use axum::{
    extract::{Multipart, multipart::Field},
    http::StatusCode,
    response::Response,
};

use super::visitor::Visitor;
use crate::{
    app::AppState,
    drafts::Draft,
    orders::{Actor, FieldError},
    pictures::{self, PICTURE_BYTES_MAX, PictureError},
    programmes::PictureKind,
    web::shop::{our_trouble, trouble},
};

/// Parts of one form, at most: its inputs, its pictures, and some to spare.
const PARTS_MAX: usize = 80;
/// Bytes of one text.
const TEXT_BYTES_MAX: usize = 4 * 1024;
/// How long a form waits while others bring their pictures.
const TURN_WAIT: Duration = Duration::from_secs(20);
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
    let turn = tokio::time::timeout(TURN_WAIT, state.papers.uploads.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        let message = visitor.lang.told(&PictureError::Busy.to_string());
        return Err(trouble(visitor.lang, StatusCode::SERVICE_UNAVAILABLE, message));
    };
    draft.fields.untick();
    for _ in 0..PARTS_MAX {
        let part = form.next_field().await.map_err(|error| broken(visitor, &error.body_text()))?;
        let Some(part) = part else { return Ok(posted) };
        let name = part.name().unwrap_or_default().to_owned();
        if let Some(code) = name.strip_prefix(PICTURE) {
            let kind = wanted.iter().copied().find(|kind| kind.code() == code);
            let bytes = read_part(visitor, part, PICTURE_BYTES_MAX + 1).await?;
            let Some(kind) = kind.filter(|_| !bytes.is_empty()) else { continue };
            match pictures::put(state, draft.number.as_str(), kind, bytes, &Actor::Customer).await {
                Ok(_) => {}
                Err(error) if error.is_ours() => return Err(our_trouble(visitor.lang, &error)),
                Err(error) => posted.refused.push(refusal(name, &error)),
            }
            continue;
        }
        let bytes = read_part(visitor, part, TEXT_BYTES_MAX).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if name == "action" {
            posted.action = text;
        } else {
            draft.fields.set(&name, &text);
        }
    }
    Err(broken(visitor, "too many parts"))
}

fn refusal(field: String, error: &PictureError) -> FieldError {
    FieldError { field, message: error.to_string() }
}

/// At most `max` bytes of a part; the rest is read and dropped, so that the next part can be read.
async fn read_part(visitor: &Visitor, mut part: Field<'_>, max: usize) -> Result<Vec<u8>, Response> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.chunk().await.map_err(|error| broken(visitor, &error.body_text()))? {
        let room = max - bytes.len();
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(bytes)
}

fn broken(visitor: &Visitor, why: &str) -> Response {
    tracing::info!(why, "a form could not be read");
    let message = "表单没有完整收到，请返回重试；图片较大时请逐张上传 (the form did not arrive whole: go back and try again, with fewer pictures at once)";
    trouble(visitor.lang, StatusCode::BAD_REQUEST, visitor.lang.told(message))
}
