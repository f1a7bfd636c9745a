//! `kill -9` of the station, the portal, mosquitto and pcscd at moments of chance while 40 keys are made in 16 slots, and keys pulled
//! meanwhile. What is done, and when, follows from a seed; what it meets depends on the machine.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    invariants::Verdict,
    orders,
    shift::Shift,
    sim::dice::Dice,
    stack::{self, Stack},
};

/// A bound on a whole run.
const PATIENCE: Duration = Duration::from_secs(420);
/// Blanks beyond those that are needed: keys that do not come back are replaced.
const SPARE: usize = 20;
/// Orders approved at once, for the first wave; the others follow between the blows, so that each meets work to be done.
const FIRST: usize = 10;
/// Milliseconds between blows, of an outage, and until a pulled key is put back.
const GAP: std::ops::Range<u64> = 200..3_000;
const OUTAGE: std::ops::Range<u64> = 0..1_500;
const OUT: std::ops::Range<u64> = 300..2_500;

/// How often each is struck.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Chooses order, moments and slots.
    pub seed: u64,
    /// `kill -9` of the station.
    pub station: usize,
    /// Of the portal.
    pub portal: usize,
    /// Of mosquitto.
    pub broker: usize,
    /// Of pcscd.
    pub pcscd: usize,
    /// Keys pulled: a third comes back to its slot, a third is tried in another one first, a third never comes back.
    pub pulls: usize,
}

/// What a run showed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How often the station was killed.
    pub kills: u64,
    /// From the start of a station to its screen's first answer, at worst.
    pub slowest_restart: Duration,
    /// What the invariants say.
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug)]
enum Blow {
    Station,
    Portal,
    Broker,
    Pcscd,
    PullAndPutBack,
    PullAndMove,
    PullForGood,
}

impl Blow {
    fn of(plan: &Plan) -> Vec<Self> {
        let kills = [
            (Self::Station, plan.station),
            (Self::Portal, plan.portal),
            (Self::Broker, plan.broker),
            (Self::Pcscd, plan.pcscd),
        ];
        let pulls = [Self::PullAndPutBack, Self::PullAndMove, Self::PullForGood].into_iter().cycle();
        let kills = kills.into_iter().flat_map(|(blow, times)| std::iter::repeat_n(blow, times));
        kills.chain(pulls.take(plan.pulls)).collect()
    }
}

/// A key in somebody's hand.
struct Pulled {
    flash: PathBuf,
    slot: String,
    elsewhere: bool,
    back: Instant,
}

struct Run<'a> {
    shift: Shift,
    dice: Dice,
    hand: Vec<Pulled>,
    kills: u64,
    slowest: Duration,
    say: &'a mut dyn FnMut(&str),
}

/// One run in `dir`, which is empty.
///
/// # Errors
/// The orders are not finished in time, or the evidence cannot be read. Broken invariants are no error here: see the verdict.
pub fn run(dir: &Path, plan: &Plan, say: &mut dyn FnMut(&str)) -> Result<Outcome> {
    let mut dice = Dice::new(plan.seed);
    let mut blows = Blow::of(plan);
    dice.shuffle(&mut blows);
    let settings =
        stack::Plan { interrupted_seconds: 12, answer_seconds: 60, stock: true, ..stack::Plan::default() };
    let orders = orders::demo();
    let (count, later) = (blows.len(), orders.len() - FIRST);
    let shift = Shift::begin(dir, &settings, orders, SPARE)?;
    let mut run = Run { shift, dice, hand: Vec::new(), kills: 0, slowest: Duration::ZERO, say };
    let until = Instant::now() + PATIENCE;
    for (number, blow) in blows.into_iter().enumerate() {
        run.shift.approve(FIRST + later * number / count)?;
        let due = Instant::now() + Duration::from_millis(run.dice.within(GAP));
        while Instant::now() < due {
            run.turn()?;
        }
        run.strike(plan.seed, blow, &format!("{} of {count}", number + 1))?;
    }
    run.shift.approve(FIRST + later)?;
    while !run.hand.is_empty() || !run.shift.is_over() {
        ensure!(Instant::now() < until, "seed {}: {}", plan.seed, run.shift.where_it_stands());
        run.turn()?;
    }
    let verdict = run.shift.stack.close_and_check()?;
    (run.say)(&verdict.to_string());
    Ok(Outcome { kills: run.kills, slowest_restart: run.slowest, verdict })
}

impl Run<'_> {
    fn turn(&mut self) -> Result<()> {
        self.shift.turn()?;
        let now = Instant::now();
        let back: Vec<Pulled> = self.hand.extract_if(.., |pulled| pulled.back <= now).collect();
        back.into_iter().try_for_each(|pulled| self.put_back(pulled))
    }

    /// Into its own slot or another; where that is taken, to the blanks, if it is one, or aside.
    fn put_back(&mut self, pulled: Pulled) -> Result<()> {
        let free = self.shift.staff.free();
        let others: Vec<String> = free.iter().filter(|slot| **slot != pulled.slot).cloned().collect();
        let own = free.contains(&pulled.slot).then(|| pulled.slot.clone());
        let slot = self.dice.one_of(&others).cloned().filter(|_| pulled.elsewhere).or(own);
        match slot {
            Some(slot) => self.shift.staff.plug(&slot, &pulled.flash),
            None => {
                self.shift.staff.put_back(pulled.flash);
                Ok(())
            }
        }
    }

    fn strike(&mut self, seed: u64, blow: Blow, number: &str) -> Result<()> {
        let outage = Duration::from_millis(self.dice.within(OUTAGE));
        let stack = &mut self.shift.stack;
        match blow {
            Blow::Station => {
                stack.station()?.kill9()?;
                thread::sleep(outage / 4);
                self.restart_station()?;
            }
            Blow::Portal => {
                stack.portal()?.kill9()?;
                thread::sleep(outage);
                stack.start_portal()?;
            }
            Blow::Broker => {
                stack.broker()?.kill9()?;
                thread::sleep(outage);
                stack.start_broker()?;
            }
            Blow::Pcscd => {
                stack.pcscd.kill9()?;
                thread::sleep(outage);
                stack.pcscd.restart()?;
            }
            Blow::PullAndPutBack => self.pull(Some(false)),
            Blow::PullAndMove => self.pull(Some(true)),
            Blow::PullForGood => self.pull(None),
        }
        self.kills += u64::from(matches!(blow, Blow::Station));
        let done = self.shift.staff.done.len();
        (self.say)(&format!("seed {seed}: {number}: {blow:?}; {done} keys out"));
        Ok(())
    }

    fn restart_station(&mut self) -> Result<()> {
        self.slowest = self.slowest.max(restart_station(&mut self.shift.stack)?);
        Ok(())
    }

    /// Pulls a key, one in work where there is one. `back`: whether it comes back, and to another slot.
    fn pull(&mut self, back: Option<bool>) {
        let screen = self.shift.staff.screen().unwrap_or_default();
        let shown = screen["slots"].as_array().into_iter().flatten();
        let working: Vec<String> = shown
            .filter(|slot| slot["phase"] == "working")
            .filter_map(|slot| slot["slot"].as_str().map(str::to_owned))
            .collect();
        let plugged = self.shift.staff.plugged();
        let choice = if working.is_empty() { &plugged } else { &working };
        let slot = self.dice.one_of(choice).cloned();
        let out = Duration::from_millis(self.dice.within(OUT));
        let pulled = slot.and_then(|slot| Some((self.shift.staff.pull(&slot)?, slot)));
        if let (Some((flash, slot)), Some(elsewhere)) = (pulled, back) {
            self.hand.push(Pulled { flash, slot, elsewhere, back: Instant::now() + out });
        }
    }
}

/// Starts the station, which does not run, and says how long it took until its screen answered.
///
/// # Errors
/// It does not start.
pub fn restart_station(stack: &mut Stack) -> Result<Duration> {
    let begin = Instant::now();
    stack.start_station()?;
    Ok(begin.elapsed())
}
