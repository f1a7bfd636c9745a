#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)] // A chore talks to whoever ran it.

mod ci;
mod planted;
mod run;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The repository's own chores.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything a change must pass, but the end-to-end tests: scripts/test runs those too.
    Ci,
    /// Arrows, homes, top level, lengths, unfinished code, READMEs.
    Tidy,
    /// Loads every firmware profile.
    Profiles,
    /// Runs the portal's tests again, on a PostgreSQL server that is thrown away afterwards.
    PortalOnPostgres,
    /// Prints the bench's figures, one `name value` a line.
    Bench {
        /// A figure's name and what the bench itself takes, such as --explain.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Runs the fault suite: laws, simulation, kills and power cuts; ends with one line of figures.
    Faults {
        /// Instead, plants each defect of tests/planted/ into a copy of the tree: the suite must see it.
        #[arg(long)]
        planted: bool,
        /// Of the planted defects, those whose name has this in it.
        #[arg(long, requires = "planted")]
        only: Option<String>,
        /// Seeds of the simulation.
        #[arg(long)]
        seeds: Option<u64>,
        /// `kill -9` of the station.
        #[arg(long)]
        kills: Option<u64>,
        /// Power cuts of the whole machine.
        #[arg(long)]
        powercuts: Option<u64>,
        /// From which all other seeds follow.
        #[arg(long)]
        seed: Option<u64>,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().chore {
        Chore::Ci => ci::run(),
        Chore::Tidy => tidy::run(),
        Chore::Profiles => profiles(),
        Chore::PortalOnPostgres => portal_on_postgres(),
        Chore::Bench { arguments } => bench(&arguments),
        Chore::Faults { planted: true, only, .. } => planted::run(only.as_deref().unwrap_or_default()),
        Chore::Faults { seeds, kills, powercuts, seed, .. } => {
            faults([("--seeds", seeds), ("--kills", kills), ("--powercuts", powercuts), ("--seed", seed)])
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Loads every profile; says for each how many values wait for a real key to confirm them.
fn profiles() -> Result<()> {
    let profiles = profile::load_dir(&run::root()?.join("firmware-profiles"))?;
    anyhow::ensure!(!profiles.is_empty(), "firmware-profiles/ holds no profile: add <vendor>/<model>.toml");
    for profile in &profiles {
        let open = profile.sources.iter().filter(|source| source.from.is_none()).count();
        println!(
            "{}: {} steps, {open} of {} sourced values unconfirmed",
            profile.name,
            profile.steps.len(),
            profile.sources.len()
        );
    }
    Ok(())
}

/// The same selection as for all other tests, so that nothing is compiled anew.
fn portal_on_postgres() -> Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let arguments = [&cargo, "nextest", "run", "--workspace", "-E", "package(portal)"];
    run::run(run::at_root("scripts/with-postgres")?.args(arguments))
}

/// The bench starts the programs as a user would, so all of them are built first, by the same command as for the demo: another
/// selection of packages would be compiled with other features, all over again.
fn bench(arguments: &[String]) -> Result<()> {
    programs()?;
    if let Some(("portal", arguments)) = arguments.split_first().map(|(name, rest)| (name.as_str(), rest)) {
        run::run(run::at_root("target/debug/portal_bench")?.args(arguments))?;
        let on_server = ["--durable", "target/debug/portal_bench"];
        return run::run(run::at_root("scripts/with-postgres")?.args(on_server).args(arguments));
    }
    run::run(run::at_root("target/debug/bench")?.args(arguments))
}

fn programs() -> Result<()> {
    run::run(run::cargo()?.args(["build", "--quiet", "--workspace", "--bins"]))
}

/// As for the bench, all programs are built first.
fn faults(options: [(&str, Option<u64>); 4]) -> Result<()> {
    programs()?;
    let mut command = run::at_root("target/debug/faults")?;
    for (name, value) in options {
        if let Some(value) = value {
            command.arg(name).arg(value.to_string());
        }
    }
    run::run(&mut command)
}
