//! Reading TOML so that a mistake is answered with file, line, field and remedy. Used for config and programmes.

use std::{fmt, ops::Range, path::Path};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

/// Larger files are refused before they are parsed.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file as it was named.
    pub file: String,
    /// Line, from 1; 0 = the file as a whole.
    pub line: usize,
    /// Dotted field, such as `products[0].years`; empty = not about one field.
    pub field: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        write!(f, ": {}; {}", self.what.trim_end_matches('.'), self.fix)
    }
}

/// Every mistake found in one file (or in several of a folder).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Faults(pub Vec<Fault>);

/// A file's text, kept to find the line of a field.
#[derive(Clone, Debug)]
pub struct Source {
    file: String,
    text: String,
}

impl Source {
    /// Reads a file into memory.
    ///
    /// # Errors
    /// A fault without a line: absent, unreadable, too large or not UTF-8.
    pub fn open(path: &Path) -> Result<Self, Faults> {
        let file = path.display().to_string();
        let whole = |what: String, fix: &str| {
            Faults(vec![Fault {
                file: file.clone(),
                line: 0,
                field: String::new(),
                what,
                fix: fix.to_owned(),
            }])
        };
        let unreadable = |error: std::io::Error| {
            whole(format!("it cannot be read: {error}"), "check the path and the rights of the file")
        };
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > FILE_BYTES_MAX {
            return Err(whole(
                format!("it has {size} bytes"),
                "at most 256 KiB are read: give the right file",
            ));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Ok(Self { file, text })
    }

    /// A text with the name by which its mistakes are told.
    #[must_use]
    pub fn new(file: &str, text: &str) -> Self {
        Self { file: file.to_owned(), text: text.to_owned() }
    }

    /// The file form `T` of the text.
    ///
    /// # Errors
    /// One fault, at the line where the parser stopped.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Faults> {
        toml::from_str(&self.text).map_err(|error| {
            let line = error.span().map_or(0, |span| self.line_at(span.start));
            let fix = if error.message().starts_with("unknown field")
                || error.message().starts_with("unknown variant")
            {
                "correct the name or delete the line"
            } else if error.message().starts_with("missing field") {
                "add the field to this section"
            } else {
                "correct the line; the shipped example in config/ shows the form"
            };
            Faults(vec![Fault {
                file: self.file.clone(),
                line,
                field: String::new(),
                what: error.message().to_owned(),
                fix: fix.to_owned(),
            }])
        })
    }

    /// A fault in a field, with the line where the field stands (or its nearest parent, if it is absent).
    #[must_use]
    pub fn fault(&self, field: &str, what: impl Into<String>, fix: impl Into<String>) -> Fault {
        let line = self.span_of(field).map_or(0, |span| self.line_at(span.start));
        Fault { file: self.file.clone(), line, field: field.to_owned(), what: what.into(), fix: fix.into() }
    }

    fn line_at(&self, offset: usize) -> usize {
        let end = offset.min(self.text.len());
        self.text.as_bytes()[..end].iter().filter(|&&byte| byte == b'\n').count() + 1
    }

    fn span_of(&self, field: &str) -> Option<Range<usize>> {
        let root = DeTable::parse(&self.text).ok()?;
        let mut found = None;
        let mut table = root.get_ref();
        for part in field.split('.') {
            let (name, index) = match part.split_once('[') {
                Some((name, rest)) => (name, rest.trim_end_matches(']').parse::<usize>().ok()),
                None => (part, None),
            };
            let Some((key, mut value)) = table.iter().find(|(key, _)| key.get_ref() == name) else { break };
            found = Some(key.span());
            if let (Some(index), DeValue::Array(items)) = (index, value.get_ref()) {
                let Some(item) = items.get(index) else { break };
                found = Some(item.span());
                value = item;
            }
            let DeValue::Table(inner) = value.get_ref() else { break };
            table = inner;
        }
        found
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::Source;

    const TEXT: &str = "title = \"x\"\n\n[[products]]\nid = \"a\"\n\n[[products]]\nid = \"b\"\nyears = [9]\n[mail]\nport = 1\n";

    #[test]
    fn a_field_is_found_by_its_dotted_name() {
        let source = Source::new("f.toml", TEXT);
        assert_eq!(source.fault("products[1].years", "", "").line, 8);
        assert_eq!(source.fault("products[0].id", "", "").line, 4);
        assert_eq!(source.fault("mail.port", "", "").line, 10);
        assert_eq!(source.fault("mail.absent", "", "").line, 9);
        assert_eq!(source.fault("absent", "", "").line, 0);
    }

    #[test]
    fn a_fault_names_file_line_field_what_and_fix() {
        let fault = Source::new("f.toml", TEXT).fault("mail.port", "it is taken", "choose another");
        assert_eq!(fault.to_string(), "f.toml:10: mail.port: it is taken; choose another");
    }
}
