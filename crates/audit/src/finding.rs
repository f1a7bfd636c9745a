//! What an audit can find.

use std::fmt;

/// What was done to the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The end is missing.
    Cut,
    /// Something is not what was written.
    Edit,
    /// Two things stand in each other's place.
    Reorder,
    /// Something in the middle is missing.
    Gap,
    /// Something is there that was never written.
    Extra,
    /// A part cannot be read at all.
    Illegible,
    /// An anchor does not prove what it should.
    Anchor,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The link of the chain it is about, or the one after which it stands.
    pub sequence: u64,
    /// What was done.
    pub kind: Kind,
    /// What exactly, and where.
    pub text: String,
}

impl Finding {
    pub(crate) fn new(kind: Kind, sequence: u64, text: impl Into<String>) -> Self {
        Self { sequence, kind, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Cut => "cut",
            Kind::Edit => "edit",
            Kind::Reorder => "reorder",
            Kind::Gap => "gap",
            Kind::Extra => "extra",
            Kind::Illegible => "illegible",
            Kind::Anchor => "anchor",
        };
        write!(f, "{kind} at link {}: {}", self.sequence, self.text)
    }
}
