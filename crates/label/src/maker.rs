//! From data to PDF.

use std::path::Path;

use crate::{LabelData, LabelError, LetterData, Mask, font::FontFile, layout, letter, mask, pdf};

/// Makes labels with one font, read once. Cheap a label, and shared between threads.
#[derive(Debug)]
pub struct LabelMaker(FontFile);

impl LabelMaker {
    /// Reads face `index` of a font file (`.ttf`, `.otf`: 0; `.ttc`: such as 2, the SC face of NotoSansCJK-Regular.ttc).
    ///
    /// # Errors
    /// [`LabelError::FontFile`], [`LabelError::Font`]; and [`LabelError::MissingGlyph`] where the font lacks the label's own words.
    pub fn new(path: &Path, index: u32) -> Result<Self, LabelError> {
        let font = FontFile::read(path, index)?;
        let own_words = "打印时间第次打印付款方式到付签收人签收日期收寄托寄物数量订单号钥匙序列号（）共把…";
        font.typeface()?.check("the label's own words", own_words)?;
        Ok(Self(font))
    }

    /// The label as a PDF of one page, 100 × 150 mm.
    ///
    /// # Errors
    /// [`LabelError`] names the field and the remedy.
    pub fn render(&self, data: &LabelData) -> Result<Vec<u8>, LabelError> {
        data.check()?;
        let font = self.0.typeface()?;
        let drawing = layout::lay_out(data, &font)?;
        pdf::write(&data.waybill, &[drawing], &font)
    }
}

/// Makes authorization letters, and texts to lay over pictures, with one font, read once. Shared between threads.
#[derive(Debug)]
pub struct LetterMaker(FontFile);

impl LetterMaker {
    /// Reads a font as [`LabelMaker::new`] does.
    ///
    /// # Errors
    /// As [`LabelMaker::new`].
    pub fn new(path: &Path, index: u32) -> Result<Self, LabelError> {
        let font = FontFile::read(path, index)?;
        font.typeface()?.check("the letter's own words", &letter::own_words())?;
        Ok(Self(font))
    }

    /// The letter as a PDF of A4 pages: one, or two with the sampling sheet.
    ///
    /// # Errors
    /// [`LabelError`] names the field and the remedy.
    pub fn render(&self, data: &LetterData) -> Result<Vec<u8>, LabelError> {
        let font = self.0.typeface()?;
        let drawings = letter::lay_out(data, &font)?;
        pdf::write(&data.number, &drawings, &font)
    }

    /// One line of text, `height` pixels high, as a mask to lay over a picture.
    ///
    /// # Errors
    /// [`LabelError::MissingGlyph`]; [`LabelError::TooLong`] over 120 characters or 256 pixels.
    pub fn mask(&self, text: &str, height: u32) -> Result<Mask, LabelError> {
        mask::draw(&self.0.typeface()?, text, height)
    }
}
