//! Flash against ledger, both ways: no certificate and no public key in two keys, and what is issued is in its key and proves itself.

use super::{super::Evidence, Broken, shared};
use crate::invariants::{flash::Flash, ledger::Certificate};

pub(super) fn check(evidence: &Evidence, broken: &mut Broken) {
    let (flashes, ledger) = (&evidence.flashes, &evidence.ledger);
    let serials = flashes.iter().flat_map(|flash| {
        flash.certificates.iter().map(move |(serial, _)| (serial.as_str(), flash.file.as_path()))
    });
    for (serial, files) in shared(serials) {
        broken.doubled(format!("certificate {serial} is in two keys"), format!("{files:?}"));
    }
    let public = flashes
        .iter()
        .flat_map(|flash| flash.public_keys.iter().map(move |xy| (xy.as_str(), flash.file.as_path())));
    for (xy, files) in shared(public) {
        broken.doubled(format!("public key {xy} is in two keys"), format!("{files:?}"));
    }
    let issued =
        ledger.certificates.iter().flat_map(|c| [(&c.sign_serial, &c.key_xy), (&c.enc_serial, &c.key_xy)]);
    for (serial, keys) in shared(issued) {
        broken.doubled(
            format!("certificate {serial} was issued for {} public keys", keys.len()),
            "portal: certificates",
        );
    }
    for flash in flashes {
        for (serial, der) in &flash.certificates {
            in_ledger(evidence, flash, serial, der, broken);
        }
        if ledger.key_state(&flash.id) == Some("issued") {
            proved(evidence, flash, broken);
        }
    }
}

/// A certificate in a key is one that the ledger issued for that very key.
fn in_ledger(evidence: &Evidence, flash: &Flash, serial: &str, der: &[u8], broken: &mut Broken) {
    let place = || format!("{}; portal: certificates", flash.file.display());
    let row = |c: &&Certificate| c.sign_serial == serial || c.enc_serial == serial;
    let Some(row) = evidence.ledger.certificates.iter().find(row) else {
        return broken
            .unaccounted(format!("certificate {serial} is in a key and not in the ledger"), place());
    };
    if row.key_id != flash.id {
        broken.doubled(format!("certificate {serial} of key {} is in key {}", row.key_id, flash.id), place());
    }
    if row.sign_der != der && row.enc_der != der {
        broken.unaccounted(format!("certificate {serial} in a key is another than the ledger's"), place());
    }
    if row.sign_serial == serial && !flash.public_keys.contains(&row.key_xy) {
        broken.unaccounted(format!("certificate {serial} was issued for another public key"), place());
    }
}

/// An issued key holds the certificates that are valid for it, and proves it.
fn proved(evidence: &Evidence, flash: &Flash, broken: &mut Broken) {
    let (id, place) = (&flash.id, flash.file.display().to_string());
    let valid: Vec<(&str, &str)> = evidence
        .ledger
        .valid_of(id)
        .map(|certificate| (certificate.sign_serial.as_str(), certificate.enc_serial.as_str()))
        .collect();
    match evidence.read_back.get(id) {
        None => broken.lost(format!("key {id} is issued and blank"), place),
        Some(Err(why)) => broken.lost(format!("key {id} is issued and fails read-back: {why}"), place),
        Some(Ok((sign, enc))) if valid != [(sign.as_str(), enc.as_str())] => {
            broken.lost(format!("key {id} holds {sign} and {enc}, valid for it are {valid:?}"), place);
        }
        Some(Ok(_)) => {}
    }
}
