//! From data to PDF.

use std::path::{Path, PathBuf};

use crate::{LabelData, LabelError, font::Typeface, layout, pdf};

/// Makes labels with one font, read once. Cheap a label, and shared between threads.
pub struct LabelMaker {
    path: PathBuf,
    index: u32,
    data: Vec<u8>,
}

impl std::fmt::Debug for LabelMaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LabelMaker({} face {})", self.path.display(), self.index)
    }
}

impl LabelMaker {
    /// Reads face `index` of a font file (`.ttf`, `.otf`: 0; `.ttc`: such as 2, the SC face of NotoSansCJK-Regular.ttc).
    ///
    /// # Errors
    /// [`LabelError::FontFile`], [`LabelError::Font`]; and [`LabelError::MissingGlyph`] where the font lacks the label's own words.
    pub fn new(path: &Path, index: u32) -> Result<Self, LabelError> {
        let data =
            std::fs::read(path).map_err(|source| LabelError::FontFile { path: path.to_owned(), source })?;
        let maker = Self { path: path.to_owned(), index, data };
        let own_words = "打印时间第次打印付款方式到付签收人签收日期收寄托寄物数量订单号钥匙序列号（）共把…";
        maker.typeface()?.check("the label's own words", own_words)?;
        Ok(maker)
    }

    /// The label as a PDF of one page, 100 × 150 mm.
    ///
    /// # Errors
    /// [`LabelError`] names the field and the remedy.
    pub fn render(&self, data: &LabelData) -> Result<Vec<u8>, LabelError> {
        data.check()?;
        let font = self.typeface()?;
        let drawing = layout::lay_out(data, &font)?;
        pdf::write(&data.waybill, &drawing, &font)
    }

    fn typeface(&self) -> Result<Typeface<'_>, LabelError> {
        Typeface::parse(&self.data, self.index).map_err(|why| LabelError::Font {
            path: self.path.clone(),
            index: self.index,
            why,
        })
    }
}
