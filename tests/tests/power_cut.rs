//! The power fails while the journal is written: what was acknowledged must be on the disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::Path,
    process::{Child, Command},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use audit::{Archive, Evidence};
use e2e::{
    disk::{Disk, stop},
    places::program,
    sim::dice::Dice,
};
use journal::Journal;

/// Lines after which the power fails, one a trial: at the first syncs, in the middle of streams, while the journal is archived.
const CUTS: [usize; 6] = [3, 60, 700, 2_300, 4_100, 9_000];
const MEBIBYTES: u64 = 192;
/// More trials, at lines of chance: as many as this says, from the seed that the other one gives.
const MORE: (&str, &str) = ("UKEY_POWER_CUTS", "UKEY_SEED");
/// A bound, not a measure.
const SOON: Duration = Duration::from_secs(120);

fn cuts() -> Result<Vec<usize>> {
    let number = |name| std::env::var(name).map_or(Ok(0), |text: String| text.parse::<u64>());
    let (more, seed) = (number(MORE.0)?, number(MORE.1)?);
    let mut dice = Dice::new(seed);
    let dice = (0..more).map(|_| usize::try_from(dice.below(12_000)));
    Ok(CUTS.into_iter().map(Ok).chain(dice).collect::<Result<_, _>>()?)
}

/// Killed when dropped, stopped or not.
struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// What the writer said was kept.
#[derive(Default)]
struct Acknowledged {
    /// How many records of each stream.
    streams: BTreeMap<String, usize>,
    reports: BTreeSet<String>,
    lines: usize,
}

impl Acknowledged {
    fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file)?;
        let mut acknowledged = Self::default();
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            let (first, second) =
                line.split_once(' ').with_context(|| format!("the writer said {line:?}"))?;
            acknowledged.lines += 1;
            if first == "report" {
                acknowledged.reports.insert(second.to_owned());
            } else {
                let records = acknowledged.streams.entry(first.to_owned()).or_default();
                *records = (*records).max(second.parse::<usize>()? + 1);
            }
        }
        Ok(acknowledged)
    }

    /// How many records and reports are missing or another in the journal in `dir`. One that does not open has lost all.
    fn missing_in(&self, dir: &Path) -> Result<usize> {
        let Ok(journal) = Journal::open(dir) else { return Ok(self.lines) };
        let mut missing = 0;
        for (stream, records) in &self.streams {
            let there = journal.stream(stream).unwrap_or_default();
            missing += (0..*records)
                .filter(|number| {
                    let wanted = format!("record {stream}/{number} ");
                    !there.get(*number).is_some_and(|record| record.starts_with(wanted.as_bytes()))
                })
                .count();
        }
        let waiting: BTreeSet<String> = journal.outbox()?.into_iter().map(|(id, _)| id).collect();
        missing += self.reports.difference(&waiting).count();
        journal.sealed()?;
        Ok(missing)
    }
}

/// Writes, stops, takes what the disk has, and compares. Acknowledged lines, and how many of them are missing.
fn trial(command: &str, cut: usize) -> Result<(usize, usize)> {
    let (folder, after) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let disk = Disk::make(folder.path(), MEBIBYTES)?;
    let said = folder.path().join("acknowledged");
    let mut writer = Writer(
        Command::new(program("journal-probe")?)
            .args([command.as_ref(), disk.place().join("journal").as_os_str(), "4".as_ref()])
            .stdout(File::create(&said)?)
            .spawn()?,
    );
    let start = Instant::now();
    while Acknowledged::read(&said)?.lines < cut {
        ensure!(writer.0.try_wait()?.is_none(), "the writer ended by itself");
        ensure!(start.elapsed() < SOON, "no {cut} lines in {SOON:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
    stop(writer.0.id())?;
    let acknowledged = Acknowledged::read(&said)?;
    let left = disk.after_a_power_cut(after.path())?;
    drop(writer);
    drop(disk);
    let journal = left.place().join("journal");
    let missing = acknowledged.missing_in(&journal)?;
    if missing == 0 {
        let store = journal::raw::pairs(&journal)?.collect::<Result<Vec<_>, _>>()?;
        let archive =
            Archive::read(&journal).map_err(|(path, e)| anyhow::anyhow!("{}: {e}", path.display()))?;
        let evidence = Evidence { archive, store: Ok(store), anchors: Vec::new(), station_keys: Vec::new() };
        let findings = audit::verify(&evidence).findings;
        ensure!(findings.is_empty(), "after a cut at {cut} lines: {findings:?}");
    }
    Ok((acknowledged.lines, missing))
}

#[test]
fn n3_nothing_acknowledged_is_missing_after_a_power_cut() -> Result<()> {
    for cut in cuts()? {
        let (lines, missing) = trial("write", cut)?;
        ensure!(missing == 0, "{missing} of {lines} acknowledged are missing after a cut at {cut} lines");
    }
    Ok(())
}

/// The control: without the sync the same trial must see a loss, or it proves nothing.
#[test]
fn n3_the_power_cut_sees_a_sync_that_is_left_out() -> Result<()> {
    let mut seen = Vec::new();
    for cut in CUTS {
        seen.push(trial("write-unsynced", cut)?);
        if seen.last().is_some_and(|(_, missing)| *missing > 0) {
            return Ok(());
        }
    }
    anyhow::bail!("no loss in any trial without a sync, (lines, missing): {seen:?}")
}
