//! A completed order has one invoice of what was paid, and a refunded one has it taken back.

use super::{super::Evidence, Broken};
use crate::invariants::{
    doubles::Made,
    ledger::{Invoice, Order},
};

const PLACE: &str = "portal: invoices, orders";
const MADE: &str = "portal: invoices; invoice provider";

pub(super) fn check(evidence: &Evidence, broken: &mut Broken) {
    for invoice in &evidence.ledger.invoices {
        wanted(evidence, invoice, broken);
        made(evidence, invoice, broken);
    }
    for made in &evidence.doubles.invoices {
        let of = |invoice: &&Invoice| is_of(made, &invoice.order_number);
        if !evidence.ledger.invoices.iter().any(|invoice| of(&invoice)) {
            broken.unaccounted(format!("invoice {} is of no order that has one", made.order_no), MADE);
        }
    }
    for order in &evidence.ledger.orders {
        one(evidence, order, broken);
    }
}

/// At the provider an invoice is called by the order's number without its beginning, and two digits for the attempt.
fn is_of(made: &Made, order: &str) -> bool {
    let digits = order.get(7..).unwrap_or(order);
    made.order_no.strip_prefix(digits).is_some_and(|attempt| attempt.len() == 2)
}

/// An invoice is of an order that was completed, and taken back if, and only if, the order was refunded.
fn wanted(evidence: &Evidence, invoice: &Invoice, broken: &mut Broken) {
    let (ledger, number, state) = (&evidence.ledger, &invoice.order_number, &invoice.state);
    if !ledger.was(number, "completed") {
        broken.unaccounted(format!("order {number} has an invoice and was never completed"), PLACE);
    }
    let refunded = ledger.order(number).is_some_and(|order| order.state == "refunded");
    if invoice.red == 1 && !refunded {
        broken.unaccounted(
            format!("the invoice of order {number} is {state} and the order is not refunded"),
            PLACE,
        );
    }
    let stays =
        matches!(state.as_str(), "asked" | "issued" | "failed") || state == "submitted" && invoice.red == 0;
    if refunded && stays {
        broken.lost(format!("order {number} is refunded and its invoice is {state}"), PLACE);
    }
}

/// What is issued here is made there.
fn made(evidence: &Evidence, invoice: &Invoice, broken: &mut Broken) {
    let (number, state) = (&invoice.order_number, invoice.state.as_str());
    let mut there = evidence.doubles.invoices.iter().filter(|made| is_of(made, number));
    let blue = there.find(|made| Some(&made.number) == invoice.number.as_ref());
    if matches!(state, "issued" | "reddening" | "red" | "red_failed") && blue.is_none() {
        let what = format!("order {number} has the invoice {:?}, which the provider has not", invoice.number);
        broken.lost(what, MADE);
    }
    let red = blue.and_then(|made| made.red.as_ref()).map(|(_, number)| number);
    if state == "red" && red != invoice.red_number.as_ref() {
        broken.lost(format!("the invoice of order {number} is red here and {red:?} at the provider"), MADE);
    }
}

/// The provider has at most one of an order, of its amount, and a red one only of a refunded order.
fn one(evidence: &Evidence, order: &Order, broken: &mut Broken) {
    let number = &order.number;
    let there = evidence.doubles.invoices.iter().filter(|made| is_of(made, number) && made.counts());
    let there: Vec<&Made> = there.collect();
    if there.len() > 1 {
        let all: Vec<&str> = there.iter().map(|made| made.order_no.as_str()).collect();
        broken.doubled(format!("order {number} has the invoices {}", all.join(", ")), MADE);
    }
    let due = format!("{}.{:02}", order.amount_fen / 100, order.amount_fen % 100);
    for made in there {
        if made.amount != due {
            let (name, amount) = (&made.order_no, &made.amount);
            broken.unaccounted(format!("invoice {name} is of {amount} yuan, order {number} of {due}"), MADE);
        }
        if made.red.is_some() && order.state != "refunded" {
            broken.unaccounted(
                format!("invoice {} is red and order {number} is not refunded", made.order_no),
                MADE,
            );
        }
    }
}
