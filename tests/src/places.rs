//! Where things are: the tree, the built programs, a scratch directory for each run.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

/// The top of the tree.
#[must_use]
pub fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap_or_else(|_| PathBuf::from(".."))
}

/// A program of this workspace, built before the tests were run.
///
/// # Errors
/// It was not built.
pub fn program(name: &str) -> Result<PathBuf> {
    let mut dir = std::env::current_exe()?;
    while dir.pop() {
        let candidate = dir.join(name);
        if candidate.is_file() {
            return Ok(candidate);
        }
        if dir.ends_with("target") {
            break;
        }
    }
    let built = tree().join("target/debug").join(name);
    ensure!(built.is_file(), "{name} is not built: run `cargo build --workspace --bins` first");
    Ok(built)
}

/// A fresh directory for a run.
///
/// # Errors
/// It cannot be made.
pub fn fresh(dir: &Path) -> Result<PathBuf> {
    if dir.exists() {
        std::fs::remove_dir_all(dir).with_context(|| format!("cannot empty {}", dir.display()))?;
    }
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir.canonicalize()?)
}

/// A TCP port that nobody listens on, below the range of outgoing connections.
///
/// # Errors
/// None is free.
pub fn free_port() -> Result<u16> {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that are started one after the other look in places far from each other: between this and the binding anybody may come.
    let start = u16::try_from(std::process::id() % 200)? * 40;
    for _ in 0..4000 {
        let port = 12_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 8000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no free port between 12000 and 20000")
}
