//! All of it together: rounds of trouble, rounds of peace, and then a look at what there is.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, bail};
use model::{OrderNumber, SlotName};
use tempfile::TempDir;

use super::{
    Outcome, QUIET, ROUNDS,
    budget::Fault,
    check,
    net::{Chance, Net},
    portal::{PlayedPortal, Template, folder},
    process::{Parts, Printout, Station},
    staff::Staff,
    time::{Fuse, StationTime, WorldClock},
};
use crate::{orders, staff::make_blanks};

/// Slots of each station.
const SLOTS: usize = 3;
/// Keys of each order.
const QUANTITIES: [u16; 4] = [1, 2, 1, 3];
/// Blanks beyond those that are needed.
const SPARE: usize = 25;
/// Effects within which a process that is to end does end: some jobs' worth.
const CRASH_WITHIN: u64 = 400;

/// One seed's world.
pub struct World {
    /// Everything lies here.
    _dir: TempDir,
    /// Stations.
    pub stations: Vec<Station>,
    /// Broker and portal.
    pub net: Arc<Net>,
    /// Staff and all keys.
    pub staff: Staff,
    /// All keys' files.
    pub keys: Vec<PathBuf>,
    /// What came out of the printers.
    pub printed: Arc<Mutex<Vec<Printout>>>,
    /// The orders.
    pub numbers: Vec<OrderNumber>,
    chance: Arc<Chance>,
    clock: WorldClock,
    /// When broker and readers are back.
    broker_back: Option<Duration>,
    readers_back: Option<Duration>,
}

impl World {
    /// The beginning: approved orders, blanks, two stations that have not begun.
    pub fn new(template: &Template, seed: u64) -> Result<Self> {
        let dir = folder()?;
        let chance = Arc::new(Chance::new(seed));
        let clock = WorldClock::new(jiff::Timestamp::now());
        let portal = PlayedPortal::start(template, dir.path(), &clock)?;
        let programmes = ["yuncaidun", "xiamen-jinlong"];
        let wanted: Vec<_> = QUANTITIES
            .iter()
            .enumerate()
            .map(|(at, keys)| orders::order(at, programmes[usize::from(*keys > 1)], "unit-first", *keys))
            .collect();
        let numbers = portal.approved(&wanted)?;
        let net = Arc::new(Net::new(portal, chance.clone(), clock.clone()));
        let printed = Arc::new(Mutex::new(Vec::new()));
        let models: Vec<_> = template.profiles.iter().filter(|profile| profile.maker == "ukey").collect();
        let count = QUANTITIES.iter().map(|keys| usize::from(*keys)).sum::<usize>() + SPARE;
        let keys = make_blanks(&dir.path().join("keys"), &models, count, 1)?;
        let mut stations = Vec::new();
        for (at, identity) in template.stations.iter().enumerate() {
            let slots = (1..=SLOTS).map(|n| format!("{}{n:02}", ["A", "B"][at]).parse::<SlotName>());
            let time = StationTime {
                world: clock.clone(),
                jump_ms: AtomicI64::new(0),
                fuse: Arc::<Fuse>::default(),
            };
            let parts = Parts {
                identity: identity.clone(),
                profiles: template.profiles.clone(),
                slots: slots.collect::<Result<_, _>>()?,
                net: net.clone(),
                chance: chance.clone(),
                time,
                printed: printed.clone(),
            };
            stations.push(Station::new(&dir.path().join(identity.0.as_str()), parts)?);
        }
        let staff = Staff::new(keys.clone());
        let (broker_back, readers_back) = (None, None);
        Ok(Self {
            _dir: dir,
            stations,
            net,
            staff,
            keys,
            printed,
            numbers,
            chance,
            clock,
            broker_back,
            readers_back,
        })
    }

    /// Plays it to the end.
    pub fn play(&mut self) -> Result<Outcome> {
        for _ in 0..ROUNDS {
            self.trouble()?;
            self.round()?;
        }
        self.calm();
        for _ in 0..QUIET {
            self.round()?;
            self.net.portal().release_stuck()?;
            if self.is_done()? {
                return check::all(self);
            }
        }
        let orders = self.net.portal().rows("select number, state from orders")?;
        let jobs = self.net.portal().rows(
            "select job, state || ' ' || coalesce(station, '') || ' ' || coalesce(key_id, '') from jobs",
        )?;
        let screens: Vec<_> = self.stations.iter().map(Station::screen).collect();
        bail!(
            "not done after {QUIET} rounds of peace: orders {orders:?}, jobs {jobs:?}, screens {screens:#?}"
        )
    }

    /// What was spent on faults.
    pub fn faults(&self) -> u32 {
        self.chance.budget(|budget| budget.spent())
    }

    fn round(&mut self) -> Result<()> {
        let now = self.clock.elapsed();
        if self.broker_back.is_some_and(|at| at <= now) {
            self.broker_back = None;
            self.net.set_down(false);
        }
        if self.readers_back.is_some_and(|at| at <= now) {
            self.readers_back = None;
            let ports = self.stations.iter().flat_map(|station| station.ports.values());
            ports.for_each(|port| port.gone.store(false, Ordering::SeqCst));
        }
        self.net.pump();
        let mut tasks = Vec::new();
        for (at, station) in self.stations.iter_mut().enumerate() {
            station.begin()?;
            tasks.extend(station.tasks().into_iter().map(|task| (at, task)));
        }
        self.chance.throw(|dice| dice.shuffle(&mut tasks));
        for (at, task) in tasks {
            if let Some(station) = self.stations.get_mut(at) {
                station.turn(task);
            }
        }
        for (at, station) in self.stations.iter().enumerate() {
            self.staff.look(at, station, &self.chance)?;
        }
        self.clock.pass(Duration::from_secs(1));
        Ok(())
    }

    fn trouble(&mut self) -> Result<()> {
        let chance = self.chance.clone();
        let later =
            |most: u64| self.clock.elapsed() + Duration::from_secs(chance.throw(|dice| 1 + dice.below(most)));
        if chance.happens(Fault::BrokerDown) {
            self.broker_back = Some(later(60));
            self.net.set_down(true);
        }
        if chance.happens(Fault::PortalRestart) {
            self.net.portal().restart()?;
        }
        if chance.happens(Fault::ClockJump) {
            let jump = chance.throw(|dice| i64::try_from(dice.below(7_200_000)).unwrap_or(0)) - 3_600_000;
            self.net.portal().jump_ms.store(jump, Ordering::SeqCst);
        }
        for station in &mut self.stations {
            if chance.happens(Fault::Crash) {
                station.time.fuse.light(chance.throw(|dice| 1 + dice.below(CRASH_WITHIN)));
            }
            if chance.happens(Fault::Away) {
                station.away_until = later(1_800);
                station.end();
            }
            for (fault, torn) in [(Fault::DiskFull, false), (Fault::TornWrite, true)] {
                if chance.happens(fault) {
                    station.fill_disk(torn);
                }
            }
            if chance.happens(Fault::ClockJump) {
                let jump = chance.throw(|dice| i64::try_from(dice.below(7_200_000)).unwrap_or(0)) - 3_600_000;
                station.time.jump_ms.store(jump, Ordering::SeqCst);
            }
            if chance.happens(Fault::ReaderGone) {
                self.readers_back = Some(later(120));
                let at = usize::try_from(chance.throw(|dice| dice.below(SLOTS as u64))).unwrap_or(0);
                station
                    .ports
                    .values()
                    .skip(at)
                    .take(1)
                    .for_each(|port| port.gone.store(true, Ordering::SeqCst));
            }
        }
        Ok(())
    }

    /// From now on nothing goes wrong.
    fn calm(&mut self) {
        self.chance.budget(super::Budget::end);
        let now = self.clock.elapsed();
        self.broker_back = self.broker_back.map(|_| now);
        self.readers_back = self.readers_back.map(|_| now);
        for station in &mut self.stations {
            station.away_until = Duration::ZERO;
            station.time.fuse.put_out();
            station.mend_disk();
        }
    }

    /// Every order is 待配送, every report acknowledged, every slot empty or waiting.
    fn is_done(&self) -> Result<bool> {
        let open = self.net.portal().texts("select number from orders where state <> 'awaiting_delivery'")?;
        if !open.is_empty() {
            return Ok(false);
        }
        let idle = self.stations.iter().all(Station::is_idle);
        Ok(idle && self.staff.beside.is_empty())
    }
}

impl Station {
    fn screen(&self) -> Vec<String> {
        let Some(running) = &self.running else { return vec!["off".to_owned()] };
        let bench = &running.ear.bench;
        let slots = bench.board.now().slots.into_iter().map(|slot| {
            format!(
                "{} {:?} {:?} {:?} {}",
                slot.slot,
                slot.phase,
                slot.key_serial,
                slot.job.map(|job| job.to_string()),
                slot.message
            )
        });
        let outbox = bench.journal.outbox().unwrap_or_default();
        let waiting = outbox.into_iter().map(|(id, _)| format!("waits: {id}"));
        let streams =
            bench.journal.streams().unwrap_or_default().into_iter().map(|name| format!("open: {name}"));
        slots.chain(bench.board.troubles()).chain(waiting).chain(streams).collect()
    }

    /// Nothing is in work and nothing waits to be told.
    fn is_idle(&self) -> bool {
        use wire::SlotPhase::{Empty, Refused, Waiting};
        let Some(running) = &self.running else { return false };
        let bench = &running.ear.bench;
        let told = bench.journal.outbox_len().is_ok_and(|waiting| waiting == 0);
        told && bench.board.now().slots.iter().all(|slot| matches!(slot.phase, Empty | Waiting | Refused))
    }
}
