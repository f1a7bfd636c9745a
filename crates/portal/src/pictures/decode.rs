//! From what somebody sent to pixels and back: nothing but the pixels stays.

use std::io::Cursor;

use image::{
    DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, Limits, RgbImage,
    codecs::jpeg::JpegEncoder, imageops, metadata::Orientation,
};

use super::{PICTURE_BYTES_MAX, PictureError, PictureKind, is_in_colour};

/// More pixels than phones take by themselves; 150 MB while they are decoded.
const PIXELS_MAX: u64 = 50_000_000;
/// Nothing of a picture whose longer side is shorter can be read.
const LONGER_SIDE_MIN: u32 = 200;
/// The longer side of what is kept: small print of a licence can still be read.
const LONGER_SIDE_MAX: u32 = 2400;
const JPEG_QUALITY: u8 = 88;
/// Two channels of a pixel that differ by more make it coloured; compression alone makes less.
const GREY_MAX: u8 = 12;
/// The longest code text that is kept; ours has about sixty characters.
const CODE_CHARS_MAX: usize = 128;

/// A picture as it is kept.
pub(super) struct Decoded {
    pub(super) jpeg: Vec<u8>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) pixels: RgbImage,
}

/// Checks and rewrites a picture. The type is that of the content, whatever its name says.
pub(super) fn decode(bytes: &[u8], kind: PictureKind) -> Result<Decoded, PictureError> {
    let format = format_of(bytes)?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(PIXELS_MAX * 4);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|_| PictureError::Unreadable)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(PictureError::TooManyPixels(width, height));
    }
    if width.max(height) < LONGER_SIDE_MIN {
        return Err(PictureError::TooFewPixels(width, height));
    }
    // Metadata that cannot be read turns nothing; it is thrown away in any case.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let decoded = DynamicImage::from_decoder(decoder).map_err(|error| match error {
        ImageError::Limits(_) => PictureError::TooManyPixels(width, height),
        _ => PictureError::Unreadable,
    })?;
    let mut small = DynamicImage::ImageRgb8(shrink(decoded.into_rgb8()));
    small.apply_orientation(orientation);
    let pixels = small.into_rgb8();
    if is_in_colour(kind) && pixels.pixels().all(|pixel| is_grey(pixel.0)) {
        return Err(PictureError::Grey(kind));
    }
    let (width, height) = pixels.dimensions();
    Ok(Decoded { jpeg: encode(&pixels)?, width, height, pixels })
}

/// The type by its first bytes.
fn format_of(bytes: &[u8]) -> Result<ImageFormat, PictureError> {
    match bytes {
        [] => Err(PictureError::Empty),
        _ if bytes.len() > PICTURE_BYTES_MAX => Err(PictureError::TooLarge),
        [0xFF, 0xD8, 0xFF, ..] => Ok(ImageFormat::Jpeg),
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Ok(ImageFormat::Png),
        _ => Err(PictureError::Type),
    }
}

fn shrink(pixels: RgbImage) -> RgbImage {
    let (width, height) = pixels.dimensions();
    let longer = width.max(height);
    if longer <= LONGER_SIDE_MAX {
        return pixels;
    }
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(LONGER_SIDE_MAX) / u64::from(longer);
        u32::try_from(side).unwrap_or(LONGER_SIDE_MAX).max(1)
    };
    imageops::thumbnail(&pixels, scaled(width), scaled(height))
}

fn is_grey([red, green, blue]: [u8; 3]) -> bool {
    red.max(green).max(blue) - red.min(green).min(blue) <= GREY_MAX
}

/// The pixels as JPEG, without metadata.
pub(super) fn encode(pixels: &RgbImage) -> Result<Vec<u8>, PictureError> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
        .encode_image(pixels)
        .map_err(|_| PictureError::Unreadable)?;
    Ok(jpeg)
}

/// The pixels of what [`encode`] gave.
pub(super) fn open(jpeg: &[u8]) -> Result<RgbImage, PictureError> {
    let reader = ImageReader::with_format(Cursor::new(jpeg), ImageFormat::Jpeg);
    Ok(reader.decode().map_err(|_| PictureError::Unreadable)?.into_rgb8())
}

/// What the code of a sheet of ours says; empty if none is found.
pub(super) fn read_code(pixels: &RgbImage) -> String {
    let (width, height) = (pixels.width() as usize, pixels.height() as usize);
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        let [red, green, blue] = pixels.get_pixel(x as u32, y as u32).0.map(u32::from);
        ((red * 299 + green * 587 + blue * 114) / 1000) as u8
    });
    let grids = prepared.detect_grids();
    let texts = grids.iter().filter_map(|grid| grid.decode().ok()).map(|(_, text)| text);
    let mut ours = texts.filter(|text| is_code(text));
    ours.next().unwrap_or_default()
}

fn is_code(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == ':' || c == '-';
    text.starts_with(crate::letters::CODE_PREFIX) && text.len() <= CODE_CHARS_MAX && text.chars().all(fits)
}
