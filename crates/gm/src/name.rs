//! Distinguished names, built from an ordered list so that the order is the programme's own.

use der::asn1::{Any, Ia5StringRef, ObjectIdentifier, PrintableStringRef, Utf8StringRef};
use der::{Decode, Encode};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{RdnSequence, RelativeDistinguishedName};

use crate::GmError;

/// Attributes by short name: OID, longest value in characters (RFC 5280 appendix A.1), string form.
const ATTRIBUTES: [(&str, &str, usize, Form); 12] = [
    ("C", "2.5.4.6", 2, Form::Printable),
    ("ST", "2.5.4.8", 128, Form::Utf8),
    ("L", "2.5.4.7", 128, Form::Utf8),
    ("STREET", "2.5.4.9", 128, Form::Utf8),
    ("O", "2.5.4.10", 64, Form::Utf8),
    ("OU", "2.5.4.11", 64, Form::Utf8),
    ("CN", "2.5.4.3", 64, Form::Utf8),
    ("title", "2.5.4.12", 64, Form::Utf8),
    ("SN", "2.5.4.4", 64, Form::Utf8),
    ("GN", "2.5.4.42", 64, Form::Utf8),
    ("serialNumber", "2.5.4.5", 64, Form::Printable),
    ("emailAddress", "1.2.840.113549.1.9.1", 255, Form::Ia5),
];
/// For attributes given by OID.
const OTHER_LIMIT: usize = 128;
/// More parts than any CA writes.
const PARTS_LIMIT: usize = 16;
/// Longest RFC 4514 text that is parsed.
const TEXT_LIMIT: usize = 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Utf8,
    Printable,
    Ia5,
}

/// A distinguished name. `Display` prints it by RFC 4514 (last part first).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(pub(crate) x509_cert::name::Name);

impl Name {
    /// A name of these (attribute, value) pairs in this order: `C`, `ST`, `L`, `STREET`, `O`, `OU`, `CN`, `title`, `SN`, `GN`,
    /// `serialNumber`, `emailAddress`, or a dotted OID. Values are UTF8String; C and serialNumber are PrintableString, emailAddress IA5String.
    ///
    /// # Errors
    /// [`GmError::Name`] names the part and the rule: 1 to 16 parts, nothing empty, too long, or with control characters.
    pub fn new<A: AsRef<str>, V: AsRef<str>>(parts: &[(A, V)]) -> Result<Self, GmError> {
        if parts.is_empty() || parts.len() > PARTS_LIMIT {
            return Err(GmError::Length { what: "a name (in parts)", len: parts.len(), allowed: "1 to 16" });
        }
        let mut sequence = RdnSequence::default();
        for (attribute, value) in parts {
            sequence.push(part(attribute.as_ref(), value.as_ref())?);
        }
        // The crate gives no other safe way from a sequence to a name.
        let der = sequence.to_der().map_err(|why| GmError::malformed("name", why))?;
        x509_cert::name::Name::from_der(&der).map(Self).map_err(|why| GmError::malformed("name", why))
    }

    /// Reads RFC 4514 text such as `CN=V0000001,O=ukey,C=CN`.
    ///
    /// # Errors
    /// [`GmError::Length`] above 1024 bytes, [`GmError::Malformed`].
    pub fn from_rfc4514(text: &str) -> Result<Self, GmError> {
        if text.len() > TEXT_LIMIT {
            return Err(GmError::Length { what: "a name", len: text.len(), allowed: "at most 1024" });
        }
        text.parse().map(Self).map_err(|why: der::Error| GmError::malformed("name", why))
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

fn part(attribute: &str, value: &str) -> Result<RelativeDistinguishedName, GmError> {
    let wrong = |why| GmError::Name { attribute: attribute.to_owned(), why };
    let (oid, limit, form) = match ATTRIBUTES.iter().find(|(name, ..)| *name == attribute) {
        Some((_, oid, limit, form)) => (*oid, *limit, *form),
        None => (attribute, OTHER_LIMIT, Form::Utf8),
    };
    let oid = ObjectIdentifier::new(oid).map_err(|_| {
        wrong("unknown: use C, ST, L, STREET, O, OU, CN, title, SN, GN, serialNumber, emailAddress or a dotted OID")
    })?;
    let length = value.chars().count();
    if value.trim().is_empty() || value.chars().any(char::is_control) {
        return Err(wrong("empty, or with control characters: give its text"));
    }
    if length > limit || (attribute == "C" && length != 2) {
        return Err(wrong(
            "too long (C 2; ST, L, STREET 128; emailAddress 255; others 64 characters): shorten it",
        ));
    }
    let value = match form {
        Form::Utf8 => Utf8StringRef::new(value).and_then(|v| Any::encode_from(&v)),
        Form::Printable => PrintableStringRef::new(value).and_then(|v| Any::encode_from(&v)),
        Form::Ia5 => Ia5StringRef::new(value).and_then(|v| Any::encode_from(&v)),
    };
    let value = value.map_err(|_| {
        wrong("has characters that its string form does not allow: use ASCII letters and digits")
    })?;
    RelativeDistinguishedName::try_from(vec![AttributeTypeAndValue { oid, value }])
        .map_err(|why| GmError::malformed("name", why))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::Name;

    #[test]
    fn the_order_and_the_string_forms_are_kept() {
        let name = Name::new(&[("C", "CN"), ("O", "示例公司"), ("CN", "示例, 单位"), ("serialNumber", "91")])
            .unwrap();
        assert_eq!(name.to_string(), "SERIALNUMBER=91,CN=示例\\, 单位,O=示例公司,C=CN");
        let tags: Vec<u8> = name.0.iter().map(|part| der::Encode::to_der(&part.value).unwrap()[0]).collect();
        assert_eq!(tags, [0x13, 0x0C, 0x0C, 0x13]);
        assert_eq!(Name::from_rfc4514(&name.to_string()).unwrap(), name);
    }

    #[test]
    fn what_cannot_be_in_a_name_is_refused() {
        let long = "一".repeat(65);
        let bad = [
            ("C", "CHN"),
            ("C", "中国"),
            ("CN", ""),
            ("CN", " "),
            ("CN", "a\nb"),
            ("CN", &long),
            ("XX", "1"),
            ("emailAddress", "名"),
        ];
        for pair in bad {
            assert!(Name::new(&[pair]).is_err(), "{pair:?}");
        }
        assert!(Name::new::<&str, &str>(&[]).is_err());
        assert!(Name::new(&[("CN", "a"); 17]).is_err());
        assert!(Name::new(&[("CN", &"一".repeat(64)), ("1.2.156.10260.4.1.4", &"1".repeat(128))]).is_ok());
    }

    proptest! {
        #[test]
        fn no_text_panics_a_name(text in "\\PC{0,60}", hex in "[A-Z0-9.]{1,8}=#?[0-9a-f\\\\,+=]{0,20}") {
            for name in [Name::from_rfc4514(&text), Name::from_rfc4514(&hex), Name::new(&[(&text, &hex)])].into_iter().flatten() {
                let _ = name.to_string();
            }
        }
    }
}
