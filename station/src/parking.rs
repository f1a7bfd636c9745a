//! Reports that the portal refuses for good: kept out of the way, over restarts, until staff send them again or discard them with a reason.
//!
//! A parked report stays in the outbox and has a running stream `parked/<time>-<digest of its id>`: first why it is parked; when it is discarded
//! its bytes, then the reason. Only then does it leave the outbox.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use journal::Journal;
use serde::{Deserialize, Serialize};
use wire::{Event, Report};

use crate::{
    board::Board,
    outbox::settle,
    pool::Pool,
    series::fresh_stream,
    words::{ReasonError, reason},
};

const KIND: &str = "parked/";
/// Of the portal's words.
const WHY_CHARS_MAX: usize = 400;

/// What the stream of a parked report keeps, besides the report's own bytes.
#[derive(Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case", deny_unknown_fields)]
enum Record {
    /// The portal refused it.
    Parked { report: String, why: String, at: String },
    /// Staff send it again.
    Retried { at: String },
    /// Staff gave it up; its bytes stand before this record.
    Discarded { reason: String, at: String },
    /// The portal took it after all.
    Acknowledged,
}

/// Why staff's wish was not followed.
#[derive(Debug, thiserror::Error)]
pub enum ParkingError {
    /// It is not parked.
    #[error("没有搁置的报告 {0} (this report is not parked: `ukey-station parked list` lists them)")]
    NotParked(String),
    /// No reason, or one too long.
    #[error(transparent)]
    Reason(#[from] ReasonError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] anyhow::Error),
}

/// A parked report, for screens.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ParkedReport {
    /// Its id.
    pub report: String,
    /// What it tells, Chinese.
    pub what: String,
    /// Why the portal refused it.
    pub why: String,
    /// When, RFC 3339.
    pub at: String,
}

struct Place {
    stream: String,
    why: String,
    at: String,
}

/// The parked reports.
pub struct Parking {
    journal: Journal,
    board: Board,
    pool: Pool,
    places: Mutex<BTreeMap<String, Place>>,
}

impl Parking {
    /// Reports parked in `journal`. [`Parking::recover`] reads what the last run left.
    #[must_use]
    pub fn new(journal: Journal, board: Board, pool: Pool) -> Self {
        Self { journal, board, pool, places: Mutex::default() }
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<String, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what the last run left, and ends what it had begun to discard.
    ///
    /// # Errors
    /// Where the journal cannot be followed.
    pub fn recover(&self) -> anyhow::Result<()> {
        let waiting: BTreeSet<String> = self.journal.outbox()?.into_iter().map(|(id, _)| id).collect();
        for stream in self.journal.streams()?.into_iter().filter(|name| name.starts_with(KIND)) {
            let records = self.journal.stream(&stream)?;
            let Some(first) = records.first() else { continue };
            let Record::Parked { report, why, at } = serde_json::from_slice(first)? else {
                anyhow::bail!("journal stream {stream} does not begin with a parked report");
            };
            // The bytes of the report may stand in between; they are no record.
            let last = records.last().filter(|_| records.len() > 1);
            match last.and_then(|bytes| serde_json::from_slice(bytes).ok()) {
                Some(Record::Discarded { .. }) => self.release(&report, &stream)?,
                Some(Record::Retried { .. } | Record::Acknowledged) => self.journal.finish(&stream)?,
                _ if !waiting.contains(&report) => self.journal.finish(&stream)?,
                _ => drop(self.places().insert(report, Place { stream, why, at })),
            }
        }
        Ok(())
    }

    /// The portal refuses a report for good.
    ///
    /// # Errors
    /// Where the journal cannot be written.
    pub fn park(&self, report: &str, why: &str, at: &str) -> anyhow::Result<()> {
        let mut places = self.places();
        let waits = self.journal.outbox()?.iter().any(|(id, _)| id == report);
        if places.contains_key(report) || !waits {
            return Ok(());
        }
        tracing::error!(
            report,
            why,
            "the portal refuses this report: it is parked, look at the bench screen"
        );
        let why: String = why.chars().take(WHY_CHARS_MAX).collect();
        let stream = fresh_stream(&self.journal, at, |start| stream_of(report, start))?;
        let (why, at) = (why, at.to_owned());
        let record = Record::Parked { report: report.to_owned(), why: why.clone(), at: at.clone() };
        self.journal.append(&stream, &serde_json::to_vec(&record)?)?;
        places.insert(report.to_owned(), Place { stream, why, at });
        drop(places);
        self.board.touch();
        Ok(())
    }

    /// Whether a report must not be sent now.
    #[must_use]
    pub fn holds(&self, report: &str) -> bool {
        self.places().contains_key(report)
    }

    /// All parked reports.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn list(&self) -> anyhow::Result<Vec<ParkedReport>> {
        let places = self.places();
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let bytes: BTreeMap<String, Vec<u8>> = self.journal.outbox()?.into_iter().collect();
        let shown = |(report, place): (&String, &Place)| ParkedReport {
            what: bytes.get(report).map(|bytes| what(bytes)).unwrap_or_default(),
            report: report.clone(),
            why: place.why.clone(),
            at: place.at.clone(),
        };
        Ok(places.iter().map(shown).collect())
    }

    /// Staff send it again.
    ///
    /// # Errors
    /// [`ParkingError`].
    pub fn retry(&self, report: &str, at: &str) -> Result<(), ParkingError> {
        let mut places = self.places();
        let place = places.get(report).ok_or_else(|| ParkingError::NotParked(short(report)))?;
        self.end(&place.stream, &Record::Retried { at: at.to_owned() })?;
        self.journal.finish(&place.stream).map_err(anyhow::Error::from)?;
        places.remove(report);
        drop(places);
        tracing::warn!(report, "a parked report is sent again");
        self.board.touch();
        Ok(())
    }

    /// Staff give it up. Its bytes and the reason stay in the journal; what waited for it is freed.
    ///
    /// # Errors
    /// [`ParkingError`].
    pub fn discard(&self, report: &str, why: &str, at: &str) -> Result<(), ParkingError> {
        let why = reason(why)?;
        let mut places = self.places();
        let place = places.get(report).ok_or_else(|| ParkingError::NotParked(short(report)))?;
        let outbox = self.journal.outbox().map_err(anyhow::Error::from)?;
        if let Some((_, bytes)) = outbox.into_iter().find(|(id, _)| id == report) {
            self.journal.append(&place.stream, &bytes).map_err(anyhow::Error::from)?;
        }
        tracing::warn!(report, reason = why, "a parked report is discarded");
        self.end(&place.stream, &Record::Discarded { reason: why, at: at.to_owned() })?;
        self.release(report, &place.stream)?;
        places.remove(report);
        drop(places);
        self.board.outbox(self.journal.outbox_len().map_err(anyhow::Error::from)?);
        self.board.touch();
        Ok(())
    }

    /// The portal took a report: if it was parked, it is not any more.
    ///
    /// # Errors
    /// Where the journal cannot be written.
    pub fn acknowledged(&self, report: &str) -> anyhow::Result<()> {
        if let Some(place) = self.places().remove(report) {
            self.end(&place.stream, &Record::Acknowledged)?;
            self.journal.finish(&place.stream)?;
            self.board.touch();
        }
        Ok(())
    }

    fn end(&self, stream: &str, record: &Record) -> anyhow::Result<()> {
        self.journal.append(stream, &serde_json::to_vec(record)?)?;
        Ok(())
    }

    /// The report leaves the outbox, and the stream that told why ends last.
    fn release(&self, report: &str, stream: &str) -> anyhow::Result<()> {
        settle(&self.journal, &self.pool, report)?;
        Ok(self.journal.finish(stream)?)
    }
}

/// The stream of a report, from the millisecond in which it is parked: it may be parked more than once, each time in a stream of its own.
fn stream_of(report: &str, start: i64) -> String {
    let digest = hex::encode(&gm::sm3(report.as_bytes())[..8]);
    format!("{KIND}{start:013}-{digest}")
}

fn short(report: &str) -> String {
    report.chars().take(120).collect()
}

/// What a report tells, in a line.
fn what(bytes: &[u8]) -> String {
    match serde_json::from_slice::<Report>(bytes).map(|report| report.event) {
        Ok(Event::JobEnded(ended)) => {
            format!("任务 {} {}，钥匙 {}", ended.job, ended.outcome.zh(), ended.key.serial())
        }
        Ok(Event::KeyRefused(refused)) => format!("插槽 {} 拒绝钥匙", refused.slot),
        Ok(Event::LabelPrinted(printed)) => format!("订单 {} 面单已打印", printed.order),
        Ok(Event::BreakerChanged(changed)) => format!("停用或复位 {}", changed.name),
        Ok(Event::ShiftClosed(closed)) => format!("交班 {}", closed.closed),
        Err(_) => "无法读取的报告".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use journal::Journal;
    use model::Outcome;
    use wire::{Event, JobEnded, Report};

    use super::{Parking, ParkingError};
    use crate::{board::Board, pool::Pool};

    const AT: &str = "2026-11-22T08:00:00.000Z";
    const STREAM: &str = "job/SAAS120261122093000000001-1/A01/1";
    const REPORT: &str = "ended:job/SAAS120261122093000000001-1/A01/1";

    /// A job that ended and whose report waits.
    fn ended(journal: &Journal) -> Pool {
        let job: model::JobId = "SAAS120261122093000000001-1".parse().unwrap();
        let event = Event::JobEnded(JobEnded {
            job: job.clone(),
            key: "ukey/virtual/V0000001".parse().unwrap(),
            slot: "A01".parse().unwrap(),
            profile: "ukey/virtual".into(),
            outcome: Outcome::Pass,
            milliseconds: 1,
            sign_cert_serial: None,
            enc_cert_serial: None,
            key_touched: true,
            detail: String::new(),
        });
        let report = Report { id: REPORT.into(), at: AT.into(), event, anchor: None };
        journal.append_with_report(STREAM, b"{}", REPORT, &serde_json::to_vec(&report).unwrap()).unwrap();
        held()
    }

    fn held() -> Pool {
        let pool = Pool::default();
        let job: model::JobId = "SAAS120261122093000000001-1".parse().unwrap();
        pool.adopt(job.clone());
        pool.reported(&job);
        pool
    }

    fn parking(journal: &Journal, pool: &Pool) -> Parking {
        let parking = Parking::new(journal.clone(), Board::new(&[]), pool.clone());
        parking.recover().unwrap();
        parking
    }

    #[test]
    fn n11_a_parked_report_survives_a_restart_and_is_sent_again_only_when_staff_say_so() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        let pool = ended(&journal);
        let station = parking(&journal, &pool);
        station.park("ended:unknown", "nobody waits for it", AT).unwrap();
        station.park(REPORT, "没有绑定钥匙", AT).unwrap();
        station.park(REPORT, "again", AT).unwrap();
        drop(station);
        journal.sealed().unwrap();
        drop(journal);

        let journal = Journal::open(dir.path()).unwrap();
        let station = parking(&journal, &pool);
        assert!(station.holds(REPORT));
        let list = station.list().unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].why, "没有绑定钥匙");
        assert!(list[0].what.contains("V0000001"));
        assert!(matches!(station.retry("ended:other", AT), Err(ParkingError::NotParked(_))));
        station.retry(REPORT, AT).unwrap();
        assert!(!station.holds(REPORT) && journal.outbox_len().unwrap() == 1);
        // Refused once more, it is parked once more; then the portal takes it.
        station.park(REPORT, "still", AT).unwrap();
        assert!(station.holds(REPORT));
        station.acknowledged(REPORT).unwrap();
        assert!(!station.holds(REPORT));
        assert_eq!(journal.streams().unwrap(), [STREAM]);
    }

    #[test]
    fn n11_a_discarded_report_leaves_the_outbox_and_stays_in_the_journal_with_its_reason() {
        let journal = Journal::memory().unwrap();
        let pool = ended(&journal);
        let station = parking(&journal, &pool);
        station.park(REPORT, "没有绑定钥匙", AT).unwrap();
        assert!(matches!(station.discard(REPORT, "", AT), Err(ParkingError::Reason(_))));
        let bytes = journal.outbox().unwrap().remove(0).1;
        let parked = journal.streams().unwrap().into_iter().find(|name| name.starts_with("parked/")).unwrap();
        station.discard(REPORT, "已由门户处理", AT).unwrap();
        assert_eq!(journal.outbox_len().unwrap(), 0);
        assert!(journal.streams().unwrap().is_empty(), "the job's stream and this one have ended");
        assert!(pool.holding().is_empty());
        let records = journal.stream(&parked).unwrap();
        assert_eq!(records[1], bytes);
        assert!(String::from_utf8_lossy(&records[2]).contains("已由门户处理"));
    }

    #[test]
    fn a_discard_that_was_cut_short_is_ended_at_the_next_start() {
        let journal = Journal::memory().unwrap();
        let pool = ended(&journal);
        let station = parking(&journal, &pool);
        station.park(REPORT, "why", AT).unwrap();
        let parked = journal.streams().unwrap().into_iter().find(|name| name.starts_with("parked/")).unwrap();
        // The bytes alone: nothing is decided yet.
        journal.append(&parked, &journal.outbox().unwrap().remove(0).1).unwrap();
        let station = parking(&journal, &held());
        assert!(station.holds(REPORT));
        journal.append(&parked, br#"{"record":"discarded","reason":"x","at":"y"}"#).unwrap();
        let pool = held();
        let station = parking(&journal, &pool);
        assert!(!station.holds(REPORT) && journal.outbox_len().unwrap() == 0 && pool.holding().is_empty());
        assert!(journal.streams().unwrap().is_empty());
    }
}
