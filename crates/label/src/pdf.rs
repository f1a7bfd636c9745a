//! Drawings as the pages of a PDF.
//!
//! printpdf embeds a font whole unless its `text_layout` feature (which compiles for minutes) is on. So it is handed a font that
//! has been cut down already, together with the character map that the cutting drops; from that map it writes the glyph ids of
//! the text and the `ToUnicode` table by which the text can be copied and searched.

use std::collections::BTreeSet;

use printpdf::{
    Color, CurTransMat, FontId, FontMetrics, FontType, Greyscale, Mm, Op, PaintMode, ParsedFont, PdfDocument,
    PdfFont, PdfFontHandle, PdfFontMetricsStub, PdfPage, PdfSaveOptions, Point, Pt, Rect, TextItem,
    TextRenderingMode,
};

use crate::{
    LabelError,
    drawing::{Drawing, Style},
    font::{Subset, Typeface},
};

/// Points in a dot: 72 points an inch, 203.2 dots an inch.
const POINTS_A_DOT: f32 = 72.0 / 203.2;
/// Dots in a millimetre.
const DOTS_A_MM: f32 = 8.0;
/// How much wider a bold stem is, in ems.
const BOLD: f32 = 0.035;

pub(crate) fn write(title: &str, drawings: &[Drawing], font: &Typeface<'_>) -> Result<Vec<u8>, LabelError> {
    let texts = drawings.iter().flat_map(|drawing| &drawing.texts);
    let characters: BTreeSet<char> = texts.flat_map(|text| text.text.chars()).collect();
    let subset = font.subset(&characters)?;
    let mut document = PdfDocument::new(title);
    document.metadata.info.identifier = title.to_owned();
    let id = FontId("Label".to_owned());
    document.resources.fonts.map.insert(id.clone(), PdfFont::new(parsed(subset)));
    let page = |drawing: &Drawing| {
        let [width, height] = [drawing.width, drawing.height].map(|dots| Mm(dots as f32 / DOTS_A_MM));
        PdfPage::new(width, height, operations(drawing, &id))
    };
    document.with_pages(drawings.iter().map(page).collect());
    let mut warnings = Vec::new();
    let bytes = document.save(&PdfSaveOptions::default(), &mut warnings);
    // A warning means that something of the page is not in the file.
    match warnings.first() {
        Some(warning) => Err(LabelError::Pdf(format!("{warning:?}"))),
        None => Ok(bytes),
    }
}

fn parsed(subset: Subset) -> ParsedFont {
    let [x_min, y_min, x_max, y_max] = subset.bounds;
    ParsedFont {
        original_bytes: subset.program,
        font_index: 0,
        // Six capitals and + say that this is a part of a font (ISO 32000-1, 9.6.4).
        font_name: Some("LABELS+Label".to_owned()),
        codepoint_to_glyph: subset.glyphs,
        glyph_widths: subset.widths,
        units_per_em: subset.units_per_em,
        font_metrics: FontMetrics { ascent: subset.ascender, descent: subset.descender },
        font_type: if subset.is_cff { FontType::OpenTypeCFF(()) } else { FontType::TrueType },
        pdf_font_metrics: PdfFontMetricsStub {
            units_per_em: subset.units_per_em,
            x_min,
            y_min,
            x_max,
            y_max,
            us_weight_class: subset.weight,
            ..PdfFontMetricsStub::default()
        },
    }
}

fn operations(drawing: &Drawing, id: &FontId) -> Vec<Op> {
    let scale = CurTransMat::Raw([POINTS_A_DOT, 0.0, 0.0, POINTS_A_DOT, 0.0, 0.0]);
    let grey = |percent| Color::Greyscale(Greyscale { percent, icc_profile: None });
    let mut ops = vec![
        Op::SaveGraphicsState,
        Op::SetTransformationMatrix { matrix: scale },
        Op::SetFillColor { col: grey(0.0) },
        Op::SetOutlineColor { col: grey(0.0) },
    ];
    for area in &drawing.boxes {
        let [x, y, width, height] = [area.x, drawing.height - area.y - area.height, area.width, area.height]
            .map(|dots| Pt(dots as f32));
        let rectangle = Rect { x, y, width, height, mode: Some(PaintMode::Fill), winding_order: None };
        ops.push(Op::DrawRectangle { rectangle });
    }
    for text in &drawing.texts {
        let mode = match text.style {
            Style::Bold => TextRenderingMode::FillStroke,
            Style::Plain | Style::White => TextRenderingMode::Fill,
        };
        let white = text.style == Style::White;
        ops.extend([
            Op::SetFillColor { col: grey(if white { 1.0 } else { 0.0 }) },
            Op::SetOutlineThickness { pt: Pt(BOLD * text.size) },
            Op::StartTextSection,
            Op::SetTextRenderingMode { mode },
            Op::SetFont { font: PdfFontHandle::External(id.clone()), size: Pt(text.size) },
            Op::SetTextCursor { pos: Point { x: Pt(text.x), y: Pt(drawing.height as f32 - text.baseline) } },
            Op::ShowText { items: vec![TextItem::Text(text.text.clone())] },
            Op::EndTextSection,
        ]);
    }
    ops.push(Op::RestoreGraphicsState);
    ops
}
