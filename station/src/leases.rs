//! Asks for work and keeps leases alive.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use wire::{Down, Pull, Renew, Up};

use crate::bench::Bench;

/// Between two looks at the pool.
const PACE: Duration = Duration::from_millis(500);
/// Between two pulls when the portal had nothing.
const IDLE_PACE: Duration = Duration::from_secs(2);

/// Pulls and renews until the station drains. Runs on a thread of its own.
pub fn run(bench: &Arc<Bench>) {
    let mut renew_at = None;
    let mut pull_at = Instant::now();
    while !bench.is_draining() {
        bench.board.waiting_jobs(bench.pool.waiting());
        let capacity = usize::from(bench.config.work.jobs_ready).saturating_sub(bench.pool.waiting());
        // A full pool of jobs for other models must not starve the blanks that wait.
        let wanted = bench.pool.wanted();
        if (capacity > 0 || !wanted.is_empty()) && Instant::now() >= pull_at {
            let before = bench.pool.holding().len();
            if let Some(seconds) = pull(bench, capacity, wanted) {
                renew_at.get_or_insert(Instant::now() + Duration::from_secs(u64::from(seconds / 3)));
            }
            let pace = if bench.pool.holding().len() > before { PACE } else { IDLE_PACE };
            pull_at = Instant::now() + pace;
        }
        if renew_at.is_some_and(|at| Instant::now() >= at) {
            renew_at =
                renew(bench).map(|seconds| Instant::now() + Duration::from_secs(u64::from(seconds / 3)));
        }
        std::thread::sleep(PACE);
    }
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
