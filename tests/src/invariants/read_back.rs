//! Every key that the portal says is made, read back as a customer would. Copies are read: to be refused is written down by a key.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Result;

use super::{flash::Flash, ledger::Ledger};
use crate::{places, proof};

/// Serials (signing, encryption) that a key proved to hold, or why it did not.
pub(super) type Proof = Result<(String, String), String>;

/// What each issued key proved.
pub(super) fn prove(ledger: &Ledger, flashes: &[Flash], scratch: &Path) -> Result<BTreeMap<String, Proof>> {
    let profiles = profile::load_dir(&places::tree().join("firmware-profiles"))?;
    let mut proved = BTreeMap::new();
    for flash in flashes.iter().filter(|flash| ledger.key_state(&flash.id) == Some("issued") && flash.touched)
    {
        let copy = scratch.join("copy.json");
        fs::copy(&flash.file, &copy)?;
        let read = proof::finished_key(&copy, &profiles, scratch);
        let serials = read.map(|key| (key.sign.serial_hex(), key.enc.serial_hex()));
        proved.insert(flash.id.clone(), serials.map_err(|error| format!("{error:#}")));
        fs::remove_file(&copy)?;
    }
    Ok(proved)
}
