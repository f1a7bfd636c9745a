//! A page being laid out: rules, lines, cells.

use crate::{
    LabelError,
    drawing::{Area, Drawing, Style, Text},
    font::Typeface,
    text::{BASELINE, LEADING, fit_line, tidy},
};

pub(crate) struct Sheet<'a> {
    pub(crate) font: &'a Typeface<'a>,
    pub(crate) drawing: Drawing,
}

impl<'a> Sheet<'a> {
    /// An empty page of this size in dots.
    pub(crate) fn new(font: &'a Typeface<'a>, width: u32, height: u32) -> Self {
        Self { font, drawing: Drawing { width, height, boxes: Vec::new(), texts: Vec::new() } }
    }

    pub(crate) fn rule(&mut self, x: u32, y: u32, width: u32, height: u32) {
        self.drawing.boxes.push(Area::new(x, y, width, height));
    }

    /// A line whose top is at `y`.
    pub(crate) fn line(&mut self, x: f32, y: f32, size: u32, text: &str, style: Style) {
        if !text.is_empty() {
            let baseline = y + BASELINE * size as f32;
            self.drawing.texts.push(Text { x, baseline, size: size as f32, text: text.to_owned(), style });
        }
    }

    pub(crate) fn centred(&mut self, area: Area, size: u32, text: &str, style: Style) {
        let width = self.font.width(text) * size as f32;
        let x = area.x as f32 + (area.width as f32 - width) / 2.0;
        let y = area.y as f32 + (area.height as f32 - LEADING * size as f32) / 2.0;
        self.line(x, y, size, text, style);
    }

    /// The text of a field, with every character in the font.
    pub(crate) fn field(&self, field: &'static str, text: &str) -> Result<String, LabelError> {
        let text = tidy(text);
        self.font.check(field, &text)?;
        Ok(text)
    }

    /// One line in a cell, as large as it can be.
    pub(crate) fn cell(
        &mut self,
        field: &'static str,
        text: &str,
        area: Area,
        (max, min): (u32, u32),
    ) -> Result<(), LabelError> {
        let text = self.field(field, text)?;
        let size = fit_line(self.font, &text, area.width, max, min).ok_or(LabelError::TooLong { field })?;
        self.centred(area, size, &text, Style::Bold);
        Ok(())
    }
}
