//! The broker, as bad as it may be: what it carries is lost, late, out of order or there twice.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use model::StationId;
use ukey_station::{bench::Bench, inbox, link::Publish, outbox::Outbox};

use super::{
    budget::{Budget, Fault},
    dice::Dice,
    portal::PlayedPortal,
    time::{Fuse, WorldClock},
};

/// Messages that the broker holds back at most; more are lost, as a broker with a bound would lose them.
const HELD_MAX: usize = 200;

/// The dice and what may still go wrong, shared by all who can go wrong.
pub struct Chance(Mutex<(Dice, Budget)>);

impl Chance {
    /// Of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let budget = Budget::of(&mut dice);
        Self(Mutex::new((dice, budget)))
    }

    /// Whether this goes wrong now.
    pub fn happens(&self, fault: Fault) -> bool {
        let (dice, budget) = &mut *self.lock();
        budget.spend(dice, fault)
    }

    /// Throws the dice.
    pub fn throw<R>(&self, how: impl FnOnce(&mut Dice) -> R) -> R {
        how(&mut self.lock().0)
    }

    /// What may still go wrong.
    pub fn budget<R>(&self, look: impl FnOnce(&mut Budget) -> R) -> R {
        look(&mut self.lock().1)
    }

    fn lock(&self) -> MutexGuard<'_, (Dice, Budget)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a running station hears.
pub struct Ear {
    /// Its shared parts.
    pub bench: Arc<Bench>,
    /// Its outbox.
    pub outbox: Outbox,
}

#[derive(Clone)]
struct Held {
    due: Duration,
    station: StationId,
    up: bool,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Inner {
    down: bool,
    ears: BTreeMap<StationId, Weak<Ear>>,
    held: Vec<Held>,
}

/// Broker and portal.
pub struct Net {
    /// The portal.
    pub portal: Mutex<PlayedPortal>,
    inner: Mutex<Inner>,
    chance: Arc<Chance>,
    clock: WorldClock,
}

impl Net {
    /// A broker before a portal.
    #[must_use]
    pub fn new(portal: PlayedPortal, chance: Arc<Chance>, clock: WorldClock) -> Self {
        Self { portal: Mutex::new(portal), inner: Mutex::default(), chance, clock }
    }

    /// The portal.
    pub fn portal(&self) -> MutexGuard<'_, PlayedPortal> {
        self.portal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this station hears here.
    pub fn listen(&self, station: &StationId, ear: &Arc<Ear>) {
        self.inner().ears.insert(station.clone(), Arc::downgrade(ear));
    }

    /// The broker goes away, with all that it held, or comes back.
    pub fn set_down(&self, down: bool) {
        let mut inner = self.inner();
        inner.down = down;
        if down {
            inner.held.clear();
        }
    }

    /// Delivers what was held back and is due, in any order.
    pub fn pump(&self) {
        let now = self.clock.elapsed();
        let mut due: Vec<Held> = self.inner().held.extract_if(.., |held| held.due <= now).collect();
        self.chance.throw(|dice| dice.shuffle(&mut due));
        for held in due {
            if held.up {
                self.process(&held.station, &held.bytes);
            } else {
                self.deliver(&held.station, &held.bytes);
            }
        }
    }

    fn carry(&self, station: &StationId, up: bool, bytes: &[u8]) {
        let now = |net: &Self| if up { net.process(station, bytes) } else { net.deliver(station, bytes) };
        if self.inner().down || self.chance.happens(Fault::Lost) {
        } else if self.chance.happens(Fault::Late) {
            let seconds = self.chance.throw(|dice| 1 + dice.below(90));
            let due = self.clock.elapsed() + Duration::from_secs(seconds);
            let mut inner = self.inner();
            if inner.held.len() < HELD_MAX {
                inner.held.push(Held { due, station: station.clone(), up, bytes: bytes.to_vec() });
            }
        } else {
            now(self);
            if self.chance.happens(Fault::Doubled) {
                now(self);
            }
        }
    }

    fn process(&self, station: &StationId, bytes: &[u8]) {
        if self.chance.happens(Fault::Sf) {
            use sandbox::sf::Fault as Sf;
            let bad = [Sf::LoseReply, Sf::Http500, Sf::Garbage, Sf::WrongOrder, Sf::AsObject];
            let at = self.chance.throw(|dice| dice.below(bad.len() as u64));
            self.portal().sf.next(bad.into_iter().nth(usize::try_from(at).unwrap_or(0)));
        }
        let replies = self.portal().handle(station, bytes);
        for reply in replies {
            self.carry(station, false, &reply);
        }
    }

    fn deliver(&self, station: &StationId, bytes: &[u8]) {
        let ear = self.inner().ears.get(station).and_then(Weak::upgrade);
        // A station that is not there hears nothing: a clean session.
        if let Some(ear) = ear {
            inbox::take(&ear.bench, &ear.outbox, bytes);
        }
    }
}

/// A station's line to the broker.
pub struct Line {
    /// Whose.
    pub station: StationId,
    /// The broker.
    pub net: Arc<Net>,
    /// Its process's.
    pub fuse: Arc<Fuse>,
}

impl Publish for Line {
    fn publish(&self, _: &str, retain: bool, bytes: Vec<u8>) {
        // The status is for eyes; nothing follows from it.
        if retain {
            return;
        }
        self.fuse.step();
        self.net.carry(&self.station, true, &bytes);
        self.fuse.step();
    }
}
