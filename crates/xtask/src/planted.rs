//! Defects planted one at a time into a copy of the tree: the suite must see each of them, or it proves nothing.
//!
//! Each `tests/planted/*.patch` begins with what is wrong and says by `Seen by:` which tests must fail for it, as nextest takes them, and by
//! `Build:` what must be built for these besides themselves. The tests must pass without the defect, and compile with it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::run::{self, at_root, cargo, output, root};

/// nextest ends so when tests ran and some failed; a build that fails or no test ends otherwise.
const TESTS_FAILED: i32 = 100;

struct Planted {
    file: PathBuf,
    name: String,
    seen_by: Vec<String>,
    build: Vec<String>,
}

/// Plants in turn every defect whose name has `only` in it; all must be seen.
pub fn run(only: &str) -> Result<()> {
    let mut patches = patches()?;
    patches.retain(|patch| patch.name.contains(only));
    ensure!(!patches.is_empty(), "no patch of tests/planted/ has {only:?} in its name");
    let copy = Copy::make()?;
    let mut found = 0;
    for patch in &patches {
        println!("planted: {}", patch.name);
        match copy.sees(patch)? {
            true => found += 1,
            false => println!("planted: {} WAS NOT SEEN by {}", patch.name, patch.seen_by.join(" ")),
        }
    }
    println!("planted: found {found} of {}", patches.len());
    ensure!(found == patches.len(), "the suite does not see every planted defect");
    Ok(())
}

fn patches() -> Result<Vec<Planted>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root()?.join("tests/planted"))? {
        files.push(entry?.path());
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "patch"));
    files.sort();
    ensure!(!files.is_empty(), "tests/planted/ holds no patch");
    files.into_iter().map(read).collect()
}

fn read(file: PathBuf) -> Result<Planted> {
    let text = fs::read_to_string(&file)?;
    let words = |label: &str| {
        let line =
            text.lines().take_while(|line| !line.starts_with("diff ")).find_map(|l| l.strip_prefix(label));
        line.map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    };
    let seen_by = words("Seen by:").with_context(|| format!("{} has no line Seen by:", file.display()))?;
    let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Planted { name, seen_by, build: words("Build:").unwrap_or_default(), file })
}

/// A copy of the tree, with build results of its own.
struct Copy {
    tree: PathBuf,
    target: PathBuf,
}

impl Copy {
    /// Brings the copy up to date. What is the same is left alone, so that it is not built anew.
    fn make() -> Result<Self> {
        let planted = root()?.join("target/planted");
        let copy = Self { tree: planted.join("tree"), target: planted.join("target") };
        let listed =
            output(at_root("git")?.args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
        let files: BTreeSet<PathBuf> = listed.lines().map(PathBuf::from).collect();
        for file in &files {
            let (from, to) = (root()?.join(file), copy.tree.join(file));
            let Ok(wanted) = fs::read(&from) else { continue };
            if fs::read(&to).ok().as_ref() != Some(&wanted) {
                fs::create_dir_all(to.parent().unwrap_or(&copy.tree))?;
                fs::copy(&from, &to).with_context(|| format!("copying {}", from.display()))?;
            }
        }
        copy.forget_others(&copy.tree, &files)?;
        if !copy.target.exists() {
            // What others made is the same in the copy: it need not be built again.
            let warm = root()?.join("target/debug");
            fs::create_dir_all(&copy.target)?;
            run::run(Command::new("cp").arg("-a").arg(warm).arg(&copy.target))?;
        }
        Ok(copy)
    }

    fn forget_others(&self, folder: &Path, files: &BTreeSet<PathBuf>) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                self.forget_others(&path, files)?;
            } else if !files.contains(path.strip_prefix(&self.tree)?) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn sees(&self, patch: &Planted) -> Result<bool> {
        self.build(patch)?;
        run::run(self.nextest(patch)?.arg("--no-tests=fail"))
            .with_context(|| format!("{}: its tests fail without it", patch.name))?;
        self.apply(patch, &[])?;
        let seen = self.fails(patch);
        self.apply(patch, &["--reverse"])?;
        seen
    }

    fn fails(&self, patch: &Planted) -> Result<bool> {
        self.build(patch).with_context(|| format!("{} does not compile", patch.name))?;
        let status = self.nextest(patch)?.arg("--no-tests=fail").status()?;
        Ok(status.code() == Some(TESTS_FAILED))
    }

    /// Programs first, then the tests themselves.
    fn build(&self, patch: &Planted) -> Result<()> {
        if !patch.build.is_empty() {
            run::run(self.cargo()?.args(["build", "--quiet"]).args(&patch.build))?;
        }
        run::run(self.nextest(patch)?.arg("--no-run"))
    }

    fn nextest(&self, patch: &Planted) -> Result<Command> {
        let mut command = self.cargo()?;
        command.args(["nextest", "run", "--cargo-quiet"]).args(&patch.seen_by);
        Ok(command)
    }

    fn cargo(&self) -> Result<Command> {
        let mut command = cargo()?;
        command.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target);
        Ok(command)
    }

    fn apply(&self, patch: &Planted, how: &[&str]) -> Result<()> {
        apply(&self.tree, &patch.file, how)
    }
}

/// The copy lies inside a repository: git must not look above it, or it would take it for a part of that and change nothing.
fn apply(tree: &Path, patch: &Path, how: &[&str]) -> Result<()> {
    let mut git = Command::new("git");
    let above = tree.parent().context("the tree has no folder above it")?;
    git.current_dir(tree).env("GIT_CEILING_DIRECTORIES", above).arg("apply").args(how).arg(patch);
    run::run(&mut git).with_context(|| format!("{} does not apply", patch.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_planted_defect_still_applies_and_names_its_tests() {
        let patches = patches().unwrap();
        assert_eq!(patches.len(), 12);
        for patch in patches {
            apply(&root().unwrap(), &patch.file, &["--check"]).unwrap();
            assert!(patch.seen_by.len() >= 3, "{}", patch.name);
        }
    }
}
