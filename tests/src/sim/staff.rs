//! Staff at the benches: they do what the screens say, with a hand now and then in the wrong place.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use anyhow::{Context as _, Result};
use model::SlotName;
use ukey_sim::{Effect, Faults, Options, Summary, VirtualKey};
use ukey_station::bench::Bench;
use wire::{SlotPhase, SlotStatus};

use super::{budget::Fault, net::Chance, process::Station};

/// Commands of one job, roughly: where in it a fault may strike.
const COMMANDS: u64 = 50;
/// How often an untouched blank is tried before it is left alone.
const TRIES: u32 = 8;

/// A slot of a station.
pub type Place = (usize, SlotName);

/// All keys and where staff have put them.
pub struct Staff {
    /// The stack of blanks.
    pub blanks: VecDeque<PathBuf>,
    /// Keys in slots, as far as staff know.
    pub plugged: BTreeMap<Place, PathBuf>,
    /// Keys that came out in work, beside the slot they belong to.
    pub beside: BTreeMap<Place, PathBuf>,
    /// Keys that the screen called made.
    pub made: Vec<PathBuf>,
    /// Keys set aside.
    pub aside: Vec<PathBuf>,
    tries: BTreeMap<PathBuf, u32>,
}

impl Staff {
    /// With a stack of blanks.
    #[must_use]
    pub fn new(blanks: Vec<PathBuf>) -> Self {
        Self {
            blanks: blanks.into(),
            plugged: BTreeMap::new(),
            beside: BTreeMap::new(),
            made: Vec::new(),
            aside: Vec::new(),
            tries: BTreeMap::new(),
        }
    }

    /// One look at the screen of a station.
    ///
    /// # Errors
    /// A key's file cannot be read.
    pub fn look(&mut self, at: usize, station: &Station, chance: &Chance) -> Result<()> {
        let Some(running) = &station.running else { return Ok(()) };
        let bench = &running.ear.bench;
        reset_what_stopped(station, bench);
        let screen = bench.board.now();
        for shown in &screen.slots {
            let place = (at, shown.slot.clone());
            let Some(port) = station.ports.get(&shown.slot) else { continue };
            if port.gone.load(Ordering::SeqCst) {
                continue;
            }
            if port.reader.key().is_some() {
                self.look_at_key(&place, shown, station, chance)?;
                continue;
            }
            // It came out by itself: a knock, a worn plug.
            if let Some(key) = self.plugged.remove(&place) {
                self.beside.insert(place.clone(), key);
            }
            match shown.phase {
                SlotPhase::Interrupted => self.put_back(&place, station, chance)?,
                SlotPhase::Empty => self.plug_next(&place, station, chance)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn look_at_key(
        &mut self,
        place: &Place,
        shown: &SlotStatus,
        station: &Station,
        chance: &Chance,
    ) -> Result<()> {
        let Some(key) = self.plugged.get(place).cloned() else { return Ok(()) };
        let mine = shown.key_serial.as_deref().is_none_or(|serial| serial == serial_of(&key));
        match shown.phase {
            SlotPhase::Passed if mine => {
                self.pull(place, station);
                self.made.push(key);
            }
            SlotPhase::Failed if mine => {
                self.pull(place, station);
                self.sort(key)?;
            }
            SlotPhase::Refused => {
                self.pull(place, station);
                match self.belongs_to(&shown.message, place.0, station) {
                    Some(slot) => drop(self.beside.insert((place.0, slot), key)),
                    None => self.sort(key)?,
                }
            }
            // The slot wants this key plugged anew, or another one.
            SlotPhase::Interrupted => {
                self.pull(place, station);
                if mine {
                    self.beside.insert(place.clone(), key);
                } else {
                    self.sort(key)?;
                }
            }
            _ => {}
        }
        // Somebody knocks against it, between two of its commands.
        if self.plugged.contains_key(place)
            && chance.happens(Fault::Reset)
            && let Some(port) = station.ports.get(&place.1)
        {
            port.reader.reset();
        }
        Ok(())
    }

    /// The slot that the screen names as the key's own.
    fn belongs_to(&self, message: &str, at: usize, station: &Station) -> Option<SlotName> {
        let named = |slot: &&SlotName| message.contains(&format!("插槽 {slot} 中断"));
        let slot = station.ports.keys().find(named)?;
        (!self.beside.contains_key(&(at, slot.clone()))).then(|| slot.clone())
    }

    /// The key of an interrupted job goes back, most of the time into its own slot.
    fn put_back(&mut self, place: &Place, station: &Station, chance: &Chance) -> Result<()> {
        let Some(key) = self.beside.remove(place) else { return Ok(()) };
        if chance.happens(Fault::KeyLost) {
            self.aside.push(key);
            return Ok(());
        }
        if chance.happens(Fault::WrongSlot) {
            let free = station.ports.iter().find(|(slot, port)| {
                **slot != place.1 && port.reader.key().is_none() && !port.gone.load(Ordering::SeqCst)
            });
            if let Some((slot, _)) = free
                && !self.beside.contains_key(&(place.0, slot.clone()))
            {
                return self.plug(&(place.0, slot.clone()), key, station, chance);
            }
        }
        self.plug(place, key, station, chance)
    }

    fn plug_next(&mut self, place: &Place, station: &Station, chance: &Chance) -> Result<()> {
        if let Some(key) = self.beside.remove(place) {
            // Its job is over: it came out before anything was written, or did not come back in time.
            return self.sort(key);
        }
        match self.blanks.pop_front() {
            Some(key) => self.plug(place, key, station, chance),
            None => Ok(()),
        }
    }

    /// An untouched key is still a blank; anything else is set aside.
    fn sort(&mut self, key: PathBuf) -> Result<()> {
        let tries = self.tries.entry(key.clone()).or_default();
        *tries += 1;
        if Summary::read(&key)?.factory_stage && *tries <= TRIES {
            self.blanks.push_back(key);
        } else {
            self.aside.push(key);
        }
        Ok(())
    }

    fn plug(&mut self, place: &Place, key: PathBuf, station: &Station, chance: &Chance) -> Result<()> {
        let port = station.ports.get(&place.1).context("no such slot")?;
        let options = Options { faults: faults(chance), ..Options::default() };
        port.reader.plug(VirtualKey::open(&key, options)?)?;
        self.plugged.insert(place.clone(), key);
        Ok(())
    }

    fn pull(&mut self, place: &Place, station: &Station) {
        if let Some(port) = station.ports.get(&place.1) {
            port.reader.pull();
        }
        self.plugged.remove(place);
    }
}

/// Too many bad keys in a row are the dice's doing here: staff look, and set it going again.
fn reset_what_stopped(station: &Station, bench: &Bench) {
    // The screen is another program: its part of the station's process does not end the whole.
    let at = station.time.world.wall(0).to_string();
    for stopped in bench.breakers.open() {
        if let Err(error) = bench.breakers.reset(&stopped.scope.to_string(), "看过了", &at) {
            bench.stop_for(&error);
        }
    }
}

/// What this key does wrong this time.
fn faults(chance: &Chance) -> Faults {
    let mut faults = Faults::none();
    let command = || 1 + chance.throw(|dice| dice.below(COMMANDS));
    if chance.happens(Fault::Yank) {
        let effect =
            chance.throw(|dice| dice.pick(&[Effect::YankBefore, Effect::YankAfter], Effect::YankBefore));
        faults = faults.and(command(), effect);
    }
    if chance.happens(Fault::BadReply) {
        let bad = [
            Effect::Status(0x63C3),
            Effect::Status(0x63C1),
            Effect::Status(0x6A80),
            Effect::StatusAfter(0x6F00),
            Effect::Garbage,
            Effect::Short,
            Effect::Empty,
        ];
        faults = faults.and(command(), chance.throw(|dice| dice.pick(&bad, Effect::Garbage)));
    }
    faults
}

fn serial_of(key: &Path) -> &str {
    key.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}
