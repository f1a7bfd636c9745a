//! Who this station is: what enrolment left in the identity folder.

use std::{
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use gm::SigningKey;
use model::{Secret, StationId};
use serde::{Deserialize, Serialize};

/// The station's identity, loaded.
pub struct Identity {
    /// Its name.
    pub station: StationId,
    /// Broker host and port.
    pub broker: (String, u16),
    /// Certificate authority of the broker, PEM.
    pub ca_pem: String,
    /// The station's TLS certificate, PEM.
    pub certificate_pem: String,
    /// Its TLS key, PEM.
    pub tls_key: Secret,
    /// The SM2 key to which secrets are sealed.
    pub sealing_key: SigningKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    station: StationId,
    broker_host: String,
    broker_port: u16,
}

/// What enrolment writes.
pub struct NewIdentity<'a> {
    /// Name given by the portal.
    pub station: StationId,
    /// Broker host and port.
    pub broker: (String, u16),
    /// Authority, PEM.
    pub ca_pem: &'a str,
    /// Certificate, PEM.
    pub certificate_pem: &'a str,
}

const TLS_KEY: &str = "tls.key";
const SM2_KEY: &str = "sm2.key";

/// The station's two private keys, made once and kept: a repeated enrolment uses the same.
pub struct Keys {
    /// P-256 key of the TLS certificate, PKCS#8 PEM.
    pub tls_pem: Secret,
    /// SM2 key to which secrets are sealed.
    pub sealing: SigningKey,
}

/// Loads the keys in `dir`, or makes them.
///
/// # Errors
/// Where the folder cannot be written or a file in it is damaged.
pub fn keys(dir: &Path) -> anyhow::Result<Keys> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    if !dir.join(TLS_KEY).exists() {
        let key = rcgen::KeyPair::generate().context("cannot make a TLS key")?;
        write_private(&dir.join(TLS_KEY), key.serialize_pem().as_bytes())?;
    }
    if !dir.join(SM2_KEY).exists() {
        let key = SigningKey::generate()?.to_secret();
        write_private(&dir.join(SM2_KEY), hex::encode(key.expose()).as_bytes())?;
    }
    let tls_pem = Secret::new(read(dir, TLS_KEY)?);
    let scalar = hex::decode(String::from_utf8_lossy(&read(dir, SM2_KEY)?).trim())
        .with_context(|| format!("{} is damaged: enrol again", dir.join(SM2_KEY).display()))?;
    let sealing = SigningKey::from_secret(&Secret::new(scalar)).context("sm2.key is damaged: enrol again")?;
    Ok(Keys { tls_pem, sealing })
}

/// Stores what the portal answered.
///
/// # Errors
/// Where the folder cannot be written.
pub fn store(dir: &Path, new: &NewIdentity<'_>) -> anyhow::Result<()> {
    let facts =
        Facts { station: new.station.clone(), broker_host: new.broker.0.clone(), broker_port: new.broker.1 };
    write_private(&dir.join("ca.crt"), new.ca_pem.as_bytes())?;
    write_private(&dir.join("tls.crt"), new.certificate_pem.as_bytes())?;
    // Last, because its presence is what says "enrolled".
    write_private(&dir.join("station.json"), &serde_json::to_vec_pretty(&facts)?)
}

/// Loads the identity in `dir`.
///
/// # Errors
/// Where the station is not enrolled or a file is damaged.
pub fn load(dir: &Path) -> anyhow::Result<Identity> {
    if !dir.join("station.json").exists() {
        bail!("{} holds no identity: run `ukey-station enrol` first", dir.display());
    }
    let facts: Facts =
        serde_json::from_slice(&read(dir, "station.json")?).context("station.json is damaged")?;
    let keys = keys(dir)?;
    Ok(Identity {
        station: facts.station,
        broker: (facts.broker_host, facts.broker_port),
        ca_pem: String::from_utf8(read(dir, "ca.crt")?).context("ca.crt is damaged")?,
        certificate_pem: String::from_utf8(read(dir, "tls.crt")?).context("tls.crt is damaged")?,
        tls_key: keys.tls_pem,
        sealing_key: keys.sealing,
    })
}

fn read(dir: &Path, name: &str) -> anyhow::Result<Vec<u8>> {
    let path: PathBuf = dir.join(name);
    std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes by a temporary file and a rename, so that a power cut leaves the old file or the new one.
fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .with_context(|| format!("cannot write {}", temporary.display()))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path).with_context(|| format!("cannot write {}", path.display()))
}
