//! A PostgreSQL server for one test.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::places::tree;

/// A server that is thrown away when this value is dropped, or this process ends.
pub struct Postgres {
    child: Child,
    address: String,
}

impl Postgres {
    /// Starts one by scripts/with-postgres.
    ///
    /// # Errors
    /// It does not start; the script says why.
    pub fn start() -> Result<Self> {
        // It runs until `cat` has read all that is typed, which is nothing.
        let mut child = Command::new(tree().join("scripts/with-postgres"))
            .args(["sh", "-c", "echo \"$PORTAL_TEST_POSTGRES\" && exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start scripts/with-postgres")?;
        let mut address = String::new();
        let said = child.stdout.take().context("scripts/with-postgres has no output")?;
        BufReader::new(said).read_line(&mut address)?;
        ensure!(address.starts_with("postgres://"), "PostgreSQL does not start");
        Ok(Self { child, address: format!("{}/postgres", address.trim()) })
    }

    /// The address of a database that is empty at first.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // What the script leaves behind lies in /tmp; nothing more can be done about it.
        let _ = self.child.wait();
    }
}
