//! What must hold in the end, read from the database, the keys, the journals and the table under the printer.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::PoisonError,
};

use anyhow::{Context as _, Result, ensure};
use audit::{Archive, Evidence, KnownHead, PortalEvidence};
use model::KeyId;
use ukey_sim::Summary;

use super::{Outcome, world::World};
use crate::proof;

/// Looks at everything.
pub fn all(world: &mut World) -> Result<Outcome> {
    let faults = world.faults();
    let restarts = world.stations.iter().map(|station| station.restarts).sum();
    doubles(world)?;
    let made = orders(world)?;
    let spoiled = keys(world, &made)?;
    let exported = super::portal::folder()?;
    world.net.portal().export_audit(exported.path())?;
    let mut heads = Vec::new();
    for station in &mut world.stations {
        station.running = None;
        ensure!(
            !station.dir.join("saved-was-not-put-back").exists(),
            "the simulation could not tear a write"
        );
        let anchors = exported.path().join(format!("anchors-{}.jsonl", station.name));
        let kept = journal(&station.dir.join("station/journal"), &anchors);
        heads.extend(kept.with_context(|| format!("journal of {}", station.name))?);
    }
    chain(exported.path(), heads)?;
    Ok(Outcome { orders: world.numbers.len(), made: made.len(), spoiled, faults, restarts })
}

/// Nothing is there twice.
fn doubles(world: &World) -> Result<()> {
    let portal = world.net.portal();
    for (what, sql) in [
        ("keys of jobs", "select key_id from jobs where key_id is not null"),
        ("waybills", "select waybill from parcels"),
        ("signing certificates", "select sign_serial from certificates"),
        ("encryption certificates", "select enc_serial from certificates"),
        ("heads of one place of a journal", "select station || ' ' || sequence from anchors"),
        ("live keys of jobs", "select job from keys where state in ('bound', 'issued')"),
    ] {
        let doubles = portal.doubles(sql)?;
        ensure!(doubles.is_empty(), "{what} that are there twice: {doubles:?}");
    }
    let parked = portal.texts("select reason from parked")?;
    ensure!(parked.is_empty(), "messages of honest stations were parked: {parked:?}");
    Ok(())
}

/// Every order has its waybill, a label that names its keys, and as many keys as it asked for.
fn orders(world: &World) -> Result<BTreeMap<String, String>> {
    let portal = world.net.portal();
    let jobs = portal.rows("select job, key_id from jobs where state = 'done' and outcome = 'pass'")?;
    let wanted = portal.texts("select job from jobs")?;
    ensure!(jobs.len() == wanted.len(), "of jobs {wanted:?} only {jobs:?} are done");
    let waybills: BTreeMap<String, String> =
        portal.rows("select order_number, waybill from parcels")?.into_iter().collect();
    let sf: BTreeSet<String> = portal.sf.orders().into_iter().map(|order| order.waybill).collect();
    let printed = world.printed.lock().unwrap_or_else(PoisonError::into_inner);
    for number in &world.numbers {
        let waybill = waybills.get(number.as_str()).with_context(|| format!("{number} has no waybill"))?;
        ensure!(sf.contains(waybill), "SF does not know waybill {waybill}");
        let keys: BTreeSet<&str> = jobs
            .iter()
            .filter(|(job, _)| job.starts_with(number.as_str()))
            .filter_map(|(_, key)| key.rsplit('/').next())
            .collect();
        let labels: Vec<_> = printed.iter().filter(|(_, order, _)| order == number.as_str()).collect();
        ensure!(!labels.is_empty(), "{number} has no label");
        for (on_label, _, serials) in labels {
            ensure!(on_label == waybill, "a label of {number} shows {on_label}, not {waybill}");
            let serials: BTreeSet<&str> = serials.iter().map(String::as_str).collect();
            ensure!(serials == keys, "the label of {number} names {serials:?}, its keys are {keys:?}");
        }
    }
    Ok(jobs.into_iter().map(|(job, key)| (key, job)).collect())
}

/// Every made key proves itself and carries its own certificates; every other key that was written on is on record as spoiled, its
/// certificates revoked. How many those are.
fn keys(world: &World, made: &BTreeMap<String, String>) -> Result<usize> {
    let portal = world.net.portal();
    let states: BTreeMap<String, String> =
        portal.rows("select key_id, state from keys")?.into_iter().collect();
    let issued: BTreeSet<(String, String)> = portal
        .rows("select key_id, sign_serial from certificates where revoked_ms is null")?
        .into_iter()
        .collect();
    let profiles = profile::load_dir(&crate::places::tree().join("firmware-profiles"))?;
    let (mut proved, mut spoiled) = (BTreeSet::new(), 0);
    for path in &world.keys {
        let summary = Summary::read(path)?;
        let (_, model) = summary.profile.split_once('/').context("a profile without a model")?;
        let id = states
            .keys()
            .chain(made.keys())
            .find(|id| id.parse::<KeyId>().is_ok_and(|id| id.serial() == summary.serial));
        let state = id.and_then(|id| states.get(id)).map(String::as_str);
        let Some(id) = id.filter(|_| !summary.factory_stage || state == Some("issued")) else {
            ensure!(
                summary.factory_stage,
                "{model} {} was written on and the portal does not know it",
                summary.serial
            );
            continue;
        };
        if made.contains_key(id) {
            ensure!(state == Some("issued"), "{id} serves a job and is {state:?}");
            let key = proof::read_finished(path, &profiles, |certificate, message, signature| {
                Ok(certificate.public_key().verify(message, signature)?)
            })?;
            ensure!(
                issued.contains(&(id.clone(), key.sign.serial_hex())),
                "{id} carries certificate {}, which is not the one issued for it",
                key.sign.serial_hex()
            );
            proved.insert(id.clone());
        } else {
            ensure!(
                matches!(state, Some("spoiled" | "lost")),
                "{id} was written on, serves no job and is {state:?}"
            );
            ensure!(!issued.iter().any(|(key, _)| key == id), "{id} is spoiled and its certificate holds");
            spoiled += 1;
        }
    }
    ensure!(proved.len() == made.len(), "keys {made:?} were made, of which only {proved:?} were found");
    Ok(spoiled)
}

/// The journal is whole and is what the portal was told of it, by a reader that shares nothing with its writer. The heads that it keeps.
fn journal(dir: &Path, anchors: &Path) -> Result<Vec<KnownHead>> {
    let store = journal::raw::pairs(dir)?.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string());
    let archive =
        Archive::read(dir).map_err(|(path, error)| anyhow::anyhow!("{}: {error}", path.display()))?;
    // A station that ended no job was not heard of.
    let anchors = std::fs::read_to_string(anchors).unwrap_or_default();
    let anchors = audit::anchors::read(&anchors).map_err(anyhow::Error::msg)?;
    let evidence = Evidence { archive, store, anchors, station_keys: Vec::new() };
    let verdict = audit::verify(&evidence);
    ensure!(verdict.findings.is_empty(), "{:?}", verdict.findings);
    ensure!(verdict.waiting == 0, "{} reports wait", verdict.waiting);
    Ok(audit::portal_heads(&evidence, "the journal"))
}

/// The portal's audit is whole and is what the stations were told of it.
fn chain(exported: &Path, heads: Vec<KnownHead>) -> Result<()> {
    ensure!(!heads.is_empty(), "no station kept a head of the portal's audit");
    let lines = std::fs::read(exported.join("portal.jsonl"))?;
    let verdict = audit::verify_portal(&PortalEvidence { lines, heads, key: None });
    ensure!(verdict.findings.is_empty(), "{:?}", verdict.findings);
    Ok(())
}
