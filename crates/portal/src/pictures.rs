//! Pictures of papers: taken in, made harmless, kept sealed, shown with a mark.
//!
//! What is sent is decoded and written anew: no metadata, no other file hidden in it, nothing but pixels is kept.

mod decode;
pub mod links;
mod mark;
mod store;
mod view;

use crate::{db::DbError, papers::PapersError, seal::SealError};

pub use crate::programmes::PictureKind;
pub use store::{bring, delete, get, list, list_in, put};
pub use view::{view, watermarked};

/// A picture that is sent has at most so many bytes.
pub const PICTURE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Whether a picture without any colour is refused: a copy of a copy proves little.
fn is_in_colour(kind: PictureKind) -> bool {
    kind != PictureKind::Paper
}

/// Whether a sheet of ours is looked for, by its QR code.
fn carries_code(kind: PictureKind) -> bool {
    matches!(kind, PictureKind::Letter | PictureKind::SealSheet)
}

fn kind_from_code(code: &str) -> Option<PictureKind> {
    PictureKind::ALL.iter().copied().find(|kind| kind.code() == code)
}

/// A picture that is kept, without its pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Its id.
    pub id: String,
    /// The draft or order it belongs to.
    pub owner: String,
    /// What it shows.
    pub kind: PictureKind,
    /// Its size as JPEG.
    pub bytes: i64,
    /// Its width.
    pub width: i64,
    /// Its height.
    pub height: i64,
    /// What the code on a letter or sheet said; empty if none was found, `None` for what carries no code.
    pub sheet: Option<String>,
    /// When it came.
    pub created_ms: i64,
}

/// Why a picture was not taken or shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// No bytes.
    #[error("没有选择图片，请选择 JPG 或 PNG 图片 (no picture was chosen: choose a JPG or PNG)")]
    Empty,
    /// Too many bytes.
    #[error(
        "图片大于 8 MB，请压缩或重新拍照后上传 (the picture is larger than 8 MB: take it again, or make it smaller)"
    )]
    TooLarge,
    /// Another kind of file.
    #[error(
        "只接受 JPG、JPEG 或 PNG 图片，请转换格式或用手机拍照上传 (only JPG and PNG are taken: convert it, or take a photo)"
    )]
    Type,
    /// Too many pixels.
    #[error(
        "图片为 {0}×{1} 像素，超过上限，请缩小后上传 (the picture has {0}×{1} pixels, too many: make it smaller)"
    )]
    TooManyPixels(u32, u32),
    /// Too few pixels to read anything.
    #[error(
        "图片只有 {0}×{1} 像素，看不清内容，请重新拍照 (the picture has {0}×{1} pixels, too few to be read: take it again)"
    )]
    TooFewPixels(u32, u32),
    /// Damaged.
    #[error(
        "图片打不开，可能已损坏，请重新拍照上传 (the picture does not open, it may be damaged: take it again)"
    )]
    Unreadable,
    /// Black and white.
    #[error("{}须为彩色图片，请勿上传黑白扫描件或复印件 (the picture of the {} must be in colour: no black-and-white scan)", .0.zh(), .0.en())]
    Grey(PictureKind),
    /// Too many pictures at once.
    #[error("上传人数较多，请一分钟后重试 (many pictures are coming in: try again in a minute)")]
    Busy,
    /// No such picture.
    #[error(
        "没有这张图片，可能已被新图片替换，请刷新页面 (there is no such picture, a newer one may have replaced it: reload the page)"
    )]
    Unknown,
    /// The form was handed in or deleted meanwhile: what reviewers see stays.
    #[error(
        "订单已提交或已不在修改中，图片没有更换 (the order was handed in, or is corrected no longer: its pictures stay)"
    )]
    HandedIn,
    /// The scan of a paper by which somebody has decided.
    #[error("审核通过后不能再换纸质材料 (the paper of an order that was decided is not replaced)")]
    Decided,
    /// A link that is no longer good, or never was.
    #[error(
        "二维码已失效或已使用，请在电脑页面重新获取 (this code has expired or was used: get a new one on the computer's page)"
    )]
    Link,
    /// The mark.
    #[error(transparent)]
    Papers(#[from] PapersError),
    /// Encryption.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for PictureError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

impl PictureError {
    /// Whether the trouble is the portal's, not the picture's.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Papers(_) | Self::Seal(_) | Self::Db(_))
    }
}
