//! Requests at fixed times.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::rig::{Client, Rig};

/// Requests at once: enough that none waits for a thread while answers come within a third of a second.
const THREADS: u32 = 64;

/// What a request counts that was not answered as it should be: more than any answer takes.
const REFUSED: Duration = Duration::from_secs(3600);

/// How many requests, and for how long.
#[derive(Clone, Copy)]
pub struct Load {
    /// Requests a second.
    pub rate: u32,
    /// How long.
    pub time: Duration,
}

/// What came of it.
pub struct Figures {
    /// Answers a second.
    pub per_second: f64,
    /// Half of the answers came within this.
    pub p50_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// Answers that were none.
    pub refused: usize,
}

impl Load {
    /// Sends requests; each gets its number. The first second warms up and does not count.
    pub fn run(&self, rig: &Rig, ask: impl Fn(&Client, u32) -> Result<()> + Sync) -> Result<Figures> {
        let warm = self.rate;
        let total = warm + self.rate * u32::try_from(self.time.as_secs())?;
        let next = AtomicU32::new(0);
        let (times, refused) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let clients: Vec<Client> = (0..THREADS).map(|_| rig.client()).collect::<Result<_>>()?;
        let began = Instant::now();
        thread::scope(|scope| {
            for client in &clients {
                scope.spawn(|| {
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        if n >= total {
                            return;
                        }
                        let due = began + Duration::from_secs(1) * n / self.rate;
                        thread::sleep(due.saturating_duration_since(Instant::now()));
                        let done = ask(client, n);
                        if n >= warm {
                            // Who is refused waits for ever.
                            lock(&times).push(if done.is_ok() { due.elapsed() } else { REFUSED });
                        }
                        if let Err(error) = done {
                            lock(&refused).push(error.to_string());
                        }
                    }
                });
            }
        });
        let took = began.elapsed() - Duration::from_secs(1);
        let (times, refused) = (lock(&times).clone(), lock(&refused).clone());
        if let Some(first) = refused.first() {
            eprintln!("refused: {first}");
        }
        let answered = times.iter().filter(|time| **time < REFUSED).count();
        ensure!(answered > 0, "nothing was answered");
        Ok(Figures {
            per_second: answered as f64 / took.as_secs_f64(),
            p50_ms: percentile(&times, 50),
            p99_ms: percentile(&times, 99),
            refused: refused.len(),
        })
    }
}

/// The time within which so many of a hundred came, in milliseconds.
pub fn percentile(times: &[Duration], of_hundred: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * of_hundred / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}

pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
