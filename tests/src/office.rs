//! The portal's machine: the portal with its HSM and broker, and the doubles of the services outside. No station, no keys.
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
use serde_json::{Value, json};

use crate::{
    http::{Operator, get_json},
    invariants::{self, Verdict},
    places::{free_port, program, tree},
    postgres::Postgres,
    process::{Process, run, wait_for},
};

/// The operator of the portal.
pub const OPERATOR: &str = "reviewer";
/// Who packs: not whoever approves.
pub const PACKER: &str = "packer";
/// Both passwords.
pub const PASSWORD: &str = "a long pass phrase for the demo";
pub(crate) const START: Duration = Duration::from_secs(60);

/// Addresses and files of a portal's machine.
pub struct Office {
    /// Everything lies here.
    pub dir: PathBuf,
    /// Where the portal listens.
    pub portal_url: String,
    /// The doubles of SF, Alipay, the SMS service and the invoice service.
    pub sandbox_url: String,
    /// Log files.
    pub logs: PathBuf,
    pub(crate) sandbox: Option<Process>,
    pub(crate) broker: Option<Process>,
    pub(crate) portal: Option<Process>,
}

/// What differs between uses of an [`Office`].
#[derive(Default)]
pub(crate) struct Setting<'a> {
    /// Where that lies which has a power of its own.
    pub outside: Option<&'a Path>,
    /// Whether only keys of registered deliveries are made.
    pub stock: bool,
    /// Where the database is; a file if nowhere else.
    pub server: Option<&'a Postgres>,
}

impl Office {
    /// Starts everything in `dir`, which should be empty.
    ///
    /// # Errors
    /// What did not start, with the end of its log.
    pub fn start(dir: &Path) -> Result<Self> {
        Self::start_as(dir, &Setting::default())
    }

    /// As [`Self::start`], with the portal's database on a server.
    ///
    /// # Errors
    /// What did not start, with the end of its log.
    pub fn start_on(dir: &Path, server: &Postgres) -> Result<Self> {
        Self::start_as(dir, &Setting { server: Some(server), ..Setting::default() })
    }

    fn start_as(dir: &Path, setting: &Setting<'_>) -> Result<Self> {
        let mut office = Self::prepare(dir, setting)?;
        office.open()?;
        Ok(office)
    }

    /// Makes the files, the token and the operator.
    pub(crate) fn prepare(dir: &Path, setting: &Setting<'_>) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let dir = dir.canonicalize()?;
        for sub in ["logs", "secrets"] {
            fs::create_dir_all(dir.join(sub))?;
        }
        lay_outside(&dir, setting.outside)?;
        let (http, mqtt, sandbox) = (free_port()?, free_port()?, free_port()?);
        let office = Self {
            portal_url: format!("http://127.0.0.1:{http}"),
            sandbox_url: format!("http://127.0.0.1:{sandbox}"),
            logs: dir.join("logs"),
            sandbox: None,
            broker: None,
            portal: None,
            dir,
        };
        write_secrets(&office.dir)?;
        let mut config = portal_config(&office.dir, http, mqtt, sandbox);
        if setting.stock {
            config = config.replace("required = false", "required = true");
        }
        if let Some(server) = setting.server {
            let file = office.dir.join("secrets/database");
            fs::write(&file, server.address())?;
            let postgres = format!("kind = \"postgres\"\nurl_file = \"{}\"", file.display());
            config = config.replace("kind = \"sqlite\"", &postgres);
        }
        fs::write(office.dir.join("portal.toml"), config)?;
        let tokens = office.dir.join("tokens");
        let conf = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        );
        fs::write(office.dir.join("softhsm2.conf"), conf)?;
        office.initialise()?;
        Ok(office)
    }

    fn initialise(&self) -> Result<()> {
        run("portal init", &mut self.portal_command(&["init"])?, None)?;
        let factory = hex::encode(ukey_sim::FACTORY_DEVICE_KEY);
        let profiles = profile::load_dir(&tree().join("firmware-profiles"))?;
        for label in factory_labels(&profiles) {
            let arguments = ["factory-key", &label];
            run("portal factory-key", &mut self.portal_command(&arguments)?, Some(factory.as_bytes()))?;
        }
        let most = ["reviewer", "production", "finance", "stations", "administrator"];
        for (name, roles) in [(OPERATOR, most.as_slice()), (PACKER, &["production"])] {
            let mut operator = self.portal_command(&["operator", "add", name])?;
            for role in roles {
                operator.args(["--role", role]);
            }
            run("portal operator", &mut operator, Some(PASSWORD.as_bytes()))?;
        }
        Ok(())
    }

    pub(crate) fn open(&mut self) -> Result<()> {
        self.start_sandbox()?;
        self.start_broker()?;
        self.start_portal()
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

    fn start_sandbox(&mut self) -> Result<()> {
        let mut command = Command::new(program("sandbox")?);
        let listen = self.sandbox_url.trim_start_matches("http://");
        command.args(["--listen", listen, "--partner-id", PARTNER, "--checkword-file"]);
        command.arg(self.dir.join("secrets/sf-checkword"));
        let doubles = self.dir.join("doubles");
        let log = match fs::read_link(&doubles) {
            Ok(outside) => outside.with_file_name("sandbox.log"),
            Err(_) => self.logs.join("sandbox.log"),
        };
        command.arg("--state").arg(doubles);
        command.arg("--alipay-keys").arg(self.dir.join("secrets"));
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

    /// What the double of the SMS service sent to a mobile, oldest first.
    ///
    /// # Errors
    /// The double does not answer.
    pub fn messages_to(&self, mobile: &str) -> Result<Vec<Value>> {
        let sent = get_json(&format!("{}/sms/messages", self.sandbox_url))?;
        let sent = sent.as_array().context("no list of messages")?;
        Ok(sent.iter().filter(|message| message["mobile"] == mobile).cloned().collect())
    }

    /// Tells the double of Alipay how its next calls end.
    ///
    /// # Errors
    /// It knows no such end.
    pub fn alipay_will(&self, ends: &[&str]) -> Result<()> {
        ureq::post(format!("{}/alipay/control", self.sandbox_url)).send_json(json!({"next": ends}))?;
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

    /// Ends the doubles of the services: what they keep does not change any more.
    ///
    /// # Errors
    /// They do not end.
    pub fn end_doubles(&mut self) -> Result<()> {
        match &mut self.sandbox {
            Some(sandbox) => sandbox.kill9(),
            None => Ok(()),
        }
    }

    /// Stops the portal, and says what the invariants say.
    ///
    /// # Errors
    /// It does not stop, or the evidence cannot be read.
    pub fn close_and_check(&mut self) -> Result<Verdict> {
        self.stop_portal()?;
        invariants::check(&self.dir)
    }
}

/// Folders that are here, or lead to where they are.
fn lay_outside(dir: &Path, outside: Option<&Path>) -> Result<()> {
    for sub in ["keys", "labels", "tokens", "doubles"] {
        match outside {
            None => fs::create_dir_all(dir.join(sub))?,
            Some(outside) => {
                fs::create_dir_all(outside.join(sub))?;
                symlink(outside.join(sub), dir.join(sub))?;
            }
        }
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
    for (name, secret) in [
        ("vault-pin", "24681357"),
        ("vault-so-pin", "13572468"),
        ("sf-checkword", CHECKWORD),
        ("sms-secret", sandbox::sms::ACCESS_KEY_SECRET),
        ("invoice-secret", sandbox::invoice::APP_SECRET),
        ("invoice-token", sandbox::invoice::ACCESS_TOKEN),
    ] {
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
