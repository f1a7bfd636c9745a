//! A brake on guessing passwords, by name and by address. In memory, bounded; a restart forgets it.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Wrong tries for one name within the window.
const NAME_TRIES: u32 = 5;
/// Wrong tries from one address within the window: an office shares one.
const ADDRESS_TRIES: u32 = 20;
const WINDOW_MS: i64 = 5 * 60 * 1000;
/// Names and addresses remembered. When full, the oldest is forgotten.
const ENTRIES_MAX: usize = 10_000;

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brake {
    /// Seconds until the next try.
    pub seconds: u64,
}

#[derive(Clone, Copy)]
struct Tries {
    since_ms: i64,
    wrong: u32,
}

/// Passwords hashed at once. Each takes 19 MiB: a flood of log-ins waits its turn instead of filling the memory.
const TURNS: usize = 2;

/// Wrong tries so far.
pub struct Throttle {
    entries: Mutex<BTreeMap<(Kind, String), Tries>>,
    turns: Semaphore,
    braked: AtomicU64,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { entries: Mutex::default(), turns: Semaphore::new(TURNS), braked: AtomicU64::new(0) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Name,
    Address,
}

impl Throttle {
    /// Whether another try is allowed now.
    ///
    /// # Errors
    /// [`Brake`] with the seconds to wait.
    pub fn may_try(&self, name: &str, address: &str, now_ms: i64) -> Result<(), Brake> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, most) in
            [((Kind::Name, short(name)), NAME_TRIES), ((Kind::Address, short(address)), ADDRESS_TRIES)]
        {
            if let Some(tries) = entries.get(&key) {
                let left_ms = tries.since_ms + WINDOW_MS - now_ms;
                if tries.wrong >= most && left_ms > 0 {
                    self.braked.fetch_add(1, Ordering::Relaxed);
                    return Err(Brake { seconds: left_ms.unsigned_abs().div_ceil(1000) });
                }
            }
        }
        Ok(())
    }

    /// Waits for a turn to hash; the turn lasts until what is given back is dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    /// How many tries were braked since this was asked last.
    pub fn take_braked(&self) -> u64 {
        self.braked.swap(0, Ordering::Relaxed)
    }

    /// A try was wrong.
    pub fn failed(&self, name: &str, address: &str, now_ms: i64) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for key in [(Kind::Name, short(name)), (Kind::Address, short(address))] {
            let fresh = Tries { since_ms: now_ms, wrong: 0 };
            let tries = entries.entry(key).or_insert(fresh);
            if tries.since_ms + WINDOW_MS <= now_ms {
                *tries = fresh;
            }
            tries.wrong = tries.wrong.saturating_add(1);
        }
        while entries.len() > ENTRIES_MAX {
            let oldest = entries.iter().min_by_key(|(_, tries)| tries.since_ms).map(|(key, _)| key.clone());
            match oldest {
                Some(key) => entries.remove(&key),
                None => break,
            };
        }
    }

    /// A try was right: the name starts afresh, the address does not.
    pub fn succeeded(&self, name: &str) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.remove(&(Kind::Name, short(name)));
    }
}

fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::{ADDRESS_TRIES, ENTRIES_MAX, NAME_TRIES, Throttle, WINDOW_MS};

    #[test]
    fn a_name_is_braked_after_its_tries_and_free_after_the_window() {
        let throttle = Throttle::default();
        for _ in 0..NAME_TRIES {
            assert!(throttle.may_try("li", "::1", 0).is_ok());
            throttle.failed("li", "::1", 0);
        }
        assert_eq!(throttle.may_try("li", "::1", 1000).map_err(|brake| brake.seconds), Err(299));
        assert!(throttle.may_try("wang", "::1", 1000).is_ok(), "another name is not braked");
        assert!(throttle.may_try("li", "::1", WINDOW_MS).is_ok());
    }

    #[test]
    fn an_address_is_braked_over_many_names() {
        let throttle = Throttle::default();
        for n in 0..ADDRESS_TRIES {
            throttle.failed(&format!("name{n}"), "10.0.0.9", 0);
        }
        assert!(throttle.may_try("fresh", "10.0.0.9", 0).is_err());
        assert!(throttle.may_try("fresh", "10.0.0.10", 0).is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        for n in 0..i64::try_from(ENTRIES_MAX).unwrap_or(0) {
            throttle.failed(&format!("name{n}"), "10.0.0.9", n);
        }
        let entries = throttle.entries.lock().map(|entries| entries.len()).unwrap_or_default();
        assert_eq!(entries, ENTRIES_MAX);
    }
}
