//! The two codes, as dark rectangles whose modules are whole dots of the print head.

use barcoders::sym::code128::Code128;
use qrcode::{Color, EcLevel, QrCode};

use crate::{LabelError, drawing::Area};

/// A module of the bar code: 0.375 mm.
const BAR_DOTS: u32 = 3;
/// Code 128 wants ten modules of white on either side.
const BAR_QUIET: u32 = 10 * BAR_DOTS;
/// A module of the QR code is never smaller than 0.375 mm: scanners at the belt lose less.
const QR_DOTS_MIN: u32 = 3;
/// QR wants four modules of white all round.
const QR_QUIET: u32 = 4;

/// The waybill as Code 128, centred in `area`.
pub(crate) fn bar_code(waybill: &str, area: Area) -> Result<Vec<Area>, LabelError> {
    let code = Code128::new(code_sets(waybill))
        .map_err(|_| LabelError::Field { field: "waybill", rule: "Code 128 has no sign for it" })?;
    let modules = code.encode();
    let width = modules.len() as u32 * BAR_DOTS;
    if width + 2 * BAR_QUIET > area.width {
        return Err(LabelError::TooLong { field: "waybill" });
    }
    let left = area.x + (area.width - width) / 2;
    let bars = runs(modules.iter().map(|&module| module == 1));
    Ok(bars
        .map(|(at, length)| Area::new(left + at * BAR_DOTS, area.y, length * BAR_DOTS, area.height))
        .collect())
}

/// Begins in set B and goes over to C (two digits a sign) for the digits at the end; `SF` and 13 digits take 145 modules.
fn code_sets(waybill: &str) -> String {
    let digits = waybill.bytes().rev().take_while(u8::is_ascii_digit).count();
    let split = waybill.len() - (digits & !1);
    let (head, tail) = waybill.split_at(split);
    match (head.is_empty(), tail.len() >= 4) {
        (true, _) => format!("\u{106}{tail}"),
        (false, true) => format!("\u{181}{head}\u{106}{tail}"),
        (false, false) => format!("\u{181}{waybill}"),
    }
}

/// `text` as a QR code, as large as `area` allows with its white border, centred.
pub(crate) fn qr_code(text: &str, area: Area) -> Result<Vec<Area>, LabelError> {
    // M as on SF's own labels; a longer text gets L before it gets smaller modules than a scanner likes.
    let fitted = [EcLevel::M, EcLevel::L].into_iter().find_map(|level| {
        let code = QrCode::with_error_correction_level(text, level).ok()?;
        let modules = u32::try_from(code.width()).ok()?;
        let dots = area.width.min(area.height) / (modules + 2 * QR_QUIET);
        (dots >= QR_DOTS_MIN).then_some((code, modules, dots))
    });
    let (code, modules, dots) = fitted.ok_or(LabelError::TooLong { field: "two_dimension_code" })?;
    let left = area.x + (area.width - modules * dots) / 2;
    let top = area.y + (area.height - modules * dots) / 2;
    let colors = code.to_colors();
    let rows = (0..modules).zip(colors.chunks(code.width()));
    Ok(rows
        .flat_map(|(row, colors)| {
            runs(colors.iter().map(|&color| color == Color::Dark))
                .map(move |(at, length)| Area::new(left + at * dots, top + row * dots, length * dots, dots))
        })
        .collect())
}

/// The dark runs of a row: where each begins and how long it is.
fn runs(modules: impl Iterator<Item = bool>) -> impl Iterator<Item = (u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    let mut before = false;
    for (at, dark) in (0..).zip(modules) {
        match runs.last_mut() {
            Some((_, length)) if dark && before => *length += 1,
            _ if dark => runs.push((at, 1)),
            _ => {}
        }
        before = dark;
    }
    runs.into_iter()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_waybill_takes_145_modules_of_whole_dots() {
        let bars = bar_code("SF7444471039325", Area::new(0, 0, 800, 100)).unwrap();
        let (first, last) = (bars[0], bars[bars.len() - 1]);
        assert_eq!(last.x + last.width - first.x, 145 * 3);
        assert!(bars.iter().all(|bar| (bar.x - first.x) % 3 == 0 && bar.width % 3 == 0));
        // Twelve digits: set C alone.
        let bars = bar_code("444471039325", Area::new(0, 0, 800, 100)).unwrap();
        assert_eq!(bars[bars.len() - 1].x + bars[bars.len() - 1].width - bars[0].x, 101 * 3);
    }

    #[test]
    fn a_qr_text_that_would_need_tiny_modules_is_refused() {
        let area = Area::new(0, 0, 250, 250);
        assert!(qr_code(&"x".repeat(400), area).is_ok());
        assert!(matches!(qr_code(&"x".repeat(600), area), Err(LabelError::TooLong { .. })));
    }
}
