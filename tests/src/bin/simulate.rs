//! `simulate`: plays seeds of the simulation, and says which one finds something.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program speaks to the person who started it"
)]

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use e2e::sim::{self, Outcome, Template};

#[derive(Parser)]
#[command(about = "Plays the station, the portal and everything that can go wrong, by seed")]
struct Cli {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// Say what each seed came to.
    #[arg(long)]
    verbose: bool,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    if let Some(status) = sim::with_hsm()? {
        return Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if std::env::var_os("RUST_LOG").is_some() {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_writer(std::io::stderr)
            .init();
    }
    let template = Template::make()?;
    let (mut all, mut failed) = (Outcome::default(), 0_u64);
    for seed in cli.from..cli.from.saturating_add(cli.seeds) {
        match sim::run(&template, seed) {
            Ok(outcome) => {
                if cli.verbose {
                    eprintln!("seed {seed}: {outcome:?}");
                }
                all.orders += outcome.orders;
                all.made += outcome.made;
                all.spoiled += outcome.spoiled;
                all.faults += outcome.faults;
                all.restarts += outcome.restarts;
            }
            Err(error) => {
                failed += 1;
                eprintln!("{error:#}");
            }
        }
    }
    println!(
        "simulate: seeds={} failed={failed} orders={} keys={} spoiled={} faults={} restarts={}",
        cli.seeds, all.orders, all.made, all.spoiled, all.faults, all.restarts
    );
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
