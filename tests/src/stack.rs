//! The whole stack on this machine: pcscd with virtual readers, mosquitto, SoftHSM, the double of SF, portal and station.
//!
//! Everything lies in one directory and ends when the value is dropped.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    http::{Operator, get_json},
    invariants::{self, Verdict},
    pcscd::Pcscd,
    places::{free_port, program, tree},
    process::{Process, run, wait_for},
};

/// The operator of the stack.
pub const OPERATOR: &str = "reviewer";
/// Its password.
pub const PASSWORD: &str = "a long pass phrase for the demo";
const STATION: &str = "bench-1";
const START: Duration = Duration::from_secs(60);

/// Addresses and files of a stack.
pub struct Stack {
    /// Everything lies here.
    pub dir: PathBuf,
    /// The readers.
    pub pcscd: Pcscd,
    /// Where the portal listens.
    pub portal_url: String,
    /// The bench screen.
    pub kiosk_url: String,
    /// Names of the slots, A01 first.
    pub slots: Vec<String>,
    /// The double of SF.
    pub sandbox_url: String,
    /// Label files.
    pub labels: PathBuf,
    /// Log files.
    pub logs: PathBuf,
    sandbox: Option<Process>,
    broker: Option<Process>,
    portal: Option<Process>,
    station: Option<Process>,
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
        stack.start_sandbox()?;
        stack.start_broker()?;
        stack.start_portal()?;
        stack.enrol()?;
        stack.start_station()?;
        Ok(stack)
    }

    fn prepare(dir: &Path, plan: &Plan) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let dir = dir.canonicalize()?;
        for sub in ["logs", "secrets", "pcscd"] {
            fs::create_dir_all(dir.join(sub))?;
        }
        outside(&dir, plan)?;
        let (http, mqtt, kiosk, sandbox) = (free_port()?, free_port()?, free_port()?, free_port()?);
        let stack = Self {
            pcscd: Pcscd::start(&dir.join("pcscd"), plan.slots)?,
            portal_url: format!("http://127.0.0.1:{http}"),
            kiosk_url: format!("http://127.0.0.1:{kiosk}"),
            slots: (1..=plan.slots).map(|index| format!("A{index:02}")).collect(),
            sandbox_url: format!("http://127.0.0.1:{sandbox}"),
            labels: dir.join("labels"),
            logs: dir.join("logs"),
            sandbox: None,
            broker: None,
            portal: None,
            station: None,
            dir,
        };
        write_secrets(&stack.dir)?;
        fs::write(stack.dir.join("portal.toml"), portal_config(&stack.dir, http, mqtt, sandbox))?;
        fs::write(stack.dir.join("station.toml"), stack.station_config(kiosk, plan))?;
        if plan.stock {
            let file = stack.dir.join("portal.toml");
            fs::write(&file, fs::read_to_string(&file)?.replace("required = false", "required = true"))?;
        }
        let tokens = stack.dir.join("tokens");
        let conf = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        );
        fs::write(stack.dir.join("softhsm2.conf"), conf)?;
        run("portal init", &mut stack.portal_command(&["init"])?, None)?;
        let factory = hex::encode(ukey_sim::FACTORY_DEVICE_KEY);
        let profiles = profile::load_dir(&tree().join("firmware-profiles"))?;
        for label in factory_labels(&profiles) {
            run(
                "portal factory-key",
                &mut stack.portal_command(&["factory-key", &label])?,
                Some(factory.as_bytes()),
            )?;
        }
        run(
            "portal operator",
            &mut stack.portal_command(&["operator", "add", OPERATOR])?,
            Some(PASSWORD.as_bytes()),
        )?;
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

    /// The portal's program with this stack's configuration and token.
    ///
    /// # Errors
    /// It is not built.
    pub fn portal_command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(program("portal")?);
        command.arg("--config").arg(self.dir.join("portal.toml")).args(arguments);
        command.env("SOFTHSM2_CONF", self.dir.join("softhsm2.conf"));
        Ok(command)
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

    fn start_sandbox(&mut self) -> Result<()> {
        let mut command = Command::new(program("sandbox")?);
        let listen = self.sandbox_url.trim_start_matches("http://");
        command.args(["--listen", listen, "--partner-id", PARTNER, "--checkword-file"]);
        command.arg(self.dir.join("secrets/sf-checkword"));
        // The double replaces its file, and would replace a link as well.
        let state = self.dir.join("sf-state.json");
        let (state, log) = match fs::read_link(&state) {
            Ok(outside) => (outside.clone(), outside.with_file_name("sandbox.log")),
            Err(_) => (state, self.logs.join("sandbox.log")),
        };
        command.arg("--state").arg(state);
        command.arg("--alipay-keys").arg(self.dir.join("secrets"));
        command.arg("--alipay-state").arg(self.dir.join("alipay-state.json"));
        self.sandbox = Some(Process::start("sandbox", &mut command, &log)?);
        let url = format!("{}/control/orders", self.sandbox_url);
        wait_for("the double of SF", START, || Ok(get_json(&url).ok()))?;
        Ok(())
    }

    /// Starts mosquitto with the files that `portal init` made.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_broker(&mut self) -> Result<()> {
        let mut command = Command::new("mosquitto");
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        command.arg("-c").arg(self.dir.join("portal/broker/mosquitto.conf"));
        self.broker = Some(Process::start("mosquitto", &mut command, &self.logs.join("mosquitto.log"))?);
        Ok(())
    }

    /// Starts the portal and waits until it answers.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_portal(&mut self) -> Result<()> {
        let mut command = self.portal_command(&["serve"])?;
        command.env("PORTAL_LOG", "info,portal=trace,vault=trace,ca=trace,sf=trace");
        let mut portal = Process::start("portal", &mut command, &self.logs.join("portal.log"))?;
        let url = format!("{}/healthz", self.portal_url);
        wait_for("the portal", START, || {
            portal.check()?;
            Ok(ureq::get(&url).call().ok().map(|_| ()))
        })?;
        self.portal = Some(portal);
        Ok(())
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

    /// Logs the operator in.
    ///
    /// # Errors
    /// The portal refuses.
    pub fn operator(&self) -> Result<Operator> {
        Operator::log_in(&self.portal_url, OPERATOR, PASSWORD)
    }

    /// Brings orders in by file, as an operator at the portal's machine would.
    ///
    /// # Errors
    /// The portal refuses one.
    pub fn import(&self, orders: &[Value]) -> Result<()> {
        let file = self.dir.join("orders.json");
        fs::write(&file, serde_json::to_vec_pretty(orders)?)?;
        let path = file.to_string_lossy().into_owned();
        run("portal import", &mut self.portal_command(&["import", &path])?, None)?;
        Ok(())
    }

    /// Registers a delivery of blanks.
    ///
    /// # Errors
    /// The portal refuses it.
    pub fn register(&self, lot: &str, blanks: &[PathBuf]) -> Result<()> {
        let mut rows = "maker,model,serial\n".to_owned();
        for blank in blanks {
            let flash: Value = serde_json::from_slice(&fs::read(blank)?)?;
            let text = |name: &str| flash[name].as_str().unwrap_or_default().to_owned();
            rows.push_str(&format!("{},{},{}\n", text("maker"), text("model"), text("serial")));
        }
        let file = self.dir.join(format!("{lot}.csv"));
        fs::write(&file, rows)?;
        let path = file.to_string_lossy().into_owned();
        run("portal stock add", &mut self.portal_command(&["stock", "add", "--lot", lot, &path])?, None)?;
        Ok(())
    }

    /// Where the keys lie.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.dir.join("keys")
    }

    /// Ids of all processes that would lose their power with this machine. SF is elsewhere.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        let ours = [&self.station, &self.portal, &self.broker].into_iter().flatten();
        ours.filter_map(Process::id).chain(self.pcscd.id()).collect()
    }

    /// Ends all of [`Self::processes`] as a power cut does, stopped ones too.
    ///
    /// # Errors
    /// One does not run.
    pub fn lose_power(&mut self) -> Result<()> {
        for process in [self.station.take(), self.portal.take(), self.broker.take()] {
            process.context("a program of the stack does not run")?.kill9()?;
        }
        self.pcscd.kill9()
    }

    /// Writes the CA's public files into `dir`.
    ///
    /// # Errors
    /// The portal fails.
    pub fn export_ca(&self, dir: &Path) -> Result<()> {
        let path = dir.to_string_lossy().into_owned();
        run("portal ca export", &mut self.portal_command(&["ca", "export", "--dir", &path])?, None)?;
        Ok(())
    }

    /// Writes the portal's audit and the anchors of the station's journal into `dir`.
    ///
    /// # Errors
    /// The portal fails.
    pub fn export_audit(&self, dir: &Path) -> Result<()> {
        let path = dir.to_string_lossy().into_owned();
        run("portal audit export", &mut self.portal_command(&["audit", "export", "--dir", &path])?, None)?;
        Ok(())
    }

    /// The running station.
    ///
    /// # Errors
    /// It does not run.
    pub fn station(&mut self) -> Result<&mut Process> {
        self.station.as_mut().context("the station does not run")
    }

    /// The running portal.
    ///
    /// # Errors
    /// It does not run.
    pub fn portal(&mut self) -> Result<&mut Process> {
        self.portal.as_mut().context("the portal does not run")
    }

    /// The running broker.
    ///
    /// # Errors
    /// It does not run.
    pub fn broker(&mut self) -> Result<&mut Process> {
        self.broker.as_mut().context("mosquitto does not run")
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

    /// Stops the portal and the broker cleanly, so that what they wrote can be looked at.
    ///
    /// # Errors
    /// One does not stop, or ends with an error.
    pub fn stop_portal(&mut self) -> Result<()> {
        for process in [self.portal.take(), self.broker.take()].into_iter().flatten() {
            let mut process = process;
            process.stop(Duration::from_secs(60))?;
        }
        Ok(())
    }

    /// Stops station and portal, and says what the invariants say.
    ///
    /// # Errors
    /// One does not stop, or the evidence cannot be read.
    pub fn close_and_check(&mut self) -> Result<Verdict> {
        self.stop_station()?;
        self.stop_portal()?;
        invariants::check(&self.dir)
    }

    /// Leaves everything running when this value is dropped.
    pub fn leave(mut self) {
        for process in
            [&mut self.sandbox, &mut self.broker, &mut self.portal, &mut self.station].into_iter().flatten()
        {
            process.leave();
        }
        std::mem::forget(self);
    }
}

/// Folders that are here, or lead to where they are.
fn outside(dir: &Path, plan: &Plan) -> Result<()> {
    for sub in ["keys", "labels", "tokens"] {
        match &plan.outside {
            None => fs::create_dir_all(dir.join(sub))?,
            Some(outside) => {
                fs::create_dir_all(outside.join(sub))?;
                symlink(outside.join(sub), dir.join(sub))?;
            }
        }
    }
    if let Some(outside) = &plan.outside {
        symlink(outside.join("sf-state.json"), dir.join("sf-state.json"))?;
    }
    Ok(())
}

/// Partner id at the double of SF.
pub(crate) const PARTNER: &str = "UKEYSTATION";
/// Check word at the double of SF.
pub(crate) const CHECKWORD: &str = "checkword-of-the-local-double-0001";

/// The secrets that the portal's configuration names.
pub(crate) fn write_secrets(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir.join("secrets"))?;
    for (name, secret) in
        [("vault-pin", "24681357"), ("vault-so-pin", "13572468"), ("sf-checkword", CHECKWORD)]
    {
        let path = dir.join("secrets").join(name);
        fs::write(&path, secret)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// The portal's configuration for a folder and three ports.
pub(crate) fn portal_config(dir: &Path, http: u16, mqtt: u16, sandbox: u16) -> String {
    format!(
        include_str!("portal.toml.in"),
        dir = dir.display(),
        tree = tree().display(),
        http = http,
        mqtt = mqtt,
        sandbox = sandbox,
    )
}

/// Labels of the factory device keys of all virtual models.
pub(crate) fn factory_labels(profiles: &[profile::Profile]) -> BTreeSet<String> {
    let ours = profiles.iter().filter(|profile| profile.maker == "ukey");
    ours.map(|profile| profile.secrets.factory_device_key.clone()).collect()
}
