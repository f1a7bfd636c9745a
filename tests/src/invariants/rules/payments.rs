//! No order goes on unpaid, none is paid twice, and all money is where the portal says: in its tables, at Alipay, or on its way back.

use super::{super::Evidence, Broken, shared};
use crate::invariants::ledger::{Ledger, Order, Payment, Refund};

const PLACE: &str = "portal: payments, orders";
const BACK: &str = "portal: refunds, payments";

pub(super) fn check(evidence: &Evidence, broken: &mut Broken) {
    let ledger = &evidence.ledger;
    for order in ledger.orders.iter().filter(|order| order.amount_fen > 0) {
        went_on(ledger, order, broken);
        if order.state == "refunded" {
            went_back(ledger, order, broken);
        }
    }
    for payment in &ledger.payments {
        came(ledger, payment, broken);
    }
    for refund in &ledger.refunds {
        goes_back(ledger, refund, broken);
    }
    for notice in
        ledger.notices.iter().filter(|notice| notice.status == "paid" && notice.outcome != "unknown")
    {
        if !of(ledger, &notice.out_trade_no).is_some_and(Payment::came) {
            let what =
                format!("a notice said that {} is paid, was taken, and it is not", notice.out_trade_no);
            broken.lost(what, "portal: payment_notices, payments");
        }
    }
    let trades = ledger
        .payments
        .iter()
        .filter_map(|payment| Some((payment.trade_no.as_ref()?, &payment.out_trade_no)));
    for (trade, payments) in shared(trades) {
        broken.doubled(format!("the money of Alipay's trade {trade} is in the payments {payments:?}"), PLACE);
    }
}

fn of<'a>(ledger: &'a Ledger, out_trade_no: &str) -> Option<&'a Payment> {
    ledger.payments.iter().find(|payment| payment.out_trade_no == out_trade_no)
}

fn paid_by<'a>(ledger: &'a Ledger, order: &Order) -> Vec<&'a Payment> {
    ledger
        .payments
        .iter()
        .filter(|payment| payment.order_number == order.number && payment.counts())
        .collect()
}

/// An order with a price comes to review by one payment: Alipay's, or one that somebody recorded.
fn went_on(ledger: &Ledger, order: &Order, broken: &mut Broken) {
    let number = &order.number;
    let paid = paid_by(ledger, order);
    if paid.len() > 1 {
        let all: Vec<&str> = paid.iter().map(|payment| payment.out_trade_no.as_str()).collect();
        broken.doubled(format!("order {number} was paid by {}", all.join(" and by ")), PLACE);
    }
    let on = |state: &str| !matches!(state, "draft" | "awaiting_payment" | "cancelled");
    let went_on = ledger.changes_of(number).any(|change| on(&change.to_state));
    let passed = ledger.changes_of(number).filter(|change| {
        let unpaid = matches!(change.from_state.as_deref(), None | Some("draft" | "awaiting_payment"));
        unpaid && on(&change.to_state)
    });
    let passed: Vec<&str> = passed.map(|change| change.who.as_str()).collect();
    match passed.as_slice() {
        [] if !went_on && !paid.is_empty() => {
            broken.lost(format!("order {number} is paid and {}", order.state), PLACE);
        }
        [] if !went_on => {}
        ["system"] if paid.is_empty() => {
            broken.lost(format!("order {number} went on by a payment that is not there"), PLACE);
        }
        ["system" | "import" | "command-line"] => {}
        [who] if who.starts_with("operator:") => {}
        [] | [_] => broken.unaccounted(format!("order {number} went on and nobody paid: {passed:?}"), PLACE),
        _ => broken.doubled(format!("order {number} was paid {} times", passed.len()), PLACE),
    }
}

/// What a refunded order was paid with goes back once; what was recorded by hand, by hand.
fn went_back(ledger: &Ledger, order: &Order, broken: &mut Broken) {
    let number = &order.number;
    let paid = paid_by(ledger, order);
    if paid.is_empty() && !ledger.approved_refunds.contains(number) {
        broken.lost(format!("order {number} is refunded and nothing says how its money went back"), BACK);
    }
    for payment in paid {
        match ledger.refunds.iter().filter(|refund| refund.out_trade_no == payment.out_trade_no).count() {
            0 => broken.lost(format!("order {number} is refunded and {} stays", payment.out_trade_no), BACK),
            1 => {}
            count => broken.doubled(format!("{} goes back {count} times", payment.out_trade_no), BACK),
        }
    }
}

/// A payment is what was due, or its trouble is on record and what nobody needs goes back.
fn came(ledger: &Ledger, payment: &Payment, broken: &mut Broken) {
    let (name, due) = (&payment.out_trade_no, payment.amount_fen);
    let Some(order) = ledger.order(&payment.order_number) else {
        return broken.unaccounted(format!("{name} is for an order that is not there"), PLACE);
    };
    let back = ledger.refunds.iter().find(|refund| refund.out_trade_no == *name);
    let done = back.is_some_and(|refund| refund.state == "done");
    if done != (payment.state == "refunded") {
        broken.unaccounted(format!("{name} is {} and its refund is done: {done}", payment.state), BACK);
    }
    match (payment.came(), payment.paid_fen, payment.trouble.as_deref()) {
        (false, None, None) => {}
        (true, Some(paid), None) if paid != due || paid != order.amount_fen => {
            broken.unaccounted(
                format!("{paid} fen came for {name} where {due} were due, and nobody looks"),
                PLACE,
            );
        }
        (true, Some(_), None) if back.is_some() && order.state != "refunded" => {
            broken
                .unaccounted(format!("{name} goes back and order {} is {}", order.number, order.state), BACK);
        }
        (true, Some(_), Some("surplus")) if back.is_none() => {
            broken.lost(format!("nobody needs the money of {name} and it does not go back"), BACK);
        }
        (true, Some(_), None | Some("surplus" | "amount")) => {}
        (_, paid, trouble) => {
            let what = format!("{name} is {}, of {paid:?} fen, with the trouble {trouble:?}", payment.state);
            broken.unaccounted(what, PLACE);
        }
    }
}

/// A refund sends back what came.
fn goes_back(ledger: &Ledger, refund: &Refund, broken: &mut Broken) {
    let paid = of(ledger, &refund.out_trade_no).filter(|payment| payment.came());
    if paid.and_then(|payment| payment.paid_fen) != Some(refund.amount_fen) {
        let (name, fen) = (&refund.out_trade_no, refund.amount_fen);
        broken.unaccounted(format!("{fen} fen of {name} go back, and that is not what came"), BACK);
    }
}
