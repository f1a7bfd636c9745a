//! Staff at the bench: look at the screen, plug a blank into a free slot, take out what is done, set aside what is not.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use profile::Profile;
use serde_json::Value;
use ukey_sim::{
    Latency, Options, SharedKey, VirtualKey,
    vpcd::{self, Attached},
};

use crate::{http::get_json, stack::Stack};

/// How often staff look at the screen.
const GLANCE: Duration = Duration::from_millis(100);

/// What became of a key that was plugged.
#[derive(Clone, Debug)]
pub struct Done {
    /// Where.
    pub slot: String,
    /// Its flash.
    pub flash: PathBuf,
    /// `passed`, `failed` or `refused`, as the screen said.
    pub phase: String,
    /// What the screen said.
    pub message: String,
}

/// Staff with a stack of blanks.
pub struct Staff {
    screen: String,
    /// Where the reader of each slot waits for its card.
    readers: BTreeMap<String, SocketAddr>,
    latency: Latency,
    blanks: VecDeque<PathBuf>,
    plugged: BTreeMap<String, (PathBuf, Attached, Instant)>,
    /// What came out of the slots, in order.
    pub done: Vec<Done>,
}

/// Makes `count` blanks of the given models in turn, serials from `first`.
///
/// # Errors
/// A file is in the way.
pub fn make_blanks(dir: &Path, profiles: &[&Profile], count: usize, first: usize) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(dir)?;
    let factory = model::Secret::new(ukey_sim::FACTORY_DEVICE_KEY.to_vec());
    let mut made = Vec::new();
    for index in 0..count {
        let serial = format!("V{:07}", first + index);
        let path = dir.join(format!("{serial}.json"));
        VirtualKey::make(&path, profiles[index % profiles.len()], &serial, &factory)?;
        made.push(path);
    }
    Ok(made)
}

impl Staff {
    /// Staff at the bench of `stack`.
    #[must_use]
    pub fn new(stack: &Stack, blanks: Vec<PathBuf>, latency: Latency) -> Self {
        let ports =
            stack.slots.iter().enumerate().filter_map(|(at, slot)| Some((slot, stack.pcscd.port(at).ok()?)));
        let readers =
            ports.map(|(slot, port)| (slot.clone(), SocketAddr::from(([127, 0, 0, 1], port)))).collect();
        let screen = stack.status_url();
        Self { screen, readers, latency, blanks: blanks.into(), plugged: BTreeMap::new(), done: Vec::new() }
    }

    /// Plugs a flash file into a slot.
    ///
    /// # Errors
    /// The slot is not free or the reader does not take it.
    pub fn plug(&mut self, slot: &str, flash: &Path) -> Result<()> {
        let key = VirtualKey::open(flash, Options { latency: self.latency, ..Options::default() })?;
        self.plug_key(slot, flash, key)
    }

    /// Plugs a key with whatever faults it has.
    ///
    /// # Errors
    /// The slot is not free or the reader does not take it.
    pub fn plug_key(&mut self, slot: &str, flash: &Path, key: impl Into<SharedKey>) -> Result<()> {
        ensure!(!self.plugged.contains_key(slot), "slot {slot} has a key in it");
        let attached = vpcd::attach(*self.readers.get(slot).context("no such slot")?, key)?;
        self.plugged.insert(slot.to_owned(), (flash.to_owned(), attached, Instant::now()));
        Ok(())
    }

    /// Pulls whatever is in a slot; its flash file.
    pub fn pull(&mut self, slot: &str) -> Option<PathBuf> {
        self.plugged.remove(slot).map(|(flash, attached, _)| {
            drop(attached.detach());
            flash
        })
    }

    /// The screen.
    ///
    /// # Errors
    /// The station does not answer.
    pub fn screen(&self) -> Result<Value> {
        get_json(&self.screen)
    }

    /// Slots with a key in them.
    #[must_use]
    pub fn plugged(&self) -> Vec<String> {
        self.plugged.keys().cloned().collect()
    }

    /// Slots without one.
    #[must_use]
    pub fn free(&self) -> Vec<String> {
        self.readers.keys().filter(|slot| !self.plugged.contains_key(*slot)).cloned().collect()
    }

    /// Puts a key back to the blanks, below all others.
    pub fn put_back(&mut self, flash: PathBuf) {
        self.blanks.push_back(flash);
    }

    /// Blanks not plugged yet.
    #[must_use]
    pub fn blanks_left(&self) -> usize {
        self.blanks.len()
    }

    /// Keys in slots.
    #[must_use]
    pub fn keys_in_slots(&self) -> usize {
        self.plugged.len()
    }

    /// One look at the screen: takes out what is finished, plugs blanks into free slots.
    ///
    /// # Errors
    /// A key cannot be plugged. A screen that does not answer is no error: staff look again.
    pub fn turn(&mut self) -> Result<()> {
        std::thread::sleep(GLANCE);
        let Ok(screen) = self.screen() else { return Ok(()) };
        for shown in screen["slots"].as_array().into_iter().flatten() {
            let slot = shown["slot"].as_str().unwrap_or_default().to_owned();
            let phase = shown["phase"].as_str().unwrap_or_default().to_owned();
            match (self.plugged.contains_key(&slot), phase.as_str()) {
                // The screen must speak of this key, not of the one before it.
                (true, "passed" | "failed" | "refused") if self.is_about_plugged(&slot, shown) => {
                    let message = shown["message"].as_str().unwrap_or_default().to_owned();
                    if let Some(flash) = self.pull(&slot) {
                        self.done.push(Done { slot, flash, phase, message });
                    }
                }
                (false, "empty") => {
                    if let Some(flash) = self.blanks.pop_front() {
                        self.plug(&slot, &flash)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn is_about_plugged(&self, slot: &str, shown: &Value) -> bool {
        let Some((flash, ..)) = self.plugged.get(slot) else { return false };
        let serial = flash.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        shown["key_serial"].as_str().is_none_or(|shown| serial.starts_with(shown))
    }

    /// Works until `finished` says so, at most `timeout`.
    ///
    /// # Errors
    /// Time is over.
    pub fn work(&mut self, timeout: Duration, mut finished: impl FnMut(&Self) -> Result<bool>) -> Result<()> {
        let until = Instant::now() + timeout;
        while !finished(self)? {
            ensure!(
                Instant::now() < until,
                "not finished within {timeout:?}: {} blanks left, {} keys in slots, {} done; screen {}",
                self.blanks.len(),
                self.plugged.len(),
                self.done.len(),
                self.screen().unwrap_or_default()
            );
            self.turn()?;
        }
        Ok(())
    }
}
