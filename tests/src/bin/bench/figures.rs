//! The figures: what each means, and how it is taken.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result};
use e2e::pcscd::READERS_MAX;
use ukey_sim::Latency;

use crate::rig::{Rig, Wave};

/// One figure.
pub struct Figure {
    /// Its name.
    pub name: &'static str,
    /// The wanted value.
    pub goal: &'static str,
    /// What it is.
    pub meaning: &'static str,
}

/// All figures.
pub const FIGURES: [Figure; 5] = [
    Figure {
        name: "job_overhead",
        goal: "at most 1.10",
        meaning: "Time of one whole job on one key (25 to 80 ms a command, 400 ms for key generation; an assumption, no maker publishes times) \
                  through pcscd, divided by the time to replay the same APDUs on a copy of the same blank without a station.\n  \
                  The job runs from the first command that the key sees, which is its recognition, to the station's line that the job ended: \
                  every record of the journal, the host's cryptography and the portal's answers are in it, and the screen is green with that line. \
                  The replay runs on a second pcscd through ukey-pcsc's transport, a thin cover of the pcsc crate, from its first command to its last \
                  answer. Challenges and key pair of both keys follow from one seed, so the replayed commands are carried out, not refused: every \
                  status word is compared. Median of the rounds' ratios.",
    },
    Figure {
        name: "wave_efficiency",
        goal: "at least 0.90",
        meaning: "Time of one such key alone divided by the time of 16 plugged at once, from the first command that any of them sees to the end of \
                  the last job. pcscd notices keys up to 400 ms apart, and that is in the wave. Median of the rounds' ratios.",
    },
    Figure {
        name: "zero_latency_ratio",
        goal: "none: it shows what the station itself costs",
        meaning: "Time of a wave of 16 keys that answer at once, divided by the time to replay the same APDUs by 16 threads that begin together. \
                  pcscd notices keys up to 400 ms apart, and that is in the wave alone. Median of the rounds' ratios.",
    },
    Figure {
        name: "apdus_per_job",
        goal: "none",
        meaning: "Commands that one key sees in one job, its recognition included.",
    },
    Figure {
        name: "fsyncs_per_job",
        goal: "none",
        meaning: "Syncs of the station's journal for one job made alone, report, acknowledgement and label included. Jobs made side by side share syncs.",
    },
];

const JOB_ROUNDS: usize = 5;
const WAVE_ROUNDS: usize = 3;

/// Takes the wanted figures.
pub fn measure(wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<&'static str, f64>> {
    let job = ["job_overhead", "apdus_per_job", "fsyncs_per_job"].into_iter().any(&wanted);
    let (wave, zero) = (wanted("wave_efficiency"), wanted("zero_latency_ratio"));
    let keys = usize::from(job) * JOB_ROUNDS
        + usize::from(wave) * WAVE_ROUNDS * (READERS_MAX + 1)
        + usize::from(zero) * WAVE_ROUNDS * READERS_MAX;
    let mut rig = Rig::start(keys)?;
    let mut values = BTreeMap::new();
    if job {
        job_figures(&mut rig, &mut values)?;
    }
    if wave {
        values.insert("wave_efficiency", wave_efficiency(&mut rig)?);
    }
    if zero {
        values.insert("zero_latency_ratio", zero_latency_ratio(&mut rig)?);
    }
    Ok(values)
}

fn job_figures(rig: &mut Rig, values: &mut BTreeMap<&'static str, f64>) -> Result<()> {
    let (mut ratios, mut apdus) = (Vec::new(), Vec::new());
    for _ in 0..JOB_ROUNDS {
        let job = rig.wave(1, Latency::realistic())?;
        let bare = rig.replay(&job)?;
        tell("job alone", &job, Some(bare));
        ratios.push(job.took.as_secs_f64() / bare.as_secs_f64());
        apdus.push(job.tapes[0].len() as f64);
    }
    values.insert("job_overhead", median(ratios)?);
    values.insert("apdus_per_job", median(apdus)?);
    values.insert("fsyncs_per_job", f64::from(rig.syncs()?) / JOB_ROUNDS as f64);
    Ok(())
}

fn wave_efficiency(rig: &mut Rig) -> Result<f64> {
    let mut ratios = Vec::new();
    for _ in 0..WAVE_ROUNDS {
        let alone = rig.wave(1, Latency::realistic())?;
        let wave = rig.wave(READERS_MAX, Latency::realistic())?;
        tell("job alone", &alone, None);
        tell("wave", &wave, None);
        ratios.push(alone.took.as_secs_f64() / wave.took.as_secs_f64());
    }
    median(ratios)
}

fn zero_latency_ratio(rig: &mut Rig) -> Result<f64> {
    let mut ratios = Vec::new();
    for _ in 0..WAVE_ROUNDS {
        let wave = rig.wave(READERS_MAX, Latency::none())?;
        let bare = rig.replay(&wave)?;
        tell("wave without latency", &wave, Some(bare));
        ratios.push(wave.took.as_secs_f64() / bare.as_secs_f64());
    }
    median(ratios)
}

fn analyse(wave: &Wave) {
    // TEMP
    use std::collections::BTreeMap;
    let n = wave.tapes.len();
    let mut gaps: BTreeMap<usize, (u8, Vec<f64>, Vec<f64>)> = BTreeMap::new();
    let mut firsts = Vec::new();
    for tape in &wave.tapes {
        firsts.push(tape[0].came);
        let mut last = tape[0].came;
        for (i, e) in tape.iter().enumerate() {
            let gap = e.came.duration_since(last).unwrap_or_default().as_secs_f64() * 1e3;
            let over = (e.left.duration_since(e.came).unwrap_or_default().as_secs_f64()
                - Latency::realistic().of(&e.command).as_secs_f64())
                * 1e3;
            last = e.left;
            let at = gaps.entry(i).or_insert((e.command[1], vec![], vec![]));
            at.1.push(gap);
            at.2.push(over);
        }
    }
    let first = firsts.iter().min().unwrap();
    let mut offs: Vec<u128> = firsts.iter().map(|f| f.duration_since(*first).unwrap().as_millis()).collect();
    offs.sort();
    eprintln!("n={n} first commands at {offs:?}");
    let mut total = (0.0, 0.0);
    for (i, (ins, gap, over)) in gaps {
        let mean = |v: &Vec<f64>| v.iter().sum::<f64>() / v.len() as f64;
        let max = |v: &Vec<f64>| v.iter().copied().fold(0.0, f64::max);
        total.0 += mean(&gap);
        total.1 += mean(&over);
        eprintln!(
            "{i:3} {ins:02X} gap mean {:6.2} max {:6.2}  over mean {:6.2} max {:6.2}",
            mean(&gap),
            max(&gap),
            mean(&over),
            max(&over)
        );
    }
    eprintln!("total gaps {:.1} ms, over {:.1} ms", total.0, total.1);
    for (t, e) in wave.tapes.iter().zip(&wave.each) {
        let span = t.last().unwrap().left.duration_since(t[0].came).unwrap();
        eprintln!("  job {:?} last answer after {:?}", e, span);
    }
}

/// What the ratios are made of, for whoever looks: not part of the figures.
fn tell(what: &str, wave: &Wave, bare: Option<Duration>) {
    let slowest = wave.each.iter().max().copied().unwrap_or_default();
    let bare = bare.map_or_else(String::new, |bare| format!(", replay {bare:.3?}"));
    if std::env::var("ANALYSE").is_ok() {
        analyse(wave);
    }
    eprintln!("  {what}: {:.3?}, slowest key {slowest:.3?}{bare}", wave.took);
}

fn median(mut values: Vec<f64>) -> Result<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().context("nothing was measured")
}
