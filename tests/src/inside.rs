//! A test that is itself a PC/SC program of a pcscd of its own.
//!
//! libpcsclite takes the socket from the environment, and a process cannot safely change its own. So the test runs twice: the first run starts the
//! second, with the environment it needs, and the second does the work.

use std::{env, fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::pcscd::Pcscd;

const FOLDER: &str = "UKEY_E2E_PCSCD_DIR";
const DONE: &str = "done";

/// Runs `body` with a pcscd of `readers` virtual readers, in a process whose PC/SC calls reach it. `test` is the calling test's own name.
///
/// # Errors
/// What `body` says, or that `test` names no test.
pub fn with_pcscd(test: &str, readers: usize, body: impl FnOnce(&mut Pcscd) -> Result<()>) -> Result<()> {
    match env::var_os(FOLDER).map(PathBuf::from) {
        None => outside(test),
        Some(folder) => {
            body(&mut Pcscd::start(&folder, readers)?)?;
            fs::write(folder.join(DONE), "").context("the folder of the test is gone")
        }
    }
}

fn outside(test: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut inside = Command::new(env::current_exe()?);
    inside.args(["--exact", test, "--nocapture"]).env(FOLDER, folder.path());
    inside.env("PCSCLITE_CSOCK_NAME", folder.path().join(crate::pcscd::SOCKET));
    let status = inside.status()?;
    // A name that fits no test would pass as well: the work itself must say that it was done.
    if status.success() && folder.path().join(DONE).exists() {
        return Ok(());
    }
    let kept = folder.keep();
    bail!("{test} failed ({status}) with its own pcscd, whose log is {}", kept.join("pcscd.log").display())
}
