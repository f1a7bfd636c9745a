//! The whole stack, a second pcscd without a station, and waves of recorded keys on both.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    http::{Operator, get_json},
    orders,
    pcscd::{Pcscd, READERS_MAX},
    places,
    process::wait_for,
    stack::{Plan, Stack},
    staff::make_blanks,
};
use profile::Profile;
use serde_json::{Value, json};
use ukey_sim::{
    Exchange, Latency, Options, VirtualKey,
    vpcd::{self, Attached},
};

use crate::{replay::replay, station_log::StationLog};

/// The model that is measured.
const MODEL: &str = "ukey/virtual";
/// A bound on everything that is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Both sides of the comparison.
pub struct Rig {
    stack: Stack,
    bare: Pcscd,
    operator: Operator,
    profile: Profile,
    dir: PathBuf,
    orders: Vec<Value>,
    made: usize,
}

/// Keys that were plugged at once and made.
pub struct Wave {
    /// From the first command that any key saw to the end of the last job.
    pub took: Duration,
    /// The same for each key by itself.
    pub each: Vec<Duration>,
    /// What each key heard.
    pub tapes: Vec<Vec<Exchange>>,
    /// Copies of the blanks as they were before.
    twins: Vec<PathBuf>,
    latency: Latency,
}

impl Rig {
    /// Starts everything in `dir`, with orders for `keys` keys.
    pub fn start(dir: &Path, keys: usize) -> Result<Self> {
        let dir = dir.to_owned();
        let stack = Stack::start(&dir.join("stack"), &Plan::default())?;
        let bare = Pcscd::start(&dir.join("bare"), READERS_MAX)?;
        let profiles = profile::load_dir(&places::tree().join("firmware-profiles"))?;
        let profile = profiles.into_iter().find(|profile| profile.name == MODEL).context(MODEL)?;
        let orders = orders::singles(keys);
        stack.import(&orders)?;
        let operator = stack.operator()?;
        Ok(Self { stack, bare, operator, profile, dir, orders, made: 0 })
    }

    /// Plugs `keys` blanks at once, with their jobs leased and nothing else going on, and waits until all are made and labelled.
    pub fn wave(&mut self, keys: usize, latency: Latency) -> Result<Wave> {
        self.lease(keys)?;
        let flashes = make_blanks(&self.dir.join("keys"), &[&self.profile], keys, self.made + 1)?;
        let twins = flashes.iter().map(|flash| twin(flash)).collect::<Result<_>>()?;
        let log = StationLog::from_now(&self.stack.logs.join("station.log"))?;
        let plugged = self.stack.pcscd.at_once(|| plug(&self.stack.pcscd, &flashes, latency))?;
        let ends = wait_for("the end of all jobs", PATIENCE, || {
            Ok(Some(log.ends()?).filter(|ends| ends.len() == keys))
        })?;
        let tapes: Vec<Vec<Exchange>> =
            plugged.iter().map(|key| key.key().with(VirtualKey::take_recorded)).collect();
        drop(plugged);
        self.made += keys;
        self.await_quiet()?;
        let begun = tapes.iter().map(|tape| Ok(tape.first().context("a key heard nothing")?.came));
        let begun: Vec<SystemTime> = begun.collect::<Result<_>>()?;
        // Slots come in the order of their names, as the keys do.
        let each = begun.iter().zip(ends.values()).map(|(begun, ended)| ended.duration_since(*begun));
        let each = each.collect::<Result<_, _>>()?;
        let (first, last) = (begun.iter().min().context("no keys")?, ends.values().max().context("no keys")?);
        Ok(Wave { took: last.duration_since(*first)?, each, tapes, twins, latency })
    }

    /// The same commands again on copies of the same blanks, without a station.
    pub fn replay(&self, wave: &Wave) -> Result<Duration> {
        let plugged = plug(&self.bare, &wave.twins, wave.latency)?;
        let took = replay(&self.bare, &wave.tapes);
        drop(plugged);
        took
    }

    /// Ends the station and starts it again; how often the one that ended had synced its journal.
    pub fn syncs(&mut self) -> Result<u32> {
        let log = StationLog::from_now(&self.stack.logs.join("station.log"))?;
        self.stack.stop_station()?;
        let syncs = log.syncs()?.context("the station did not say how often it synced")?;
        self.stack.start_station()?;
        Ok(syncs)
    }

    /// Starts the station anew, with or without a journal that keeps anything.
    pub fn begin_anew(&mut self, forgetful: bool) -> Result<()> {
        self.stack.stop_station()?;
        let arguments: &[&str] = if forgetful { &["run", "--forgetful"] } else { &["run"] };
        self.stack.start_station_as(arguments)
    }

    /// Approves as many orders as are to be made and waits until the station has their jobs.
    fn lease(&self, keys: usize) -> Result<()> {
        for order in &self.orders[self.made..self.made + keys] {
            let number = order["number"].as_str().context("an order without number")?;
            self.operator.post(&format!("/api/orders/{number}/approve"), &json!({}))?;
        }
        self.await_screen("the lease of the jobs", |screen| screen["waiting_jobs"] == keys)?;
        self.await_quiet()
    }

    /// Nothing under way: labels printed, reports acknowledged, slots empty.
    fn await_quiet(&self) -> Result<()> {
        let labels = wait_for("the labels", PATIENCE, || {
            let count = fs::read_dir(&self.stack.labels)?.count();
            Ok(Some(count).filter(|count| *count >= self.made))
        })?;
        ensure!(labels == self.made, "{labels} labels for {} orders", self.made);
        self.await_screen("an idle bench", |screen| {
            let slots = screen["slots"].as_array().cloned().unwrap_or_default();
            screen["outbox"] == 0 && slots.iter().all(|slot| slot["phase"] == "empty")
        })
    }

    fn await_screen(&self, what: &str, is: impl Fn(&Value) -> bool) -> Result<()> {
        wait_for(what, PATIENCE, || Ok(get_json(&self.stack.status_url()).ok().filter(&is).map(|_| ())))
    }
}

/// A copy of a blank, in a folder of its own.
fn twin(flash: &Path) -> Result<PathBuf> {
    let folder = flash.with_file_name("twins");
    fs::create_dir_all(&folder)?;
    let twin = folder.join(flash.file_name().context("a flash without name")?);
    fs::copy(flash, &twin)?;
    Ok(twin)
}

/// Plugs one key a reader, from the first reader on.
fn plug(pcscd: &Pcscd, flashes: &[PathBuf], latency: Latency) -> Result<Vec<Attached>> {
    let mut keys = Vec::new();
    for flash in flashes {
        let mut key = VirtualKey::open(flash, Options { latency, ..Options::default() })?;
        key.set_seed(seed(flash));
        key.record();
        keys.push(key);
    }
    let plugged = keys.into_iter().enumerate().map(|(at, key)| {
        let port = pcscd.port(at)?;
        Ok(vpcd::attach(SocketAddr::from(([127, 0, 0, 1], port)), key)?)
    });
    plugged.collect()
}

/// The serial as a number: no two keys of a run share a key pair, which the CA would refuse, and a twin has that of its blank.
fn seed(flash: &Path) -> u64 {
    let serial = flash.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    serial.bytes().fold(0, |seed, byte| seed << 8 | u64::from(byte))
}
