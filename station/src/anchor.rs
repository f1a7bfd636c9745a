//! Heads of hash chains: the journal's, signed and sent with each report, and the portal's, kept in the journal.
//!
//! So neither side can rewrite its history alone: the portal has heads of the station's journal, every station has heads of the portal's audit.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use gm::SigningKey;
use journal::{Journal, JournalError};
use wire::{Chain, PortalHead, SignedHead};

use crate::clock::Time;

/// A head of the portal is kept at most this often.
const PACE: Duration = Duration::from_secs(60);
/// Streams of portal heads, one an hour: `heads/2026-11-22T08:00Z`.
const STREAMS: &str = "heads/";

/// Where the journal stands, signed. `None` if it cannot be signed now: the report goes without, for key and order come first.
///
/// # Errors
/// The journal's.
pub fn signed(journal: &Journal, key: &SigningKey) -> Result<Option<SignedHead>, JournalError> {
    let (sequence, head) = journal.head()?;
    match key.sign(&Chain::Journal.message(sequence, &head)) {
        Ok(signature) => Ok(Some(SignedHead::new(sequence, &head, &signature))),
        Err(error) => {
            tracing::error!(%error, "the journal's head cannot be signed; reports go without it");
            Ok(None)
        }
    }
}

/// Keeps heads of the portal's audit.
#[derive(Default)]
pub struct PortalHeads {
    last: Mutex<Option<Duration>>,
}

impl PortalHeads {
    /// Keeps `head` in the journal unless one was kept within the last minute.
    ///
    /// # Errors
    /// Where the journal cannot be written.
    pub fn keep(&self, journal: &Journal, head: &PortalHead, time: &dyn Time) -> anyhow::Result<()> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = time.elapsed();
        if last.is_some_and(|at| now < at + PACE) {
            return Ok(());
        }
        *last = Some(now);
        drop(last);
        if let Err(why) = head.verified() {
            tracing::error!(%why, sequence = head.signed.sequence, "the portal's head proves nothing and is not kept");
            return Ok(());
        }
        write(journal, &time.now(), &serde_json::to_vec(head)?)
    }
}

/// Adds a record to the stream of this hour and finishes those of other hours.
fn write(journal: &Journal, now: &str, record: &[u8]) -> anyhow::Result<()> {
    let stream = format!("{STREAMS}{}:00Z", now.get(..13).unwrap_or(now));
    match journal.append(&stream, record) {
        Ok(_) => {}
        // The clock went back into an hour that is finished. It will be another hour soon.
        Err(error @ JournalError::Stream { .. }) => {
            tracing::warn!(%error, "the portal's head is not kept: was the clock set back?");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    for other in journal.streams()?.into_iter().filter(|name| name.starts_with(STREAMS) && *name != stream) {
        journal.finish(&other)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A minute to nine, and no time passes.
    struct Still;

    impl Time for Still {
        fn elapsed(&self) -> Duration {
            Duration::from_secs(5)
        }

        fn timestamp(&self) -> jiff::Timestamp {
            "2026-11-22T08:59:00Z".parse().unwrap()
        }

        fn sleep(&self, _: Duration) {}

        fn block(&self, _: Duration) -> Duration {
            Duration::ZERO
        }
    }

    fn head(sequence: u64) -> PortalHead {
        let key = SigningKey::generate().unwrap();
        let signature = key.sign(&Chain::Portal.message(sequence, &[9; 32])).unwrap();
        let signed = SignedHead::new(sequence, &[9; 32], &signature);
        PortalHead { signed, key: hex::encode(key.public_key().xy()) }
    }

    #[test]
    fn p8_the_journals_head_is_signed_as_it_stands() {
        let (journal, key) = (Journal::memory().unwrap(), SigningKey::generate().unwrap());
        for records in 0..3 {
            let signed = signed(&journal, &key).unwrap().unwrap();
            assert_eq!(signed.sequence, records);
            let head = signed.verified(Chain::Journal, &key.public_key()).unwrap();
            assert_eq!((records, head), journal.head().unwrap());
            journal.append("stream", b"record").unwrap();
        }
    }

    #[test]
    fn p8_heads_of_the_portal_are_kept_once_a_minute_in_streams_of_an_hour() {
        let (journal, heads) = (Journal::memory().unwrap(), PortalHeads::default());
        for sequence in 5..9 {
            heads.keep(&journal, &head(sequence), &Still).unwrap();
        }
        let kept = journal.stream("heads/2026-11-22T08:00Z").unwrap();
        assert_eq!(kept.len(), 1);
        let kept: PortalHead = serde_json::from_slice(&kept[0]).unwrap();
        assert_eq!((kept.signed.sequence, kept.verified()), (5, Ok([9; 32])));
        // The next hour ends the stream; a clock that is set back opens no finished stream and stops nothing.
        journal.append("job/other", b"record").unwrap();
        for (now, running) in [
            ("2026-11-22T09:00:01.000Z", "heads/2026-11-22T09:00Z"),
            ("2026-11-22T08:59:01.000Z", "heads/2026-11-22T09:00Z"),
            ("2026-11-22T09:01:01.000Z", "heads/2026-11-22T09:00Z"),
        ] {
            write(&journal, now, b"{}").unwrap();
            assert_eq!(journal.streams().unwrap(), [running, "job/other"]);
        }
        assert_eq!(journal.stream("heads/2026-11-22T09:00Z").unwrap().len(), 2);
        assert_eq!(journal.finished().unwrap(), ["heads/2026-11-22T08:00Z"]);
    }

    #[test]
    fn p8_a_head_that_proves_nothing_is_not_kept() {
        let (journal, heads) = (Journal::memory().unwrap(), PortalHeads::default());
        let mut wrong = head(5);
        wrong.signed.sequence += 1;
        heads.keep(&journal, &wrong, &Still).unwrap();
        assert_eq!(journal.streams().unwrap(), [""; 0]);
    }
}
