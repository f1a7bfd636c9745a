//! Writes a journal until it is killed, or shows one: for the tests that pull the plug, and for a look at a station's journal.
//!
//! `journal-probe write DIR THREADS` prints `<stream> <sequence>` or `report <id>` only after the journal has answered.
//! `journal-probe show DIR` prints streams, reports and notes; the station must not run.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use journal::{Journal, JournalError, MAX_STREAM_RECORDS};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["write", dir, threads] => match threads.parse() {
            Ok(threads) => write(Path::new(dir), threads),
            Err(_) => Err(format!("THREADS is {threads:?}: give a number")),
        },
        ["show", dir] => show(Path::new(dir)),
        _ => Err("usage: journal-probe write DIR THREADS | journal-probe show DIR".to_owned()),
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

fn write(dir: &Path, threads: u32) -> Result<(), String> {
    let journal = Journal::open(dir).map_err(|e| e.to_string())?;
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

/// Stream after stream; each fourth record brings a report.
fn endless(journal: &Journal, thread: u32) -> Result<(), String> {
    for round in 0_u64.. {
        let stream = format!("probe-{}-{thread}-{round}", std::process::id());
        for number in 0..MAX_STREAM_RECORDS {
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
