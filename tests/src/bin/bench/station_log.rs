//! What the station's log says of the end of jobs and of its journal.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result, ensure};

/// The log from some point on.
pub struct StationLog {
    path: PathBuf,
    from: usize,
}

impl StationLog {
    /// The log from now on.
    pub fn from_now(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_owned(), from: fs::read(path)?.len() })
    }

    fn lines(&self) -> Result<Vec<String>> {
        let text = fs::read(&self.path)?;
        let fresh = text.get(self.from..).unwrap_or_default();
        // The last line may be half written.
        let whole = fresh.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        Ok(String::from_utf8_lossy(&fresh[..whole]).lines().map(str::to_owned).collect())
    }

    /// When the job of each slot ended. The line is written when the last record and the report are on the disk, and the screen
    /// turns green with it.
    pub fn ends(&self) -> Result<BTreeMap<String, SystemTime>> {
        let mut ends = BTreeMap::new();
        for line in self.lines()?.iter().filter(|line| line.contains(" job ended ")) {
            ensure!(line.contains(" outcome=Pass "), "a job did not pass: {line}");
            ends.insert(field(line, "slot")?.to_owned(), time(line)?);
        }
        Ok(ends)
    }

    /// How often the journal was synced by the run of the station that has ended since.
    pub fn syncs(&self) -> Result<Option<u32>> {
        let lines = self.lines()?;
        let closed = lines.iter().rfind(|line| line.contains(" journal closed "));
        closed.map(|line| Ok(field(line, "syncs")?.parse()?)).transpose()
    }
}

fn field<'a>(line: &'a str, name: &str) -> Result<&'a str> {
    let mut words = line.split_whitespace();
    words
        .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        .with_context(|| format!("the station's log has no {name} in: {line}"))
}

fn time(line: &str) -> Result<SystemTime> {
    let stamp = line.split_whitespace().next().unwrap_or_default();
    let stamp: jiff::Timestamp = stamp.parse().with_context(|| format!("no time in front of: {line}"))?;
    Ok(stamp.into())
}
