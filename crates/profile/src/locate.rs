//! Where in the text a field stands, and which fields there are.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A parsed text that can be asked for lines.
pub(crate) struct Located<'a> {
    text: &'a str,
    root: Option<Spanned<DeTable<'a>>>,
}

impl<'a> Located<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, root: DeTable::parse(text).ok() }
    }

    /// The line of a byte offset, from 1.
    pub fn line_at(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    /// The line of a dotted field such as `dialect.device-auth.p2`, `steps[3].redo` or `sources."a.b"`;
    /// where the field is missing, the line of what it is missing from.
    pub fn line(&self, field: &str) -> Option<usize> {
        let mut table = self.root.as_ref()?.get_ref();
        let mut found = None;
        for part in parts(field) {
            let (name, index) = match part.strip_suffix(']').and_then(|part| part.rsplit_once('[')) {
                Some((name, index)) => (name, index.parse::<usize>().ok()),
                None => (part, None),
            };
            let Some((key, mut value)) = table.get_key_value(name) else { break };
            found = Some(key.span().start);
            if let (Some(index), DeValue::Array(items)) = (index, value.get_ref())
                && let Some(item) = items.get(index)
            {
                found = Some(item.span().start);
                value = item;
            }
            match value.get_ref() {
                DeValue::Table(inner) => table = inner,
                _ => break,
            }
        }
        found.map(|offset| self.line_at(offset))
    }

    /// The dotted names of all values below the top-level table `name`.
    pub fn leaves(&self, name: &str) -> Vec<String> {
        let mut leaves = Vec::new();
        if let Some(root) = &self.root
            && let Some(value) = root.get_ref().get(name)
        {
            collect(name, value.get_ref(), &mut leaves);
        }
        leaves
    }

    /// The names of the top-level fields.
    pub fn top(&self) -> Vec<String> {
        let Some(root) = &self.root else { return Vec::new() };
        root.get_ref().keys().map(|key| key.get_ref().to_string()).collect()
    }
}

fn collect(name: &str, value: &DeValue<'_>, leaves: &mut Vec<String>) {
    match value {
        DeValue::Table(table) => {
            for (key, value) in table {
                collect(&format!("{name}.{}", key.get_ref()), value.get_ref(), leaves);
            }
        }
        _ => leaves.push(name.to_owned()),
    }
}

/// Splits at dots, except inside quotes.
fn parts(field: &str) -> Vec<&str> {
    match field.split_once(".\"") {
        Some((table, key)) => vec![table, key.trim_end_matches('"')],
        None => field.split('.').collect(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Located;

    const TEXT: &str = "a = 1\n[b.c]\nd = 2\n[[s]]\nk = 1\n[[s]]\nk = 2\n[t]\n\"b.c\" = \"x\"\n";

    #[test]
    fn fields_are_found_by_their_dotted_names() {
        let located = Located::new(TEXT);
        assert_eq!(located.line("a"), Some(1));
        assert_eq!(located.line("b.c.d"), Some(3));
        assert_eq!(located.line("s[1].k"), Some(7));
        assert_eq!(located.line("t.\"b.c\""), Some(9));
        assert_eq!(located.line("b.c.missing"), Some(2));
        assert_eq!(located.line("missing"), None);
        assert_eq!(located.leaves("b"), ["b.c.d"]);
    }
}
