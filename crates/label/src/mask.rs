//! Text as pixels, for what is laid over a picture.

use ab_glyph_rasterizer::{Point, Rasterizer, point};
use ttf_parser::OutlineBuilder;

use crate::{LabelError, font::Typeface};

const CHARS_MAX: usize = 120;
const HEIGHT_MAX: u32 = 256;
/// Where the baseline lies, in heights from the top.
const BASELINE: f32 = 0.86;

/// How much of each pixel a text covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// 0 (not at all) to 255 (wholly), row by row.
    pub coverage: Vec<u8>,
}

pub(crate) fn draw(font: &Typeface<'_>, text: &str, height: u32) -> Result<Mask, LabelError> {
    let field = "the mark";
    if text.chars().count() > CHARS_MAX || height > HEIGHT_MAX {
        return Err(LabelError::TooLong { field });
    }
    font.check(field, text)?;
    let width = (font.width(text) * height as f32).ceil().max(1.0) as u32;
    let scale = height as f32 / f32::from(font.units_per_em());
    let mut pen = Pen {
        rasterizer: Rasterizer::new(width as usize, height as usize),
        scale,
        x: 0.0,
        baseline: BASELINE * height as f32,
        bounds: point(width as f32, height as f32),
        start: point(0.0, 0.0),
        at: point(0.0, 0.0),
    };
    for character in text.chars() {
        let advance = font.outline(character, &mut pen);
        pen.x += f32::from(advance) * scale;
    }
    let mut coverage = vec![0; (width * height) as usize];
    pen.rasterizer.for_each_pixel(|at, part| {
        if let Some(pixel) = coverage.get_mut(at) {
            *pixel = (part.clamp(0.0, 1.0) * 255.0) as u8;
        }
    });
    Ok(Mask { width, height, coverage })
}

/// Follows outlines from font units to pixels.
struct Pen {
    rasterizer: Rasterizer,
    scale: f32,
    x: f32,
    baseline: f32,
    bounds: Point,
    start: Point,
    at: Point,
}

impl Pen {
    /// The rasterizer takes points inside its field alone.
    fn place(&self, x: f32, y: f32) -> Point {
        let (x, y) = (self.x + x * self.scale, self.baseline - y * self.scale);
        point(x.clamp(0.0, self.bounds.x), y.clamp(0.0, self.bounds.y))
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.start = self.place(x, y);
        self.at = self.start;
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let to = self.place(x, y);
        self.rasterizer.draw_line(self.at, to);
        self.at = to;
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let to = self.place(x, y);
        self.rasterizer.draw_quad(self.at, self.place(x1, y1), to);
        self.at = to;
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let to = self.place(x, y);
        self.rasterizer.draw_cubic(self.at, self.place(x1, y1), self.place(x2, y2), to);
        self.at = to;
    }

    fn close(&mut self) {
        self.rasterizer.draw_line(self.at, self.start);
        self.at = self.start;
    }
}
