//! Checks what must hold of a stack on what lies in its folder, trusting neither portal nor station.

#![allow(clippy::print_stdout, reason = "this program speaks to the person who started it")]

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use e2e::invariants::check;

/// Prints each broken promise and where it is seen, then one line of counts. Ends with 1 if one is broken. Stop portal and station before.
#[derive(Parser)]
struct Cli {
    /// The stack's folder, such as .work/demo.
    #[arg(long)]
    stack: PathBuf,
}

fn main() -> Result<ExitCode> {
    let verdict = check(&Cli::parse().stack)?;
    for violation in &verdict.violations {
        println!("{violation}");
    }
    println!("{verdict}");
    Ok(if verdict.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
