//! What the portal says: answers go to whoever waits for them, acknowledgements and refusals of reports to the outbox.

use wire::{Down, RefusedCode};

use crate::{bench::Bench, outbox::Outbox};

/// Takes one message. Whatever its bytes are, nothing panics and nothing is lost.
pub fn take(bench: &Bench, outbox: &Outbox, payload: &[u8]) {
    match wire::decode::<Down>(payload) {
        Ok((_, Down::Ack(ack))) => {
            let kept = outbox.acknowledged(bench, &ack.report).and_then(|()| match &ack.portal_head {
                Some(head) => outbox.portal_heads.keep(&bench.journal, head, &*bench.time),
                None => Ok(()),
            });
            if let Err(error) = kept {
                bench.stop_for(&error);
            }
        }
        Ok((id, Down::Refused(refused))) if refused.code == RefusedCode::Invalid && is_report(&id) => {
            if let Err(error) = bench.parking.park(&id, &refused.detail, &bench.time.now()) {
                bench.stop_for(&error);
            }
        }
        Ok((id, body)) => {
            if !bench.link.answer(&id, body) {
                tracing::debug!(id, "an answer that nobody waits for any more");
            }
        }
        Err(error) => {
            tracing::error!(%error, bytes = payload.len(), "a message of the portal cannot be read; it is left out");
        }
    }
}

/// Ids of reports name the event; ids of requests are random.
fn is_report(id: &str) -> bool {
    ["ended:", "refused:", "label:", "breaker:", "shift:"].iter().any(|kind| id.starts_with(kind))
}
