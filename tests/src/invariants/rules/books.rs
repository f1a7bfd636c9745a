//! The books balance: keys that were registered are blank, bound, issued, spoiled or lost, and each is there.

use std::collections::{BTreeMap, BTreeSet};

use super::{super::Evidence, Broken};

/// All that can become of a registered key.
const ENDS: [&str; 5] = ["blank", "bound", "issued", "spoiled", "lost"];

pub(super) fn check(evidence: &Evidence, broken: &mut Broken) {
    let ledger = &evidence.ledger;
    if ledger.blanks.is_empty() {
        // This portal keeps no stock.
        return;
    }
    let registered: BTreeSet<&str> = ledger.blanks.iter().map(String::as_str).collect();
    for key in ledger.keys.iter().filter(|key| !registered.contains(key.key_id.as_str())) {
        let what = format!("key {} is {} and was never registered", key.key_id, key.state);
        broken.unaccounted(what, "portal: keys, blanks");
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for id in &registered {
        let state = ledger.key_state(id).unwrap_or("blank");
        let flash = evidence.flashes.iter().find(|flash| flash.id == **id);
        if flash.is_none() && state != "lost" {
            broken.lost(
                format!("key {id} was registered, is {state}, and nowhere to be found"),
                "portal: blanks; flash",
            );
        }
        // A blank that was begun and not bound yet is its station's.
        let begun = || evidence.books.iter().any(|book| book.has_in_hand(id, None));
        let honest = state != "blank" || flash.is_none_or(|flash| !flash.touched) || begun();
        *counts.entry(if honest { state } else { "written" }).or_default() += 1;
    }
    let sum: usize = ENDS.iter().filter_map(|state| counts.get(state)).sum();
    if sum != registered.len() {
        let what = format!("{} keys are registered, {sum} are accounted for: {counts:?}", registered.len());
        broken.unaccounted(what, "portal: blanks, keys; flash");
    }
}
