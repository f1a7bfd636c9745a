//! Writes a journal until it is killed, fills a large one, or shows one: for the tests that pull the plug, for the figure of opening, and
//! for a look at a station's journal.
//!
//! `journal-probe write DIR THREADS` prints `<stream> <sequence>` or `report <id>` only after the journal has answered.
//! `journal-probe write-unsynced DIR THREADS` does the same with the sync left out: the control of the power-cut test.
//! `journal-probe fill DIR RECORDS` writes jobs as a station does, archiving them as it does, and prints how long opening takes then.
//! `journal-probe show DIR` prints streams, reports and notes; the station must not run.

mod fill;

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use journal::{Journal, JournalError};

const USAGE: &str = "usage: journal-probe write DIR THREADS | write-unsynced DIR THREADS | fill DIR RECORDS | open DIR | show DIR";

/// Records of each stream that `write` makes.
const RECORDS: u64 = 100;
/// Links after which `write` archives.
const UNARCHIVED: u64 = 2_000;
/// Finished streams that `write` leaves in the store: all that a test makes, so that they can be compared.
const KEPT: usize = 100_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["write", dir, threads] => number(threads).and_then(|n| write(Journal::open(Path::new(dir)), n)),
        ["write-unsynced", dir, threads] => {
            number(threads).and_then(|n| write(Journal::open_with_sync(Path::new(dir), || Ok(())), n))
        }
        ["fill", dir, records] => number(records).and_then(|n| fill::fill(Path::new(dir), n)),
        ["open", dir] => fill::time_opening(Path::new(dir)),
        ["show", dir] => show(Path::new(dir)),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            // Nothing is left to tell it to if this fails.
            let _deaf = writeln!(io::stderr(), "journal-probe: {text}");
            ExitCode::FAILURE
        }
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number; {USAGE}"))
}

fn write(journal: Result<Journal, JournalError>, threads: u64) -> Result<(), String> {
    let journal = journal.map_err(|e| e.to_string())?;
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn({
                    let journal = &journal;
                    move || endless(journal, thread)
                })
            })
            .collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().map_err(|_| "a thread panicked".to_owned())?)
    })
}

/// Stream after stream; each fourth record brings a report. What was done is archived now and then, so that the plug is pulled there too.
fn endless(journal: &Journal, thread: u64) -> Result<(), String> {
    for round in 0_u64.. {
        let stream = format!("probe-{}-{thread}-{round}", std::process::id());
        for number in 0..RECORDS {
            let id = format!("{stream}/{number}");
            let record = format!("record {id} {}", ".".repeat(200));
            let answer = if number % 4 == 3 {
                journal.append_with_report(&stream, record.as_bytes(), &id, id.as_bytes())
            } else {
                journal.append(&stream, record.as_bytes())
            };
            let sequence = answer.map_err(|e: JournalError| e.to_string())?;
            let line = if number % 4 == 3 {
                format!("{stream} {sequence}\nreport {id}\n")
            } else {
                format!("{stream} {sequence}\n")
            };
            io::stdout().lock().write_all(line.as_bytes()).map_err(|e| e.to_string())?;
        }
        journal.finish(&stream).map_err(|e| e.to_string())?;
        if journal.unarchived().map_err(|e| e.to_string())? > UNARCHIVED {
            journal.compact(KEPT).map_err(|e| e.to_string())?;
        }
    }
    Ok(())
}

fn show(dir: &Path) -> Result<(), String> {
    if !dir.join("db").exists() {
        return Err(format!(
            "{} holds no journal: name the directory of [journal] in station.toml",
            dir.display()
        ));
    }
    let journal = Journal::open(dir).map_err(|e| e.to_string())?;
    let mut lines: Vec<String> = journal.notes().iter().map(|note| format!("note     {note}")).collect();
    let read = |e: JournalError| e.to_string();
    for (state, names) in
        [("running ", journal.streams().map_err(read)?), ("finished", journal.finished().map_err(read)?)]
    {
        for name in names {
            lines.push(match journal.stream(&name) {
                Ok(records) => format!("{state} {name}: {} records", records.len()),
                Err(e) => format!("{state} {name}: {e}"),
            });
        }
    }
    let waiting = journal.outbox().map_err(read)?;
    lines.extend(waiting.iter().map(|(id, report)| format!("report   {id}: {} bytes", report.len())));
    lines.push(String::new());
    io::stdout().write_all(lines.join("\n").as_bytes()).map_err(|e| e.to_string())
}
