//! Why there is no label.

use std::path::PathBuf;

/// A label that cannot be made. Fields are named as in [`LabelData`](crate::LabelData), such as `receiver.address`.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// The font file cannot be read.
    #[error("cannot read the label's font {}: install fonts-noto-cjk, or name another font in the configuration", .path.display())]
    FontFile {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is not a font, or has no face of this index.
    #[error("{} is no font with a face {index} ({why}): a .ttc holds several, .ttf and .otf have face 0 only", .path.display())]
    Font {
        /// The file.
        path: PathBuf,
        /// The face asked for.
        index: u32,
        /// What is wrong.
        why: String,
    },
    /// The font has no glyph for a character, or an empty one. It would be printed blank.
    #[error("the font lacks U+{:04X} {character:?} of {field}: print this label with a font that has it", u32::from(*.character))]
    MissingGlyph {
        /// Where the character stands.
        field: &'static str,
        /// The character.
        character: char,
    },
    /// A phone number that is not masked.
    #[error("{field} shows a whole phone number: a label carries masked numbers only (138****0000)")]
    Unmasked {
        /// Where it stands.
        field: &'static str,
    },
    /// The text does not fit its cell even in the smallest type.
    #[error("{field} is too long for its place on the label: shorten it")]
    TooLong {
        /// Which field.
        field: &'static str,
    },
    /// A field that is empty or not of its form.
    #[error("{field} is not usable: {rule}")]
    Field {
        /// Which field.
        field: &'static str,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// The font could not be cut to the label's characters, or the PDF not be written.
    #[error("the label's PDF could not be made: {0}")]
    Pdf(String),
}
