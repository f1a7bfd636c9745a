//! Each crate says what it does, refuses and promises, in one text: its README is its crate doc.

use super::{Finding, Workspace};

const CRATE_DOC: &str = r#"#![doc = include_str!("../README.md")]"#;

/// Each crate has a README that states its invariants.
pub fn readmes(workspace: &Workspace) -> Vec<Finding> {
    let wanting = workspace.packages.iter().filter_map(|package| {
        let text = match &package.readme {
            None => {
                "has no README.md: say what it does, refuses and promises (crates/model/README.md is a model)"
            }
            Some(text) if !text.contains("Invariants") => {
                "has a README.md without Invariants: state them, above all what is absent"
            }
            Some(_) => return None,
        };
        Some(Finding { place: format!("crate {}", package.name), text: text.to_owned() })
    });
    wanting.collect()
}

/// The README is the crate doc, so the two cannot drift apart.
pub fn crate_docs(workspace: &Workspace) -> Vec<Finding> {
    let missing = workspace.packages.iter().filter(|package| !package.root.contains(CRATE_DOC));
    let finding = |name: &str| Finding {
        place: format!("crate {name}"),
        text: format!("does not begin with {CRATE_DOC}"),
    };
    missing.map(|package| finding(&package.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::Package;

    fn workspace(readme: Option<&str>, root: &str) -> Workspace {
        let package = Package {
            name: "a".to_owned(),
            readme: readme.map(str::to_owned),
            root: root.to_owned(),
            ..Package::default()
        };
        Workspace { packages: vec![package], ..Workspace::default() }
    }

    #[test]
    fn a_crate_without_invariants_is_found() {
        assert_eq!(readmes(&workspace(None, "")).len(), 1);
        assert_eq!(readmes(&workspace(Some("# a\n"), "")).len(), 1);
        assert_eq!(readmes(&workspace(Some("# a\n- **Invariants**: none is broken"), "")).len(), 0);
    }

    #[test]
    fn a_crate_doc_of_its_own_is_found() {
        assert_eq!(crate_docs(&workspace(None, "//! Another text.\n")).len(), 1);
        assert_eq!(crate_docs(&workspace(None, &format!("{CRATE_DOC}\n\nmod a;\n"))).len(), 0);
    }
}
