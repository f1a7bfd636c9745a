//! The power of the whole workstation and the portal fails in the middle of a wave: what their disk has is taken, and both start from it.
//!
//! The HSM, the keys, paper and SF have memories of their own and keep what they were told; all else lies on the disk that loses its power.
//! So a key may know more than the journal, and never less than the journal said was done.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    disk::{Disk, stop},
    invariants::Verdict,
    kills::restart_station,
    orders,
    shift::Shift,
    sim::dice::Dice,
    stack,
};

const MEBIBYTES: u64 = 384;
const ORDERS: usize = 12;
const SPARE: usize = 6;
const SLOTS: usize = 8;
/// Milliseconds after the first key was plugged.
const MOMENT: std::ops::Range<u64> = 200..6_500;
/// A bound, not a measure.
const PATIENCE: Duration = Duration::from_secs(240);

/// What a cut showed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// From the start of the station to its screen's first answer.
    pub restart: Duration,
    /// What the invariants say.
    pub verdict: Verdict,
}

/// One cut in `folder`, which is empty.
///
/// # Errors
/// Without root or loop devices; or the orders are not finished after the cut. Broken invariants are no error here: see the verdict.
pub fn run(folder: &Path, seed: u64, say: &mut dyn FnMut(&str)) -> Result<Outcome> {
    let mut dice = Dice::new(seed);
    let mut disk = Disk::make(folder, MEBIBYTES)?;
    let plan = stack::Plan {
        slots: SLOTS,
        outside: Some(folder.join("outside")),
        stock: true,
        ..stack::Plan::default()
    };
    let mut shift = Shift::begin(&disk.place().join("stack"), &plan, orders::singles(ORDERS), SPARE)?;
    // It was set up long ago.
    disk.sync()?;
    shift.approve(ORDERS)?;
    while shift.staff.plugged().is_empty() {
        shift.turn()?;
    }
    let moment = Duration::from_millis(dice.within(MOMENT));
    let due = Instant::now() + moment;
    while Instant::now() < due {
        shift.turn()?;
    }
    shift.stack.processes().into_iter().try_for_each(stop)?;
    disk.cut(|| shift.stack.lose_power())?;
    let forgets = dice.below(2) == 0;
    say(&format!(
        "seed {seed}: power cut after {moment:?}, {} keys out; the broker forgets: {forgets}",
        shift.staff.done.len()
    ));
    if forgets {
        forget(&shift.stack.dir.join("portal/broker"))?;
    }
    shift.stack.pcscd.restart()?;
    shift.stack.start_broker()?;
    shift.stack.start_portal()?;
    let restart = restart_station(&mut shift.stack)?;
    shift.finish(PATIENCE)?;
    let verdict = shift.stack.close_and_check()?;
    ensure!(verdict.orders == ORDERS, "of {ORDERS} orders the portal has {}", verdict.orders);
    say(&verdict.to_string());
    drop(shift);
    Ok(Outcome { restart, verdict })
}

/// Takes away what the broker kept.
///
/// # Errors
/// It cannot be removed.
pub fn forget(broker: &Path) -> Result<()> {
    match fs::remove_file(broker.join("data/mosquitto.db")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
