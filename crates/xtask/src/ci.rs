//! Everything a change must pass, cheapest first, tests last so that their summary ends the output.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};

use crate::{profiles, run, tidy};

/// Runs all steps; the first failure ends it.
pub fn run() -> Result<()> {
    step("format", || cargo(&["fmt", "--all", "--check"], None))?;
    step("tidy", tidy::run)?;
    step("profiles", profiles)?;
    step("shell", || run::run(run::at_root("shellcheck")?.args(shell_scripts()?)))?;
    step("clippy", || cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], None))?;
    step("docs", || cargo(&["doc", "--workspace", "--no-deps"], Some(("RUSTDOCFLAGS", "-D warnings"))))?;
    // The end-to-end package needs pcscd, a broker and minutes: scripts/test runs it by itself. It is left out of the run, not of the
    // selection: another selection of packages would be compiled with other features, all over again.
    step("tests", || cargo(&["nextest", "run", "--workspace", "-E", "not package(e2e)"], None))
}

/// Every file of `scripts/` and `.ci/` that bash runs.
fn shell_scripts() -> Result<Vec<PathBuf>> {
    let root = run::root()?;
    let mut scripts = Vec::new();
    for folder in ["scripts", ".ci"] {
        for entry in fs::read_dir(root.join(folder)).with_context(|| format!("{folder}/ cannot be read"))? {
            let path = entry?.path();
            if fs::read(&path).is_ok_and(|text| text.starts_with(b"#!/usr/bin/env bash")) {
                scripts.push(path);
            }
        }
    }
    scripts.sort();
    Ok(scripts)
}

fn step(name: &str, run: impl FnOnce() -> Result<()>) -> Result<()> {
    eprintln!("== {name}");
    run().with_context(|| format!("step {name:?} of ci"))
}

fn cargo(arguments: &[&str], variable: Option<(&str, &str)>) -> Result<()> {
    run::run(run::cargo()?.args(arguments).envs(variable))
}
