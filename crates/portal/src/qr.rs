//! QR codes: SVG for pages, PNG for a file.

use image::{GrayImage, ImageFormat, Luma};
use qrcode::{Color, QrCode};

/// White modules all round, as QR wants them.
const QUIET: usize = 4;
/// Pixels a module.
const SCALE: usize = 6;

/// A QR code with its white border.
struct Drawing {
    /// Modules a side.
    side: usize,
    /// The dark ones.
    dark: Vec<(usize, usize)>,
}

impl Drawing {
    /// `None` for a text that no QR code can carry.
    fn of(text: &str) -> Option<Self> {
        let code = QrCode::new(text).ok()?;
        let width = code.width();
        let colors = code.to_colors().into_iter().enumerate();
        let dark = colors.filter(|(_, color)| *color == Color::Dark);
        let dark = dark.map(|(at, _)| (at % width + QUIET, at / width + QUIET)).collect();
        Some(Self { side: width + 2 * QUIET, dark })
    }

    /// The dark modules as the path of an SVG.
    fn path(&self) -> String {
        self.dark.iter().map(|(x, y)| format!("M{x} {y}h1v1h-1z")).collect()
    }
}

/// The text as a QR code for a page; `None` if it is too long for one. `title` is what a screen reader says.
pub(crate) fn svg(text: &str, title: &str) -> Option<String> {
    let drawing = Drawing::of(text)?;
    let (side, path) = (drawing.side, drawing.path());
    Some(format!(
        "<svg class=\"qr\" role=\"img\" aria-label=\"{title}\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{path}\" fill=\"#000\"/></svg>"
    ))
}

/// The text as a QR code: an SVG as a `data:` address, for an image on a page. `None` if it is too long for one.
pub(crate) fn data_url(text: &str) -> Option<String> {
    let drawing = Drawing::of(text)?;
    let (side, path) = (drawing.side, drawing.path());
    Some(format!(
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {side} {side}' \
         shape-rendering='crispEdges'%3E%3Cpath fill='white' d='M0 0h{side}v{side}H0z'/%3E%3Cpath d='{path}'/%3E%3C/svg%3E"
    ))
}

/// The text as a QR code, a PNG picture. `None` for a text that no QR code can carry.
#[must_use]
pub fn png(text: &str) -> Option<Vec<u8>> {
    let drawing = Drawing::of(text)?;
    let side = u32::try_from(drawing.side * SCALE).ok()?;
    let mut picture = GrayImage::from_pixel(side, side, Luma([255]));
    for (x, y) in drawing.dark {
        for pixel in 0..SCALE * SCALE {
            let at = |module: usize, offset: usize| u32::try_from(module * SCALE + offset).ok();
            picture.put_pixel(at(x, pixel % SCALE)?, at(y, pixel / SCALE)?, Luma([0]));
        }
    }
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).ok()?;
    Some(png.into_inner())
}
