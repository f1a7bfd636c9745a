//! The font: widths, missing glyphs, and the cut-down copy that goes into a label.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use subsetter::GlyphRemapper;
use ttf_parser::{Face, GlyphId, OutlineBuilder};

use crate::LabelError;

/// A font file that was read, and which of its faces is meant.
pub(crate) struct FontFile {
    path: PathBuf,
    index: u32,
    data: Vec<u8>,
}

impl FontFile {
    pub(crate) fn read(path: &Path, index: u32) -> Result<Self, LabelError> {
        let data =
            std::fs::read(path).map_err(|source| LabelError::FontFile { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), index, data })
    }

    pub(crate) fn typeface(&self) -> Result<Typeface<'_>, LabelError> {
        Typeface::parse(&self.data, self.index).map_err(|why| LabelError::Font {
            path: self.path.clone(),
            index: self.index,
            why,
        })
    }
}

impl std::fmt::Debug for FontFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} face {}", self.path.display(), self.index)
    }
}

/// One face of a font file, as the layout sees it. Borrowing the file makes it cheap: parsing reads the table directory only.
pub(crate) struct Typeface<'a> {
    data: &'a [u8],
    index: u32,
    face: Face<'a>,
    /// Glyphs met so far: whether one is empty takes a walk through its outline.
    met: RefCell<BTreeMap<char, Option<Glyph>>>,
}

#[derive(Clone, Copy)]
struct Glyph {
    id: GlyphId,
    /// In font units.
    advance: u16,
}

/// A font with nothing but the glyphs of one label.
pub(crate) struct Subset {
    pub(crate) program: Vec<u8>,
    /// Glyph ids of the cut-down font, by character.
    pub(crate) glyphs: BTreeMap<u32, u16>,
    /// Advances in font units, by glyph id of the cut-down font.
    pub(crate) widths: BTreeMap<u16, u16>,
    pub(crate) units_per_em: u16,
    pub(crate) ascender: i16,
    pub(crate) descender: i16,
    /// x min, y min, x max, y max.
    pub(crate) bounds: [i16; 4],
    pub(crate) weight: u16,
    pub(crate) is_cff: bool,
}

impl<'a> Typeface<'a> {
    pub(crate) fn parse(data: &'a [u8], index: u32) -> Result<Self, String> {
        let face = Face::parse(data, index).map_err(|e| e.to_string())?;
        Ok(Self { data, index, face, met: RefCell::default() })
    }

    /// The glyph, unless it is missing or (other than a space's) empty.
    fn glyph(&self, character: char) -> Option<Glyph> {
        *self.met.borrow_mut().entry(character).or_insert_with(|| {
            let id = self.face.glyph_index(character).filter(|id| id.0 != 0)?;
            let visible = character == ' ' || self.face.glyph_bounding_box(id).is_some();
            visible.then(|| Glyph { id, advance: self.face.glyph_hor_advance(id).unwrap_or_default() })
        })
    }

    pub(crate) fn check(&self, field: &'static str, text: &str) -> Result<(), LabelError> {
        match text.chars().find(|&character| self.glyph(character).is_none()) {
            Some(character) => Err(LabelError::MissingGlyph { field, character }),
            None => Ok(()),
        }
    }

    /// The width of `text`, in ems. A missing glyph counts as one em: texts are checked before they are laid out.
    pub(crate) fn width(&self, text: &str) -> f32 {
        let em = f32::from(self.face.units_per_em());
        text.chars().map(|c| self.glyph(c).map_or(1.0, |glyph| f32::from(glyph.advance) / em)).sum()
    }

    /// Draws a character's outline and gives its advance, both in font units.
    pub(crate) fn outline(&self, character: char, builder: &mut impl OutlineBuilder) -> u16 {
        let Some(glyph) = self.glyph(character) else { return self.face.units_per_em() };
        self.face.outline_glyph(glyph.id, builder);
        glyph.advance
    }

    pub(crate) fn units_per_em(&self) -> u16 {
        self.face.units_per_em()
    }

    /// Cuts the font down to `characters`, each of which it must have.
    pub(crate) fn subset(&self, characters: &BTreeSet<char>) -> Result<Subset, LabelError> {
        let mut remapper = GlyphRemapper::new();
        let (mut glyphs, mut widths) = (BTreeMap::new(), BTreeMap::new());
        for &character in characters {
            let glyph = self.glyph(character).ok_or(LabelError::MissingGlyph { field: "text", character })?;
            let cut = remapper.remap(glyph.id.0);
            glyphs.insert(u32::from(character), cut);
            widths.insert(cut, glyph.advance);
        }
        let program = subsetter::subset(self.data, self.index, &remapper)
            .map_err(|e| LabelError::Pdf(format!("the font cannot be cut down: {e}")))?;
        let bounds = self.face.global_bounding_box();
        Ok(Subset {
            program,
            glyphs,
            widths,
            units_per_em: self.face.units_per_em(),
            ascender: self.face.ascender(),
            descender: self.face.descender(),
            bounds: [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max],
            weight: self.face.weight().to_number(),
            is_cff: self.face.tables().cff.is_some(),
        })
    }
}
