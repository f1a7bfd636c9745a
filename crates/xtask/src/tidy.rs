//! What no compiler sees. Each check is a function of a [`Workspace`] that gives findings; nothing else happens in it.

mod crates;
mod files;
mod gather;
mod layers;
mod promises;

use anyhow::{Result, bail};

/// What is wrong, where, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// A file or a crate.
    pub place: String,
    /// What is wrong, and the remedy.
    pub text: String,
}

/// The repository as the checks see it.
#[derive(Debug, Default)]
pub struct Workspace {
    /// Its packages.
    pub packages: Vec<Package>,
    /// Names at the top level.
    pub top_level: Vec<String>,
    /// Every Rust file.
    pub sources: Vec<Source>,
    /// Every page of `docs/`.
    pub pages: Vec<Source>,
}

/// One package.
#[derive(Debug, Default)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Direct dependencies.
    pub dependencies: Vec<Dependency>,
    /// Its README.md, if there is one.
    pub readme: Option<String>,
    /// What its `src/lib.rs`, or else `src/main.rs`, says.
    pub root: String,
}

/// One direct dependency.
#[derive(Debug)]
pub struct Dependency {
    /// The package it names.
    pub name: String,
    /// Whether it is for tests only.
    pub dev: bool,
}

/// One file.
#[derive(Debug)]
pub struct Source {
    /// Its path from the root.
    pub path: String,
    /// What it says.
    pub text: String,
}

type Check = fn(&Workspace) -> Vec<Finding>;

/// All checks.
const CHECKS: [Check; 9] = [
    layers::arrows,
    layers::homes,
    crates::readmes,
    crates::crate_docs,
    files::top_level,
    files::lengths,
    files::unfinished,
    files::names,
    promises::shown,
];

/// Checks the repository; prints what is wrong.
pub fn run() -> Result<()> {
    let workspace = gather::gather()?;
    for long in files::growing(&workspace) {
        eprintln!("warning: {}: {}", long.place, long.text);
    }
    let findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&workspace)).collect();
    for finding in &findings {
        eprintln!("{}: {}", finding.place, finding.text);
    }
    match findings.len() {
        0 => Ok(()),
        1 => bail!("1 thing is untidy"),
        many => bail!("{many} things are untidy"),
    }
}
