//! The keys themselves: what their flash holds.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use gm::certificate::Certificate;
use serde_json::Value;

/// A key, as its flash has it.
#[derive(Clone, Debug)]
pub(super) struct Flash {
    pub file: PathBuf,
    /// maker/model/serial.
    pub id: String,
    /// Whether anything was written on it since it left the maker.
    pub touched: bool,
    /// Public keys that were made on it or put into it, X‖Y, hex.
    pub public_keys: Vec<String>,
    /// Certificates in it: serial and DER.
    pub certificates: Vec<(String, Vec<u8>)>,
    /// Device key, admin PINs, private keys.
    pub secrets: Vec<Vec<u8>>,
}

/// Reads every flash file of a folder.
pub(super) fn read(dir: &Path) -> Result<Vec<Flash>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("keys in {}", dir.display()))? {
        files.push(entry?.path());
    }
    // A file beside it that begins with a point was never part of the key.
    let shown =
        |path: &PathBuf| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'));
    files.retain(|path| shown(path) && path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files.iter().map(|file| one(file).with_context(|| format!("the flash {}", file.display()))).collect()
}

/// One flash file.
pub(super) fn one(file: &Path) -> Result<Flash> {
    let flash: Value = serde_json::from_slice(&fs::read(file)?)?;
    let device_key = bytes(&flash["device_key"])?;
    let applications = flash["applications"].as_array().context("no applications")?;
    let text = |name: &str| flash[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
    let mut key = Flash {
        file: file.to_owned(),
        id: format!("{}/{}/{}", text("maker")?, text("model")?, text("serial")?),
        touched: !applications.is_empty() || device_key != ukey_sim::FACTORY_DEVICE_KEY,
        public_keys: Vec::new(),
        certificates: Vec::new(),
        secrets: vec![device_key],
    };
    for application in applications {
        key.secrets.push(bytes(&application["admin"]["value"])?);
        for container in application["containers"].as_array().into_iter().flatten() {
            for pair in [&container["sign"], &container["encryption"]] {
                if !pair.is_null() {
                    take(&mut key, pair)?;
                }
            }
        }
    }
    Ok(key)
}

fn take(key: &mut Flash, pair: &Value) -> Result<()> {
    key.secrets.push(bytes(&pair["private"])?);
    key.public_keys.push(hex::encode(bytes(&pair["public"])?));
    if !pair["certificate"].is_null() {
        let der = bytes(&pair["certificate"])?;
        key.certificates.push((Certificate::from_der(&der)?.serial_hex(), der));
    }
    Ok(())
}

fn bytes(value: &Value) -> Result<Vec<u8>> {
    Ok(hex::decode(value.as_str().context("no hex text")?)?)
}
