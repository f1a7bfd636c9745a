//! Money, messages and invoices of the small stack, and each of their promises broken.

use super::{finds, good};
use crate::invariants::{
    Evidence, Kind,
    doubles::{GoneBack, Made, Sent, Trade},
    judge,
    ledger::{Change, Invoice, Message, Notice, Order, Payment, Refund},
};

/// Order `p` was paid by its second payment, and money that came late for the first went back. Order `r` was paid, made, invoiced and
/// refunded; order `h` came with a payment recorded by hand and was refunded by hand; order `d` waits for money. Of `a` and `b` is told.
pub(super) fn add(evidence: &mut Evidence) {
    let ledger = &mut evidence.ledger;
    let [free, owed] = [("customer", "awaiting_review"), ("customer", "awaiting_payment")];
    let [paid, recorded] = [("system", "awaiting_review"), ("import", "awaiting_review")];
    let [approved, labelled, packed] = [
        ("operator:x", "awaiting_production"),
        ("station:bench-1", "awaiting_delivery"),
        ("operator:z", "awaiting_delivery"),
    ];
    let [completed, back] = [("system", "completed"), ("operator:y", "refunded")];
    ledger.history =
        [history("a", &[free, approved, labelled, packed]), history("b", &[free, approved])].concat();
    for (number, steps) in [
        ("p", &[owed, paid][..]),
        ("r", &[owed, paid, approved, labelled, packed, completed, back]),
        ("h", &[recorded, back]),
        ("d", &[owed]),
    ] {
        let history = history(number, steps);
        let state = history.last().map(|change| change.to_state.clone()).unwrap();
        ledger.orders.push(Order { number: number.into(), state, quantity: 2, amount_fen: 100 });
        ledger.history.extend(history);
    }
    ledger.payments = vec![
        payment("p_1", "refunded", Some("surplus")),
        payment("p_2", "paid", None),
        payment("r_1", "refunded", None),
        payment("d_1", "open", None),
    ];
    ledger.refunds = ["p_1", "r_1"].map(refund).into();
    ledger.notices = vec![
        Notice { out_trade_no: "p_2".into(), status: "paid".into(), outcome: "paid".into() },
        Notice { out_trade_no: "x_1".into(), status: "paid".into(), outcome: "unknown".into() },
    ];
    ledger.approved_refunds = vec!["h".into()];
    ledger.messages = vec![
        message("a", "approved", 1, "arrived"),
        message("a", "shipped", 1, "sent"),
        Message { sends: 0, ..message("b", "approved", 1, "waiting") },
    ];
    ledger.invoices = vec![Invoice {
        order_number: "r".into(),
        state: "red".into(),
        red: 1,
        number: Some("26".into()),
        red_number: Some("27".into()),
    }];
    let doubles = &mut evidence.doubles;
    doubles.alipay = vec![
        trade("p_1", true, &["p_1R"]),
        trade("p_2", true, &[]),
        trade("r_1", true, &["r_1R"]),
        trade("d_1", false, &[]),
    ];
    doubles.sms = ["a-approved-1", "a-shipped-1", "", ""].map(|id| Sent { out_id: id.into() }).into();
    doubles.invoices = vec![Made {
        order_no: "r01".into(),
        amount: "1.00".into(),
        status: 2,
        number: "26".into(),
        red: Some(("Rr01".into(), "27".into())),
    }];
}

fn history(order: &str, steps: &[(&str, &str)]) -> Vec<Change> {
    let mut from_state = None;
    let change = |(who, to): &(&str, &str)| Change {
        order_number: order.into(),
        who: (*who).into(),
        from_state: from_state.replace((*to).to_owned()),
        to_state: (*to).into(),
    };
    steps.iter().map(change).collect()
}

fn payment(name: &str, state: &str, trouble: Option<&str>) -> Payment {
    let came = state != "open";
    Payment {
        out_trade_no: name.into(),
        order_number: name[..1].into(),
        amount_fen: 100,
        state: state.into(),
        trade_no: came.then(|| format!("alipay-{name}")),
        paid_fen: came.then_some(100),
        trouble: trouble.map(Into::into),
    }
}

fn refund(payment: &str) -> Refund {
    Refund {
        out_request_no: format!("{payment}R"),
        out_trade_no: payment.into(),
        amount_fen: 100,
        state: "done".into(),
    }
}

fn message(order: &str, kind: &str, n: usize, state: &str) -> Message {
    Message {
        id: format!("{order}-{kind}-{n}"),
        order_number: order.into(),
        kind: kind.into(),
        state: state.into(),
        sends: 1,
    }
}

fn trade(name: &str, paid: bool, refunds: &[&str]) -> Trade {
    let back = |name: &&str| GoneBack { out_request_no: (*name).into(), fen: 100 };
    Trade {
        out_trade_no: name.into(),
        trade_no: format!("alipay-{name}"),
        fen: 100,
        paid_ms: paid.then_some(1),
        acknowledged: paid,
        refunds: refunds.iter().map(back).collect(),
    }
}

/// What may be there must not be found.
#[track_caller]
fn finds_nothing(change: impl FnOnce(&mut Evidence)) {
    let mut evidence = good();
    change(&mut evidence);
    assert_eq!(judge(&evidence).violations, []);
}

#[test]
fn an_order_that_went_on_unpaid_or_was_paid_twice() {
    use Kind::{Doubled, Lost, Unaccounted};
    finds(Lost, "order p went on by a payment that is not there", |e| drop(e.ledger.payments.remove(1)));
    finds(Lost, "order p went on by a payment that is not there", |e| {
        e.ledger.payments[1].trouble = Some("amount".into());
    });
    finds(Unaccounted, "order h went on and nobody paid", |e| {
        let recorded = e.ledger.history.iter_mut().find(|change| change.who == "import");
        recorded.unwrap().who = "customer".into();
    });
    finds(Unaccounted, "order p went on and nobody paid: []", |e| {
        e.ledger.history.retain(|change| change.order_number != "p");
        e.ledger
            .history
            .extend(history("p", &[("customer", "rejected"), ("customer", "awaiting_review")]).pop());
    });
    finds(Lost, "order d is paid and awaiting_payment", |e| {
        e.ledger.payments[3] = payment("d_1", "paid", None)
    });
    finds(Doubled, "order p was paid by p_1 and by p_2", |e| e.ledger.payments[0].trouble = None);
    finds(Doubled, "order p was paid 2 times", |e| {
        e.ledger.history.extend(history("p", &[("import", "awaiting_review")]));
    });
    finds(Doubled, "the money of Alipay's trade alipay-p_2 is in", |e| {
        e.ledger.payments[2].trade_no = Some("alipay-p_2".into());
    });
    finds(Lost, "a notice said that d_1 is paid, was taken", |e| {
        e.ledger.notices[0].out_trade_no = "d_1".into();
    });
    finds(Unaccounted, "is for an order that is not there", |e| {
        e.ledger.payments[3].order_number = "x".into();
    });
    // Money of another amount waits for an operator, and the order for the right one.
    finds_nothing(|e| {
        e.ledger.payments[3] = Payment { paid_fen: Some(99), ..payment("d_1", "paid", Some("amount")) };
        e.doubles.alipay[3] = Trade { fen: 99, ..trade("d_1", true, &[]) };
    });
}

#[test]
fn an_amount_that_is_not_what_was_due() {
    use Kind::Unaccounted;
    finds(Unaccounted, "99 fen came for p_2 where 100 were due", |e| {
        e.ledger.payments[1].paid_fen = Some(99);
    });
    finds(Unaccounted, "100 fen came for p_2", |e| e.ledger.orders[2].amount_fen = 101);
    finds(Unaccounted, "p_2 is paid, of None fen", |e| e.ledger.payments[1].paid_fen = None);
    finds(Unaccounted, "d_1 is open, of Some(1) fen", |e| e.ledger.payments[3].paid_fen = Some(1));
    finds(Unaccounted, "99 fen of r_1 go back, and that is not what came", |e| {
        e.ledger.refunds[1].amount_fen = 99;
    });
}

#[test]
fn money_that_does_not_go_back_or_goes_back_twice() {
    use Kind::{Doubled, Lost, Unaccounted};
    finds(Lost, "order r is refunded and r_1 stays", |e| drop(e.ledger.refunds.remove(1)));
    finds(Lost, "order h is refunded and nothing says how", |e| e.ledger.approved_refunds.clear());
    finds(Doubled, "r_1 goes back 2 times", |e| e.ledger.refunds.push(refund("r_1")));
    finds(Lost, "nobody needs the money of p_1", |e| drop(e.ledger.refunds.remove(0)));
    finds(Unaccounted, "p_2 goes back and order p is awaiting_review", |e| {
        e.ledger.refunds.push(Refund { state: "wanted".into(), ..refund("p_2") });
    });
    finds(Unaccounted, "r_1 is paid and its refund is done: true", |e| {
        e.ledger.payments[2].state = "paid".into();
    });
    finds(Unaccounted, "p_1 is refunded and its refund is done: false", |e| {
        e.ledger.refunds[0].state = "stuck".into();
    });
    // A refund that is under way.
    finds_nothing(|e| {
        e.ledger.payments[2].state = "paid".into();
        e.ledger.refunds[1].state = "wanted".into();
    });
}

#[test]
fn money_at_alipay_that_is_not_money_here() {
    use Kind::{Doubled, Lost, Unaccounted};
    finds(Unaccounted, "Alipay has 100 fen of x_1, which is not known here", |e| {
        e.doubles.alipay[3] = trade("x_1", true, &[]);
    });
    finds(Unaccounted, "Alipay has 99 fen of p_2", |e| e.doubles.alipay[1].fen = 99);
    finds(Unaccounted, "here it is Some(100) as Some(\"alipay-p_2\")", |e| {
        e.doubles.alipay[1].trade_no = "x".into();
    });
    finds(Unaccounted, "p_2 is paid and Alipay has no money of it", |e| {
        e.doubles.alipay[1] = trade("p_2", false, &[]);
    });
    finds(Lost, "that d_1 is taken and it is open", |e| e.doubles.alipay[3] = trade("d_1", true, &[]));
    finds(Lost, "refund r_1R is done and at Alipay it is not", |e| e.doubles.alipay[2].refunds.clear());
    finds(Doubled, "r_1 went back 2 times", |e| {
        e.doubles.alipay[2] = trade("r_1", true, &["r_1R", "r_1R2"]);
    });
    finds(Unaccounted, "went back as p_2R, which nobody asked for", |e| {
        e.doubles.alipay[1] = trade("p_2", true, &["p_2R"]);
    });
    // Paid a moment ago: Alipay tells again, or is asked.
    finds_nothing(|e| e.doubles.alipay[3] = Trade { acknowledged: false, ..trade("d_1", true, &[]) });
}

#[test]
fn a_message_twice_or_of_what_did_not_happen() {
    use Kind::{Doubled, Lost, Unaccounted};
    finds(Unaccounted, "order p was never approved and that is told", |e| {
        e.ledger.messages.push(Message { sends: 0, ..message("p", "approved", 1, "waiting") });
    });
    finds(Unaccounted, "order a was never rejected", |e| e.ledger.messages[0].kind = "rejected".into());
    finds(Doubled, "order a was shipped 1 times and that is told 2 times", |e| {
        e.ledger.messages.push(Message { sends: 0, ..message("a", "shipped", 2, "waiting") });
    });
    finds(Doubled, "message a-shipped-1 was sent 2 times", |e| {
        e.doubles.sms[0].out_id = "a-shipped-1".into();
    });
    finds(Lost, "message a-shipped-1 is sent and the service has it not", |e| {
        drop(e.doubles.sms.remove(1));
    });
    finds(Unaccounted, "message b-approved-1 was sent and that is not on record", |e| {
        e.doubles.sms.push(Sent { out_id: "b-approved-1".into() });
    });
    finds(Unaccounted, "message a-rejected-1 was sent and nobody wrote it", |e| {
        e.doubles.sms.push(Sent { out_id: "a-rejected-1".into() });
    });
    // Its answer is missing: it may be there or not.
    finds_nothing(|e| e.ledger.messages[2] = message("b", "approved", 1, "sending"));
    finds_nothing(|e| {
        e.ledger.messages[2] = message("b", "approved", 1, "sending");
        e.doubles.sms.push(Sent { out_id: "b-approved-1".into() });
    });
}

#[test]
fn an_invoice_too_many_or_wrong_or_of_no_completed_order() {
    use Kind::{Doubled, Lost, Unaccounted};
    fn make(e: &mut Evidence, order_no: &str, status: u8) {
        let red = None;
        let made = Made { order_no: order_no.into(), status, red, ..e.doubles.invoices[0].clone() };
        e.doubles.invoices.push(made);
    }
    finds(Unaccounted, "has an invoice and was never completed", |e| {
        e.ledger.history.retain(|change| change.to_state != "completed");
    });
    finds(Lost, "order r is refunded and its invoice is issued", |e| {
        e.ledger.invoices[0].state = "issued".into();
    });
    finds(Unaccounted, "is red and the order is not refunded", |e| {
        e.ledger.orders[3].state = "completed".into();
    });
    finds(Unaccounted, "invoice r01 is red and order r is not refunded", |e| {
        e.ledger.orders[3].state = "completed".into();
    });
    finds(Lost, "which the provider has not", |e| e.doubles.invoices[0].number = "25".into());
    finds(Lost, "is red here and None at the provider", |e| e.doubles.invoices[0].red = None);
    finds(Unaccounted, "invoice p01 is of no order that has one", |e| make(e, "p01", 2));
    finds(Doubled, "order r has the invoices r01, r02", |e| make(e, "r02", 20));
    finds(Unaccounted, "invoice r01 is of 0.99 yuan, order r of 1.00", |e| {
        e.doubles.invoices[0].amount = "0.99".into();
    });
    // A try that failed is none.
    finds_nothing(|e| make(e, "r02", 22));
}
