//! `cargo xtask bench`: what the station costs beyond the keys themselves. One figure a line, each a ratio taken in one run.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program speaks to the person who started it"
)]

mod figures;
mod replay;
mod rig;
mod station_log;

use anyhow::{Result, ensure};
use clap::Parser;

use crate::figures::FIGURES;

#[derive(Parser)]
#[command(about = "Measures the station on virtual keys behind a real pcscd; prints `name value` lines")]
struct Cli {
    /// One figure alone; all of them without it.
    name: Option<String>,
    /// Say what each figure means and which value is wanted.
    #[arg(long)]
    explain: bool,
    /// The other side of the comparison: replays the script on standard input. Started by the bench itself.
    #[arg(long, hide = true)]
    replay: bool,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if cli.replay {
        println!("{}", replay::play(std::io::stdin())?.as_secs_f64());
        return Ok(());
    }
    let wanted = |name: &str| cli.name.as_deref().is_none_or(|only| only == name);
    let names: Vec<&str> = FIGURES.iter().map(|figure| figure.name).collect();
    ensure!(names.iter().any(|name| wanted(name)), "no such figure; there are {}", names.join(", "));
    let values = figures::measure(wanted)?;
    for figure in FIGURES.iter().filter(|figure| wanted(figure.name)) {
        let Some(value) = values.get(figure.name) else { continue };
        println!("{} {value:.3}", figure.name);
        if cli.explain {
            println!("  goal: {}\n  {}\n", figure.goal, figure.meaning);
        }
    }
    Ok(())
}
