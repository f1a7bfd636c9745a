//! The board: what every slot shows, in one place, for the kiosk screen and the portal.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use model::SlotName;
use tokio::sync::watch;
use wire::{SlotPhase, SlotStatus, Status};

/// All slots and the two counts beside them. Cheap to clone; every clone is the same board.
#[derive(Clone)]
pub struct Board {
    sender: watch::Sender<Status>,
    troubles: Arc<Mutex<BTreeSet<String>>>,
}

/// Troubles shown at once; more would not be read.
const TROUBLES_MAX: usize = 20;

impl Board {
    /// A board with every slot offline.
    #[must_use]
    pub fn new(slots: &[SlotName]) -> Self {
        let slots: BTreeMap<_, _> = slots.iter().map(|slot| (slot.clone(), blank(slot))).collect();
        let status = Status {
            online: true,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            slots: slots.into_values().collect(),
            outbox: 0,
            waiting_jobs: 0,
        };
        Self { sender: watch::Sender::new(status), troubles: Arc::default() }
    }

    /// Shows something that staff must look after, until the station is restarted.
    pub fn trouble(&self, text: String) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if troubles.len() < TROUBLES_MAX && troubles.insert(text) {
            drop(troubles);
            self.sender.send_modify(|_| {});
        }
    }

    /// Wakes all watchers: something that is shown beside the slots has changed.
    pub fn touch(&self) {
        self.sender.send_modify(|_| {});
    }

    /// What staff must look after.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Changes one slot. Watchers wake only if something is different afterwards.
    pub fn slot(&self, name: &SlotName, change: impl FnOnce(&mut SlotStatus)) {
        self.sender.send_if_modified(|status| {
            let Some(slot) = status.slots.iter_mut().find(|slot| slot.slot == *name) else { return false };
            let before = slot.clone();
            change(slot);
            *slot != before
        });
    }

    /// Shows a slot afresh: phase and message, nothing left of what was there.
    pub fn show(&self, name: &SlotName, phase: SlotPhase, message: impl Into<String>) {
        let message = message.into();
        self.slot(name, |slot| {
            *slot = blank(&slot.slot);
            slot.phase = phase;
            slot.message = message;
        });
    }

    /// Sets how many reports wait for the portal.
    pub fn outbox(&self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.sender.send_if_modified(|status| std::mem::replace(&mut status.outbox, count) != count);
    }

    /// Sets how many leased jobs wait for a blank.
    pub fn waiting_jobs(&self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.sender.send_if_modified(|status| std::mem::replace(&mut status.waiting_jobs, count) != count);
    }

    /// Follows the board.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Status> {
        self.sender.subscribe()
    }

    /// The board now.
    #[must_use]
    pub fn now(&self) -> Status {
        self.sender.borrow().clone()
    }
}

fn blank(slot: &SlotName) -> SlotStatus {
    SlotStatus {
        slot: slot.clone(),
        phase: SlotPhase::Offline,
        key_serial: None,
        job: None,
        holder: None,
        step: None,
        percent: 0,
        message: String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wire::SlotPhase;

    use super::Board;

    #[test]
    fn watchers_wake_on_change_only() {
        let slot: model::SlotName = "A01".parse().unwrap();
        let board = Board::new(std::slice::from_ref(&slot));
        let mut watcher = board.subscribe();
        watcher.mark_unchanged();
        board.outbox(0);
        assert!(!watcher.has_changed().unwrap());
        board.show(&slot, SlotPhase::Empty, "请插入空白钥匙");
        assert!(watcher.has_changed().unwrap());
        assert_eq!(board.now().slots[0].phase, SlotPhase::Empty);
    }
}
