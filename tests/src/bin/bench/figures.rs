//! The figures: what each means, and how it is taken.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use e2e::{pcscd::READERS_MAX, places};
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
pub const FIGURES: [Figure; 6] = [
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
                  the last job. pcscd looks at each reader every 400 ms, at another moment each; it is held while the keys are plugged, so that \
                  it sees all of them together. Median of the rounds' ratios.",
    },
    Figure {
        name: "zero_latency_ratio",
        goal: "none: it shows what the station itself costs",
        meaning: "Time of a wave of 16 keys that answer at once, plugged as for wave_efficiency, divided by the time to replay the same APDUs by 16 threads that begin \
                  together. Median of the rounds' ratios.",
    },
    Figure {
        name: "journal_cost",
        goal: "at most 1.03",
        meaning: "Time of a wave of 16 keys with the latency of job_overhead, divided by the time of such a wave made by the same station with a journal \
                  in memory that never syncs. The two kinds of wave take turns. Median of the rounds' ratios.",
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

/// Takes the wanted figures. What they were taken in is removed afterwards, unless something failed.
pub fn measure(wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<&'static str, f64>> {
    let scratch = places::tree().join(".work");
    std::fs::create_dir_all(&scratch)?;
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(scratch)?;
    match take(folder.path(), wanted) {
        Ok(values) => Ok(values),
        Err(error) => Err(error.context(format!("all logs are in {}", folder.keep().display()))),
    }
}

fn take(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<&'static str, f64>> {
    let job = ["job_overhead", "apdus_per_job", "fsyncs_per_job"].into_iter().any(&wanted);
    let (wave, zero) = (wanted("wave_efficiency"), wanted("zero_latency_ratio"));
    let journal = wanted("journal_cost");
    let keys = usize::from(job) * JOB_ROUNDS
        + usize::from(wave) * WAVE_ROUNDS * (READERS_MAX + 1)
        + usize::from(zero) * WAVE_ROUNDS * READERS_MAX
        + usize::from(journal) * WAVE_ROUNDS * 2 * READERS_MAX;
    let mut rig = Rig::start(folder, keys)?;
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
    if journal {
        values.insert("journal_cost", journal_cost(&mut rig)?);
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

fn journal_cost(rig: &mut Rig) -> Result<f64> {
    let mut ratios = Vec::new();
    for _ in 0..WAVE_ROUNDS {
        rig.begin_anew(false)?;
        let kept = rig.wave(READERS_MAX, Latency::realistic())?;
        rig.begin_anew(true)?;
        let forgotten = rig.wave(READERS_MAX, Latency::realistic())?;
        tell("wave with the journal", &kept, None);
        tell("wave with a journal in memory", &forgotten, None);
        ratios.push(kept.took.as_secs_f64() / forgotten.took.as_secs_f64());
    }
    rig.begin_anew(false)?;
    median(ratios)
}

/// What the ratios are made of, for whoever looks: not part of the figures.
fn tell(what: &str, wave: &Wave, bare: Option<Duration>) {
    let slowest = wave.each.iter().max().copied().unwrap_or_default();
    let bare = bare.map_or_else(String::new, |bare| format!(", replay {bare:.3?}"));
    eprintln!("  {what}: {:.3?}, slowest key {slowest:.3?}{bare}", wave.took);
}

fn median(mut values: Vec<f64>) -> Result<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().context("nothing was measured")
}
