//! Money at Alipay is money in the portal's tables.

use super::{super::Evidence, Broken};
use crate::invariants::{doubles::Trade, ledger::Ledger};

const PLACE: &str = "portal: payments; Alipay";
const BACK: &str = "portal: refunds; Alipay";

pub(super) fn check(evidence: &Evidence, broken: &mut Broken) {
    let (ledger, trades) = (&evidence.ledger, &evidence.doubles.alipay);
    for trade in trades {
        if trade.paid_ms.is_some() {
            paid(ledger, trade, broken);
        }
        refunded(ledger, trade, broken);
    }
    for payment in ledger.payments.iter().filter(|payment| payment.came()) {
        let name = &payment.out_trade_no;
        if !trades.iter().any(|trade| trade.out_trade_no == *name && trade.paid_ms.is_some()) {
            broken.unaccounted(format!("{name} is {} and Alipay has no money of it", payment.state), PLACE);
        }
    }
    for refund in ledger.refunds.iter().filter(|refund| refund.state == "done") {
        let name = &refund.out_request_no;
        if !trades.iter().flat_map(|trade| &trade.refunds).any(|back| back.out_request_no == *name) {
            broken.lost(format!("refund {name} is done and at Alipay it is not"), BACK);
        }
    }
}

/// What the portal does not have yet it must be able to learn of: it asks while the payment is open, and Alipay tells it until it was
/// answered.
fn paid(ledger: &Ledger, trade: &Trade, broken: &mut Broken) {
    let (name, fen) = (&trade.out_trade_no, trade.fen);
    match ledger.payments.iter().find(|payment| payment.out_trade_no == *name) {
        None => broken.unaccounted(format!("Alipay has {fen} fen of {name}, which is not known here"), PLACE),
        Some(payment) if payment.came() => {
            if payment.paid_fen != Some(fen) || payment.trade_no.as_ref() != Some(&trade.trade_no) {
                let (here, number) = (payment.paid_fen, &payment.trade_no);
                let what = format!(
                    "Alipay has {fen} fen of {name} as {}, here it is {here:?} as {number:?}",
                    trade.trade_no
                );
                broken.unaccounted(what, PLACE);
            }
        }
        Some(payment) if trade.acknowledged => {
            broken
                .lost(format!("Alipay was answered that {name} is taken and it is {}", payment.state), PLACE);
        }
        Some(_) => {}
    }
}

fn refunded(ledger: &Ledger, trade: &Trade, broken: &mut Broken) {
    let name = &trade.out_trade_no;
    if trade.refunds.len() > 1 {
        broken.doubled(format!("{name} went back {} times", trade.refunds.len()), BACK);
    }
    for back in &trade.refunds {
        let asked = ledger.refunds.iter().any(|refund| {
            refund.out_request_no == back.out_request_no
                && refund.out_trade_no == *name
                && refund.amount_fen == back.fen
        });
        if !asked {
            let what = format!(
                "{} fen of {name} went back as {}, which nobody asked for",
                back.fen, back.out_request_no
            );
            broken.unaccounted(what, BACK);
        }
    }
}
