//! Programs of the stack as child processes: output into a log file, killed when dropped.

use std::{
    fs::File,
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

/// How often a condition is looked at while it is waited for.
const POLL: Duration = Duration::from_millis(50);

/// A running program.
pub struct Process {
    name: String,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Starts `command`; its output is appended to `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let out = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("cannot start {name}: {command:?}"))?;
        Ok(Self { name: name.to_owned(), log: log.to_owned(), child: Some(child) })
    }

    /// Starts `command` as [`Self::start`] does, as the head of a process group that has its id.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_group(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        Self::start(name, command.process_group(0), log)
    }

    /// Its process id, until it was ended.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// The most memory it ever had, in KiB.
    ///
    /// # Errors
    /// It does not run.
    pub fn peak_memory_kib(&self) -> Result<u64> {
        let child = self.child.as_ref().with_context(|| format!("{} does not run", self.name))?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        Ok(peak.with_context(|| format!("/proc says nothing of {}", self.name))?.trim().parse()?)
    }

    /// Fails with the end of its log if it has ended.
    ///
    /// # Errors
    /// It has ended.
    pub fn check(&mut self) -> Result<()> {
        if self.is_running() {
            return Ok(());
        }
        bail!("{} has ended; the end of {}:\n{}", self.name, self.log.display(), tail(&self.log))
    }

    /// Kills it as a crash would.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill9(&mut self) -> Result<()> {
        let mut child = self.child.take().with_context(|| format!("{} does not run", self.name))?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Asks it to stop (SIGTERM) and waits.
    ///
    /// # Errors
    /// It does not stop within `timeout`, or ends with an error.
    pub fn stop(&mut self, timeout: Duration) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        run("kill", Command::new("kill").args(["-TERM", &child.id().to_string()]), None)?;
        let until = Instant::now() + timeout;
        while Instant::now() < until {
            if let Some(status) = child.try_wait()? {
                let log = &self.log;
                ensure!(
                    status.success(),
                    "{} ended with {status}; see {}:\n{}",
                    self.name,
                    log.display(),
                    tail(log)
                );
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        child.kill()?;
        child.wait()?;
        bail!("{} did not stop within {timeout:?}; see {}", self.name, self.log.display())
    }

    /// Leaves it running when this value is dropped.
    pub fn leave(&mut self) {
        self.child = None;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Nothing more can be done about a child that does not die.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs a command to its end with `input` on standard input; its standard output.
///
/// # Errors
/// It fails: its error output is in the message.
pub fn run(name: &str, command: &mut Command, input: Option<&[u8]>) -> Result<String> {
    let output = output(name, command, input)?;
    ensure!(
        output.status.success(),
        "{name} failed ({}): {}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command to its end, whatever it says.
///
/// # Errors
/// It cannot be started.
pub fn output(name: &str, command: &mut Command, input: Option<&[u8]>) -> Result<Output> {
    let mut child = command
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {name}: {command:?}"))?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(input)?;
    }
    Ok(child.wait_with_output()?)
}

/// Waits until `done` gives something, at most `timeout`.
///
/// # Errors
/// Time is over; `what` says what was waited for.
pub fn wait_for<R>(what: &str, timeout: Duration, mut done: impl FnMut() -> Result<Option<R>>) -> Result<R> {
    let until = Instant::now() + timeout;
    loop {
        if let Some(result) = done()? {
            return Ok(result);
        }
        ensure!(Instant::now() < until, "{what} did not happen within {timeout:?}");
        std::thread::sleep(POLL);
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
