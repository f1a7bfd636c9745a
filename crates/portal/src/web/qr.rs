//! A QR code as SVG, for pages.

use qrcode::{Color, QrCode};

/// QR wants four modules of white all round.
const QUIET: usize = 4;

/// `text` as a QR code; `None` if it is too long for one. `title` is what a screen reader says.
pub(super) fn svg(text: &str, title: &str) -> Option<String> {
    let code = QrCode::new(text).ok()?;
    let side = code.width() + 2 * QUIET;
    let dark = code.to_colors().into_iter().enumerate().filter(|(_, color)| *color == Color::Dark);
    let modules: String = dark
        .map(|(at, _)| format!("M{} {}h1v1h-1z", at % code.width() + QUIET, at / code.width() + QUIET))
        .collect();
    Some(format!(
        "<svg class=\"qr\" role=\"img\" aria-label=\"{title}\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{modules}\" fill=\"#000\"/></svg>"
    ))
}
