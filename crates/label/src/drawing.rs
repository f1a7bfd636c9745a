//! A page as marks on the dot grid of a 203 dpi head (8 dots a millimetre), apart from any file format. The origin is the upper
//! left corner and y grows downwards.

/// The label's width: 100 mm.
pub(crate) const WIDTH: u32 = 800;
/// The label's height: 150 mm.
pub(crate) const HEIGHT: u32 = 1200;

/// A rectangle in dots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Area {
    pub(crate) const fn new(x: u32, y: u32, width: u32, height: u32) -> Self {
        Self { x, y, width, height }
    }
}

/// A line of text. Lengths are in dots.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    pub(crate) x: f32,
    pub(crate) baseline: f32,
    pub(crate) size: f32,
    pub(crate) text: String,
    pub(crate) style: Style,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Bold,
    /// White, on a box drawn before.
    White,
}

/// A page. Boxes are drawn first, text over them.
#[derive(Debug)]
pub(crate) struct Drawing {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) boxes: Vec<Area>,
    pub(crate) texts: Vec<Text>,
}
