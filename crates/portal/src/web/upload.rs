//! A form with one picture: `multipart/form-data`, read within bounds. The name that the sender gives its file is not looked at.

use axum::{
    extract::{
        DefaultBodyLimit, FromRequest, FromRequestParts as _, Multipart, Request,
        multipart::{Field, MultipartError},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};

use futures_util::StreamExt as _;

use super::address::Address;
use crate::{
    app::AppState,
    pictures::{PICTURE_BYTES_MAX, PictureError},
};

/// Parts of one form.
const PARTS_MAX: usize = 16;
/// The part that is the picture.
const PICTURE: &str = "picture";
/// A picture somewhat too large is read to its end all the same, so that the browser sees why it was refused instead of a connection that
/// breaks.
const FORM_BYTES_MAX: usize = 3 * PICTURE_BYTES_MAX;

/// The picture of a form; empty if none was chosen.
pub(super) struct Upload(pub(super) Vec<u8>);

/// Why a form was not read.
pub(super) enum UploadError {
    /// A file is too large, or too many come at once.
    Picture(PictureError),
    /// It is no form of ours, or was cut off.
    Form(StatusCode),
}

impl UploadError {
    /// What to tell.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Picture(error) => error.to_string(),
            Self::Form(_) => {
                "上传中断或格式有误，请重试 (the upload was cut off or is no form of ours: try again)"
                    .to_owned()
            }
        }
    }

    /// The status to answer with.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Picture(error) => picture_status(error),
            Self::Form(status) => *status,
        }
    }
}

impl IntoResponse for UploadError {
    fn into_response(self) -> Response {
        (self.status(), self.message()).into_response()
    }
}

/// What a picture's error is in HTTP.
pub(super) fn picture_status(error: &PictureError) -> StatusCode {
    match error {
        PictureError::Unknown => StatusCode::NOT_FOUND,
        PictureError::Link => StatusCode::GONE,
        PictureError::HandedIn | PictureError::Decided => StatusCode::CONFLICT,
        PictureError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        PictureError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        error if error.is_ours() => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// The body limit of a route that takes a picture.
pub(super) fn limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(FORM_BYTES_MAX)
}

impl FromRequest<AppState> for Upload {
    type Rejection = UploadError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, UploadError> {
        let (mut parts, body) = request.into_parts();
        let Ok(Address(address)) = Address::from_request_parts(&mut parts, state).await;
        let turn = state.papers.upload_turn(&address).await;
        let _turn = turn.ok_or(UploadError::Picture(PictureError::Busy))?;
        let form = Multipart::from_request(Request::from_parts(parts, body), state).await;
        read(form.map_err(|error| UploadError::Form(error.status()))?).await
    }
}

/// Reads a form that nobody wants to its end, within bounds, so that the browser sees the answer instead of a connection that breaks.
pub(super) async fn read_away(request: Request) {
    let mut left = FORM_BYTES_MAX;
    let mut body = request.into_body().into_data_stream();
    while let Some(Ok(chunk)) = body.next().await {
        left = left.saturating_sub(chunk.len());
        if left == 0 {
            return;
        }
    }
}

async fn read(mut form: Multipart) -> Result<Upload, UploadError> {
    let mut picture = Some(Vec::new());
    for _ in 0..PARTS_MAX {
        let Some(part) = form.next_field().await.map_err(cut_off)? else {
            return picture.map(Upload).ok_or(UploadError::Picture(PictureError::TooLarge));
        };
        let is_picture = part.name() == Some(PICTURE);
        let bytes = bytes(part).await?;
        if is_picture {
            picture = bytes;
        }
    }
    Err(UploadError::Form(StatusCode::BAD_REQUEST))
}

/// A part's bytes, or `None` if there are too many; it is read to its end in any case.
async fn bytes(mut part: Field<'_>) -> Result<Option<Vec<u8>>, UploadError> {
    let mut bytes = Some(Vec::new());
    while let Some(chunk) = part.chunk().await.map_err(cut_off)? {
        bytes = bytes.filter(|bytes| bytes.len() + chunk.len() <= PICTURE_BYTES_MAX);
        if let Some(bytes) = &mut bytes {
            bytes.extend_from_slice(&chunk);
        }
    }
    Ok(bytes)
}

fn cut_off(error: MultipartError) -> UploadError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => UploadError::Picture(PictureError::TooLarge),
        status => UploadError::Form(status),
    }
}
