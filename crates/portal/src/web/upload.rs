//! Forms with files: `multipart/form-data`, read within bounds. Names that the sender gives its files are not looked at.

use std::collections::BTreeMap;

use axum::{
    extract::{
        DefaultBodyLimit, FromRequest, Multipart, Request,
        multipart::{Field, MultipartError},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    app::AppState,
    pictures::{PICTURE_BYTES_MAX, PictureError},
};

/// Fields of one form.
const FIELDS_MAX: usize = 200;
/// All texts of one form together.
const TEXTS_BYTES_MAX: usize = 64 * 1024;

/// A form that was read.
pub(super) struct Upload {
    /// Texts by field; of a field that comes twice the last.
    pub(super) texts: BTreeMap<String, String>,
    /// Files by field, in order; a field where no file was chosen is left out.
    pub(super) files: Vec<(String, Vec<u8>)>,
}

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
        PictureError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        PictureError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        error if error.is_ours() => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// The body limit of a route that takes `files` pictures. A file somewhat too large is read to its end all the same, so that the browser
/// sees why it was refused instead of a connection that breaks.
pub(super) fn limit(files: usize) -> DefaultBodyLimit {
    DefaultBodyLimit::max(TEXTS_BYTES_MAX + (files + 1) * 2 * PICTURE_BYTES_MAX)
}

impl FromRequest<AppState> for Upload {
    type Rejection = UploadError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, UploadError> {
        let busy = || UploadError::Picture(PictureError::Busy);
        let _turn = state.papers.uploads.try_acquire().map_err(|_| busy())?;
        let multipart = Multipart::from_request(request, state).await;
        read(multipart.map_err(|error| UploadError::Form(error.status()))?).await
    }
}

async fn read(mut form: Multipart) -> Result<Upload, UploadError> {
    let mut upload = Upload { texts: BTreeMap::new(), files: Vec::new() };
    let (mut texts_left, mut too_large) = (TEXTS_BYTES_MAX, false);
    for _ in 0..FIELDS_MAX {
        let Some(field) = form.next_field().await.map_err(cut_off)? else {
            if too_large {
                return Err(UploadError::Picture(PictureError::TooLarge));
            }
            return Ok(upload);
        };
        let name = field.name().unwrap_or_default().to_owned();
        if field.file_name().is_some() {
            match bytes(field, PICTURE_BYTES_MAX).await? {
                None => too_large = true,
                Some(bytes) if bytes.is_empty() => {}
                Some(bytes) => upload.files.push((name, bytes)),
            }
            continue;
        }
        let form_error = || UploadError::Form(StatusCode::PAYLOAD_TOO_LARGE);
        let text = bytes(field, texts_left).await?.ok_or_else(form_error)?;
        texts_left -= text.len();
        let text = String::from_utf8(text).map_err(|_| UploadError::Form(StatusCode::BAD_REQUEST))?;
        upload.texts.insert(name, text);
    }
    Err(UploadError::Form(StatusCode::BAD_REQUEST))
}

/// A field's bytes, or `None` if there are more than `max`; it is read to its end in any case.
async fn bytes(mut field: Field<'_>, max: usize) -> Result<Option<Vec<u8>>, UploadError> {
    let mut bytes = Some(Vec::new());
    while let Some(chunk) = field.chunk().await.map_err(cut_off)? {
        bytes = bytes.filter(|bytes| bytes.len() + chunk.len() <= max);
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
