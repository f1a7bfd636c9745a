//! The top level, and every Rust file: its length, its name, and nothing unfinished in it.

use super::{Finding, Source, Workspace};

/// What may stand at the top level; files whose names begin with a dot may too.
const TOP_LEVEL: [&str; 11] = [
    "Cargo.toml",
    "station",
    "firmware-profiles",
    "crates",
    "config",
    "scripts",
    "tests",
    "README.md",
    "Cargo.lock",
    "LICENSE",
    "docs",
];

/// From here on a file should be split.
const LINES_WARN: usize = 400;

/// From here on it must be.
const LINES_MAX: usize = 600;

/// Code that is not done, or a test that does not run. In two pieces, so that this file does not find itself.
const UNFINISHED: [&str; 4] =
    [concat!("to", "do!"), concat!("unimpl", "emented!"), concat!("#[ig", "nore"), concat!("db", "g!(")];

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 7] = ["util", "utils", "common", "manager", "helper", "helpers", "misc"];

/// Only what belongs there stands at the top level, and all of it does.
pub fn top_level(workspace: &Workspace) -> Vec<Finding> {
    let found = &workspace.top_level;
    let strange = found.iter().filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(&name.as_str()));
    let strange = strange.map(|name| Finding {
        place: name.clone(),
        text: format!("does not belong at the top level, which has {}", TOP_LEVEL.join(" ")),
    });
    let missing =
        TOP_LEVEL.iter().filter(|name| **name != "docs" && !found.iter().any(|other| other == *name));
    let missing = missing
        .map(|name| Finding { place: (*name).to_owned(), text: "is missing at the top level".to_owned() });
    strange.chain(missing).collect()
}

/// No file is over the limit.
pub fn lengths(workspace: &Workspace) -> Vec<Finding> {
    longer(workspace, LINES_MAX, "must be split")
}

/// Files on their way to the limit: worth a warning.
pub fn growing(workspace: &Workspace) -> Vec<Finding> {
    longer(workspace, LINES_WARN, "should be split before it has 600")
}

fn longer(workspace: &Workspace, limit: usize, remedy: &str) -> Vec<Finding> {
    let long = workspace.sources.iter().filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > limit)
            .then(|| Finding { place: source.path.clone(), text: format!("has {lines} lines: it {remedy}") })
    });
    long.collect()
}

/// Nothing unfinished, no test that does not run.
pub fn unfinished(workspace: &Workspace) -> Vec<Finding> {
    workspace.sources.iter().flat_map(unfinished_in).collect()
}

fn unfinished_in(source: &Source) -> Vec<Finding> {
    let hits = source.text.lines().enumerate().flat_map(|(at, line)| {
        // A comment may speak of them.
        let code = line.split("//").next().unwrap_or(line);
        UNFINISHED.iter().filter(move |word| code.contains(**word)).map(move |word| Finding {
            place: format!("{}:{}", source.path, at + 1),
            text: format!("has {word}: finish it, or take it out"),
        })
    });
    hits.collect()
}

/// No module or file has a name that says nothing.
pub fn names(workspace: &Workspace) -> Vec<Finding> {
    workspace.sources.iter().flat_map(empty_names_in).collect()
}

fn empty_names_in(source: &Source) -> Vec<Finding> {
    let finding = |place: String, name: &str| Finding {
        place,
        text: format!("{name} says nothing: name it for what is in it"),
    };
    let of_path = source.path.trim_end_matches(".rs").split('/').filter(|part| EMPTY_NAMES.contains(part));
    let of_path = of_path.map(|name| finding(source.path.clone(), name));
    let of_modules = source.text.lines().enumerate().filter_map(|(at, line)| {
        let (_, name) = line.trim_end_matches(['{', ';', ' ', '}']).rsplit_once("mod ")?;
        EMPTY_NAMES.contains(&name).then(|| finding(format!("{}:{}", source.path, at + 1), name))
    });
    of_path.chain(of_modules).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Workspace {
        Workspace {
            sources: vec![Source { path: path.to_owned(), text: text.to_owned() }],
            ..Workspace::default()
        }
    }

    #[test]
    fn strangers_and_gaps_at_the_top_level_are_found() {
        let mut workspace =
            Workspace { top_level: TOP_LEVEL.map(str::to_owned).to_vec(), ..Workspace::default() };
        workspace.top_level.push(".ci".to_owned());
        assert_eq!(top_level(&workspace), []);
        workspace.top_level.push("tools".to_owned());
        assert_eq!(top_level(&workspace).len(), 1);
        workspace.top_level.retain(|name| name != "LICENSE" && name != "docs");
        assert_eq!(top_level(&workspace).len(), 2, "docs may be absent, the licence may not");
    }

    #[test]
    fn long_files_are_found() {
        assert_eq!(lengths(&source("a.rs", &"\n".repeat(600))).len(), 0);
        assert_eq!(lengths(&source("a.rs", &"\n".repeat(601))).len(), 1);
        assert_eq!(growing(&source("a.rs", &"\n".repeat(401))).len(), 1);
    }

    #[test]
    fn unfinished_code_is_found_with_its_line() {
        for word in UNFINISHED {
            let found = unfinished(&source("a.rs", &format!("fn a() {{\n    {word}\n}}\n")));
            assert_eq!(found.len(), 1, "{word}");
            assert_eq!(found[0].place, "a.rs:2");
            assert_eq!(unfinished(&source("a.rs", &format!("// {word}\n"))), []);
        }
    }

    #[test]
    fn names_that_say_nothing_are_found() {
        assert_eq!(names(&source("crates/a/src/utils.rs", "")).len(), 1);
        assert_eq!(names(&source("crates/a/src/common/b.rs", "")).len(), 1);
        assert_eq!(names(&source("crates/a/src/b.rs", "pub mod manager {\n")).len(), 1);
        assert_eq!(
            names(&source("crates/a/src/b.rs", "pub(crate) mod helpers;\nmod commonplace;\n")).len(),
            1
        );
        assert_eq!(names(&source("crates/a/src/managers_room.rs", "let common = 1;\n")), []);
    }
}
