//! The breakers of this station: kept in the journal, told to the portal, asked by every slot. What stops when is in `breaker.rs`.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use hub::Slots;
use journal::Journal;
use model::{KeyId, Outcome, SlotName};
use wire::{BreakerChanged, BreakerScope, Event, RefusalReason, Report};
use workflow::Ended;

use crate::{
    board::Board,
    breaker::{Panel, Record, Scope, ScopeError, Spot},
    series::Series,
    words::{ReasonError, reason},
};

/// Keys whose lot is remembered; the portal tells it again with the secrets of each job.
const LOTS_REMEMBERED_MAX: usize = 10_000;
/// Bad keys named in a text.
const KEYS_NAMED_MAX: usize = 6;

/// Why a breaker was not reset.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// Not the name of one.
    #[error(transparent)]
    Name(#[from] ScopeError),
    /// It is not open.
    #[error("{0} 未停用 (it is not stopped: `ukey-station breaker list` lists what is)")]
    NotOpen(Scope),
    /// No reason, or one too long.
    #[error(transparent)]
    Reason(#[from] ReasonError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] anyhow::Error),
}

/// One stopped thing, for screens.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Stopped {
    /// What.
    pub scope: Scope,
    /// For people: what is stopped, why, and what to do.
    pub text: String,
    /// When, RFC 3339.
    pub at: String,
}

/// The breakers. Shared by all slots.
pub struct Breakers {
    journal: Journal,
    board: Board,
    limit: u8,
    hubs: BTreeMap<SlotName, String>,
    kept: Mutex<Option<(Panel, Series)>>,
    lots: Mutex<BTreeMap<KeyId, String>>,
}

impl Breakers {
    /// Breakers of these slots that open after `limit` bad keys in a row. [`Breakers::recover`] reads what the last run left.
    #[must_use]
    pub fn new(journal: Journal, board: Board, slots: &Slots, limit: u8) -> Self {
        let hubs = slots.iter().map(|slot| (slot.name.clone(), slot.hub())).collect();
        Self { journal, board, limit, hubs, kept: Mutex::default(), lots: Mutex::default() }
    }

    /// Reads what the last run left.
    ///
    /// # Errors
    /// Where the journal cannot be followed.
    pub fn recover(&self, at: &str) -> anyhow::Result<()> {
        let (series, records) = Series::load::<Record>(self.journal.clone(), "breaker")?;
        let mut panel = Panel::new(self.limit);
        for record in &records {
            panel.apply(record);
        }
        *self.kept() = Some((panel, series));
        // The last run may have ended between a bad key and the stop that it called for.
        self.settle(at)
    }

    fn kept(&self) -> MutexGuard<'_, Option<(Panel, Series)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spot(&self, slot: &SlotName, key: Option<&KeyId>) -> Spot {
        let lots = self.lots.lock().unwrap_or_else(PoisonError::into_inner);
        Spot {
            slot: slot.clone(),
            hub: self.hubs.get(slot).cloned().unwrap_or_default(),
            lot: key.and_then(|key| lots.get(key).cloned()),
        }
    }

    /// The portal told a key's lot.
    pub fn remember_lot(&self, key: &KeyId, lot: &str) {
        let mut lots = self.lots.lock().unwrap_or_else(PoisonError::into_inner);
        if lots.len() >= LOTS_REMEMBERED_MAX {
            lots.clear();
        }
        lots.insert(key.clone(), lot.to_owned());
    }

    /// Counts the end of a job. A key that was refused is counted by [`Breakers::refused`].
    ///
    /// # Errors
    /// Where the journal cannot be written.
    pub fn ended(&self, slot: &SlotName, key: &KeyId, ended: &Ended) -> anyhow::Result<()> {
        let spot = self.spot(slot, Some(key));
        match ended.outcome {
            Outcome::Pass => self.keep(Record::Good { spot }, &ended.at),
            Outcome::Fail | Outcome::Timeout if ended.refusal.is_none() => {
                self.keep(Record::Bad { spot, key: Some(key.clone()) }, &ended.at)
            }
            // Ours, given back, or refused.
            Outcome::Fail | Outcome::Timeout | Outcome::Error | Outcome::Aborted => Ok(()),
        }
    }

    /// Counts a refusal that tells of a bad key.
    ///
    /// # Errors
    /// Where the journal cannot be written.
    pub fn refused(
        &self,
        slot: &SlotName,
        key: Option<&KeyId>,
        reason: RefusalReason,
        at: &str,
    ) -> anyhow::Result<()> {
        match reason {
            RefusalReason::DeviceKeyLocked | RefusalReason::FactoryKeyWrong | RefusalReason::Unreadable => {
                self.keep(Record::Bad { spot: self.spot(slot, key), key: key.cloned() }, at)
            }
            _ => Ok(()),
        }
    }

    fn keep(&self, record: Record, at: &str) -> anyhow::Result<()> {
        if let Some((panel, series)) = self.kept().as_mut() {
            let mut after = panel.clone();
            if !after.apply(&record) {
                return Ok(());
            }
            series.append(&record, at, None)?;
            *panel = after;
        }
        self.settle(at)
    }

    /// Stops what is due; closes the log once there is nothing to remember.
    fn settle(&self, at: &str) -> anyhow::Result<()> {
        let mut kept = self.kept();
        let Some((panel, series)) = kept.as_mut() else { return Ok(()) };
        while let Some((scope, keys)) = panel.due() {
            let why = why(&keys);
            tracing::error!(%scope, why, "too many bad keys in a row: stopped until staff reset it");
            let report = changed(series.next_name(at)?, at, &scope, true, &why);
            let record = Record::Opened { scope, why, at: at.to_owned() };
            series.append(&record, at, Some(&report))?;
            panel.apply(&record);
            self.board.touch();
        }
        if panel.is_clear() {
            series.finish()?;
        }
        Ok(())
    }

    /// Staff set something going again.
    ///
    /// # Errors
    /// [`ResetError`].
    pub fn reset(&self, scope: &str, why: &str, at: &str) -> Result<(), ResetError> {
        let scope: Scope = scope.parse()?;
        let why = reason(why)?;
        let mut kept = self.kept();
        let Some((panel, series)) = kept.as_mut().filter(|(panel, _)| panel.open().any(|o| *o.0 == scope))
        else {
            return Err(ResetError::NotOpen(scope));
        };
        let report = changed(series.next_name(at)?, at, &scope, false, &why);
        tracing::warn!(%scope, reason = why, "a breaker was reset");
        let record = Record::Reset { scope, reason: why, at: at.to_owned() };
        series.append(&record, at, Some(&report))?;
        panel.apply(&record);
        if panel.is_clear() {
            series.finish()?;
        }
        drop(kept);
        self.board.touch();
        Ok(())
    }

    /// Why no job may begin in a slot, for its screen.
    #[must_use]
    pub fn stopped(&self, slot: &SlotName) -> Option<String> {
        let spot = self.spot(slot, None);
        let kept = self.kept();
        let (scope, why) = kept.as_ref()?.0.stops(&spot)?;
        Some(self.text(scope, why))
    }

    /// Why a key's lot may not be used, if its lot is known.
    #[must_use]
    pub fn lot_of_stopped(&self, key: &KeyId) -> Option<String> {
        let lot = self.lots.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()?;
        let wanted = Scope { kind: BreakerScope::Lot, name: lot };
        let kept = self.kept();
        let (scope, why, _) = kept.as_ref()?.0.open().find(|(scope, ..)| **scope == wanted)?;
        Some(self.text(scope, why))
    }

    /// All that is stopped.
    #[must_use]
    pub fn open(&self) -> Vec<Stopped> {
        let kept = self.kept();
        let Some((panel, _)) = kept.as_ref() else { return Vec::new() };
        let stopped = |(scope, why, at): (&Scope, &str, &str)| Stopped {
            scope: scope.clone(),
            text: self.text(scope, why),
            at: at.to_owned(),
        };
        panel.open().map(stopped).collect()
    }

    fn text(&self, scope: &Scope, why: &str) -> String {
        let what = match scope.kind {
            BreakerScope::Slot => scope.zh(),
            BreakerScope::Hub => {
                let slots: Vec<&str> = self
                    .hubs
                    .iter()
                    .filter(|(_, hub)| **hub == scope.name)
                    .map(|(s, _)| s.as_str())
                    .collect();
                format!("{}（插槽 {}）", scope.zh(), slots.join(" "))
            }
            BreakerScope::Lot => format!("{} 的空白钥匙", scope.zh()),
        };
        format!("{what} 已停用：{why}，请检查后复位 ({scope} stopped: check it, then reset)")
    }
}

/// `连续 3 次失败（A01 V001、A01 V002、A02 V003）`.
fn why(keys: &[(SlotName, Option<KeyId>)]) -> String {
    let named: Vec<String> = keys
        .iter()
        .rev()
        .take(KEYS_NAMED_MAX)
        .rev()
        .map(|(slot, key)| format!("{slot} {}", key.as_ref().map_or("无序列号", KeyId::serial)))
        .collect();
    format!("连续 {} 次失败（{}）", keys.len(), named.join("、"))
}

fn changed(id: String, at: &str, scope: &Scope, open: bool, detail: &str) -> Report {
    let event = Event::BreakerChanged(BreakerChanged {
        scope: scope.kind,
        name: scope.name.clone(),
        open,
        detail: detail.to_owned(),
    });
    Report { id, at: at.to_owned(), event, anchor: None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use hub::{SlotConfig, Slots};
    use journal::Journal;
    use model::{KeyId, Outcome, SlotName};
    use wire::{Event, RefusalReason, Report};
    use workflow::Ended;

    use super::{Breakers, ResetError};
    use crate::board::Board;

    const AT: &str = "2026-11-22T08:00:00.000Z";

    fn slots() -> Slots {
        let entry = |name: &str| SlotConfig {
            name: name.parse().unwrap(),
            reader: Some(format!("reader {name}")),
            usb: None,
        };
        Slots::from_config(&["A01", "A02", "B01"].map(entry)).unwrap()
    }

    fn breakers(journal: &Journal) -> Breakers {
        let breakers = Breakers::new(journal.clone(), Board::new(&[]), &slots(), 3);
        breakers.recover(AT).unwrap();
        breakers
    }

    fn slot(name: &str) -> SlotName {
        name.parse().unwrap()
    }

    fn key(number: u32) -> KeyId {
        KeyId::new("ukey", "virtual", &format!("V{number:07}")).unwrap()
    }

    fn end(outcome: Outcome) -> Ended {
        Ended {
            outcome,
            key_touched: true,
            refusal: None,
            device_tries: None,
            milliseconds: 1,
            sign_cert_serial: None,
            enc_cert_serial: None,
            detail: String::new(),
            at: AT.to_owned(),
        }
    }

    fn events(journal: &Journal) -> Vec<(String, bool, String)> {
        let reports = journal.outbox().unwrap();
        let read = |bytes: &[u8]| match serde_json::from_slice::<Report>(bytes).unwrap().event {
            Event::BreakerChanged(changed) => (changed.name, changed.open, changed.detail),
            other => panic!("{other:?}"),
        };
        reports.iter().map(|(_, bytes)| read(bytes)).collect()
    }

    #[test]
    fn n5_a_stop_survives_a_restart_is_reported_and_ends_only_with_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        let station = breakers(&journal);
        // Ours and given back are no fault of the key.
        for outcome in [Outcome::Fail, Outcome::Error, Outcome::Aborted, Outcome::Timeout] {
            station.ended(&slot("A01"), &key(outcome as u32), &end(outcome)).unwrap();
        }
        assert_eq!(station.stopped(&slot("A01")), None);
        drop(station);
        journal.sealed().unwrap();
        drop(journal);

        // Two bad keys before the restart and one after it are three in a row.
        let journal = Journal::open(dir.path()).unwrap();
        let station = breakers(&journal);
        station.refused(&slot("A01"), Some(&key(9)), RefusalReason::DeviceKeyLocked, AT).unwrap();
        let text = station.stopped(&slot("A01")).unwrap();
        assert!(
            text.contains("连续 3 次失败") && text.contains("V0000009") && text.contains("A01"),
            "{text}"
        );
        assert_eq!(station.stopped(&slot("A02")), None);
        drop(station);
        journal.sealed().unwrap();
        drop(journal);

        let journal = Journal::open(dir.path()).unwrap();
        let station = breakers(&journal);
        assert_eq!(station.stopped(&slot("A01")), Some(text));
        assert!(matches!(station.reset("slot/A01", " ", AT), Err(ResetError::Reason(_))));
        assert!(matches!(station.reset("slot/A02", "why", AT), Err(ResetError::NotOpen(_))));
        assert!(matches!(station.reset("A01", "why", AT), Err(ResetError::Name(_))));
        station.reset("slot/A01", "触点已清洁", AT).unwrap();
        assert_eq!(station.stopped(&slot("A01")), None);
        assert!(journal.streams().unwrap().is_empty(), "nothing is left to remember");
        let told = events(&journal);
        assert_eq!((told.len(), told[0].1, told[1].1), (2, true, false));
        assert_eq!((told[1].0.as_str(), told[1].2.as_str()), ("A01", "触点已清洁"));
    }

    #[test]
    fn n5_a_lot_that_is_bad_everywhere_stops_in_every_slot_and_no_other_lot_does() {
        let journal = Journal::memory().unwrap();
        let station = breakers(&journal);
        for (number, name) in ["A01", "B01", "A02"].into_iter().enumerate() {
            let key = key(u32::try_from(number).unwrap());
            station.remember_lot(&key, "批次一");
            station.ended(&slot(name), &key, &end(Outcome::Fail)).unwrap();
        }
        assert!(["A01", "A02", "B01"].iter().all(|name| station.stopped(&slot(name)).is_none()));
        station.remember_lot(&key(50), "批次一");
        station.remember_lot(&key(51), "批次二");
        assert!(station.lot_of_stopped(&key(50)).unwrap().contains("批次一"));
        assert_eq!(station.lot_of_stopped(&key(51)), None);
        assert_eq!(station.lot_of_stopped(&key(52)), None);
        assert_eq!(station.open()[0].scope.to_string(), "lot/批次一");
        station.reset("lot/批次一", "已换批次", AT).unwrap();
        assert_eq!(station.lot_of_stopped(&key(50)), None);
    }

    #[test]
    fn work_without_trouble_writes_nothing() {
        let journal = Journal::memory().unwrap();
        let station = breakers(&journal);
        station.ended(&slot("A01"), &key(1), &end(Outcome::Pass)).unwrap();
        station.refused(&slot("A01"), Some(&key(2)), RefusalReason::AlreadyIssued, AT).unwrap();
        assert_eq!(journal.head().unwrap().0, 0);
    }
}
