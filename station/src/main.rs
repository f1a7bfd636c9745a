//! The `ukey-station` program: commands, and where they speak to people. What they do is in the library beside it.

use std::{io::IsTerminal as _, path::PathBuf};

use clap::{Parser, Subcommand};
use ukey_station::{ask, config, enrol, inspect, run};

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
    /// What was stopped after too many bad keys, at the running station.
    Breaker {
        #[command(subcommand)]
        command: BreakerCommand,
    },
    /// Reports that the portal refused, at the running station.
    Parked {
        #[command(subcommand)]
        command: ParkedCommand,
    },
    /// The books of the shift, at the running station.
    Shift {
        #[command(subcommand)]
        command: ShiftCommand,
    },
    /// Checks the configuration and says what is wrong where.
    CheckConfig,
}

#[derive(Subcommand)]
enum BreakerCommand {
    /// Lists what is stopped.
    List,
    /// Sets it going again.
    Reset {
        /// What, as `list` names it: slot/A01, hub/A, lot/NAME.
        scope: String,
        /// Why it may go on, 1 to 200 characters.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Subcommand)]
enum ParkedCommand {
    /// Lists them.
    List,
    /// Sends one again.
    Retry {
        /// Its id, as `list` names it.
        report: String,
    },
    /// Gives one up: it stays in the journal with the reason.
    Discard {
        /// Its id, as `list` names it.
        report: String,
        /// Why, 1 to 200 characters.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Subcommand)]
enum ShiftCommand {
    /// Begins a shift.
    Open {
        /// Blanks brought to the bench.
        count: u32,
    },
    /// More blanks were brought to the bench.
    Add {
        /// How many.
        count: u32,
    },
    /// Ends the shift with what was counted.
    Close {
        /// Blanks left, those in slots too.
        #[arg(long)]
        left: u32,
        /// Keys in the set-aside box, if it was counted.
        #[arg(long)]
        set_aside: Option<u32>,
        /// Why it does not balance.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Shows the running shift and the last one.
    Show,
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
        Command::Breaker { command } => {
            println!("{}", breaker(&running(&cli.config)?, command)?);
            Ok(())
        }
        Command::Parked { command } => {
            println!("{}", parked(&running(&cli.config)?, command)?);
            Ok(())
        }
        Command::Shift { command } => {
            println!("{}", shift_of(&running(&cli.config)?, command)?);
            Ok(())
        }
        Command::CheckConfig => {
            println!("{}", run::check(&cli.config)?);
            Ok(())
        }
    }
}

fn running(config: &std::path::Path) -> anyhow::Result<ask::Running> {
    Ok(ask::Running::new(&config::Config::load(config)?))
}

fn breaker(station: &ask::Running, command: BreakerCommand) -> anyhow::Result<String> {
    if let BreakerCommand::Reset { scope, reason } = command {
        station.post("/breakers/reset", &[("scope", &scope), ("reason", &reason)])?;
    }
    Ok(ask::stopped(&station.attention()?))
}

fn parked(station: &ask::Running, command: ParkedCommand) -> anyhow::Result<String> {
    match command {
        ParkedCommand::List => {}
        ParkedCommand::Retry { report } => station.post("/parked/retry", &[("report", &report)])?,
        ParkedCommand::Discard { report, reason } => {
            station.post("/parked/discard", &[("report", &report), ("reason", &reason)])?;
        }
    }
    Ok(ask::parked(&station.attention()?))
}

fn shift_of(station: &ask::Running, command: ShiftCommand) -> anyhow::Result<String> {
    match command {
        ShiftCommand::Open { count } => station.post("/shift/open", &[("count", &count.to_string())])?,
        ShiftCommand::Add { count } => station.post("/shift/add", &[("count", &count.to_string())])?,
        ShiftCommand::Close { left, set_aside, reason } => {
            let boxed = set_aside.map(|count| count.to_string()).unwrap_or_default();
            let fields = [("left", left.to_string()), ("boxed", boxed), ("reason", reason)];
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            station.post("/shift/close", &fields)?;
        }
        ShiftCommand::Show => {}
    }
    Ok(ask::shift(&station.shift()?))
}
