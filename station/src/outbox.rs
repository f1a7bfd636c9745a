//! The outbox: reports go out in order, again and again, until the portal itself says it has them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use model::JobId;
use wire::{Event, Report, Up};

use crate::bench::{Bench, ended_report};

/// Reports under way at once.
const WINDOW: usize = 64;

/// Sends what the journal's outbox holds.
#[derive(Default)]
pub struct Outbox {
    sent: Mutex<BTreeMap<String, Duration>>,
    /// Refused for good: kept on disk, shown, not sent again by this run, and no obstacle to others.
    parked: Mutex<BTreeSet<String>>,
}

impl Outbox {
    /// Sends until the station halts. Runs on a thread of its own.
    pub fn run(&self, bench: &Arc<Bench>) {
        while !bench.is_halting() {
            if let Err(error) = bench.journal.wait_report(Duration::from_millis(300)).map(|_| ()) {
                return bench.stop_for(&error);
            }
            self.turn(bench);
        }
    }

    /// Sends what is due.
    pub fn turn(&self, bench: &Bench) {
        if let Err(error) = self.send_due(bench) {
            bench.stop_for(&error);
        }
    }

    fn send_due(&self, bench: &Bench) -> anyhow::Result<()> {
        let waiting = bench.journal.outbox()?;
        bench.board.outbox(waiting.len());
        let parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (id, bytes) in waiting.into_iter().filter(|(id, _)| !parked.contains(id)).take(WINDOW) {
            let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            let now = bench.time.elapsed();
            if sent.get(&id).is_some_and(|at| now < *at + bench.config.portal.repeat()) {
                continue;
            }
            sent.insert(id.clone(), now);
            drop(sent);
            match serde_json::from_slice::<Report>(&bytes) {
                Ok(report) => bench.link.send(&id, &Up::Report(report)),
                Err(error) => self.park(bench, &id, &format!("it cannot be read: {error}")),
            }
            if bench.is_halting() {
                break;
            }
        }
        Ok(())
    }

    /// The portal has it.
    ///
    /// # Errors
    /// Where the journal cannot be written.
    pub fn acknowledged(&self, bench: &Bench, id: &str) -> anyhow::Result<()> {
        let job = job_of(bench, id)?;
        if !bench.journal.acknowledge(id)? {
            return Ok(());
        }
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        if let Some((job, stream)) = job {
            bench.journal.finish(&stream)?;
            bench.pool.forget(&job);
        }
        bench.board.outbox(bench.journal.outbox_len()?);
        Ok(())
    }

    /// The portal will never take it.
    pub fn park(&self, bench: &Bench, id: &str, why: &str) {
        bench.board.trouble(format!("门户拒收报告 {id}：{why}。请先不要发出相关钥匙，并联系门户管理员"));
        tracing::error!(
            report = id,
            why,
            "the portal refuses this report; it stays in the journal, tell the portal's operator"
        );
        self.parked.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
    }
}

/// The job and stream of a report that ended a job.
fn job_of(bench: &Bench, id: &str) -> anyhow::Result<Option<(JobId, String)>> {
    let Some(stream) = id.strip_prefix(&ended_report("")) else { return Ok(None) };
    let found = bench.journal.outbox()?.into_iter().find(|(waiting, _)| waiting == id);
    let Some((_, bytes)) = found else { return Ok(None) };
    match serde_json::from_slice::<Report>(&bytes)?.event {
        Event::JobEnded(ended) => Ok(Some((ended.job, stream.to_owned()))),
        _ => Ok(None),
    }
}
