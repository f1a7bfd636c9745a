//! Asks for work and keeps leases alive.

use std::{sync::Arc, time::Duration};

use wire::{Down, Pull, Renew, Up};

use crate::bench::Bench;

/// Between two looks at the pool.
const PACE: Duration = Duration::from_millis(500);
/// Between two pulls when the portal had nothing.
const IDLE_PACE: Duration = Duration::from_secs(2);

/// Keeps the pool filled and the leases alive.
#[derive(Default)]
pub struct Leases {
    /// When the leases are renewed; `None` = nothing is held. By `Time::elapsed`, like the other.
    renew_at: Option<Duration>,
    /// When the portal is asked for work again.
    pull_at: Duration,
}

impl Leases {
    /// Pulls and renews until the station drains. Runs on a thread of its own.
    pub fn run(mut self, bench: &Arc<Bench>) {
        while !bench.is_draining() {
            self.turn(bench);
            bench.time.sleep(PACE);
        }
    }

    /// Pulls and renews what is due.
    pub fn turn(&mut self, bench: &Bench) {
        bench.board.waiting_jobs(bench.pool.waiting());
        let capacity = usize::from(bench.config.work.jobs_ready).saturating_sub(bench.pool.waiting());
        // A full pool of jobs for other models must not starve the blanks that wait.
        let wanted = bench.pool.wanted();
        if (capacity > 0 || !wanted.is_empty()) && bench.time.elapsed() >= self.pull_at {
            let before = bench.pool.holding().len();
            if let Some(seconds) = pull(bench, capacity, wanted) {
                self.renew_at.get_or_insert(third(bench, seconds));
            }
            let pace = if bench.pool.holding().len() > before { PACE } else { IDLE_PACE };
            self.pull_at = bench.time.elapsed() + pace;
        }
        if self.renew_at.is_some_and(|at| bench.time.elapsed() >= at) {
            self.renew_at = renew(bench).map(|seconds| third(bench, seconds));
        }
    }
}

/// When a third of a lease of `seconds` is over.
fn third(bench: &Bench, seconds: u32) -> Duration {
    bench.time.elapsed() + Duration::from_secs(u64::from(seconds / 3))
}

fn pull(bench: &Bench, capacity: usize, wanted: Vec<String>) -> Option<u32> {
    let all = || bench.profiles.iter().map(|profile| profile.name.clone()).collect();
    let pull = Pull {
        capacity: u16::try_from(capacity.max(1)).unwrap_or(u16::MAX),
        profiles: if capacity == 0 { wanted.clone() } else { all() },
        holding: bench.pool.holding(),
    };
    match bench.link.request(&Up::Pull(pull)) {
        Ok(Down::Lease(lease)) => {
            for order in &lease.jobs {
                tracing::info!(job = %order.job, programme = order.programme, "leased");
            }
            bench.pool.add(lease.jobs);
            bench.pool.asked(&wanted);
            Some(lease.seconds)
        }
        Ok(Down::Refused(refused)) => {
            tracing::warn!(detail = refused.detail, "the portal gives no work");
            None
        }
        Ok(other) => {
            tracing::warn!(?other, "an answer that does not belong to a pull");
            None
        }
        Err(error) => {
            tracing::warn!(%error, "no work could be asked for");
            None
        }
    }
}

/// The new length of the leases; `None` = nothing is held.
fn renew(bench: &Bench) -> Option<u32> {
    let jobs = bench.pool.holding();
    if jobs.is_empty() {
        return None;
    }
    match bench.link.request(&Up::Renew(Renew { jobs })) {
        Ok(Down::Renewed(renewed)) => {
            if !renewed.lost.is_empty() {
                tracing::warn!(lost = ?renewed.lost, "leases lost; jobs not begun are dropped");
            }
            bench.pool.lost(&renewed.lost);
            Some(renewed.seconds)
        }
        other => {
            tracing::warn!(?other, "leases were not renewed; asked again soon");
            Some(30)
        }
    }
}
