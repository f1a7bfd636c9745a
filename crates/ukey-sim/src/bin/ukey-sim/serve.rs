//! `ukey-sim serve`: a bench of virtual readers, worked by lines on standard input.

use std::{
    collections::BTreeMap,
    io::{BufRead, Write},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, anyhow, bail, ensure};
use ukey_sim::{
    Fault, Faults, Latency, Options, SharedKey, VirtualKey,
    vpcd::{self, Attached},
};

const HELP: &str = "plug PORT FILE       plugs a key
pull PORT            pulls it
list                 says what is plugged where, and whether pcscd sees it
show PORT            says what the key holds
fault PORT N:EFFECT… sets what goes wrong at the N-th command from now on (none: nothing does)
quit                 pulls everything and ends, as the end of the input does";

/// Which readers, and how the keys behave.
#[derive(clap::Args)]
pub struct Arguments {
    /// First vpcd port.
    #[arg(long, default_value_t = 36000)]
    port: u16,
    /// How many ports from there on.
    #[arg(long, default_value_t = 16)]
    readers: u16,
    /// How long commands take: `none`, `realistic`, or milliseconds for each.
    #[arg(long, default_value = "none", value_parser = latency)]
    latency: Latency,
    /// Keys plugged at the start, into the ports in order.
    files: Vec<PathBuf>,
}

fn latency(text: &str) -> Result<Latency, String> {
    match text {
        "none" => Ok(Latency::none()),
        "realistic" => Ok(Latency::realistic()),
        number => number
            .parse::<u16>()
            .map(|ms| Latency::fixed(Duration::from_millis(ms.into())))
            .map_err(|_| "write none, realistic, or milliseconds".to_owned()),
    }
}

/// Works the bench until `quit` or the end of `input`; every line is answered by at least one line on `output`.
pub fn run(arguments: &Arguments, input: impl BufRead, mut output: impl Write) -> anyhow::Result<()> {
    let mut bench = Bench { arguments, plugged: BTreeMap::new() };
    for (port, file) in (arguments.port..).zip(&arguments.files) {
        writeln!(output, "{}", bench.plug(port, file)?)?;
    }
    for line in input.lines() {
        let line = line.context("standard input")?;
        for gone in bench.sweep() {
            writeln!(output, "{gone}")?;
        }
        match bench.obey(line.trim()) {
            Ok(Some(answer)) => writeln!(output, "{answer}")?,
            Ok(None) => break,
            Err(error) => writeln!(output, "error: {error:#}")?,
        }
        output.flush()?;
    }
    Ok(())
}

struct Bench<'a> {
    arguments: &'a Arguments,
    plugged: BTreeMap<u16, Attached>,
}

impl Bench<'_> {
    /// Carries out one line; `None` = quit.
    fn obey(&mut self, line: &str) -> anyhow::Result<Option<String>> {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or("help");
        let words: Vec<&str> = words.collect();
        Ok(Some(match (verb, words.as_slice()) {
            ("plug", [port, file]) => self.plug(parse_port(port)?, Path::new(file))?,
            ("pull", [port]) => self.pull(parse_port(port)?)?,
            ("list", []) => self.list(),
            ("show", [port]) => self.key(parse_port(port)?)?.summary().to_string().trim_end().to_owned(),
            ("fault", [port, faults @ ..]) => self.fault(parse_port(port)?, faults)?,
            ("help", []) => HELP.to_owned(),
            ("quit", []) => return Ok(None),
            _ => bail!("{line:?} is no command; help lists them"),
        }))
    }

    fn plug(&mut self, port: u16, file: &Path) -> anyhow::Result<String> {
        let Arguments { port: first, readers, latency, .. } = *self.arguments;
        let known = port.checked_sub(first).is_some_and(|at| at < readers);
        ensure!(known, "port {port} is none of the {readers} from {first} on");
        ensure!(!self.plugged.contains_key(&port), "port {port} is occupied; pull first");
        let key = VirtualKey::open(file, Options { latency, faults: Faults::none() })?;
        let serial = key.serial().to_owned();
        let attached = vpcd::attach(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), key)?;
        self.plugged.insert(port, attached);
        Ok(format!("plugged {port} {serial}"))
    }

    fn pull(&mut self, port: u16) -> anyhow::Result<String> {
        let attached = self.plugged.remove(&port).ok_or_else(|| empty(port))?;
        Ok(format!("pulled {port} {}", serial(&attached.detach())))
    }

    fn list(&self) -> String {
        let lines = self.plugged.iter().map(|(port, attached)| {
            let seen = match (attached.is_connected(), attached.greetings()) {
                (false, _) => "no reader",
                (true, 0) => "connected",
                (true, _) => "seen",
            };
            format!("{port} {} {seen} {} commands\n", serial(attached.key()), attached.commands())
        });
        let lines: String = lines.collect();
        format!("{lines}{} plugged", self.plugged.len())
    }

    fn fault(&mut self, port: u16, faults: &[&str]) -> anyhow::Result<String> {
        let faults = faults.iter().map(|text| text.parse()).collect::<Result<Vec<Fault>, _>>()?;
        let count = faults.len();
        self.key(port)?.with(|key| key.set_faults(faults.into()));
        Ok(format!("faults {port} {count}"))
    }

    /// Clears ports whose keys a fault has yanked.
    fn sweep(&mut self) -> Vec<String> {
        let yanked = self.plugged.extract_if(.., |_, attached| !attached.is_plugged());
        yanked.map(|(port, attached)| format!("yanked {port} {}", serial(attached.key()))).collect()
    }

    fn key(&self, port: u16) -> anyhow::Result<&SharedKey> {
        self.plugged.get(&port).map(Attached::key).ok_or_else(|| empty(port))
    }
}

fn serial(key: &SharedKey) -> String {
    key.with(|key| key.serial().to_owned())
}

fn empty(port: u16) -> anyhow::Error {
    anyhow!("port {port} is empty")
}

fn parse_port(text: &str) -> anyhow::Result<u16> {
    text.parse().with_context(|| format!("{text:?} is no port"))
}
