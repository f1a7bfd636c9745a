//! How many tries the device key of a key has left that refused ours: remembered over restarts, so that the last tries are never spent.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use journal::Journal;
use model::{KeyId, Outcome};
use serde::{Deserialize, Serialize};
use workflow::Ended;

use crate::series::fresh_stream;

/// Keys remembered; only keys that refused the factory key are.
const KEYS_MAX: usize = 10_000;
const KIND: &str = "tries/";
/// Of the key's name in the stream's; the record has the whole.
const NAME_BYTES_MAX: usize = 64;

/// What the stream of a key keeps.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    key: KeyId,
    left: u8,
}

/// The counts. Shared by all slots.
pub struct Tries {
    journal: Journal,
    /// Tries left, and the stream that says so.
    known: Mutex<BTreeMap<KeyId, (u8, String)>>,
}

impl Tries {
    /// Counts kept in `journal`. [`Tries::recover`] reads what the last run left.
    #[must_use]
    pub fn new(journal: Journal) -> Self {
        Self { journal, known: Mutex::default() }
    }

    /// Reads what the last run left.
    ///
    /// # Errors
    /// Where the journal holds a record that cannot be read.
    pub fn recover(&self) -> anyhow::Result<()> {
        for stream in self.journal.streams()?.into_iter().filter(|name| name.starts_with(KIND)) {
            if let Some(bytes) = self.journal.stream(&stream)?.last() {
                let record: Record = serde_json::from_slice(bytes)?;
                self.known().insert(record.key, (record.left, stream));
            }
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<KeyId, (u8, String)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The count that a key's device key was last heard to have.
    #[must_use]
    pub fn left(&self, key: &KeyId) -> Option<u8> {
        self.known().get(key).map(|(left, _)| *left)
    }

    /// Remembers what a job heard, for the next time the key is plugged, in whatever slot. Only a key that was made is forgotten: a job that
    /// ended before the device key was tried has heard nothing.
    ///
    /// # Errors
    /// Where the journal cannot be written.
    pub fn ended(&self, key: &KeyId, ended: &Ended) -> anyhow::Result<()> {
        let mut known = self.known();
        match ended.device_tries {
            Some(left) if known.get(key).is_some_and(|(known, _)| *known == left) => {}
            Some(left) => {
                let stream = match known.get(key) {
                    Some((_, stream)) => stream.clone(),
                    None if known.len() >= KEYS_MAX => {
                        tracing::error!(%key, left, "too many keys refused their factory key: this count is not remembered");
                        return Ok(());
                    }
                    None => fresh_stream(&self.journal, &ended.at, |start| stream_of(key, start))?,
                };
                self.journal.append(&stream, &serde_json::to_vec(&Record { key: key.clone(), left })?)?;
                known.insert(key.clone(), (left, stream));
            }
            None if ended.outcome == Outcome::Pass => {
                if let Some((_, stream)) = known.remove(key) {
                    self.journal.finish(&stream)?;
                }
            }
            None => {}
        }
        Ok(())
    }
}

/// The stream of a key, from the millisecond in which it begins.
fn stream_of(key: &KeyId, start: i64) -> String {
    let name: String = key.to_string().replace(' ', "_").chars().take(NAME_BYTES_MAX).collect();
    format!("{KIND}{name}/{start}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use journal::Journal;
    use model::{KeyId, Outcome};
    use workflow::Ended;

    use super::Tries;

    fn ended(outcome: Outcome, device_tries: Option<u8>) -> Ended {
        Ended {
            outcome,
            key_touched: false,
            refusal: None,
            device_tries,
            milliseconds: 1,
            sign_cert_serial: None,
            enc_cert_serial: None,
            detail: String::new(),
            at: "2026-11-22T08:00:00.000Z".to_owned(),
        }
    }

    fn open(journal: &Journal) -> Tries {
        let tries = Tries::new(journal.clone());
        tries.recover().unwrap();
        tries
    }

    #[test]
    fn a_count_is_kept_over_restarts_until_the_key_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyId::new("a maker", &"m".repeat(64), &"s".repeat(64)).unwrap();
        let other = KeyId::new("a maker", &"m".repeat(64), "another").unwrap();
        for turn in 0..3 {
            let journal = Journal::open(dir.path()).unwrap();
            let tries = open(&journal);
            match turn {
                0 => {
                    tries.ended(&key, &ended(Outcome::Fail, Some(3))).unwrap();
                    tries.ended(&other, &ended(Outcome::Fail, Some(5))).unwrap();
                    tries.ended(&key, &ended(Outcome::Fail, Some(2))).unwrap();
                    // A job that the portal refused tells nothing of the key.
                    tries.ended(&key, &ended(Outcome::Error, None)).unwrap();
                }
                1 => {
                    assert_eq!((tries.left(&key), tries.left(&other)), (Some(2), Some(5)));
                    tries.ended(&key, &ended(Outcome::Pass, None)).unwrap();
                    // And again from the start, within the same millisecond.
                    tries.ended(&key, &ended(Outcome::Fail, Some(1))).unwrap();
                }
                _ => assert_eq!((tries.left(&key), tries.left(&other)), (Some(1), Some(5))),
            }
            drop(tries);
            journal.sealed().unwrap();
        }
    }
}
