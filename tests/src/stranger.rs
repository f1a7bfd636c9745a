//! A second station that is none: it has an identity of its own and says anything, through mosquitto's own client.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use crate::{
    places::program,
    process::{output, run},
    stack::Stack,
};

/// A broken client that stays connected is ended after this.
const PATIENCE_SECONDS: &str = "120";

/// The stranger.
pub struct Stranger {
    name: String,
    /// CA, certificate and key.
    identity: [PathBuf; 3],
    /// Port of the broker.
    port: String,
    /// What it says is put here first.
    payload: PathBuf,
}

impl Stranger {
    /// Enrols a station that never runs.
    ///
    /// # Errors
    /// The portal refuses.
    pub fn enrol(stack: &Stack, name: &str) -> Result<Self> {
        let dir = stack.dir.join(name);
        fs::create_dir_all(&dir)?;
        let config = fs::read_to_string(stack.dir.join("station.toml"))?;
        let own = format!("state = \"{}\"", stack.dir.join("station").display());
        let config = config.replace(&own, &format!("state = \"{}\"", dir.display()));
        fs::write(dir.join("station.toml"), config)?;
        let said = run("portal station add", &mut stack.portal_command(&["station", "add", name])?, None)?;
        let code = said
            .split_whitespace()
            .find(|word| word.len() >= 16 && word.contains('-'))
            .with_context(|| format!("no code in: {said}"))?;
        let mut enrol = Command::new(program("ukey-station")?);
        enrol.arg("--config").arg(dir.join("station.toml")).args(["enrol", "--portal", &stack.portal_url]);
        run("ukey-station enrol", &mut enrol, Some(format!("{code}\n").as_bytes()))?;
        let identity = ["ca.crt", "tls.crt", "tls.key"].map(|file| dir.join("identity").join(file));
        Ok(Self { name: name.to_owned(), identity, port: port(stack)?, payload: dir.join("payload") })
    }

    /// Somebody who got hold of the portal's own key.
    ///
    /// # Errors
    /// The stack's configuration cannot be read.
    pub fn with_the_portals_identity(stack: &Stack) -> Result<Self> {
        let dir = stack.dir.join("portal/broker");
        let identity = ["ca.pem", "portal.pem", "portal.key"].map(|file| dir.join(file));
        let payload = stack.dir.join("said-for-the-portal");
        Ok(Self { name: "portal".to_owned(), identity, port: port(stack)?, payload })
    }

    /// Its own topic in a direction.
    #[must_use]
    pub fn topic(&self, direction: &str) -> String {
        format!("ukey/v1/{}/{direction}", self.name)
    }

    /// Publishes one message; whether the broker took it, and what the client said.
    ///
    /// # Errors
    /// The client cannot be started.
    pub fn say(&self, topic: &str, payload: &[u8]) -> Result<(bool, String)> {
        fs::write(&self.payload, payload)?;
        let mut publish = self.client(topic);
        publish.arg("-f").arg(&self.payload);
        let output = output("mosquitto_pub", &mut publish, None)?;
        Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// Publishes each line as a message, as fast as the broker takes them.
    ///
    /// # Errors
    /// The broker does not take them.
    pub fn flood(&self, topic: &str, lines: &str) -> Result<()> {
        run("mosquitto_pub", self.client(topic).arg("-l"), Some(lines.as_bytes())).map(|_| ())
    }

    fn client(&self, topic: &str) -> Command {
        let [ca, certificate, key] = &self.identity;
        let mut command = Command::new("timeout");
        command.args([PATIENCE_SECONDS, "mosquitto_pub", "-q", "1", "-h", "localhost", "-p", &self.port]);
        command
            .args(["-t", topic])
            .arg("--cafile")
            .arg(ca)
            .arg("--cert")
            .arg(certificate)
            .arg("--key")
            .arg(key);
        command
    }
}

fn port(stack: &Stack) -> Result<String> {
    let config = fs::read_to_string(stack.dir.join("portal.toml"))?;
    let mut lines = config.lines().skip_while(|line| *line != "[broker]");
    let port = lines.find_map(|line| line.strip_prefix("port = "));
    Ok(port.context("portal.toml names no port of the broker")?.to_owned())
}
