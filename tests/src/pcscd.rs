//! A pcscd of our own with virtual readers: own socket, own `/run`, own ports. The system's pcscd is not touched.
//!
//! pcscd takes its socket from a parent (systemd's socket activation), which is how a second one can run at all; its pid file lies at a
//! fixed place, so it runs in a mount namespace with an empty `/run`. Readers are vpcd's: two for each copy of its driver library, because
//! entries that share one library share one table of cards.

use std::{
    collections::HashSet,
    fmt::Write as _,
    fs,
    net::TcpListener,
    os::{
        fd::OwnedFd,
        unix::net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::run;

/// pcsc-lite before 2.5.0 is compiled for 16 readers and drops the rest without a word.
pub const READERS_MAX: usize = 16;

const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";
pub(crate) const SOCKET: &str = "pcscd.comm";
const READER_CONF: &str = "reader.conf";
const START_ATTEMPTS: u8 = 3;
const START_TIME: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);
/// More than the pause between two looks of pcscd at a reader.
const LOOK: Duration = Duration::from_millis(500);

/// Ports are looked for here: below Linux's range for outgoing connections, which could take one at any moment.
const PORTS: std::ops::Range<u16> = 20000..32000;

/// Turns into pcscd by exec. The socket comes as standard input and becomes descriptor 3, where `sd_listen_fds` looks for it.
const LAUNCH: &str = r#"
PATH=$PATH:/usr/sbin
if [ "$1" = private ]; then mount -t tmpfs tmpfs /run || exit 1; fi
mkdir -p /run/pcscd || exit 1
exec 3<&0 </dev/null
LISTEN_FDS=1 LISTEN_PID=$$ exec pcscd --foreground --config "$2"
"#;

/// A running pcscd. Dropping it kills it; its files stay in their directory.
pub struct Pcscd {
    dir: PathBuf,
    ports: Vec<u16>,
    child: Option<Child>,
}

impl Pcscd {
    /// Starts pcscd with `readers` virtual readers and its files in `dir`, and waits until it listens everywhere.
    ///
    /// # Errors
    /// Names what is missing (a package, the right to make a namespace) or what pcscd's log says.
    pub fn start(dir: &Path, readers: usize) -> Result<Self> {
        ensure!(
            (1..=READERS_MAX).contains(&readers),
            "pcscd takes 1 to {READERS_MAX} readers, not {readers}"
        );
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let dir = dir.canonicalize()?;
        ensure!(!dir.starts_with("/run"), "{} lies under /run, which this pcscd does not see", dir.display());
        let mut pcscd = Self { dir, ports: Vec::new(), child: None };
        let mut attempts = 1..=START_ATTEMPTS;
        loop {
            let attempt = attempts.next();
            pcscd.ports = free_ports(readers.div_ceil(2))?;
            write_configuration(&pcscd.dir, &pcscd.ports)?;
            match pcscd.spawn() {
                Ok(()) => return Ok(pcscd),
                // Somebody may have taken a port between the look and pcscd's bind.
                Err(error) if attempt == Some(START_ATTEMPTS) => return Err(error),
                Err(_) => pcscd.stop(),
            }
        }
    }

    /// The socket, for `PCSCLITE_CSOCK_NAME` in the environment of PC/SC programs.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.join(SOCKET)
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// What pcscd says.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.dir.join("pcscd.log")
    }

    /// The name of the `index`-th reader, from 0.
    #[must_use]
    pub fn reader_name(&self, index: usize) -> String {
        format!("{} 00 {:02X}", friendly_name(index / 2), index % 2)
    }

    /// The TCP port at which the `index`-th reader waits for its card.
    ///
    /// # Errors
    /// There is no such reader.
    pub fn port(&self, index: usize) -> Result<u16> {
        self.ports
            .get(index)
            .copied()
            .with_context(|| format!("pcscd was started with {} readers", self.ports.len()))
    }

    /// Kills pcscd as a crash would: nothing is cleaned up, the stale socket stays.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill9(&mut self) -> Result<()> {
        let mut child = self.child.take().context("pcscd does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Starts pcscd again with the same readers, names and ports; kills it first if it runs.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn restart(&mut self) -> Result<()> {
        if self.child.is_some() {
            self.kill9()?;
        }
        self.spawn()
    }

    /// Does `plug` while pcscd stands still, so that it sees all keys plugged meanwhile in one look: it looks at each reader
    /// every 400 ms, at another moment each, and that would tell keys apart that were plugged at once.
    ///
    /// # Errors
    /// It does not run, or what `plug` says.
    pub fn at_once<R>(&self, plug: impl FnOnce() -> Result<R>) -> Result<R> {
        self.signal("-STOP")?;
        let plugged = plug();
        // Not to wait for anything: by now the next look of every reader is due.
        thread::sleep(LOOK);
        self.signal("-CONT")?;
        plugged
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let child = self.child.as_ref().context("pcscd does not run")?;
        run("kill", Command::new("kill").args([signal, &child.id().to_string()]), None)?;
        Ok(())
    }

    fn spawn(&mut self) -> Result<()> {
        let socket = self.socket();
        match fs::remove_file(&socket) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let listener =
            UnixListener::bind(&socket).with_context(|| format!("cannot listen on {}", socket.display()))?;
        let log = fs::File::options().create(true).append(true).open(self.log())?;
        let mut command = run_directory()?.command();
        command.arg(self.dir.join(READER_CONF));
        command.stdin(Stdio::from(OwnedFd::from(listener))).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn().context("cannot run sh")?);
        self.await_start()
    }

    fn await_start(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_TIME;
        loop {
            let child = self.child.as_mut().context("pcscd does not run")?;
            if let Some(status) = child.try_wait()? {
                self.child = None;
                bail!(
                    "pcscd ended at once ({status}); its log {}:\n{}",
                    self.log().display(),
                    self.log_tail()
                );
            }
            if listening(child.id())?.is_superset(&self.ports.iter().copied().collect())
                && UnixStream::connect(self.socket()).is_ok()
            {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "pcscd did not start in time; its log {}:\n{}",
                self.log().display(),
                self.log_tail()
            );
            thread::sleep(POLL);
        }
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only for a process that is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn log_tail(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Drop for Pcscd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where pcscd's pid file goes.
enum RunDirectory {
    /// A mount namespace with an empty `/run`, made with these flags of unshare(1).
    Private(&'static str),
    /// The system's: where namespaces are forbidden and no other pcscd runs.
    Shared,
}

impl RunDirectory {
    /// A command that becomes pcscd by exec, so that the child's id is pcscd's own; the configuration file is its last argument.
    fn command(&self) -> Command {
        let (mut command, word) = match self {
            Self::Private(flags) => {
                let mut command = Command::new("unshare");
                command.args([flags, "sh"]);
                (command, "private")
            }
            Self::Shared => (Command::new("sh"), "shared"),
        };
        command.args(["-c", LAUNCH, "pcscd", word]);
        command
    }
}

fn run_directory() -> Result<RunDirectory> {
    for flags in ["-m", "-Urm"] {
        let allowed = Command::new("unshare")
            .args([flags, "sh", "-c", "mount -t tmpfs tmpfs /run"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if allowed.context("cannot run unshare: install util-linux")?.success() {
            return Ok(RunDirectory::Private(flags));
        }
    }
    ensure!(
        !Path::new("/run/pcscd/pcscd.comm").exists(),
        "a pcscd of the system is there and mount namespaces are forbidden here: allow them (CAP_SYS_ADMIN or \
         unprivileged user namespaces) or stop that pcscd"
    );
    Ok(RunDirectory::Shared)
}

/// Ports for `pairs` entries of two readers each; the second reader of an entry is always at the next port.
fn free_ports(pairs: usize) -> Result<Vec<u16>> {
    let span = usize::from(PORTS.end - PORTS.start) / 2;
    // Test processes that start together should not all look in one place.
    let offset = std::process::id() as usize * 67;
    let bindable = |port: u16| TcpListener::bind(("0.0.0.0", port)).is_ok();
    let firsts =
        (0..span).filter_map(|at| u16::try_from((offset + at) % span * 2).ok()).map(|at| PORTS.start + at);
    let ports: Vec<u16> = firsts
        .filter(|&first| bindable(first) && bindable(first + 1))
        .take(pairs)
        .flat_map(|first| [first, first + 1])
        .collect();
    ensure!(ports.len() == pairs * 2, "too few free TCP ports between {} and {}", PORTS.start, PORTS.end);
    Ok(ports)
}

/// Each entry needs a name of its own: pcscd tells readers of one name apart only if one driver library serves them.
fn friendly_name(entry: usize) -> String {
    format!("Virtual PCD {entry}")
}

/// One entry and one copy of the driver for each pair of ports.
fn write_configuration(dir: &Path, ports: &[u16]) -> Result<()> {
    let mut text = String::new();
    for (entry, pair) in ports.chunks(2).enumerate() {
        let driver = dir.join(format!("libifdvpcd{entry}.so"));
        fs::copy(DRIVER, &driver)
            .with_context(|| format!("cannot copy {DRIVER}: install vsmartcard-vpcd"))?;
        let (name, port, driver) = (friendly_name(entry), pair[0], driver.display());
        writeln!(
            text,
            "FRIENDLYNAME \"{name}\"\nDEVICENAME /dev/null:{port:#x}\nLIBPATH {driver}\nCHANNELID {port:#x}\n"
        )?;
    }
    fs::write(dir.join(READER_CONF), text)?;
    Ok(())
}

/// The TCP ports at which a process listens.
fn listening(pid: u32) -> Result<HashSet<u16>> {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Ok(HashSet::new()) };
    let sockets: HashSet<PathBuf> =
        descriptors.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).collect();
    let table = fs::read_to_string("/proc/net/tcp")?;
    Ok(table
        .lines()
        .filter_map(listener)
        .filter(|(_, socket)| sockets.contains(socket))
        .map(|(port, _)| port)
        .collect())
}

/// Port and socket of a listening line of `/proc/net/tcp` (state 0A).
fn listener(line: &str) -> Option<(u16, PathBuf)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, *fields.get(3)?, fields.get(9)?);
    let port = u16::from_str_radix(local.split_once(':')?.1, 16).ok()?;
    (state == "0A").then(|| (port, PathBuf::from(format!("socket:[{inode}]"))))
}
