//! What was acknowledged is there, at both ends, and says the same.

use serde_json::Value;

use super::{super::Evidence, Broken};
use crate::invariants::journals::{Attempt, Book, end_of};

pub(super) fn check(evidence: &Evidence, broken: &mut Broken) {
    for line in &evidence.ledger.damage {
        broken.lost(format!("the database is damaged: {line}"), "portal.db");
    }
    for book in &evidence.books {
        let journal = format!("journal of {}", book.station);
        for finding in &book.findings {
            broken.lost(format!("the journal is broken: {finding}"), journal.clone());
        }
        for id in book.reports.iter().filter(|(_, acknowledged)| **acknowledged).map(|(id, _)| id) {
            match evidence.ledger.report(&book.station, id) {
                None => {
                    broken.lost(format!("report {id} was acknowledged and the portal has it not"), &*journal)
                }
                Some(report) if report.refusal.is_some() && !book.discarded.contains(id) => {
                    let what = format!("report {id} was refused, left the outbox, and nobody gave it up");
                    broken.unaccounted(what, &*journal);
                }
                Some(_) => {}
            }
        }
        for (stream, attempt) in &book.attempts {
            ended(evidence, book, stream, attempt, broken);
        }
        let of_station = evidence.ledger.reports.iter().filter(|report| report.station == book.station);
        for report in of_station.filter(|report| !book.reports.contains_key(&report.id)) {
            let what = format!("the portal has report {} and the journal knows nothing of it", report.id);
            broken.lost(what, journal.clone());
        }
    }
}

/// The end of an attempt was reported, and the portal has it as it was.
fn ended(evidence: &Evidence, book: &Book, stream: &str, attempt: &Attempt, broken: &mut Broken) {
    let Some(record) = &attempt.ended else { return };
    let id = end_of(stream);
    let place = || format!("journal of {}, stream {stream}", book.station);
    if !book.reports.contains_key(&id) {
        broken.lost(format!("job {} ended and that was never reported", attempt.job), place());
    }
    let Some(report) = evidence.ledger.report(&book.station, &id) else { return };
    let event = &report.event;
    let same = |name: &str| event[name] == record[name];
    let agrees = event["job"] == attempt.job.as_str()
        && event["key"] == attempt.key.as_str()
        && event["slot"] == attempt.slot.as_str()
        && ["outcome", "key_touched", "sign_cert_serial", "enc_cert_serial"].iter().all(|name| same(name));
    if !agrees {
        let outcome = |value: &Value| value["outcome"].to_string();
        let what = format!(
            "report {id} says key {} {}, the journal says key {} {}",
            event["key"],
            outcome(event),
            attempt.key,
            outcome(record)
        );
        broken.unaccounted(what, place());
    }
}
