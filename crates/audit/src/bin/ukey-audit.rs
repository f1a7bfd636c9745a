//! Checks a station's journal, trusting nothing that wrote it.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use audit::{
    Archive, Evidence, KnownHead, PortalEvidence, PortalVerdict, Verdict, anchors, portal_heads, show,
    verify, verify_portal,
};
use clap::{Parser, Subcommand};

/// Checks what stations and portal wrote down. Ends with 0 if nothing is wrong, 1 if something is, 2 if it could not look.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Finds any cut, edit, reorder or gap in journals of stations and in the portal's audit. The stations must not be running.
    Verify(Verify),
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

#[derive(clap::Args)]
struct Verify {
    /// A station's journal folder. May be given several times.
    #[arg(long, required_unless_present = "portal")]
    journal: Vec<PathBuf>,
    /// Heads that the portal holds of the journal, as JSON lines: `anchors-<station>.jsonl` of `portal audit export`. One a journal, in the
    /// same order. Without them a cut end, or a history that was written anew, cannot be seen.
    #[arg(long)]
    anchors: Vec<PathBuf>,
    /// A station's public key in hex, X then Y; one for each key that it had. Without any the first anchor's key is believed.
    #[arg(long)]
    station_key: Vec<String>,
    /// The portal's audit: `portal.jsonl` of `portal audit export`, made after the stations were stopped. It is held against the heads that
    /// the journals have of it.
    #[arg(long)]
    portal: Option<PathBuf>,
    /// The portal's issuing certificate, PEM, from a source of your own. Without it the key of the first head is believed.
    #[arg(long, requires = "portal")]
    portal_certificate: Option<PathBuf>,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Verify(arguments) => verify_all(&arguments),
        Command::Show { journal, stream } => {
            gather(&journal, None, &[]).and_then(|evidence| print_stream(&evidence, &stream))
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

/// False if anything is wrong.
fn verify_all(arguments: &Verify) -> Result<bool, String> {
    let (journals, anchors) = (&arguments.journal, &arguments.anchors);
    if !anchors.is_empty() && anchors.len() != journals.len() {
        return Err(format!(
            "{} journals and {} files of anchors: give one --anchors for each --journal, in the same order",
            journals.len(),
            anchors.len()
        ));
    }
    let (mut whole, mut heads) = (true, Vec::new());
    for (at, journal) in journals.iter().enumerate() {
        let evidence = gather(journal, anchors.get(at).map(PathBuf::as_path), &arguments.station_key)?;
        let verdict = verify(&evidence);
        tell(journal, &evidence, &verdict).map_err(|e| e.to_string())?;
        whole &= verdict.findings.is_empty();
        heads.extend(portal_heads(&evidence, &journal.display().to_string()));
    }
    let Some(portal) = &arguments.portal else { return Ok(whole) };
    let key = arguments.portal_certificate.as_deref().map(key_of).transpose()?;
    let lines = std::fs::read(portal).map_err(|e| format!("{}: {e}", portal.display()))?;
    let evidence = PortalEvidence { lines, heads, key };
    let verdict = verify_portal(&evidence);
    tell_portal(portal, &evidence.heads, &verdict).map_err(|e| e.to_string())?;
    Ok(whole && verdict.findings.is_empty())
}

/// The public key in a certificate's file, in hex.
fn key_of(path: &Path) -> Result<String, String> {
    let named = |e: String| format!("{}: {e}", path.display());
    let pem = std::fs::read_to_string(path).map_err(|e| named(e.to_string()))?;
    let certificate = gm::certificate::Certificate::from_pem(&pem).map_err(|e| named(e.to_string()))?;
    Ok(hex::encode(certificate.public_key().xy()))
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

fn gather(journal: &Path, anchors: Option<&Path>, station_keys: &[String]) -> Result<Evidence, String> {
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
    Ok(Evidence { archive, store, anchors, station_keys: station_keys.to_vec() })
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
    tell_findings(&mut out, verdict.findings.iter().map(ToString::to_string))
}

fn tell_portal(portal: &Path, heads: &[KnownHead], verdict: &PortalVerdict) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "portal    {}", portal.display())?;
    writeln!(out, "chain     {} rows to {}, head {}", verdict.rows, verdict.end, hex::encode(verdict.head))?;
    match heads.iter().map(KnownHead::sequence).max() {
        Some(last) => writeln!(out, "heads     {} kept by stations, the last at link {last}", heads.len())?,
        None => writeln!(
            out,
            "heads     none: a cut end, or a history written anew, cannot be seen without a station's journal"
        )?,
    }
    if let Some(key) = &verdict.key {
        writeln!(out, "key       {key}")?;
    }
    tell_findings(&mut out, verdict.findings.iter().map(ToString::to_string))
}

fn tell_findings(out: &mut impl Write, findings: impl ExactSizeIterator<Item = String>) -> io::Result<()> {
    let count = findings.len();
    for finding in findings {
        writeln!(out, "{finding}")?;
    }
    match count {
        0 => writeln!(out, "whole: nothing is wrong"),
        count => writeln!(out, "broken: {count} findings; keep a copy of all of it before anything else"),
    }
}
