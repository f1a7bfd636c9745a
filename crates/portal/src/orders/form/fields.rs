//! Reading JSON objects field by field, collecting mistakes instead of stopping at the first.

use std::cell::RefCell;

use serde_json::{Map, Value};

use super::FieldError;

/// More mistakes than this in one order are not told: the order is then nonsense, not mistaken.
const ERRORS_MAX: usize = 100;

/// What is said of a field that is not there.
const MISSING: &str = "请填写 (fill it in)";

/// Mistakes so far.
#[derive(Default)]
pub(super) struct Errors(RefCell<Vec<FieldError>>);

impl Errors {
    pub(super) fn push(&self, field: &str, message: impl Into<String>) {
        let mut errors = self.0.borrow_mut();
        if errors.len() < ERRORS_MAX {
            errors.push(FieldError { field: field.to_owned(), message: message.into() });
        }
    }

    pub(super) fn take(&self) -> Vec<FieldError> {
        self.0.take()
    }
}

/// One JSON object and where it stands.
pub(super) struct Fields<'a> {
    path: String,
    map: &'a Map<String, Value>,
    known: RefCell<Vec<&'static str>>,
    errors: &'a Errors,
}

impl<'a> Fields<'a> {
    pub(super) fn root(value: &'a Value, errors: &'a Errors) -> Option<Self> {
        let map = value.as_object()?;
        Some(Self { path: String::new(), map, known: RefCell::default(), errors })
    }

    pub(super) fn error(&self, name: &str, message: impl Into<String>) {
        self.errors.push(&self.path_of(name), message);
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The value of a field; `null` counts as absent.
    fn get(&self, name: &'static str) -> Option<&'a Value> {
        self.known.borrow_mut().push(name);
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// A field that need not be there: its text, trimmed; `None` if absent or empty.
    pub(super) fn optional(&self, name: &'static str) -> Option<String> {
        let value = self.get(name)?;
        let Some(text) = value.as_str() else {
            self.error(name, "应为文字 (it is a text in quotes)");
            return None;
        };
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A field that must be there, of at most `max` characters without control characters.
    pub(super) fn text(&self, name: &'static str, max: usize) -> Option<String> {
        let before = self.errors.0.borrow().len();
        let text = self.optional(name);
        if text.is_none() && self.errors.0.borrow().len() == before {
            self.error(name, MISSING);
        }
        text.filter(|text| self.is_plain(name, text, max))
    }

    /// A field that may be empty, else as [`Fields::text`].
    pub(super) fn text_or_empty(&self, name: &'static str, max: usize) -> Option<String> {
        let text = self.optional(name).unwrap_or_default();
        self.is_plain(name, &text, max).then_some(text)
    }

    fn is_plain(&self, name: &str, text: &str, max: usize) -> bool {
        if text.chars().count() > max {
            self.error(name, format!("最多 {max} 字 (at most {max} characters)"));
            return false;
        }
        if text.chars().any(is_invisible) {
            self.error(name, "含不可见字符，请重新输入 (it has invisible characters: type it again)");
            return false;
        }
        true
    }

    /// A whole number that must be there.
    pub(super) fn number(&self, name: &'static str) -> Option<u64> {
        let number = self.get(name).map(Value::as_u64);
        if number.is_none() {
            self.error(name, MISSING);
        } else if number == Some(None) {
            self.error(name, "应为整数 (it is a whole number without quotes)");
        }
        number.flatten()
    }

    /// One word of a list, by its code.
    pub(super) fn word<T: Copy>(
        &self,
        name: &'static str,
        allowed: &[T],
        code: fn(T) -> &'static str,
    ) -> Option<T> {
        let text = self.text(name, 64)?;
        self.pick(name, &text, allowed, code)
    }

    /// One word of a list; absent means the first.
    pub(super) fn word_or_first<T: Copy>(
        &self,
        name: &'static str,
        allowed: &[T],
        code: fn(T) -> &'static str,
    ) -> Option<T> {
        match self.optional(name) {
            Some(text) => self.pick(name, &text, allowed, code),
            None => allowed.first().copied(),
        }
    }

    fn pick<T: Copy>(&self, name: &str, text: &str, allowed: &[T], code: fn(T) -> &'static str) -> Option<T> {
        let found = allowed.iter().copied().find(|&word| code(word) == text);
        if found.is_none() {
            let list: Vec<&str> = allowed.iter().map(|&word| code(word)).collect();
            let list = list.join(", ");
            self.error(name, format!("可选 {list} (it is one of {list})"));
        }
        found
    }

    /// A nested object that need not be there.
    pub(super) fn optional_section(&self, name: &'static str) -> Option<Fields<'a>> {
        let value = self.get(name)?;
        let Some(map) = value.as_object() else {
            self.error(name, "应为对象 (it is a JSON object)");
            return None;
        };
        Some(Fields { path: self.path_of(name), map, known: RefCell::default(), errors: self.errors })
    }

    /// A nested object that must be there.
    pub(super) fn section(&self, name: &'static str) -> Option<Fields<'a>> {
        if self.map.get(name).is_none_or(Value::is_null) {
            self.known.borrow_mut().push(name);
            self.error(name, MISSING);
            return None;
        }
        self.optional_section(name)
    }

    /// Refuses a field that this programme does not have.
    pub(super) fn refuse(&self, name: &'static str, message: &str) {
        if self.get(name).is_some() {
            self.error(name, message);
        }
    }

    /// Refuses what nobody asked for. `complete` = every known field was asked for.
    pub(super) fn refuse_unknown(&self, complete: bool) {
        if !complete {
            return;
        }
        let known = self.known.borrow();
        for name in self.map.keys().filter(|name| !known.contains(&name.as_str())) {
            let shown: String = name.chars().take(64).collect();
            self.error(
                &shown,
                "没有这个字段，请删除或更正名称 (there is no such field: delete it or correct its name)",
            );
        }
    }
}

/// Control characters, direction marks and zero-width characters: a name with them is not the name it looks like.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
