//! The repository, read for the checks: `cargo metadata` for arrows, `git ls-files` for files (what git ignores is nobody's business).

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{Dependency, Package, Source, Workspace};
use crate::run;

/// The part of `cargo metadata` that is looked at.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    manifest_path: String,
    dependencies: Vec<MetadataDependency>,
}

#[derive(Deserialize)]
struct MetadataDependency {
    name: String,
    /// `dev`, `build`, or nothing for the normal kind.
    kind: Option<String>,
}

/// Reads the repository.
pub fn gather() -> Result<Workspace> {
    let metadata =
        run::output(run::cargo()?.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]))?;
    let metadata: Metadata =
        serde_json::from_str(&metadata).context("cargo metadata gave another form than expected")?;
    let packages = metadata.packages.into_iter().map(package).collect::<Result<_>>()?;
    let files =
        run::output(run::at_root("git")?.args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    let root = run::root()?;
    // A file deleted and not yet committed is still listed.
    let files: Vec<&str> = files.lines().filter(|file| root.join(file).exists()).collect();
    let top_level: BTreeSet<&str> = files.iter().filter_map(|file| file.split('/').next()).collect();
    let rust = files.iter().filter(|file| file.ends_with(".rs"));
    let sources = rust.map(|file| source(&root, file)).collect::<Result<_>>()?;
    let pages = files.iter().filter(|file| file.starts_with("docs/") && file.ends_with(".md"));
    let pages = pages.map(|file| source(&root, file)).collect::<Result<_>>()?;
    Ok(Workspace { packages, top_level: top_level.into_iter().map(str::to_owned).collect(), sources, pages })
}

fn package(from: MetadataPackage) -> Result<Package> {
    let manifest = Path::new(&from.manifest_path);
    let folder = manifest.parent().with_context(|| format!("{} has no folder", from.manifest_path))?;
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let dependencies = from.dependencies.into_iter();
    Ok(Package {
        name: from.name,
        dependencies: dependencies
            .map(|d| Dependency { name: d.name, dev: d.kind.as_deref() == Some("dev") })
            .collect(),
        readme: read("README.md"),
        root: read("src/lib.rs").or_else(|| read("src/main.rs")).unwrap_or_default(),
    })
}

fn source(root: &Path, file: &str) -> Result<Source> {
    let text = fs::read_to_string(root.join(file)).with_context(|| format!("{file} cannot be read"))?;
    Ok(Source { path: file.to_owned(), text })
}
