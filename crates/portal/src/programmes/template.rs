//! Certificate subjects: texts with `{placeholders}` that an order fills in.

use wire::CertificateKind;

use super::file::Encoding;
use crate::orders::OrderContent;

/// The subject of a programme's certificates, in the order in which it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub(super) dn: Vec<(String, Text)>,
    pub(super) extensions: Vec<(String, Text, Encoding)>,
}

/// A subject with an order's data in it; what the CA is asked to certify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSubject {
    /// Attribute short name and value, in order of the DN.
    pub dn: Vec<(String, String)>,
    /// OID, value, encoding.
    pub extensions: Vec<(String, String, Encoding)>,
    /// Validity in years.
    pub years: u8,
}

impl Template {
    /// What the file says, with its placeholders: attributes of the DN first, then extensions.
    pub fn lines(&self) -> impl Iterator<Item = (&str, String)> {
        let dn = self.dn.iter().map(|(attribute, text)| (attribute.as_str(), text.to_string()));
        dn.chain(self.extensions.iter().map(|(oid, text, _)| (oid.as_str(), text.to_string())))
    }

    /// Fills in an order's data. An extension whose value would be empty is left out.
    #[must_use]
    pub fn fill(&self, order: &OrderContent) -> CertificateSubject {
        let dn = self.dn.iter().map(|(attribute, text)| (attribute.clone(), text.fill(order)));
        let extensions =
            self.extensions.iter().map(|(oid, text, encoding)| (oid.clone(), text.fill(order), *encoding));
        CertificateSubject {
            dn: dn.filter(|(_, value)| !value.is_empty()).collect(),
            extensions: extensions.filter(|(_, value, _)| !value.is_empty()).collect(),
            years: order.years,
        }
    }
}

/// A text of plain parts and placeholders, parsed once: an order's data is never read as a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text(Vec<Part>);

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in &self.0 {
            match part {
                Part::Plain(text) => f.write_str(text)?,
                Part::Field(field) => write!(f, "{{{}}}", field.name())?,
            }
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Plain(String),
    Field(Field),
}

/// What a template may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    UnitName,
    UnitCode,
    HandlerName,
    HolderName,
    HolderIdNumber,
    LegalRepresentativeName,
}

impl Field {
    const ALL: [(Self, &'static str); 6] = [
        (Self::UnitName, "unit.name"),
        (Self::UnitCode, "unit.credit_code"),
        (Self::HandlerName, "handler.name"),
        (Self::HolderName, "holder.name"),
        (Self::HolderIdNumber, "holder.id_number"),
        (Self::LegalRepresentativeName, "legal_representative.name"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(field, _)| *field == self).map_or("", |(_, name)| name)
    }

    /// Whether an order for such a certificate has this field.
    pub(super) fn is_given(self, kind: CertificateKind, legal_representative: bool) -> bool {
        match self {
            Self::UnitName | Self::UnitCode | Self::HandlerName => true,
            Self::HolderName | Self::HolderIdNumber => kind == CertificateKind::Personal,
            Self::LegalRepresentativeName => legal_representative,
        }
    }

    fn of(self, order: &OrderContent) -> &str {
        match self {
            Self::UnitName => &order.unit.name,
            Self::UnitCode => &order.unit.credit_code,
            Self::HandlerName => &order.handler.name,
            Self::HolderName => order.holder.as_ref().map_or("", |person| &person.name),
            Self::HolderIdNumber => order.holder.as_ref().map_or("", |person| &person.id_number),
            Self::LegalRepresentativeName => {
                order.legal_representative.as_ref().map_or("", |person| &person.name)
            }
        }
    }
}

impl Text {
    /// Parses a text; the error says what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            let (plain, tail) = rest.split_at(open);
            if !plain.is_empty() {
                parts.push(Part::Plain(plain.to_owned()));
            }
            let inner = tail.strip_prefix('{').ok_or_else(|| "a } stands without its {".to_owned())?;
            let (name, after) = inner.split_once('}').ok_or_else(|| "a { has no }".to_owned())?;
            let field = Field::ALL.iter().find(|(_, known)| *known == name);
            let (field, _) = field.ok_or_else(|| format!("no order has a field {{{name}}}"))?;
            parts.push(Part::Field(*field));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Plain(rest.to_owned()));
        }
        if parts.is_empty() { Err("it is empty".to_owned()) } else { Ok(Self(parts)) }
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = Field> {
        self.0.iter().filter_map(|part| match part {
            Part::Field(field) => Some(*field),
            Part::Plain(_) => None,
        })
    }

    /// The placeholders there are, for error texts.
    pub(super) fn known() -> String {
        Field::ALL.map(|(_, name)| format!("{{{name}}}")).join(" ")
    }

    fn fill(&self, order: &OrderContent) -> String {
        let part = |part: &Part| match part {
            Part::Plain(text) => text.clone(),
            Part::Field(field) => field.of(order).to_owned(),
        };
        self.0.iter().map(part).collect()
    }
}
