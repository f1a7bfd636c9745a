//! A large journal, and how long it takes to open.

use std::{
    io::{self, Write},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use journal::{Journal, JournalError};

/// Jobs written side by side: enough that a sync is shared by many.
const THREADS: u64 = 64;
/// Records of one job, a report among them.
const RECORDS: u64 = 40;
/// As the station does: links that wait for the archive, and finished streams that stay.
const UNARCHIVED: u64 = 10_000;
const KEEP_FINISHED: usize = 100;

/// Writes `records` records in jobs, then closes the journal and opens it again.
pub fn fill(dir: &Path, records: u64) -> Result<(), String> {
    let journal = Journal::open(dir).map_err(|e| e.to_string())?;
    let (start, next) = (Instant::now(), AtomicU64::new(0));
    let jobs = records.div_ceil(RECORDS);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| work(&journal, &next, jobs))).collect();
        writers.into_iter().try_for_each(|writer| {
            writer.join().map_err(|_| "a thread panicked".to_owned())?.map_err(|e| e.to_string())
        })
    })?;
    let (links, _) = journal.head().map_err(|e| e.to_string())?;
    let wrote = start.elapsed().as_secs_f64();
    journal.sealed().map_err(|e| e.to_string())?;
    drop(journal);
    say(&format!("wrote records={} links={links} seconds={wrote:.1}", jobs * RECORDS))?;
    time_opening(dir)
}

fn work(journal: &Journal, next: &AtomicU64, jobs: u64) -> Result<(), JournalError> {
    loop {
        let job = next.fetch_add(1, Ordering::Relaxed);
        if job >= jobs {
            return Ok(());
        }
        let stream = format!("job/SAAS1{job:020}-1/1");
        for number in 1..RECORDS {
            journal.append(&stream, format!("record {number} {}", ".".repeat(200)).as_bytes())?;
        }
        let report = format!("ended:{stream}");
        journal.append_with_report(&stream, b"the last one", &report, &[b'r'; 400])?;
        journal.acknowledge(&report)?;
        journal.finish(&stream)?;
        if journal.unarchived()? > UNARCHIVED {
            journal.compact(KEEP_FINISHED)?;
        }
    }
}

/// Prints how long opening takes, and how many links it had to read of how many.
pub fn time_opening(dir: &Path) -> Result<(), String> {
    let start = Instant::now();
    let journal = Journal::open(dir).map_err(|e| e.to_string())?;
    let milliseconds = start.elapsed().as_millis();
    let (links, _) = journal.head().map_err(|e| e.to_string())?;
    let unarchived = journal.unarchived().map_err(|e| e.to_string())?;
    let store = std::fs::metadata(dir.join("db")).map_err(|e| e.to_string())?.len();
    say(&format!("journal_open_ms={milliseconds} links={links} unarchived={unarchived} store_bytes={store}"))
}

fn say(line: &str) -> Result<(), String> {
    writeln!(io::stdout(), "{line}").map_err(|e| e.to_string())
}
