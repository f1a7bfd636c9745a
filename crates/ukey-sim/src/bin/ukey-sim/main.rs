//! `ukey-sim`: makes virtual keys, shows what they hold, and plugs them into pcscd's virtual readers.

mod make;
mod serve;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use anyhow::Context;
use clap::{Parser, Subcommand};
use ukey_sim::Summary;

/// Virtual GM/T 0017 keys.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Makes blank keys: one flash file each, named after the serial.
    Make(make::Arguments),
    /// Prints what keys hold, without PINs and keys.
    Show {
        /// Flash files; they may be in use meanwhile.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Plugs keys into virtual readers and pulls them, as lines on standard input say (`help` lists them).
    Serve(serve::Arguments),
}

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(io::stderr)
        .init();
    match Arguments::parse().task {
        Task::Make(arguments) => make::run(&arguments),
        Task::Show { files } => show(&files),
        Task::Serve(arguments) => serve::run(&arguments, io::stdin().lock(), io::stdout().lock()),
    }
}

fn show(files: &[PathBuf]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for file in files {
        write!(out, "{}", Summary::read(file)?).context("standard output is closed")?;
    }
    Ok(())
}
