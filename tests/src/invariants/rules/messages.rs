//! A customer is told of what happened, of each change once, and of nothing else.

use std::collections::BTreeMap;

use super::{super::Evidence, Broken};

const PLACE: &str = "portal: messages, order_history";
const SENT: &str = "portal: messages; SMS service";

pub(super) fn check(evidence: &Evidence, broken: &mut Broken) {
    let (ledger, sms) = (&evidence.ledger, &evidence.doubles.sms);
    let mut told: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for message in &ledger.messages {
        *told.entry((&message.order_number, &message.kind)).or_default() += 1;
    }
    for ((order, kind), times) in told {
        let happened = ledger.changes_of(order).filter(|change| match kind {
            "approved" => change.is(Some("awaiting_review"), "awaiting_production"),
            "rejected" => change.is(None, "rejected"),
            "shipped" => change.is(Some("awaiting_delivery"), "awaiting_delivery"),
            _ => false,
        });
        match happened.count() {
            0 => broken.unaccounted(format!("order {order} was never {kind} and that is told"), PLACE),
            count if times > count => {
                broken.doubled(
                    format!("order {order} was {kind} {count} times and that is told {times} times"),
                    PLACE,
                );
            }
            _ => {}
        }
    }
    for message in &ledger.messages {
        let (id, state) = (&message.id, &message.state);
        match sms.iter().filter(|sent| sent.out_id == *id).count() {
            0 if matches!(state.as_str(), "sent" | "arrived") => {
                broken.lost(format!("message {id} is {state} and the service has it not"), SENT);
            }
            1 if message.sends == 0 => {
                broken.unaccounted(format!("message {id} was sent and that is not on record"), SENT);
            }
            0 | 1 => {}
            times => broken.doubled(format!("message {id} was sent {times} times"), SENT),
        }
    }
    // A code has no id.
    for sent in sms.iter().filter(|sent| !sent.out_id.is_empty()) {
        if !ledger.messages.iter().any(|message| message.id == sent.out_id) {
            broken.unaccounted(format!("message {} was sent and nobody wrote it", sent.out_id), SENT);
        }
    }
}
