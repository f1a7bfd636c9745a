//! The stations' journals: what each says of jobs, labels and reports, and what is wrong with it by itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use audit::{Archive, Evidence};
use serde_json::Value;

/// One station's journal.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    pub station: String,
    /// What the audit of its chain found.
    pub findings: Vec<String>,
    /// Attempts, by stream.
    pub attempts: BTreeMap<String, Attempt>,
    /// Order and waybill of each label that was sent to the printer.
    pub labels: Vec<(String, String)>,
    /// Reports that were ever in the outbox, and whether they were acknowledged.
    pub reports: BTreeMap<String, bool>,
    /// Reports that the portal refused and staff gave up, with a reason.
    pub discarded: BTreeSet<String>,
}

/// One job on one key.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub job: String,
    pub key: String,
    pub slot: String,
    /// The last record, once it ended.
    pub ended: Option<Value>,
}

impl Book {
    /// Whether this station still has to do with a key of a job: it is in work, or its end is not acknowledged yet.
    pub fn has_in_hand(&self, key: &str, job: Option<&str>) -> bool {
        self.attempts.iter().any(|(stream, attempt)| {
            let waits = self.reports.get(&end_of(stream)) != Some(&true);
            attempt.key == key
                && job.is_none_or(|job| attempt.job == job)
                && (attempt.ended.is_none() || waits)
        })
    }
}

impl Book {
    fn take(&mut self, stream: &str, records: &[Value]) -> Result<()> {
        if stream.starts_with("job/") {
            self.attempts.insert(stream.to_owned(), attempt(records)?);
        } else if let Some(order) = stream.strip_prefix("order/") {
            let waybills = records.iter().filter_map(|record| record["waybill"].as_str());
            self.labels.extend(waybills.map(|waybill| (order.to_owned(), waybill.to_owned())));
        } else if records.iter().any(|record| record["record"] == "discarded" && record["reason"] != "") {
            let report = records.first().and_then(|parked| parked["report"].as_str());
            self.discarded.extend(report.map(str::to_owned));
        }
        Ok(())
    }
}

/// The id of the report that ends an attempt.
pub(super) fn end_of(stream: &str) -> String {
    format!("ended:{stream}")
}

/// Reads the journals of all stations of a stack: `station` of the only one, `station-NAME` of each of several.
pub(super) fn read(stack: &Path, stations: &[String]) -> Result<Vec<Book>> {
    let places: Vec<(String, PathBuf)> = match stations {
        [only] if stack.join("station").exists() => vec![(only.clone(), stack.join("station"))],
        several => several.iter().map(|name| (name.clone(), stack.join(format!("station-{name}")))).collect(),
    };
    let mut books = Vec::new();
    for (station, folder) in places {
        let journal = folder.join("journal");
        books.push(book(station, &journal).with_context(|| format!("the journal {}", journal.display()))?);
    }
    Ok(books)
}

fn book(station: String, journal: &Path) -> Result<Book> {
    ensure!(journal.join("db").exists(), "it holds no journal");
    let store = journal::raw::pairs(journal)?.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string());
    let archive = Archive::read(journal).map_err(|(path, e)| anyhow::anyhow!("{}: {e}", path.display()))?;
    let evidence = Evidence { archive, store, anchors: Vec::new(), station_keys: Vec::new() };
    let findings = audit::verify(&evidence).findings.iter().map(ToString::to_string).collect();
    let outline = audit::outline(&evidence);
    let mut book = Book { station, findings, reports: outline.reports, ..Book::default() };
    let kept = ["job/", "order/", "parked/"];
    for stream in outline.streams.iter().filter(|stream| kept.iter().any(|kind| stream.starts_with(kind))) {
        let shown = audit::show(&evidence, stream);
        // A parked report's bytes stand between its records.
        let records = shown.records.values().map(|bytes| serde_json::from_slice(bytes));
        match records.collect::<Result<Vec<Value>, _>>() {
            Err(error) => book.findings.push(format!("a record of stream {stream} cannot be read: {error}")),
            Ok(records) => book.take(stream, &records)?,
        }
    }
    Ok(book)
}

fn attempt(records: &[Value]) -> Result<Attempt> {
    let begun =
        records.first().filter(|record| record["record"] == "begun").context("a job did not begin")?;
    let text = |value: &Value| value.as_str().map(str::to_owned).with_context(|| format!("no text: {value}"));
    Ok(Attempt {
        job: text(&begun["order"]["job"])?,
        key: text(&begun["key"])?,
        slot: text(&begun["slot"])?,
        ended: records.last().filter(|record| record["record"] == "ended").cloned(),
    })
}
