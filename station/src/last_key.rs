//! The key that each slot dealt with last, and what the slot shows of it: plugged again, or still in when the station starts again, it shows
//! the same again. Without that a good key would look like one that is no blank.

use std::collections::BTreeMap;

use model::{KeyId, Outcome, SlotName};
use wire::{SlotPhase, SlotStatus};
use workflow::{Begun, Ended, State};

use crate::bench::Bench;

/// A key that a slot is done with, and what the slot shows of it.
pub type LastKey = (KeyId, SlotStatus);

/// What a slot shows of a job that ended on a key, `percent` of its steps done.
#[must_use]
pub fn shown(begun: &Begun, ended: &Ended, percent: u8) -> SlotStatus {
    let passed = ended.outcome == Outcome::Pass;
    SlotStatus {
        slot: begun.slot.clone(),
        phase: if passed { SlotPhase::Passed } else { SlotPhase::Failed },
        key_serial: Some(begun.key.serial().to_owned()),
        job: Some(begun.order.job.clone()),
        holder: Some(begun.order.holder.clone()),
        step: None,
        percent: if passed { 100 } else { percent },
        message: ended.detail.clone(),
    }
}

/// What the journal knows of each slot's last key. A key that was not written to is a blank as before, and no slot is done with it.
///
/// # Errors
/// Where the journal cannot be read or a record cannot follow.
pub fn recover(bench: &Bench) -> anyhow::Result<BTreeMap<SlotName, LastKey>> {
    let mut last: BTreeMap<SlotName, (i64, String)> = BTreeMap::new();
    for stream in bench.journal.streams()?.into_iter().chain(bench.journal.finished()?) {
        let Some((slot, at)) = slot_and_time(&stream) else { continue };
        if last.get(&slot).is_none_or(|(known, _)| *known < at) {
            last.insert(slot, (at, stream));
        }
    }
    let mut keys = BTreeMap::new();
    for (slot, (_, stream)) in last {
        if let State::Ended(begun, ended) = bench.state(&stream)?
            && ended.key_touched
        {
            let shown = shown(&begun, &ended, 0);
            keys.insert(slot, (begun.key, shown));
        }
    }
    Ok(keys)
}

/// Of `job/<job>/<slot>/<milliseconds>`.
fn slot_and_time(stream: &str) -> Option<(SlotName, i64)> {
    let mut parts = stream.strip_prefix("job/")?.rsplit('/');
    let (at, slot) = (parts.next()?, parts.next()?);
    Some((slot.parse().ok()?, at.parse().ok()?))
}
