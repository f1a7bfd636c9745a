//! When to stop, and what: one pure state over outcomes. `breakers.rs` keeps it.
//!
//! After `limit` bad keys in a row something is stopped, and the breaker says what: a slot, a hub, or a lot of blanks.
//!
//! - **Bad** is a key that failed or went over its time, that is locked, has another factory key, or cannot be read. What was our own fault
//!   or was given back counts neither way. A key that was made is good. The same key counts once, in the place where it was bad last.
//! - **In a row** is counted three times: a good key ends the row of its slot, the row of its hub, and the row of its lot, and nothing else.
//! - **The narrowest explanation wins**, looked for in this order after each bad key:
//!   1. a slot with `limit` bad keys in its row: the *slot* stops;
//!   2. a hub with `limit` bad keys in its row: the *hub* stops. Were the same lot bad in another hub as well, the lot's row would have been
//!      full before the hub's;
//!   3. a lot with `limit` bad keys in its row: the *lot* stops.
//! - What a stop explains is used up: its bad keys count no more for anything wider. While something is stopped, nothing is counted in it.
//! - A key without identity counts each time, and a key of an unknown lot for its slot and its hub alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use model::{KeyId, SlotName};
use serde::{Deserialize, Serialize};
use wire::BreakerScope;

/// What a breaker stops; printed as `slot/A01`, `hub/A`, `lot/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope {
    /// Slot, hub or lot.
    pub kind: BreakerScope,
    /// Its name.
    pub name: String,
}

impl Scope {
    /// For people, Chinese with a short English.
    #[must_use]
    pub fn zh(&self) -> String {
        let word = match self.kind {
            BreakerScope::Slot => "插槽",
            BreakerScope::Hub => "集线器",
            BreakerScope::Lot => "批次",
        };
        format!("{word} {}", self.name)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            BreakerScope::Slot => "slot",
            BreakerScope::Hub => "hub",
            BreakerScope::Lot => "lot",
        };
        write!(f, "{kind}/{}", self.name)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> String {
        scope.to_string()
    }
}

/// A text that names nothing that can be stopped.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0:?} is no breaker: it is slot/NAME, hub/NAME or lot/NAME (`ukey-station breaker list` lists them)"
)]
pub struct ScopeError(String);

impl FromStr for Scope {
    type Err = ScopeError;
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let error = || ScopeError(text.chars().take(80).collect());
        let (kind, name) = text.split_once('/').ok_or_else(error)?;
        let kind = match kind {
            "slot" => BreakerScope::Slot,
            "hub" => BreakerScope::Hub,
            "lot" => BreakerScope::Lot,
            _ => return Err(error()),
        };
        if name.is_empty() { Err(error()) } else { Ok(Self { kind, name: name.to_owned() }) }
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;
    fn try_from(text: String) -> Result<Self, ScopeError> {
        text.parse()
    }
}

/// Where a key was when it was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// The slot.
    pub slot: SlotName,
    /// The slot's hub.
    pub hub: String,
    /// The key's lot, if it is known.
    pub lot: Option<String>,
}

/// What the journal keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// A bad key.
    Bad {
        /// Where.
        spot: Spot,
        /// Which, if it could be told.
        key: Option<KeyId>,
    },
    /// A key that was made.
    Good {
        /// Where.
        spot: Spot,
    },
    /// Something was stopped.
    Opened {
        /// What.
        scope: Scope,
        /// Why, for people.
        why: String,
        /// When, RFC 3339.
        at: String,
    },
    /// Staff set it going again.
    Reset {
        /// What.
        scope: Scope,
        /// The reason that they gave.
        reason: String,
        /// When, RFC 3339.
        at: String,
    },
}

/// A bad key and the rows in which it still counts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    spot: Spot,
    key: Option<KeyId>,
    in_slot: bool,
    in_hub: bool,
    in_lot: bool,
}

impl Mark {
    fn counts_for(&self, scope: &Scope) -> bool {
        match scope.kind {
            BreakerScope::Slot => self.in_slot && self.spot.slot.as_str() == scope.name,
            BreakerScope::Hub => self.in_hub && self.spot.hub == scope.name,
            BreakerScope::Lot => self.in_lot && self.spot.lot.as_deref() == Some(scope.name.as_str()),
        }
    }
}

/// All breakers of a station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panel {
    limit: usize,
    marks: Vec<Mark>,
    open: BTreeMap<Scope, (String, String)>,
}

impl Panel {
    /// Nothing stopped, nothing counted; `limit` bad keys in a row stop something.
    #[must_use]
    pub fn new(limit: u8) -> Self {
        Self { limit: usize::from(limit.max(1)), marks: Vec::new(), open: BTreeMap::new() }
    }

    /// What is stopped, with the reason and the time, narrowest first.
    pub fn open(&self) -> impl Iterator<Item = (&Scope, &str, &str)> {
        self.open.iter().map(|(scope, (why, at))| (scope, why.as_str(), at.as_str()))
    }

    /// What stops a key in this spot, narrowest first.
    #[must_use]
    pub fn stops(&self, spot: &Spot) -> Option<(&Scope, &str)> {
        let found = scopes(spot).into_iter().find_map(|scope| self.open.get_key_value(&scope));
        found.map(|(scope, (why, _))| (scope, why.as_str()))
    }

    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.marks.is_empty() && self.open.is_empty()
    }

    /// Applies a record. One that changes nothing needs not be kept: then this gives false.
    pub fn apply(&mut self, record: &Record) -> bool {
        let before = self.clone();
        match record {
            Record::Bad { spot, key } => self.bad(spot, key.as_ref()),
            Record::Good { spot } => self.good(spot),
            Record::Opened { scope, why, at } => {
                self.marks.retain(|mark| !mark.counts_for(scope));
                self.open.insert(scope.clone(), (why.clone(), at.clone()));
            }
            Record::Reset { scope, .. } => drop(self.open.remove(scope)),
        }
        *self != before
    }

    fn bad(&mut self, spot: &Spot, key: Option<&KeyId>) {
        if self.stops(spot).is_some() {
            return;
        }
        self.marks.retain(|mark| key.is_none() || mark.key.as_ref() != key);
        let in_lot = spot.lot.is_some();
        self.marks.push(Mark { spot: spot.clone(), key: key.cloned(), in_slot: true, in_hub: true, in_lot });
    }

    fn good(&mut self, spot: &Spot) {
        for mark in &mut self.marks {
            mark.in_slot &= mark.spot.slot != spot.slot;
            mark.in_hub &= mark.spot.hub != spot.hub;
            mark.in_lot &= spot.lot.is_none() || mark.spot.lot != spot.lot;
        }
        self.marks.retain(|mark| mark.in_slot || mark.in_hub || mark.in_lot);
    }

    /// What must be stopped now, and the bad keys that say so: the rule of the module's head.
    #[must_use]
    pub fn due(&self) -> Option<(Scope, Vec<BadKey>)> {
        // `BTreeSet` sorts slots before hubs before lots: narrowest first.
        let scopes: BTreeSet<Scope> = self.marks.iter().flat_map(|mark| scopes(&mark.spot)).collect();
        scopes.into_iter().find_map(|scope| {
            let row: Vec<&Mark> = self.marks.iter().filter(|mark| mark.counts_for(&scope)).collect();
            let stops = row.len() >= self.limit;
            stops
                .then(|| (scope, row.iter().map(|mark| (mark.spot.slot.clone(), mark.key.clone())).collect()))
        })
    }
}

/// Where a bad key was, and which, if it could be told.
pub type BadKey = (SlotName, Option<KeyId>);

/// The slot, the hub and the lot of a spot.
fn scopes(spot: &Spot) -> Vec<Scope> {
    let slot = Scope { kind: BreakerScope::Slot, name: spot.slot.to_string() };
    let hub = Scope { kind: BreakerScope::Hub, name: spot.hub.clone() };
    let lot = spot.lot.as_ref().map(|lot| Scope { kind: BreakerScope::Lot, name: lot.clone() });
    [slot, hub].into_iter().chain(lot).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use model::KeyId;
    use proptest::prelude::*;

    use super::{Panel, Record, Scope, Spot};

    /// `A01:L1` is slot A01, hub A, lot L1; `A01` a key of no known lot.
    fn spot(text: &str) -> Spot {
        let (slot, lot) =
            text.split_once(':').map_or((text, None), |(slot, lot)| (slot, Some(lot.to_owned())));
        Spot { slot: slot.parse().unwrap(), hub: slot[..1].to_owned(), lot }
    }

    fn key(number: usize) -> Option<KeyId> {
        Some(KeyId::new("ukey", "virtual", &format!("V{number:07}")).unwrap())
    }

    /// Runs `-A01:L1` (bad) and `+A01:L1` (good) events, each a key of its own, and opens what is due; what is open at the end.
    fn open_after(events: &str) -> Vec<String> {
        let mut panel = Panel::new(3);
        for (number, event) in events.split_whitespace().enumerate() {
            let record = match event.split_at(1) {
                ("-", at) => Record::Bad { spot: spot(at), key: key(number) },
                (_, at) => Record::Good { spot: spot(at) },
            };
            panel.apply(&record);
            open_due(&mut panel);
        }
        panel.open().map(|(scope, ..)| scope.to_string()).collect()
    }

    fn open_due(panel: &mut Panel) -> usize {
        let mut opened = 0;
        while let Some((scope, _)) = panel.due() {
            panel.apply(&Record::Opened { scope, why: String::new(), at: String::new() });
            opened += 1;
        }
        opened
    }

    #[test]
    fn n5_the_narrowest_explanation_is_the_one_that_stops() {
        for (events, open) in [
            // One slot.
            ("-A01 -A01", &[][..]),
            ("-A01 -A01 -A01", &["slot/A01"]),
            ("-A01:L1 -A01:L1 -A01:L1", &["slot/A01"]),
            ("-A01 -A01 +A01 -A01 -A01", &[]),
            ("-A01 +A02 -A01 -A01", &["slot/A01"]),
            // One hub.
            ("-A01 -A02 -A03", &["hub/A"]),
            ("-A01:L1 -A02:L1 -A03:L1", &["hub/A"]),
            ("-A01:L1 -A02:L2 -A01:L1", &["hub/A"]),
            ("-A01 -A02 +A03 -A03", &[]),
            ("-A01 -A02 +B03 -A03", &["hub/A"]),
            ("-A01:L1 -B01:L2 -A02:L1 -A03:L1", &["hub/A"]),
            // A lot that was good in another hub after it was bad there explains nothing.
            ("-B01:L1 +B01:L1 -A01:L1 -A02:L1 -A03:L1", &["hub/A"]),
            // One lot.
            ("-A01:L1 -B01:L1 -C01:L1", &["lot/L1"]),
            ("-A01:L1 -A02:L1 -B01:L1", &["lot/L1"]),
            ("-A01:L1 -B01:L1 +A02:L2 -A03:L1", &["lot/L1"]),
            ("-A01:L1 +A01:L2 -A01:L1 +A01:L2 -A01:L1", &["lot/L1"]),
            ("-A01:L1 -B01:L1 +C01:L1 -C02:L1", &[]),
            // Unknown lots over several hubs are nobody's row.
            ("-A01 -B01 -C01 -D01", &[]),
            // What is explained counts no more for anything wider.
            ("-A01 -A01 -A01 -A02", &["slot/A01"]),
            ("-A01:L1 -A01:L1 -A01:L1 -B01:L1", &["slot/A01"]),
            ("-A01 -A01 -A01 -A02 -A03 -A04", &["slot/A01", "hub/A"]),
        ] {
            assert_eq!(open_after(events), open, "{events}");
        }
    }

    #[test]
    fn the_same_key_counts_once_and_where_it_was_last() {
        let mut panel = Panel::new(3);
        for slot in ["A01", "A02", "A03", "A01", "A01"] {
            panel.apply(&Record::Bad { spot: spot(slot), key: key(1) });
        }
        assert_eq!(panel.due(), None);
        for _ in 0..2 {
            panel.apply(&Record::Bad { spot: spot("A01"), key: None });
        }
        let (scope, keys) = panel.due().unwrap();
        assert_eq!((scope.to_string().as_str(), keys.len()), ("slot/A01", 3));
    }

    #[test]
    fn a_stopped_place_counts_nothing_until_it_is_reset_and_then_begins_anew() {
        let mut panel = Panel::new(2);
        let bad = |number| Record::Bad { spot: spot("A01"), key: key(number) };
        assert!(panel.apply(&bad(1)) && panel.apply(&bad(2)));
        assert_eq!(open_due(&mut panel), 1);
        assert!(!panel.apply(&bad(3)), "nothing new was learnt");
        assert!(panel.stops(&spot("A01")).is_some() && panel.stops(&spot("A02")).is_none());
        let scope: Scope = "slot/A01".parse().unwrap();
        assert!(panel.apply(&Record::Reset { scope, reason: "cleaned".into(), at: String::new() }));
        assert!(panel.is_clear());
        panel.apply(&bad(4));
        assert_eq!(panel.due(), None);
        assert!(panel.apply(&Record::Good { spot: spot("A01") }) && panel.is_clear());
    }

    #[test]
    fn scopes_read_back_as_printed() {
        for text in ["slot/A01", "hub/1-1.4", "lot/批次/一"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for text in ["", "slot", "slot/", "port/A01"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn bad_keys_without_end_always_stop_their_slot_and_one_stop_is_due_at_most(
            events in proptest::collection::vec((0..2_u8, 0..3_usize, 0..3_usize, any::<bool>()), 0..60),
            last in (0..3_usize, 0..3_usize),
        ) {
            let places = ["A01", "A02", "B01"];
            let lots = ["", ":L1", ":L2"];
            let at = |slot: usize, lot: usize| spot(&format!("{}{}", places[slot], lots[lot]));
            let mut panel = Panel::new(3);
            for (number, (_, slot, lot, good)) in events.iter().enumerate() {
                let spot = at(*slot, *lot);
                let record =
                    if *good { Record::Good { spot } } else { Record::Bad { spot, key: key(number) } };
                panel.apply(&record);
                prop_assert!(open_due(&mut panel) <= 1);
            }
            for number in 1000..1003 {
                panel.apply(&Record::Bad { spot: at(last.0, last.1), key: key(number) });
                open_due(&mut panel);
            }
            prop_assert!(panel.stops(&at(last.0, last.1)).is_some());
        }
    }
}
