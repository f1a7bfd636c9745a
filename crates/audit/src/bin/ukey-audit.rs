//! Checks a station's journal, trusting nothing that wrote it.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use audit::{Archive, Evidence, Verdict, anchors, show, verify};
use clap::{Parser, Subcommand};

/// Checks what a station wrote down. Ends with 0 if nothing is wrong, 1 if something is, 2 if it could not look.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Finds any cut, edit, reorder or gap in a journal. The station must not be running.
    Verify {
        /// The station's journal folder.
        #[arg(long)]
        journal: PathBuf,
        /// Heads that the portal holds, as JSON lines. Without them a cut end, or a history that was written anew, cannot be seen.
        #[arg(long)]
        anchors: Option<PathBuf>,
        /// The station's public key in hex, X then Y. Without it the first anchor's key is believed.
        #[arg(long)]
        station_key: Option<String>,
    },
    /// Prints the records of one stream, from the archive too. It proves nothing.
    Show {
        /// The station's journal folder.
        #[arg(long)]
        journal: PathBuf,
        /// The stream's name, such as `job/SAAS120260101000000000001-1/1`.
        #[arg(long)]
        stream: String,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Verify { journal, anchors, station_key } => {
            gather(&journal, anchors.as_deref(), station_key).and_then(|evidence| {
                let verdict = verify(&evidence);
                tell(&journal, &evidence, &verdict).map_err(|e| e.to_string())?;
                Ok(verdict.findings.is_empty())
            })
        }
        Command::Show { journal, stream } => {
            gather(&journal, None, None).and_then(|evidence| print_stream(&evidence, &stream))
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(text) => {
            // Nothing is left to tell it to if this fails.
            let _deaf = writeln!(io::stderr(), "ukey-audit: {text}");
            ExitCode::from(2)
        }
    }
}

/// False if there is no such stream.
fn print_stream(evidence: &Evidence, stream: &str) -> Result<bool, String> {
    let shown = show(evidence, stream);
    let mut out = io::stdout().lock();
    for (number, record) in &shown.records {
        writeln!(out, "{number:>5} {}", String::from_utf8_lossy(record)).map_err(|e| e.to_string())?;
    }
    Ok(!shown.records.is_empty())
}

fn gather(journal: &Path, anchors: Option<&Path>, station_key: Option<String>) -> Result<Evidence, String> {
    if !journal.join("db").exists() {
        return Err(format!(
            "{} holds no journal: name the folder `journal` in the station's state",
            journal.display()
        ));
    }
    let store = match journal::raw::pairs(journal) {
        Ok(pairs) => pairs.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string()),
        Err(e @ (journal::JournalError::Busy { .. } | journal::JournalError::Open { .. })) => {
            return Err(e.to_string());
        }
        Err(e) => Err(e.to_string()),
    };
    let archive = Archive::read(journal).map_err(|(path, e)| format!("{}: {e}", path.display()))?;
    let anchors = match anchors {
        None => Vec::new(),
        Some(path) => {
            let named = |e: String| format!("{}: {e}", path.display());
            anchors::read(&std::fs::read_to_string(path).map_err(|e| named(e.to_string()))?).map_err(named)?
        }
    };
    Ok(Evidence { archive, store, anchors, station_key })
}

fn tell(journal: &Path, evidence: &Evidence, verdict: &Verdict) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "journal   {}", journal.display())?;
    writeln!(
        out,
        "chain     {} links to {}, head {}",
        verdict.links,
        verdict.end,
        hex::encode(verdict.head)
    )?;
    writeln!(out, "archive   {} files", evidence.archive.files.len())?;
    writeln!(out, "streams   {} running, {} finished", verdict.streams.0, verdict.streams.1)?;
    writeln!(out, "outbox    {} reports wait", verdict.waiting)?;
    let last = evidence.anchors.iter().map(|anchor| anchor.sequence).max();
    match last {
        Some(last) => writeln!(out, "anchors   {}, the last at link {last}", evidence.anchors.len())?,
        None => {
            writeln!(out, "anchors   none: a cut end, or a history written anew, cannot be seen without")?
        }
    }
    if verdict.unknown > 0 {
        writeln!(out, "unknown   {} entries of the store are of no known kind", verdict.unknown)?;
    }
    for finding in &verdict.findings {
        writeln!(out, "{finding}")?;
    }
    match verdict.findings.len() {
        0 => writeln!(out, "whole: nothing is wrong"),
        count => writeln!(out, "broken: {count} findings; keep a copy of the folder before anything else"),
    }
}
