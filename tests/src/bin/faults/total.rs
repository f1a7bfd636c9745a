//! What all runs together showed.

use std::{fmt, fs, path::Path, time::Duration};

use anyhow::Result;
use e2e::invariants::{Kind, Verdict};

/// Counts of runs and of what was wrong.
#[derive(Debug, Default)]
pub struct Total {
    /// Profiles × command indices × kinds of fault.
    pub points: usize,
    /// Journal cut points.
    pub cuts: usize,
    /// Seeds simulated.
    pub seeds: u64,
    /// `kill -9` of the station.
    pub kills: u64,
    /// Power cuts.
    pub powercuts: u64,
    /// Broken promises, by kind.
    pub lost: usize,
    /// See [`Kind::Doubled`].
    pub doubled: usize,
    /// See [`Kind::Unaccounted`].
    pub unaccounted: usize,
    leaked: usize,
    slowest_restart: Duration,
}

impl Total {
    /// Takes in the slowest restart of a run.
    pub fn restarted(&mut self, took: Duration) {
        self.slowest_restart = self.slowest_restart.max(took);
    }

    /// Takes in a verdict; what is wrong is told, and its folder stays.
    ///
    /// # Errors
    /// The folder of a good run cannot be removed.
    pub fn judged(&mut self, verdict: &Verdict, folder: &Path) -> Result<()> {
        self.lost += verdict.count(Kind::Lost);
        self.doubled += verdict.count(Kind::Doubled);
        self.unaccounted += verdict.count(Kind::Unaccounted);
        self.leaked += verdict.count(Kind::Leaked);
        for violation in &verdict.violations {
            println!("  {violation}");
        }
        if verdict.violations.is_empty() {
            fs::remove_dir_all(folder)?;
        } else {
            println!("  the folder stays: {}", folder.display());
        }
        Ok(())
    }

    /// Whether nothing was wrong.
    pub fn is_whole(&self) -> bool {
        self.lost + self.doubled + self.unaccounted + self.leaked == 0
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.leaked > 0 {
            writeln!(f, "secrets leaked: {}", self.leaked)?;
        }
        write!(
            f,
            "faults: points={} cuts={} seeds={} kills={} powercuts={} lost={} doubled={} unaccounted={} slowest_restart_ms={}",
            self.points,
            self.cuts,
            self.seeds,
            self.kills,
            self.powercuts,
            self.lost,
            self.doubled,
            self.unaccounted,
            self.slowest_restart.as_millis()
        )
    }
}
