//! The fault suite: laws on every profile, simulation by seed, the real stack killed again and again, and its power cut.

#![allow(clippy::print_stdout, reason = "this program speaks to the person who started it")]

mod total;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use e2e::{
    cuts,
    kills::{self, Plan},
    laws, places,
    sim::{self, Template, dice::Dice},
};

use total::Total;

/// `kill -9` of the station in one run of 40 keys, at most.
const KILLS_A_RUN: u64 = 20;

/// Prints what it does, then one line of figures. Ends with 1 if anything was lost, doubled, unaccounted for or leaked.
#[derive(Parser)]
struct Cli {
    /// `kill -9` of the station, over runs of 40 keys in 16 slots; portal, broker, pcscd and keys are struck meanwhile.
    #[arg(long, default_value_t = 20)]
    kills: u64,
    /// Power cuts of the whole machine.
    #[arg(long, default_value_t = 2)]
    powercuts: u64,
    /// Seeds of the simulation.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// From which all other seeds follow; printed with each run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    if let Some(status) = sim::with_hsm()? {
        return Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let mut total = Total::default();
    let mut dice = Dice::new(cli.seed);
    lawful(&mut total);
    simulated(&cli, &mut dice, &mut total)?;
    killed(&cli, &mut dice, &mut total)?;
    cut(&cli, &mut dice, &mut total)?;
    println!("{total}");
    Ok(if total.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every point of every profile; laws that are broken count as something that nobody accounts for.
fn lawful(total: &mut Total) {
    let tried = laws::run(|progress| {
        if progress.done.is_multiple_of(1_000) {
            println!("laws: {} of {}", progress.done, progress.all);
        }
    });
    match tried {
        Ok(points) => (total.points, total.cuts) = (points.points, points.cuts),
        Err(broken) => {
            println!("  {broken:#}");
            total.unaccounted += 1;
        }
    }
}

/// A seed that finds something is told with what it found and counts as one that nobody accounts for.
fn simulated(cli: &Cli, dice: &mut Dice, total: &mut Total) -> Result<()> {
    let (template, from) = (Template::make()?, dice.below(1_000_000));
    for seed in from..from + cli.seeds {
        if total.seeds.is_multiple_of(50) {
            println!("simulation: {} of {}, seed {seed}", total.seeds, cli.seeds);
        }
        if let Err(error) = sim::run(&template, seed) {
            println!("  {error:#}");
            total.unaccounted += 1;
        }
        total.seeds += 1;
    }
    Ok(())
}

fn killed(cli: &Cli, dice: &mut Dice, total: &mut Total) -> Result<()> {
    while total.kills < cli.kills {
        let (seed, station) = (dice.below(1_000_000), KILLS_A_RUN.min(cli.kills - total.kills));
        println!("kills: {} of {}, seed {seed}", total.kills, cli.kills);
        let plan =
            Plan { seed, station: usize::try_from(station)?, portal: 3, broker: 3, pcscd: 3, pulls: 6 };
        let folder = folder(&format!("kills-{seed}"))?;
        let outcome = kills::run(&folder, &plan, &mut |line| println!("  {line}"))?;
        total.kills += outcome.kills;
        total.restarted(outcome.slowest_restart);
        total.judged(&outcome.verdict, &folder)?;
    }
    Ok(())
}

fn cut(cli: &Cli, dice: &mut Dice, total: &mut Total) -> Result<()> {
    while total.powercuts < cli.powercuts {
        let seed = dice.below(1_000_000);
        println!("power cuts: {} of {}, seed {seed}", total.powercuts, cli.powercuts);
        let folder = folder(&format!("cut-{seed}"))?;
        let outcome = cuts::run(&folder, seed, &mut |line| println!("  {line}"))?;
        total.powercuts += 1;
        total.restarted(outcome.restart);
        total.judged(&outcome.verdict, &folder)?;
    }
    Ok(())
}

/// A folder for one run; it stays if something was wrong.
fn folder(name: &str) -> Result<PathBuf> {
    places::fresh(&places::tree().join(".work/faults").join(name))
}
