//! The simulation: two stations with all their own code, the portal's desk on a real database and vault, virtual keys, and a seed that
//! decides everything that goes wrong.
//!
//! Nothing waits and nothing runs beside anything else: one thread gives each slot, outbox, lease keeper and label maker its turn, in an
//! order drawn from the seed, and time is played. So a seed that finds something finds it again.
//!
//! What is real: `ukey-station` (slots, pool, leases, outbox, parcels, recovery), `workflow`, `journal` on sled, `wire`, the portal's desk
//! with SQLite, SoftHSM and CA, the double of SF. What is played: readers, broker, printer, staff, time, the end of a process.
//!
//! The fault budget of one seed is [`Budget::of`]; when it is spent, or after [`ROUNDS`] rounds, nothing goes wrong any more, staff do what
//! the screens say, and every order must be 待配送 within [`QUIET`] rounds. Then `check` looks at what is there.

mod budget;
mod check;
pub mod dice;
mod net;
mod portal;
mod process;
mod socket;
mod staff;
mod time;
mod world;

pub use budget::Budget;
pub use portal::{Template, with_hsm};

use anyhow::{Context as _, Result};

/// Rounds in which things go wrong.
pub const ROUNDS: u32 = 120;
/// Rounds of peace that must suffice for everything.
pub const QUIET: u32 = 1_500;

/// What a seed came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Orders, all 待配送 in the end.
    pub orders: usize,
    /// Keys that were made.
    pub made: usize,
    /// Keys that were spoiled or lost, and are on record as that.
    pub spoiled: usize,
    /// Faults that happened.
    pub faults: u32,
    /// Times that a station's process ended and began anew.
    pub restarts: u32,
}

/// Plays one seed.
///
/// # Errors
/// What does not hold, with the seed.
pub fn run(template: &Template, seed: u64) -> Result<Outcome> {
    let played = world::World::new(template, seed).and_then(|mut world| world.play());
    played.with_context(|| format!("seed {seed}: run it alone with `simulate --from {seed} --seeds 1`"))
}
