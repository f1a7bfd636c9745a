//! The outbox: reports go out in order, again and again, until the portal itself says it has them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use journal::Journal;
use model::JobId;
use wire::{Event, Report, Up};

use crate::{
    anchor::{self, PortalHeads},
    bench::{Bench, ended_report},
    pool::Pool,
};

/// Reports under way at once.
const WINDOW: usize = 64;

/// Sends what the journal's outbox holds.
#[derive(Default)]
pub struct Outbox {
    sent: Mutex<BTreeMap<String, Duration>>,
    /// Heads of the portal's audit, which come with its acknowledgements.
    pub portal_heads: PortalHeads,
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
        // One for all that go now; made only if one goes.
        let mut anchor = None;
        for (id, bytes) in waiting.into_iter().filter(|(id, _)| !bench.parking.holds(id)).take(WINDOW) {
            let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            let now = bench.time.elapsed();
            if sent.get(&id).is_some_and(|at| now < *at + bench.config.portal.repeat()) {
                continue;
            }
            sent.insert(id.clone(), now);
            drop(sent);
            match serde_json::from_slice::<Report>(&bytes) {
                Ok(report) => {
                    if anchor.is_none() {
                        anchor = anchor::signed(&bench.journal, &bench.sealing_key)?;
                    }
                    bench.link.send(&id, &Up::Report(Report { anchor: anchor.clone(), ..report }));
                }
                Err(error) => {
                    bench.parking.park(&id, &format!("it cannot be read: {error}"), &bench.time.now())?
                }
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
        if !settle(&bench.journal, &bench.pool, id)? {
            return Ok(());
        }
        bench.parking.acknowledged(id)?;
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        bench.board.outbox(bench.journal.outbox_len()?);
        Ok(())
    }
}

/// Takes a report out of the outbox and frees what waited for that: the job's stream and its place in the pool. False if it was not there.
///
/// # Errors
/// Where the journal cannot be written.
pub fn settle(journal: &Journal, pool: &Pool, id: &str) -> anyhow::Result<bool> {
    let job = job_of(journal, id)?;
    if !journal.acknowledge(id)? {
        return Ok(false);
    }
    if let Some((job, stream)) = job {
        journal.finish(&stream)?;
        pool.forget(&job);
    }
    Ok(true)
}

/// The job and stream of a report that ended a job.
fn job_of(journal: &Journal, id: &str) -> anyhow::Result<Option<(JobId, String)>> {
    let Some(stream) = id.strip_prefix(&ended_report("")) else { return Ok(None) };
    let found = journal.outbox()?.into_iter().find(|(waiting, _)| waiting == id);
    let Some((_, bytes)) = found else { return Ok(None) };
    match serde_json::from_slice::<Report>(&bytes)?.event {
        Event::JobEnded(ended) => Ok(Some((ended.job, stream.to_owned()))),
        _ => Ok(None),
    }
}
