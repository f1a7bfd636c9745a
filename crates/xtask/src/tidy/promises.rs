//! A page that says which test shows a promise must name a test that is there.

use std::collections::BTreeSet;

use super::{Finding, Workspace};

/// A word in backticks with at least so many underscores is the name of a test: nothing else here is named at such length.
const UNDERSCORES: usize = 4;

/// Every test that a page of `docs/` names exists.
pub fn shown(workspace: &Workspace) -> Vec<Finding> {
    let functions: BTreeSet<&str> = workspace
        .sources
        .iter()
        .flat_map(|source| source.text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')))
        .filter(|word| is_test_name(word))
        .collect();
    let mut findings = Vec::new();
    for page in &workspace.pages {
        for word in page.text.split('`').skip(1).step_by(2).filter(|word| is_test_name(word)) {
            if !functions.contains(word) {
                let text = format!(
                    "names the test {word}, which does not exist: correct the name or write the test"
                );
                findings.push(Finding { place: page.path.clone(), text });
            }
        }
    }
    findings
}

fn is_test_name(word: &str) -> bool {
    let plain = word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    plain && word.bytes().filter(|b| *b == b'_').count() >= UNDERSCORES
}

#[cfg(test)]
mod tests {
    use super::{super::Source, *};

    fn page(text: &str) -> Workspace {
        let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
        Workspace {
            sources: vec![source("crates/a/src/lib.rs", "#[test]\nfn p4_a_key_comes_back() {}")],
            pages: vec![source("docs/reliability.md", text)],
            ..Workspace::default()
        }
    }

    #[test]
    fn a_page_names_tests_that_are_there() {
        assert!(shown(&page("kept in `journal`, shown by `p4_a_key_comes_back` and `short_one`")).is_empty());
        assert_eq!(shown(&page("shown by `p4_a_key_stays_away_for_ever`")).len(), 1);
    }
}
