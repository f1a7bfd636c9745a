//! The same commands again, with nothing around them: `ukey_pcsc`'s transport over the `pcsc` crate, and no station.
//!
//! libpcsclite takes its socket from the environment of the process, so the replay is a process of its own.

use std::{
    io::Read,
    process::Command,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{
    pcscd::Pcscd,
    process::{run, wait_for},
};
use serde::{Deserialize, Serialize};
use ukey::CardTransport as _;
use ukey_pcsc::{PcscTransport, Reader};
use ukey_sim::Exchange;

/// How long a plugged key may take to be seen.
const PLUG: Duration = Duration::from_secs(20);

/// What is said to one reader, and the status words that must come back.
#[derive(Serialize, Deserialize)]
struct Script {
    reader: String,
    commands: Vec<String>,
    statuses: Vec<String>,
}

impl Script {
    fn new(reader: String, tape: &[Exchange]) -> Self {
        let status = |answer: &[u8]| hex::encode(&answer[answer.len().saturating_sub(2)..]);
        Self {
            reader,
            commands: tape.iter().map(|exchange| hex::encode(&exchange.command)).collect(),
            statuses: tape.iter().map(|exchange| status(&exchange.answer)).collect(),
        }
    }
}

/// Replays one tape a reader of `pcscd`, all at once, on the keys plugged there. The time from the first command to the last answer.
pub fn replay(pcscd: &Pcscd, tapes: &[Vec<Exchange>]) -> Result<Duration> {
    let scripts: Vec<Script> =
        tapes.iter().enumerate().map(|(at, tape)| Script::new(pcscd.reader_name(at), tape)).collect();
    // This very program, even if it was built anew since it was started.
    let mut command = Command::new("/proc/self/exe");
    command.arg("--replay").env("PCSCLITE_CSOCK_NAME", pcscd.socket());
    let said = run("the replay", &mut command, Some(&serde_json::to_vec(&scripts)?))?;
    Ok(Duration::from_secs_f64(said.trim().parse().with_context(|| format!("the replay said {said:?}"))?))
}

/// The process of the replay: a thread and a context for each reader, as in the station; all begin together.
pub fn play(mut input: impl Read) -> Result<Duration> {
    let mut text = Vec::new();
    input.read_to_end(&mut text)?;
    let scripts: Vec<Script> = serde_json::from_slice(&text)?;
    let start = Arc::new(Barrier::new(scripts.len()));
    let players: Vec<_> = scripts
        .into_iter()
        .map(|script| {
            let start = start.clone();
            thread::spawn(move || perform(&script, &start))
        })
        .collect();
    let mut times = Vec::new();
    for player in players {
        times.push(player.join().map_err(|_| anyhow::anyhow!("a reader's thread panicked"))??);
    }
    let begun = times.iter().map(|(begun, _)| *begun).min().context("nothing to replay")?;
    let ended = times.iter().map(|(_, ended)| *ended).max().context("nothing to replay")?;
    Ok(ended - begun)
}

fn perform(script: &Script, start: &Barrier) -> Result<(Instant, Instant)> {
    let commands: Vec<Vec<u8>> = script.commands.iter().map(hex::decode).collect::<Result<_, _>>()?;
    let connected = connect(&script.reader);
    // Before anything may fail: the others wait here.
    start.wait();
    let mut transport = connected?;
    let begun = Instant::now();
    let mut statuses = Vec::with_capacity(commands.len());
    for command in &commands {
        let answer = transport.transmit(command)?;
        statuses.push(hex::encode(&answer[answer.len() - 2..]));
    }
    let ended = Instant::now();
    let differs = statuses.iter().zip(&script.statuses).position(|(heard, recorded)| heard != recorded);
    if let Some(at) = differs {
        bail!(
            "command {at} (INS {:02X}) answered {}, in the job {}",
            commands[at][1],
            statuses[at],
            script.statuses[at]
        );
    }
    ensure!(!commands.is_empty(), "{}: no commands", script.reader);
    Ok((begun, ended))
}

fn connect(reader: &str) -> Result<PcscTransport> {
    let mut reader = Reader::new(reader)?;
    // pcscd powers a fresh key up by itself; until it is done, connecting may be refused.
    wait_for("a key in the reader", PLUG, || {
        let _present = reader.wait_for_card(Duration::from_secs(1));
        Ok(reader.connect().ok())
    })
}
