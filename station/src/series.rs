//! A log in the journal that may grow: its records lie in as many streams as they need, one after the other.

use journal::{Journal, JournalError};
use serde::{Serialize, de::DeserializeOwned};
use wire::Report;

/// Records of one stream; the journal allows a few more.
const PART_RECORDS: usize = 1000;

/// One log: streams `<kind>/<start>/<part>`. At most one log of a kind is running.
pub struct Series {
    journal: Journal,
    kind: &'static str,
    /// Its running streams, oldest first; none while the log is empty.
    parts: Vec<String>,
    /// Records in the last of them.
    in_last: usize,
}

impl Series {
    /// The running log of a kind and its records; empty if there is none.
    ///
    /// # Errors
    /// Where the journal holds a record that cannot be read.
    pub fn load<R: DeserializeOwned>(journal: Journal, kind: &'static str) -> anyhow::Result<(Self, Vec<R>)> {
        let prefix = format!("{kind}/");
        let parts: Vec<String> =
            journal.streams()?.into_iter().filter(|name| name.starts_with(&prefix)).collect();
        let mut records = Vec::new();
        let mut in_last = 0;
        for part in &parts {
            let bytes = journal.stream(part)?;
            in_last = bytes.len();
            for record in bytes {
                records.push(serde_json::from_slice(&record)?);
            }
        }
        Ok((Self { journal, kind, parts, in_last }, records))
    }

    /// Adds a record and, in the same commit, a report. `at` (RFC 3339) names a log that begins with it.
    ///
    /// # Errors
    /// Where the journal cannot be written.
    pub fn append<R: Serialize>(
        &mut self,
        record: &R,
        at: &str,
        report: Option<&Report>,
    ) -> anyhow::Result<()> {
        let bytes = serde_json::to_vec(record)?;
        let part = self.part(at)?;
        match report {
            Some(report) => {
                let report_bytes = serde_json::to_vec(report)?;
                self.journal.append_with_report(&part, &bytes, &report.id, &report_bytes)?;
            }
            None => {
                self.journal.append(&part, &bytes)?;
            }
        }
        if self.parts.last() != Some(&part) {
            self.parts.push(part);
            self.in_last = 0;
        }
        self.in_last += 1;
        Ok(())
    }

    /// A name that no other record of this kind has: for the report that goes with the next record.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn next_name(&self, at: &str) -> anyhow::Result<String> {
        let part = self.part(at)?;
        let number = if self.parts.last() == Some(&part) { self.in_last } else { 0 };
        Ok(format!("{}:{part}/{number}", self.kind))
    }

    /// Ends the log: the next record begins another. The last part ends last, so that a crash in between leaves the end of the log.
    ///
    /// # Errors
    /// Where the journal cannot be written.
    pub fn finish(&mut self) -> anyhow::Result<()> {
        for part in std::mem::take(&mut self.parts) {
            self.journal.finish(&part)?;
        }
        self.in_last = 0;
        Ok(())
    }

    /// The stream for the next record.
    fn part(&self, at: &str) -> anyhow::Result<String> {
        match self.parts.last() {
            Some(last) if self.in_last < PART_RECORDS => Ok(last.clone()),
            Some(last) => {
                let (log, part) = last.rsplit_once('/').unwrap_or((last, "0"));
                Ok(format!("{log}/{:04}", part.parse::<u32>()? + 1))
            }
            None => fresh_stream(&self.journal, at, |start| format!("{}/{start:013}/0000", self.kind)),
        }
    }
}

/// The first stream from the millisecond of `at` (RFC 3339) on that never was: a clock that was set back must not lead to one that has ended.
///
/// # Errors
/// Where `at` is no time or the journal cannot be read.
pub fn fresh_stream(journal: &Journal, at: &str, name: impl Fn(i64) -> String) -> anyhow::Result<String> {
    let start = at.parse::<jiff::Timestamp>()?.as_millisecond();
    for stream in (start..).map(name) {
        match journal.stream(&stream) {
            Ok(records) if records.is_empty() => return Ok(stream),
            // It has records, here or in the archive.
            Ok(_) | Err(JournalError::Stream { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::bail!("no stream is left from {at} on")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use journal::Journal;

    use super::{PART_RECORDS, Series, fresh_stream};

    const AT: &str = "2026-11-22T08:00:00.000Z";

    #[test]
    fn a_log_longer_than_a_stream_comes_back_whole_and_in_order() {
        let journal = Journal::memory().unwrap();
        let (mut series, none) = Series::load::<usize>(journal.clone(), "test").unwrap();
        assert!(none.is_empty());
        for number in 0..PART_RECORDS * 2 + 5 {
            series.append(&number, AT, None).unwrap();
        }
        assert_eq!(journal.streams().unwrap().len(), 3);
        let (mut again, records) = Series::load::<usize>(journal.clone(), "test").unwrap();
        assert!(records.iter().copied().eq(0..PART_RECORDS * 2 + 5));
        again.append(&7_usize, AT, None).unwrap();
        assert_eq!(again.next_name(AT).unwrap(), "test:test/1795334400000/0002/6");
        again.finish().unwrap();
        assert!(journal.streams().unwrap().is_empty());
    }

    #[test]
    fn a_log_that_begins_in_the_millisecond_of_an_ended_one_is_another() {
        let journal = Journal::memory().unwrap();
        let (mut series, _) = Series::load::<usize>(journal.clone(), "test").unwrap();
        for number in 0..3_usize {
            series.append(&number, AT, None).unwrap();
            series.finish().unwrap();
        }
        assert_eq!(journal.finished().unwrap().len(), 3);
    }

    #[test]
    fn a_journal_that_cannot_be_read_gives_no_name_and_is_not_asked_for_ever() {
        let journal = Journal::memory().unwrap();
        assert!(fresh_stream(&journal, AT, |start| format!("test/{start}")).is_ok());
        journal.sealed().unwrap();
        assert!(fresh_stream(&journal, AT, |start| format!("test/{start}")).is_err());
    }
}
