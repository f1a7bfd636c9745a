//! The laws of one job: whatever goes wrong with one command, one answer of the portal or one record of the journal, and
//! on whatever profile, what a later run makes of it is right.
//!
//! A *point* is one thing that goes wrong once in one job: a profile, a place in the job, and what happens there. After it the
//! station "starts again": the records are replayed and the job goes on, on the same key, until it ends. Then the laws:
//!
//! - it ended, as Pass with a key that proves itself, or otherwise;
//! - what was written on a key is never reported as untouched, and a key is refused only if it is a blank still;
//! - no second key pair is certified for the job, and the key keeps the one that was;
//! - nothing on the key changed but under an intent in the journal;
//! - no PIN and no device key was tried with less than two tries left.

mod point;
mod portal;
mod read_back;
mod scene;
mod watch;

use std::{
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use anyhow::{Context as _, Result, ensure};
use profile::Profile;

use crate::places::tree;
use point::Point;
use scene::Scene;

/// More broken laws than this are not told.
const TOLD_MAX: usize = 20;

/// What was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Points {
    /// Profiles × places × what goes wrong there, journal cuts included.
    pub points: usize,
    /// Those of them that cut the journal before or after a record.
    pub cuts: usize,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Points that are done.
    pub done: usize,
    /// Points there are.
    pub all: usize,
}

impl std::fmt::Display for Points {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "points={} cuts={}", self.points, self.cuts)
    }
}

/// Tries every point of every shipped profile, on as many threads as there are cores.
///
/// # Errors
/// The laws that were broken: profile, place, what went wrong there, and which law.
pub fn run(mut progress: impl FnMut(Progress)) -> Result<Points> {
    let profiles = profile::load_dir(&tree().join("firmware-profiles"))?;
    ensure!(profiles.len() >= 5, "only {} profiles are shipped", profiles.len());
    let scratch = tempfile::tempdir()?;
    let mut points = Vec::new();
    for profile in &profiles {
        points.extend(point::all(profile, &profiles, scratch.path())?);
    }
    let broken = try_all(&points, &profiles, scratch.path(), &mut progress)?;
    ensure!(
        broken.is_empty(),
        "{} of {} points break a law; the first of them:\n{}",
        broken.len(),
        points.len(),
        broken[..broken.len().min(TOLD_MAX)].join("\n")
    );
    let cuts = points.iter().filter(|point| point.is_cut()).count();
    Ok(Points { points: points.len(), cuts })
}

/// One line for each point that breaks a law.
fn try_all(
    points: &[Point<'_>],
    profiles: &[Profile],
    scratch: &Path,
    progress: &mut impl FnMut(Progress),
) -> Result<Vec<String>> {
    let (next, broken) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism()?.get();
    let (done, heard) = mpsc::channel();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (next, broken, done) = (&next, &broken, done.clone());
            let folder = scratch.join(format!("thread-{thread}"));
            scope.spawn(move || {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = try_one(point, profiles, &folder) {
                        let told = format!("{point}: {error:#}");
                        broken.lock().unwrap_or_else(PoisonError::into_inner).push(told);
                    }
                    // Nobody listens any more only if the caller is gone.
                    let _ = done.send(());
                }
            });
        }
        drop(done);
        for (count, ()) in heard.iter().enumerate() {
            progress(Progress { done: count + 1, all: points.len() });
        }
    });
    Ok(broken.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn try_one(point: &Point<'_>, profiles: &[Profile], folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut scene = Scene::new(point.profile, profiles, folder)?;
    let ended = scene.run_to_the_end(point.trouble).context("no end")?;
    scene.judge(&ended, point.trouble)
}
