//! Other programs, run at the root of the repository.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// The root of the repository.
pub fn root() -> Result<PathBuf> {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .context("the repository has moved since xtask was built")
}

/// A command that begins at the root.
pub fn at_root(program: &str) -> Result<Command> {
    let mut command = Command::new(program);
    command.current_dir(root()?);
    Ok(command)
}

/// The cargo that runs this.
pub fn cargo() -> Result<Command> {
    at_root(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
}

/// Runs to the end; its output goes to the terminal.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?} cannot be run"))?;
    ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}

/// Runs to the end and gives its output.
pub fn output(command: &mut Command) -> Result<String> {
    let done =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("{command:?} cannot be run"))?;
    ensure!(done.status.success(), "{command:?} failed ({})", done.status);
    String::from_utf8(done.stdout).with_context(|| format!("{command:?} printed no text"))
}
