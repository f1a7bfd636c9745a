//! The `ukey-station` program: commands, and where they speak to people. What they do is in the library beside it.

use std::{io::IsTerminal as _, path::PathBuf};

use clap::{Parser, Subcommand};
use ukey_station::{config, enrol, inspect, run};

#[derive(Parser)]
#[command(
    name = "ukey-station",
    version,
    about = "Turns approved certificate orders into initialised keys in labelled parcels"
)]
struct Cli {
    /// The station's configuration.
    #[arg(
        long,
        global = true,
        env = "UKEY_STATION_CONFIG",
        default_value = "/etc/ukey-station/station.toml"
    )]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the station.
    Run {
        /// Keeps the journal in memory: nothing survives. For the bench alone, which measures what the journal costs.
        #[arg(long, hide = true)]
        forgetful: bool,
    },
    /// Lists readers, USB ports and the slots they are configured as.
    Slots,
    /// Reads a key without changing it: profile, serial, applications, certificates.
    Inspect {
        /// The reader's name, as `slots` lists it.
        #[arg(long)]
        reader: String,
    },
    /// Enrols this station at the portal. The one-time code is asked for on standard input.
    Enrol {
        /// The portal's address, such as `https://portal.example`.
        #[arg(long)]
        portal: String,
    },
    /// Checks the configuration and says what is wrong where.
    CheckConfig,
}

#[allow(clippy::print_stdout, reason = "this is where the commands speak to people")]
fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let cli = Cli::parse();
    match cli.command {
        Command::Run { forgetful } => run::run(config::Config::load(&cli.config)?, forgetful),
        Command::Slots => {
            println!("{}", inspect::slots(&config::Config::load(&cli.config)?)?);
            Ok(())
        }
        Command::Inspect { reader } => {
            println!("{}", inspect::inspect(&config::Config::load(&cli.config)?, &reader)?);
            Ok(())
        }
        Command::Enrol { portal } => {
            let config = config::Config::load(&cli.config)?;
            let mut code = String::new();
            std::io::stdin().read_line(&mut code)?;
            let station = enrol::enrol(&config.identity_dir(), &portal, &code)?;
            println!("enrolled as {station}; identity in {}", config.identity_dir().display());
            Ok(())
        }
        Command::CheckConfig => {
            println!("{}", run::check(&cli.config)?);
            Ok(())
        }
    }
}
