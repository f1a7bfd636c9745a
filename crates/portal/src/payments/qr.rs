//! The QR code that a customer scans.

use image::{GrayImage, ImageFormat, Luma};
use qrcode::{Color, QrCode};

/// White modules all round, as QR wants them.
const QUIET: u32 = 4;
/// Pixels a module.
const SCALE: u32 = 6;

/// The text as a QR code, a PNG picture. `None` for a text that no QR code can carry.
#[must_use]
pub fn qr_png(text: &str) -> Option<Vec<u8>> {
    let code = QrCode::new(text).ok()?;
    let modules = u32::try_from(code.width()).ok()?;
    let side = (modules + 2 * QUIET) * SCALE;
    let dark = |x: u32, y: u32| {
        let at = |pixel: u32| (pixel / SCALE).checked_sub(QUIET).filter(|module| *module < modules);
        let (Some(x), Some(y)) = (at(x), at(y)) else { return false };
        code[(x as usize, y as usize)] == Color::Dark
    };
    let picture = GrayImage::from_fn(side, side, |x, y| Luma([if dark(x, y) { 0 } else { 255 }]));
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).ok()?;
    Some(png.into_inner())
}
