//! `cargo xtask bench portal`: the portal under load, first on SQLite, then on PostgreSQL. One `name value` a line.
//!
//! Requests come at fixed times, whether or not the ones before are answered; a request's time counts from when it was due. The list is
//! measured with a fifth of the orders and again with all of them. Then stations report and operators watch; every slot of every station changes.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program speaks to the person who started it"
)]

mod fleet;
mod load;
mod rig;

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;

use crate::{
    load::{Figures, Load},
    rig::{Client, Rig},
};

/// The goals at 200 requests a second on two cores: 99 of 100 answers come within this, and a thousand stations are watched in this.
const P99_MS: f64 = 50.0;
const WATCHED_MIB: u64 = 300;
/// A list of five times the orders may take so many times as long, which is what the same list takes twice.
const LONG_TO_SHORT: f64 = 1.5;

#[derive(Parser)]
#[command(
    about = "Measures the portal; prints `name value` lines. On SQLite, or on the server in PORTAL_TEST_POSTGRES"
)]
struct Cli {
    /// Requests a second.
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// How long each load lasts.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Orders on the long list.
    #[arg(long, default_value_t = 100_000)]
    orders: u32,
    /// Stations that report once a second.
    #[arg(long, default_value_t = 1_000)]
    stations: usize,
    /// Operators who watch them.
    #[arg(long, default_value_t = 200)]
    watchers: usize,
    /// The portal with stations that report; started by the bench itself.
    #[arg(long, hide = true)]
    serve: Option<std::path::PathBuf>,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if let Some(config) = &cli.serve {
        return fleet::serve(config, cli.stations);
    }
    let mut rig = Rig::new()?;
    let database = rig.database();
    let load = Load { rate: cli.rate, time: Duration::from_secs(cli.seconds.into()) };
    let mut missed = Vec::new();
    let mut print = |name: &str, figures: &Figures| {
        if figures.p99_ms > P99_MS {
            missed.push(format!("{name}: p99 {:.1} ms", figures.p99_ms));
        }
        if figures.refused > 0 {
            missed.push(format!("{name}: {} refused", figures.refused));
        }
        println!("{database}.{name}.requests_per_second {:.0}", figures.per_second);
        println!("{database}.{name}.p50_ms {:.1}", figures.p50_ms);
        println!("{database}.{name}.p99_ms {:.1}", figures.p99_ms);
        println!("{database}.{name}.refused {}", figures.refused);
    };
    rig.start()?;
    print("form_saved", &load.run(&rig, Client::save_form)?);
    print("order_posted", &load.run(&rig, |client, n| client.post_order(n))?);
    let number = rig.client()?.newest_orders()?.remove(0);
    print("order_page", &load.run(&rig, |client, _| client.get(&format!("/orders/{number}")))?);
    // Tabs count to a thousand each; from here on a list costs the same however many orders there are.
    rig.copy_orders(cli.orders / 5)?;
    let short = load.run(&rig, |client, _| client.get("/orders?state=awaiting_review"))?;
    print("short_list", &short);
    rig.copy_orders(cli.orders)?;
    let long = load.run(&rig, |client, _| client.get("/orders?state=awaiting_review"))?;
    print("long_list", &long);
    let long_to_short = long.p50_ms / short.p50_ms;
    println!("{database}.long_list.p50_to_short {long_to_short:.2}");
    // What a hall of reviewers has before it; each order is looked at more than once.
    let numbers = rig.client()?.newest_orders()?;
    let pick = |n: u32| &numbers[n as usize % numbers.len()];
    print("review_page", &load.run(&rig, |client, n| client.get(&format!("/review/{}", pick(n))))?);
    // People type searches; programs do not.
    let search = Load { rate: (cli.rate / 10).max(1), ..load };
    print("long_list_searched", &search.run(&rig, |client, _| client.get("/orders?q=%E7%A4%BA%E4%BE%8B"))?);
    print("posted_to_long_list", &load.run(&rig, |client, n| client.post_order(n))?);
    println!("{database}.memory_mib {}", rig.peak_memory_mib()?);
    rig.stop()?;

    let watched = fleet::watch(&mut rig, cli.stations, cli.watchers, load.time)?;
    println!("{database}.watched.events_per_watcher_and_second {:.0}", watched.events_per_second);
    println!("{database}.watched.lag_p99_ms {:.0}", watched.lag_p99_ms);
    println!("{database}.watched.page_p99_ms {:.1}", watched.page_p99_ms);
    let memory = rig.peak_memory_mib()?;
    println!("{database}.watched.memory_mib {memory}");
    if long_to_short > LONG_TO_SHORT {
        missed.push(format!("long_list: {long_to_short:.2} times the short one"));
    }
    if memory > WATCHED_MIB {
        missed.push(format!("watched: {memory} MiB"));
    }
    ensure!(missed.is_empty(), "{database}: more than the goal: {}", missed.join(", "));
    Ok(())
}
