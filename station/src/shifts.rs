//! Shifts as the station keeps them: opened, added to and closed by staff, counted from the journal. The books are in `shift.rs`.
//!
//! What became of a key is noted before its job's last record is written, so nothing that ended is missing after a crash; a key whose job has
//! no last record is in work, whatever was noted. Keys in work are read from the streams of the jobs each time.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
};

use journal::Journal;
use model::KeyId;
use wire::{Event, RefusalReason, Report, ShiftClosed};
use workflow::Ended;

use crate::{
    board::Board,
    series::Series,
    shift::{ASIDE, Books, COUNT_MAX, Counted, Fate, Record},
    words::{ReasonError, reason},
};

/// Why staff's entry was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ShiftError {
    /// A shift is open.
    #[error("本班已开始，请先交班 (a shift is open since {0}: close it first)")]
    Open(String),
    /// No shift is open.
    #[error("尚未开班，请先开班 (no shift is open: open one first)")]
    Closed,
    /// A number that cannot be.
    #[error("数量应为 {0} 至 {COUNT_MAX} (give a number from {0} to {COUNT_MAX})")]
    Count(u32),
    /// It does not balance, and no reason was given.
    #[error(
        "账实不符，相差 {0}：请核对数量，或填写原因后交班 (it does not balance, {0}: count again, or give a reason)"
    )]
    Unbalanced(i64),
    /// A reason that says too much.
    #[error(transparent)]
    Reason(#[from] ReasonError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] anyhow::Error),
}

/// What is shown of a shift.
#[derive(Clone, Debug, serde::Serialize)]
pub struct View {
    /// The running shift.
    pub running: Option<Running>,
    /// The shift that was closed last since the station started.
    pub last: Option<ShiftClosed>,
}

/// A running shift.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Running {
    /// When it was opened, RFC 3339.
    pub opened: String,
    /// Blanks brought.
    pub brought: u32,
    /// Keys that were in work when it was opened.
    pub carried_in: u32,
    /// Keys made.
    pub made: u32,
    /// Keys set aside.
    pub set_aside: u32,
    /// Keys in work.
    pub in_work: Vec<String>,
    /// Blanks that should be left.
    pub expected_left: i64,
    /// Keys set aside, by what became of them: fate, count, serials.
    pub aside: Vec<(Fate, u32, Vec<String>)>,
}

/// The shifts.
pub struct Shifts {
    journal: Journal,
    board: Board,
    kept: Mutex<Option<Kept>>,
    /// Held for reading while a job ends, for writing while a shift is opened or closed: no key ends between two shifts.
    ends: RwLock<()>,
}

struct Kept {
    books: Option<Books>,
    series: Series,
    last: Option<ShiftClosed>,
}

impl Shifts {
    /// Shifts kept in `journal`. [`Shifts::recover`] reads what the last run left.
    #[must_use]
    pub fn new(journal: Journal, board: Board) -> Self {
        Self { journal, board, kept: Mutex::default(), ends: RwLock::default() }
    }

    /// Reads what the last run left.
    ///
    /// # Errors
    /// Where the journal cannot be followed.
    pub fn recover(&self) -> anyhow::Result<()> {
        let (mut series, records) = Series::load::<Record>(self.journal.clone(), "shift")?;
        let mut books = if records.is_empty() { None } else { Some(Books::default()) };
        let mut last = None;
        for record in &records {
            books = books.unwrap_or_default().apply(record);
            if let Record::Closed { closed } = record {
                last = Some(closed.clone());
            }
        }
        if books.is_none() {
            series.finish()?;
        }
        *self.kept() = Some(Kept { books, series, last });
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while a job's end is noted and written.
    pub fn ending(&self) -> RwLockReadGuard<'_, ()> {
        self.ends.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what the end of a job makes of its key.
    ///
    /// # Errors
    /// Where the journal cannot be written.
    pub fn ended(&self, key: &KeyId, ended: &Ended) -> anyhow::Result<()> {
        Fate::of(ended).map_or(Ok(()), |fate| self.note(key, fate, &ended.at))
    }

    /// Notes a refusal, if it tells of a bad key.
    ///
    /// # Errors
    /// Where the journal cannot be written.
    pub fn refused(&self, key: Option<&KeyId>, reason: RefusalReason, at: &str) -> anyhow::Result<()> {
        match (key, Fate::of_refusal(reason)) {
            (Some(key), Some(fate)) => self.note(key, fate, at),
            (None, Some(_)) => self.append(&Record::Nameless, at),
            (Some(key), None) => {
                let was = self.kept().as_ref().and_then(|kept| kept.books.as_ref()?.fate(key));
                if was == Some(Fate::Lost) { self.note(key, Fate::Spoiled, at) } else { Ok(()) }
            }
            (None, None) => Ok(()),
        }
    }

    /// A pulled key did not come back.
    ///
    /// # Errors
    /// Where the journal cannot be written.
    pub fn lost(&self, key: &KeyId, at: &str) -> anyhow::Result<()> {
        self.note(key, Fate::Lost, at)
    }

    fn note(&self, key: &KeyId, fate: Fate, at: &str) -> anyhow::Result<()> {
        let known = self.kept().as_ref().and_then(|kept| kept.books.as_ref()?.fate(key));
        if known == Some(fate) { Ok(()) } else { self.append(&Record::Key { key: key.clone(), fate }, at) }
    }

    /// Adds a record to the running shift, if there is one.
    fn append(&self, record: &Record, at: &str) -> anyhow::Result<()> {
        if let Some(Kept { books: books @ Some(_), series, .. }) = self.kept().as_mut() {
            series.append(record, at, None)?;
            *books = books.take().and_then(|books| books.apply(record));
        }
        Ok(())
    }

    /// Staff begin.
    ///
    /// # Errors
    /// [`ShiftError`].
    pub fn open(&self, brought: u32, at: &str) -> Result<(), ShiftError> {
        let _no_key_ends = self.ends.write().unwrap_or_else(PoisonError::into_inner);
        let carried = in_work(&self.journal)?;
        let mut kept = self.kept();
        let Some(Kept { books, series, .. }) = kept.as_mut() else { return Err(ShiftError::Closed) };
        if let Some(books) = books {
            return Err(ShiftError::Open(books.opened().to_owned()));
        }
        check(brought, 0)?;
        let record = Record::Opened { brought, carried, at: at.to_owned() };
        series.append(&record, at, None)?;
        *books = Books::default().apply(&record);
        drop(kept);
        self.board.touch();
        Ok(())
    }

    /// More blanks are brought.
    ///
    /// # Errors
    /// [`ShiftError`].
    pub fn add(&self, count: u32, at: &str) -> Result<(), ShiftError> {
        check(count, 1)?;
        if self.kept().as_ref().is_none_or(|kept| kept.books.is_none()) {
            return Err(ShiftError::Closed);
        }
        self.append(&Record::Added { count, at: at.to_owned() }, at)?;
        self.board.touch();
        Ok(())
    }

    /// Staff counted: the shift ends, and the portal is told.
    ///
    /// # Errors
    /// [`ShiftError`]; a shift that does not balance wants a reason.
    pub fn close(&self, counted: Counted, why: &str, at: &str) -> Result<ShiftClosed, ShiftError> {
        check(counted.left, 0)?;
        check(counted.boxed.unwrap_or(0), 0)?;
        let _no_key_ends = self.ends.write().unwrap_or_else(PoisonError::into_inner);
        let in_work = in_work(&self.journal)?;
        let mut kept = self.kept();
        let Some(Kept { books: books @ Some(_), series, last }) = kept.as_mut() else {
            return Err(ShiftError::Closed);
        };
        let mut closed = books.as_ref().ok_or(ShiftError::Closed)?.balance(counted, &in_work, at);
        let difference = closed.difference();
        if difference != 0 {
            closed.reason = reason(why).map_err(|error| {
                if why.trim().is_empty() { ShiftError::Unbalanced(difference) } else { error.into() }
            })?;
        }
        let event = Event::ShiftClosed(closed.clone());
        let report = Report { id: series.next_name(at)?, at: at.to_owned(), event, anchor: None };
        series.append(&Record::Closed { closed: closed.clone() }, at, Some(&report))?;
        series.finish()?;
        tracing::info!(difference, made = closed.made, set_aside = closed.set_aside, "shift closed");
        *books = None;
        *last = Some(closed.clone());
        drop(kept);
        self.board.touch();
        Ok(closed)
    }

    /// What is shown.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn view(&self) -> anyhow::Result<View> {
        let kept = self.kept();
        let Some(kept) = kept.as_ref() else { return Ok(View { running: None, last: None }) };
        let running = match &kept.books {
            Some(books) => Some(running(books, &in_work(&self.journal)?)),
            None => None,
        };
        Ok(View { running, last: kept.last.clone() })
    }
}

fn running(books: &Books, in_work: &BTreeSet<KeyId>) -> Running {
    let so_far = books.balance(Counted::default(), in_work, "");
    let serials = |keys: Vec<&KeyId>| keys.into_iter().map(|key| key.serial().to_owned()).collect();
    Running {
        opened: books.opened().to_owned(),
        brought: books.brought(),
        carried_in: so_far.carried_in,
        made: so_far.made,
        set_aside: so_far.set_aside,
        in_work: serials(in_work.iter().collect()),
        expected_left: so_far.difference(),
        aside: ASIDE
            .into_iter()
            .map(|fate| (fate, books.count(fate, in_work), serials(books.keys(fate, in_work).collect())))
            .filter(|(_, count, _)| *count > 0)
            .collect(),
    }
}

/// Keys of jobs that have begun and not ended, as the journal has them. The first record names the key and the last says whether it ended;
/// what stands between is checked when the station starts.
fn in_work(journal: &Journal) -> anyhow::Result<BTreeSet<KeyId>> {
    let mut keys = BTreeSet::new();
    for stream in journal.streams()?.into_iter().filter(|name| name.starts_with("job/")) {
        let Some([first, last]) = journal.ends(&stream)? else { continue };
        let workflow::Record::Begun(begun) = serde_json::from_slice(&first)? else { continue };
        if !matches!(serde_json::from_slice(&last)?, workflow::Record::Ended(_)) {
            keys.insert(begun.key);
        }
    }
    Ok(keys)
}

fn check(count: u32, least: u32) -> Result<(), ShiftError> {
    if (least..=COUNT_MAX).contains(&count) { Ok(()) } else { Err(ShiftError::Count(least)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use journal::Journal;
    use model::{KeyId, Outcome};
    use wire::{CertificateKind, Event, JobOrder, RefusalReason, Report};
    use workflow::{Begun, Ended, Record};

    use super::{Counted, ShiftError, Shifts};
    use crate::board::Board;

    const AT: &str = "2026-11-22T08:00:00.000Z";

    fn shifts(journal: &Journal) -> Shifts {
        let shifts = Shifts::new(journal.clone(), Board::new(&[]));
        shifts.recover().unwrap();
        shifts
    }

    fn key(number: u32) -> KeyId {
        KeyId::new("ukey", "virtual", &format!("V{number:07}")).unwrap()
    }

    fn end(outcome: Outcome, refusal: Option<RefusalReason>) -> Ended {
        Ended {
            outcome,
            key_touched: refusal.is_none(),
            refusal,
            device_tries: None,
            milliseconds: 1,
            sign_cert_serial: None,
            enc_cert_serial: None,
            detail: String::new(),
            at: AT.to_owned(),
        }
    }

    /// Begins a job on a key, as a slot does.
    fn begin(journal: &Journal, number: u32) -> String {
        let job = format!("SAAS120261122093000000001-{number}").parse().unwrap();
        let order = JobOrder {
            job,
            quantity: 1,
            programme: "p".into(),
            programme_title: "项目".into(),
            holder: "测试单位".into(),
            certificate: CertificateKind::Unit,
            profiles: vec![],
        };
        let begun = Begun {
            order,
            key: key(number),
            slot: "A01".parse().unwrap(),
            profile: "ukey/virtual".into(),
            profile_digest: String::new(),
            at: AT.to_owned(),
        };
        let stream = format!("job/{number}");
        journal.append(&stream, &serde_json::to_vec(&Record::Begun(begun)).unwrap()).unwrap();
        stream
    }

    fn end_job(journal: &Journal, stream: &str, ended: Ended) {
        journal.append(stream, &serde_json::to_vec(&Record::Ended(ended)).unwrap()).unwrap();
    }

    fn left(left: u32) -> Counted {
        Counted { left, boxed: None }
    }

    #[test]
    fn n12_a_shift_goes_on_after_a_restart_and_a_key_without_its_last_record_is_in_work() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        let station = shifts(&journal);
        station.open(5, AT).unwrap();
        for number in [1, 2] {
            let stream = begin(&journal, number);
            station.ended(&key(number), &end(Outcome::Pass, None)).unwrap();
            // The power fails between the note and the last record of the second.
            if number == 1 {
                end_job(&journal, &stream, end(Outcome::Pass, None));
            }
        }
        station.refused(Some(&key(3)), RefusalReason::DeviceKeyLocked, AT).unwrap();
        station.refused(Some(&key(4)), RefusalReason::WrongModel, AT).unwrap();
        drop(station);
        journal.sealed().unwrap();
        drop(journal);

        let journal = Journal::open(dir.path()).unwrap();
        let station = shifts(&journal);
        let running = station.view().unwrap().running.unwrap();
        assert_eq!((running.brought, running.made, running.set_aside, running.expected_left), (5, 1, 1, 2));
        assert_eq!(running.in_work, ["V0000002"]);
        assert!(matches!(station.open(1, AT), Err(ShiftError::Open(_))));
        station.ended(&key(2), &end(Outcome::Pass, None)).unwrap();
        end_job(&journal, "job/2", end(Outcome::Pass, None));
        let closed = station.close(left(2), "", AT).unwrap();
        assert_eq!((closed.made, closed.set_aside, closed.carried_out, closed.difference()), (2, 1, 0, 0));
        assert!(matches!(station.close(left(2), "", AT), Err(ShiftError::Closed)));
        assert!(station.view().unwrap().running.is_none());
    }

    #[test]
    fn n12_a_shift_that_does_not_balance_closes_with_a_reason_alone_and_the_portal_is_told() {
        let journal = Journal::memory().unwrap();
        let station = shifts(&journal);
        assert!(matches!(station.add(1, AT), Err(ShiftError::Closed)));
        station.open(10, AT).unwrap();
        station.add(5, AT).unwrap();
        station.ended(&key(1), &end(Outcome::Error, None)).unwrap();
        station.lost(&key(1), AT).unwrap();
        assert!(matches!(station.close(left(13), "", AT), Err(ShiftError::Unbalanced(1))));
        assert!(matches!(station.close(left(13), &"字".repeat(201), AT), Err(ShiftError::Reason(_))));
        assert!(matches!(station.close(left(1_000_000), "x", AT), Err(ShiftError::Count(0))));
        let closed = station.close(left(13), "掉在地上，正在找", AT).unwrap();
        assert_eq!(closed.keys, [key(1)]);
        let reports = journal.outbox().unwrap();
        let report: Report = serde_json::from_slice(&reports[0].1).unwrap();
        assert!(report.id.starts_with("shift:"));
        assert_eq!(report.event, Event::ShiftClosed(closed.clone()));
        assert_eq!((closed.difference(), closed.reason.as_str()), (1, "掉在地上，正在找"));
        // The next shift is another.
        station.open(0, AT).unwrap();
        assert_eq!(station.close(left(0), "", AT).unwrap().difference(), 0);
        assert_eq!(journal.outbox().unwrap().len(), 2);
    }

    #[test]
    fn n12_a_key_in_work_is_carried_from_shift_to_shift() {
        let journal = Journal::memory().unwrap();
        let station = shifts(&journal);
        station.open(1, AT).unwrap();
        let stream = begin(&journal, 1);
        let closed = station.close(left(0), "", AT).unwrap();
        assert_eq!((closed.carried_out, closed.difference()), (1, 0));
        station.open(0, AT).unwrap();
        station.ended(&key(1), &end(Outcome::Pass, None)).unwrap();
        end_job(&journal, &stream, end(Outcome::Pass, None));
        let closed = station.close(left(0), "", AT).unwrap();
        assert_eq!((closed.carried_in, closed.made, closed.difference()), (1, 1, 0));
    }

    #[test]
    fn a_key_that_did_not_come_back_and_turns_up_is_spoiled_and_counts_once() {
        let journal = Journal::memory().unwrap();
        let station = shifts(&journal);
        station.open(1, AT).unwrap();
        station.lost(&key(1), AT).unwrap();
        station.refused(Some(&key(1)), RefusalReason::AlreadyIssued, AT).unwrap();
        station.refused(Some(&key(2)), RefusalReason::AlreadyIssued, AT).unwrap();
        let running = station.view().unwrap().running.unwrap();
        assert_eq!(running.aside, [(super::Fate::Spoiled, 1, vec!["V0000001".to_owned()])]);
        assert_eq!(station.close(left(0), "", AT).unwrap().difference(), 0);
    }
}
