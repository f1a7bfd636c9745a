//! The promises, a group a file. Each looks at all evidence and says what is broken.

mod alipay;
mod books;
mod certificates;
mod invoices;
mod keys;
mod messages;
mod orders;
mod parcels;
mod payments;
mod records;

use std::collections::BTreeMap;

use super::{Evidence, Kind, Violation};

/// Every rule on all evidence.
pub(super) fn all(evidence: &Evidence) -> Vec<Violation> {
    let mut broken = Broken::default();
    orders::check(evidence, &mut broken);
    parcels::check(evidence, &mut broken);
    payments::check(evidence, &mut broken);
    alipay::check(evidence, &mut broken);
    messages::check(evidence, &mut broken);
    invoices::check(evidence, &mut broken);
    keys::check(evidence, &mut broken);
    certificates::check(evidence, &mut broken);
    records::check(evidence, &mut broken);
    books::check(evidence, &mut broken);
    for (file, whose) in &evidence.leaks {
        broken.leaked(format!("a secret of {whose} can be read"), file.display().to_string());
    }
    broken.0
}

/// What is broken so far.
#[derive(Default)]
struct Broken(Vec<Violation>);

impl Broken {
    fn add(&mut self, kind: Kind, what: String, place: String) {
        self.0.push(Violation { kind, what, place });
    }

    fn lost(&mut self, what: impl Into<String>, place: impl Into<String>) {
        self.add(Kind::Lost, what.into(), place.into());
    }

    fn doubled(&mut self, what: impl Into<String>, place: impl Into<String>) {
        self.add(Kind::Doubled, what.into(), place.into());
    }

    fn unaccounted(&mut self, what: impl Into<String>, place: impl Into<String>) {
        self.add(Kind::Unaccounted, what.into(), place.into());
    }

    fn leaked(&mut self, what: impl Into<String>, place: impl Into<String>) {
        self.add(Kind::Leaked, what.into(), place.into());
    }
}

/// Those left sides that stand beside more than one right side, with all of these.
fn shared<L: Ord, R: Ord>(pairs: impl IntoIterator<Item = (L, R)>) -> Vec<(L, Vec<R>)> {
    let mut by_left: BTreeMap<L, Vec<R>> = BTreeMap::new();
    for (left, right) in pairs {
        by_left.entry(left).or_default().push(right);
    }
    for rights in by_left.values_mut() {
        rights.sort();
        rights.dedup();
    }
    by_left.into_iter().filter(|(_, rights)| rights.len() > 1).collect()
}
