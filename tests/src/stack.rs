//! The whole stack on this machine: pcscd with virtual readers, mosquitto, SoftHSM, the double of SF, portal and station.
//!
//! Everything lies in one directory and ends when the value is dropped.

use std::{
    fs,
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};

pub use crate::office::{OPERATOR, PASSWORD};
use crate::{
    http::get_json,
    invariants::Verdict,
    office::{Office, START, Setting},
    pcscd::Pcscd,
    places::{free_port, program, tree},
    process::{Process, run, wait_for},
};

const STATION: &str = "bench-1";

/// Addresses and files of a stack. What is the portal's is asked of it as of an [`Office`].
pub struct Stack {
    office: Office,
    /// The readers.
    pub pcscd: Pcscd,
    /// The bench screen.
    pub kiosk_url: String,
    /// Names of the slots, A01 first.
    pub slots: Vec<String>,
    /// Label files.
    pub labels: PathBuf,
    station: Option<Process>,
}

impl Deref for Stack {
    type Target = Office;

    fn deref(&self) -> &Office {
        &self.office
    }
}

impl DerefMut for Stack {
    fn deref_mut(&mut self) -> &mut Office {
        &mut self.office
    }
}

/// What differs between uses.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many readers and slots, 1 to 16.
    pub slots: usize,
    /// How long the station waits for a pulled key, in seconds.
    pub interrupted_seconds: u64,
    /// How long a key in work waits for the portal, in seconds.
    pub answer_seconds: u64,
    /// Where that lies which has a power of its own and keeps what it was told whatever happens to this machine: keys, the HSM, paper, SF.
    pub outside: Option<PathBuf>,
    /// Whether only keys of registered deliveries are made.
    pub stock: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { slots: 16, interrupted_seconds: 60, answer_seconds: 120, outside: None, stock: false }
    }
}

impl Stack {
    /// Starts everything in `dir`, which should be empty.
    ///
    /// # Errors
    /// What did not start, with the end of its log.
    pub fn start(dir: &Path, plan: &Plan) -> Result<Self> {
        let mut stack = Self::prepare(dir, plan)?;
        stack.open()?;
        stack.enrol()?;
        stack.start_station()?;
        Ok(stack)
    }

    fn prepare(dir: &Path, plan: &Plan) -> Result<Self> {
        let setting = Setting { outside: plan.outside.as_deref(), stock: plan.stock, server: None };
        let office = Office::prepare(dir, &setting)?;
        let kiosk = free_port()?;
        fs::create_dir_all(office.dir.join("pcscd"))?;
        let stack = Self {
            pcscd: Pcscd::start(&office.dir.join("pcscd"), plan.slots)?,
            kiosk_url: format!("http://127.0.0.1:{kiosk}"),
            slots: (1..=plan.slots).map(|index| format!("A{index:02}")).collect(),
            labels: office.dir.join("labels"),
            station: None,
            office,
        };
        fs::write(stack.dir.join("station.toml"), stack.station_config(kiosk, plan))?;
        Ok(stack)
    }

    fn station_config(&self, kiosk: u16, plan: &Plan) -> String {
        let mut text = format!(
            include_str!("station.toml.in"),
            dir = self.dir.display(),
            tree = tree().display(),
            kiosk = kiosk,
            jobs_ready = plan.slots,
            interrupted = plan.interrupted_seconds,
            answer = plan.answer_seconds,
        );
        for (index, slot) in self.slots.iter().enumerate() {
            let reader = self.pcscd.reader_name(index);
            text.push_str(&format!("\n[[slot]]\nname = \"{slot}\"\nreader = \"{reader}\"\n"));
        }
        text
    }

    /// The station's program with this stack's configuration and readers.
    ///
    /// # Errors
    /// It is not built.
    pub fn station_command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(program("ukey-station")?);
        command.arg("--config").arg(self.dir.join("station.toml")).args(arguments);
        command.env("PCSCLITE_CSOCK_NAME", self.pcscd.socket());
        Ok(command)
    }

    fn enrol(&self) -> Result<()> {
        let said = run("portal station add", &mut self.portal_command(&["station", "add", STATION])?, None)?;
        let code = said
            .split_whitespace()
            .find(|word| word.len() >= 16 && word.contains('-'))
            .with_context(|| format!("no code in: {said}"))?;
        let portal = ["enrol", "--portal", &self.portal_url];
        run("ukey-station enrol", &mut self.station_command(&portal)?, Some(format!("{code}\n").as_bytes()))?;
        Ok(())
    }

    /// Starts the station and waits until its screen answers.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_station(&mut self) -> Result<()> {
        self.start_station_as(&["run"])
    }

    /// Starts the station by another command line than `run`.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_station_as(&mut self, arguments: &[&str]) -> Result<()> {
        let mut command = self.station_command(arguments)?;
        // Everything of ours is logged, so that what must not be in a log is looked for in all of it.
        command.env("RUST_LOG", "info,ukey_station=trace,workflow=trace,ukey=trace,ukey_pcsc=trace");
        let mut station = Process::start("ukey-station", &mut command, &self.logs.join("station.log"))?;
        let url = self.status_url();
        wait_for("the station", START, || {
            station.check()?;
            Ok(get_json(&url).ok())
        })?;
        self.station = Some(station);
        Ok(())
    }

    /// What the bench screen shows, as JSON.
    #[must_use]
    pub fn status_url(&self) -> String {
        format!("{}/status.json", self.kiosk_url)
    }

    /// Where the keys lie.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.dir.join("keys")
    }

    /// Ids of all processes that would lose their power with this machine. SF is elsewhere.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        let ours = [&self.station, &self.office.portal, &self.office.broker].into_iter().flatten();
        ours.filter_map(Process::id).chain(self.pcscd.id()).collect()
    }

    /// Ends all of [`Self::processes`] as a power cut does, stopped ones too.
    ///
    /// # Errors
    /// One does not run.
    pub fn lose_power(&mut self) -> Result<()> {
        for process in [self.station.take(), self.office.portal.take(), self.office.broker.take()] {
            process.context("a program of the stack does not run")?.kill9()?;
        }
        self.pcscd.kill9()
    }

    /// The running station.
    ///
    /// # Errors
    /// It does not run.
    pub fn station(&mut self) -> Result<&mut Process> {
        self.station.as_mut().context("the station does not run")
    }

    /// Stops the station cleanly.
    ///
    /// # Errors
    /// It does not stop, or ends with an error.
    pub fn stop_station(&mut self) -> Result<()> {
        match self.station.take() {
            Some(mut station) => station.stop(Duration::from_secs(60)),
            None => Ok(()),
        }
    }

    /// Stops station and portal, and says what the invariants say.
    ///
    /// # Errors
    /// One does not stop, or the evidence cannot be read.
    pub fn close_and_check(&mut self) -> Result<Verdict> {
        self.stop_station()?;
        self.office.close_and_check()
    }

    /// Leaves everything running when this value is dropped.
    pub fn leave(mut self) {
        let Office { sandbox, broker, portal, .. } = &mut self.office;
        for process in [sandbox, broker, portal, &mut self.station].into_iter().flatten() {
            process.leave();
        }
        std::mem::forget(self);
    }
}
