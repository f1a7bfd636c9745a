//! The books of one shift: blanks brought to the bench against keys made, keys set aside and blanks left. Pure; `shifts.rs` keeps them.
//!
//! Keys are counted by identity, so the same key counts once, as what became of it last. A key in work when the shift opens or closes is
//! carried in or out. A blank that was refused and is still a blank (wrong model, not registered, lot stopped) is not set aside: staff count
//! it among the blanks left.
//!
//! missing = brought + carried in − (made + set aside + carried out + left); below zero there are keys too many. The shift balances at 0.

use std::collections::{BTreeMap, BTreeSet};

use model::{KeyId, Outcome};
use serde::{Deserialize, Serialize};
use wire::{RefusalReason, ShiftClosed};
use workflow::Ended;

/// Most keys that one entry may count: more is a slip of the hand.
pub const COUNT_MAX: u32 = 100_000;
/// Keys named in the report of a closed shift.
const KEYS_REPORTED_MAX: usize = 60;

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Made.
    Made,
    /// Written on and not made.
    Spoiled,
    /// Its device key is locked.
    Locked,
    /// Its factory key is another.
    WrongFactoryKey,
    /// It could not be read.
    Unreadable,
    /// Pulled in work and not put back.
    Lost,
}

impl Fate {
    /// The word on the screen, in Chinese.
    #[must_use]
    pub fn zh(self) -> &'static str {
        match self {
            Self::Made => "制成",
            Self::Spoiled => "作废",
            Self::Locked => "已锁死",
            Self::WrongFactoryKey => "出厂密钥不符",
            Self::Unreadable => "无法读取",
            Self::Lost => "未插回",
        }
    }

    /// The same in English.
    #[must_use]
    pub fn en(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Spoiled => "spoiled",
            Self::Locked => "locked",
            Self::WrongFactoryKey => "wrong factory key",
            Self::Unreadable => "unreadable",
            Self::Lost => "not put back",
        }
    }

    /// What the end of a job made of its key; `None` = it is still a blank.
    #[must_use]
    pub fn of(ended: &Ended) -> Option<Self> {
        match ended.refusal {
            Some(reason) => Self::of_refusal(reason),
            None if ended.outcome == Outcome::Pass => Some(Self::Made),
            None => ended.key_touched.then_some(Self::Spoiled),
        }
    }

    /// What a refusal says of a key; `None` = nothing about its worth.
    #[must_use]
    pub fn of_refusal(reason: RefusalReason) -> Option<Self> {
        match reason {
            RefusalReason::DeviceKeyLocked => Some(Self::Locked),
            RefusalReason::FactoryKeyWrong => Some(Self::WrongFactoryKey),
            RefusalReason::Unreadable => Some(Self::Unreadable),
            RefusalReason::UnknownModel
            | RefusalReason::WrongModel
            | RefusalReason::AlreadyIssued
            | RefusalReason::NotRegistered
            | RefusalReason::LotStopped
            | RefusalReason::DuplicateSerial => None,
        }
    }
}

/// What the journal keeps of a shift.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// Staff began.
    Opened {
        /// Blanks brought.
        brought: u32,
        /// Keys in work.
        carried: BTreeSet<KeyId>,
        /// When, RFC 3339.
        at: String,
    },
    /// More blanks were brought.
    Added {
        /// How many.
        count: u32,
        /// When, RFC 3339.
        at: String,
    },
    /// What became of a key. Written before the job's own last record, so it may be there twice, or too early.
    Key {
        /// Which.
        key: KeyId,
        /// What.
        fate: Fate,
    },
    /// A key that could not be read so far that it could be told which it is.
    Nameless,
    /// Staff counted and ended.
    Closed {
        /// What they counted, as reported.
        closed: ShiftClosed,
    },
}

/// The books of a running shift.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    opened: String,
    brought: u32,
    carried: BTreeSet<KeyId>,
    fates: BTreeMap<KeyId, Fate>,
    nameless: u32,
}

/// What staff count at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Blanks left.
    pub left: u32,
    /// Keys in the set-aside box; `None` = not counted, the station's own count stands.
    pub boxed: Option<u32>,
}

impl Books {
    /// Applies a record; `None` = the shift is closed.
    #[must_use]
    pub fn apply(mut self, record: &Record) -> Option<Self> {
        match record {
            Record::Opened { brought, carried, at } => {
                self = Self {
                    opened: at.clone(),
                    brought: *brought,
                    carried: carried.clone(),
                    ..Self::default()
                };
            }
            Record::Added { count, .. } => self.brought = self.brought.saturating_add(*count),
            Record::Key { key, fate } => drop(self.fates.insert(key.clone(), *fate)),
            Record::Nameless => self.nameless = self.nameless.saturating_add(1),
            Record::Closed { .. } => return None,
        }
        Some(self)
    }

    /// When it was opened, RFC 3339.
    #[must_use]
    pub fn opened(&self) -> &str {
        &self.opened
    }

    /// Blanks brought to the bench.
    #[must_use]
    pub fn brought(&self) -> u32 {
        self.brought
    }

    /// What is known of a key.
    #[must_use]
    pub fn fate(&self, key: &KeyId) -> Option<Fate> {
        self.fates.get(key).copied()
    }

    /// Keys with this fate that are not in work.
    pub fn keys<'a>(&'a self, fate: Fate, in_work: &'a BTreeSet<KeyId>) -> impl Iterator<Item = &'a KeyId> {
        let settled = self.fates.iter().filter(move |(key, is)| **is == fate && !in_work.contains(key));
        settled.map(|(key, _)| key)
    }

    /// How many keys have this fate; among the unreadable those without a name, each time they were plugged.
    #[must_use]
    pub fn count(&self, fate: Fate, in_work: &BTreeSet<KeyId>) -> u32 {
        let named = u32::try_from(self.keys(fate, in_work).count()).unwrap_or(u32::MAX);
        named.saturating_add(if fate == Fate::Unreadable { self.nameless } else { 0 })
    }

    /// Keys set aside by the station's own count: all that came to an end and were not made.
    #[must_use]
    pub fn set_aside(&self, in_work: &BTreeSet<KeyId>) -> u32 {
        ASIDE.iter().map(|fate| self.count(*fate, in_work)).sum()
    }

    /// The balance with what staff counted. Keys that were not put back are in no box.
    #[must_use]
    pub fn balance(&self, counted: Counted, in_work: &BTreeSet<KeyId>, at: &str) -> ShiftClosed {
        let lost = self.count(Fate::Lost, in_work);
        let set_aside =
            counted.boxed.map_or_else(|| self.set_aside(in_work), |boxed| boxed.saturating_add(lost));
        let aside = ASIDE.iter().flat_map(|fate| self.keys(*fate, in_work));
        ShiftClosed {
            opened: self.opened.clone(),
            closed: at.to_owned(),
            brought: self.brought,
            carried_in: u32::try_from(self.carried.len()).unwrap_or(u32::MAX),
            made: self.count(Fate::Made, in_work),
            set_aside,
            carried_out: u32::try_from(in_work.len()).unwrap_or(u32::MAX),
            left: counted.left,
            reason: String::new(),
            keys: aside.chain(in_work).take(KEYS_REPORTED_MAX).cloned().collect(),
        }
    }
}

/// The fates of keys that are set aside.
pub const ASIDE: [Fate; 5] =
    [Fate::Spoiled, Fate::Locked, Fate::WrongFactoryKey, Fate::Unreadable, Fate::Lost];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use model::KeyId;
    use proptest::prelude::*;

    use super::{ASIDE, Books, Counted, Fate, Record};

    const AT: &str = "2026-11-22T08:00:00.000Z";

    fn key(number: usize) -> KeyId {
        KeyId::new("ukey", "virtual", &format!("V{number:07}")).unwrap()
    }

    fn books(records: &[Record]) -> Books {
        records.iter().fold(Books::default(), |books, record| books.apply(record).unwrap())
    }

    fn opened(brought: u32, carried: &[usize]) -> Record {
        Record::Opened { brought, carried: carried.iter().copied().map(key).collect(), at: AT.to_owned() }
    }

    #[test]
    fn n12_a_shift_balances_by_what_became_of_each_key() {
        let fate = |number, fate| Record::Key { key: key(number), fate };
        let books = books(&[
            opened(8, &[9]),
            Record::Added { count: 2, at: AT.to_owned() },
            fate(1, Fate::Made),
            fate(1, Fate::Made),
            fate(2, Fate::Lost),
            fate(3, Fate::Locked),
            // It had another factory key under a wrong profile, and was made in the end.
            fate(4, Fate::WrongFactoryKey),
            fate(4, Fate::Made),
            fate(9, Fate::Made),
            // Noted as made, and the station stopped before its job ended: it is in work still.
            fate(5, Fate::Made),
            Record::Nameless,
        ]);
        let in_work = BTreeSet::from([key(5)]);
        let closed = books.balance(Counted { left: 5, boxed: None }, &in_work, AT);
        assert_eq!((closed.brought, closed.carried_in, closed.made), (10, 1, 3));
        assert_eq!((closed.set_aside, closed.carried_out, closed.difference()), (3, 1, -1));
        assert_eq!(books.balance(Counted { left: 4, boxed: None }, &in_work, AT).difference(), 0);
        // The box has the locked one and one that could not be read: the one not put back is in no box.
        assert_eq!(books.balance(Counted { left: 4, boxed: Some(2) }, &in_work, AT).difference(), 0);
        assert_eq!(books.balance(Counted { left: 4, boxed: Some(1) }, &in_work, AT).difference(), 1);
    }

    /// What may happen to a key at the bench.
    #[derive(Clone, Debug)]
    enum Turn {
        Deliver(u32),
        Begin(usize),
        Untouched(usize),
        End(usize, Fate),
        Vanish,
        Strange(usize),
    }

    fn turn() -> impl Strategy<Value = Turn> {
        let fate = proptest::sample::select([&[Fate::Made][..], &ASIDE].concat());
        prop_oneof![
            (1..5_u32).prop_map(Turn::Deliver),
            (0..40_usize).prop_map(Turn::Begin),
            (0..40_usize).prop_map(Turn::Untouched),
            (0..40_usize, fate).prop_map(|(number, fate)| Turn::End(number, fate)),
            Just(Turn::Vanish),
            (0..3_usize).prop_map(Turn::Strange),
        ]
    }

    proptest! {
        /// A bench that knows where every blank really is: the books must find exactly what vanished and what was never brought.
        #[test]
        fn n12_any_shift_balances_or_says_by_how_much(
            first in 0..10_u32, carried in 0..3_usize, turns in proptest::collection::vec(turn(), 0..120),
        ) {
            let mut records = vec![opened(first, &(500..500 + carried).collect::<Vec<_>>())];
            let mut in_work: BTreeSet<KeyId> = (500..500 + carried).map(key).collect();
            let (mut blanks, mut gone, mut strange) = (first, 0_i64, BTreeSet::new());
            let mut ended = BTreeSet::new();
            for turn in turns {
                match turn {
                    Turn::Deliver(count) => {
                        blanks += count;
                        records.push(Record::Added { count, at: AT.to_owned() });
                    }
                    Turn::Begin(number) if blanks > 0 && !ended.contains(&key(number)) => {
                        blanks -= u32::from(in_work.insert(key(number)));
                    }
                    Turn::Untouched(number) => blanks += u32::from(in_work.remove(&key(number))),
                    Turn::End(number, fate) => {
                        let key = in_work.iter().nth(number % in_work.len().max(1)).cloned();
                        if let Some(key) = key {
                            in_work.remove(&key);
                            ended.insert(key.clone());
                            records.push(Record::Key { key: key.clone(), fate });
                            records.push(Record::Key { key, fate });
                        }
                    }
                    Turn::Vanish if blanks > 0 => {
                        blanks -= 1;
                        gone += 1;
                    }
                    Turn::Strange(number) => {
                        strange.insert(number);
                        records.push(Record::Key { key: key(900 + number), fate: Fate::Made });
                    }
                    Turn::Begin(_) | Turn::Vanish => {}
                }
            }
            let closed = books(&records).balance(Counted { left: blanks, boxed: None }, &in_work, AT);
            prop_assert_eq!(closed.difference(), gone - i64::try_from(strange.len()).unwrap());
        }
    }
}
