//! The broker's folder: certificates, mosquitto's configuration, the ACL.

use std::{os::unix::fs::MetadataExt as _, path::Path};

use anyhow::Context as _;

use super::{
    files::{make_folder, write_once},
    transport::{Identity, TransportCa},
};
use crate::{clock::Clock, config::Config};

/// Each station reaches its own topics alone (`%u` is the common name of its certificate); the portal reaches all.
const ACL: &str = "\
# Made by `portal init`. Every line stands for a right; what no line allows is denied.

user portal
topic readwrite ukey/v1/#

# %u is the common name of a client's certificate.
pattern write ukey/v1/%u/up
pattern read ukey/v1/%u/down
pattern write ukey/v1/%u/status
";

/// Writes what is not there yet.
pub(super) fn write_files(config: &Config, transport: &TransportCa, clock: &Clock) -> anyhow::Result<()> {
    let folder = config.broker_dir();
    make_folder(&folder)?;
    make_folder(&folder.join("data"))?;
    write_once(&folder.join("ca.pem"), 0o644, transport.ca_pem.as_bytes())?;
    write_identity(&folder, "server", || transport.server(server_names(&config.broker.host), clock.now()))?;
    write_identity(&folder, "portal", || transport.portal(clock.now()))?;
    write_once(&folder.join("acl"), 0o600, ACL.as_bytes())?;
    let folder = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
    write_once(&folder.join("mosquitto.conf"), 0o644, configuration(config, &folder)?.as_bytes())?;
    Ok(())
}

/// The certificate is written last: its presence says that the pair is whole.
fn write_identity(
    folder: &Path,
    name: &str,
    make: impl FnOnce() -> anyhow::Result<Identity>,
) -> anyhow::Result<()> {
    let certificate = folder.join(format!("{name}.pem"));
    let key = folder.join(format!("{name}.key"));
    if certificate.exists() {
        return Ok(());
    }
    if key.exists() {
        // Left by an interrupted run; without its certificate nobody knows it.
        std::fs::remove_file(&key).with_context(|| format!("cannot replace {}", key.display()))?;
    }
    let identity = make()?;
    write_once(&key, 0o600, identity.key_pem.expose())?;
    write_once(&certificate, 0o644, identity.certificate_pem.as_bytes())?;
    Ok(())
}

fn server_names(host: &str) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    if !names.iter().any(|name| name == host) {
        names.insert(0, host.to_owned());
    }
    names
}

fn configuration(config: &Config, folder: &Path) -> anyhow::Result<String> {
    let port = config.broker.port;
    let local = matches!(config.broker.host.as_str(), "localhost" | "127.0.0.1");
    let bind = if local { " 127.0.0.1" } else { "" };
    let user = owner(folder)?;
    let folder = folder.display();
    Ok(format!(
        "\
# Made by `portal init` and never overwritten; start with: mosquitto -c {folder}/mosquitto.conf
listener {port}{bind}
# Started by root, mosquitto becomes this user, who must be able to read the keys here.
user {user}

cafile {folder}/ca.pem
certfile {folder}/server.pem
keyfile {folder}/server.key
# Stations that were enrolled anew or disabled. The portal writes it anew and has it read again (SIGHUP, by the pid file).
crlfile {folder}/crl.pem
pid_file {folder}/mosquitto.pid
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file {folder}/acl

# Sessions and retained status survive a restart. Nothing relies on it: whoever needs certainty has an outbox.
persistence true
persistence_location {folder}/data/
autosave_interval 60

# A client is known by its certificate alone: nobody can take the place of another, or more than one.
use_username_as_clientid true

# Larger packets are no messages of this protocol: whoever sends one is disconnected, and that is logged.
max_packet_size 393216
# What waits for one client. Beyond it messages are dropped; whoever sent them asks again, reports wait in the outbox.
max_inflight_messages 64
max_queued_messages 10000
max_queued_bytes 67108864
max_connections 1000
set_tcp_nodelay true

log_dest stderr
log_type error
log_type warning
log_type notice
"
    ))
}

/// The name of the user to whom the folder belongs.
fn owner(folder: &Path) -> anyhow::Result<String> {
    let uid =
        std::fs::metadata(folder).with_context(|| format!("cannot look at {}", folder.display()))?.uid();
    let users = std::fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.with_context(|| {
        format!("user {uid}, to whom {} belongs, has no name in /etc/passwd", folder.display())
    })
}
