//! Every order is finished with all its keys, or says where each of its jobs is; and its history says how it came there.

use super::{super::Evidence, Broken};
use crate::invariants::ledger::{Job, Order};

const PLACE: &str = "portal: orders, jobs";

pub(super) fn check(evidence: &Evidence, broken: &mut Broken) {
    for order in &evidence.ledger.orders {
        let last = evidence.ledger.changes_of(&order.number).last().map(|change| change.to_state.as_str());
        if last != Some(&order.state) {
            let what =
                format!("order {} is {} and its history ends with {last:?}", order.number, order.state);
            broken.lost(what, "portal: orders, order_history");
        }
        let jobs: Vec<&Job> = evidence.ledger.jobs_of(&order.number).collect();
        match order.state.as_str() {
            "draft" | "awaiting_payment" | "awaiting_review" | "rejected" if !jobs.is_empty() => {
                broken.unaccounted(format!("order {} is {} and has jobs", order.number, order.state), PLACE);
            }
            "awaiting_production" => {
                all_jobs(order, &jobs, broken);
                jobs.iter().for_each(|job| open(evidence, job, broken));
            }
            "awaiting_delivery" | "completed" => {
                all_jobs(order, &jobs, broken);
                jobs.iter().for_each(|job| made(evidence, job, broken));
                labelled(evidence, order, broken);
            }
            // Refunds, renewals and unlocking make no keys here.
            _ => {}
        }
    }
}

fn all_jobs(order: &Order, jobs: &[&Job], broken: &mut Broken) {
    if i64::try_from(jobs.len()) != Ok(order.quantity) {
        let what = format!("order {} of {} keys has {} jobs", order.number, order.quantity, jobs.len());
        broken.unaccounted(what, PLACE);
    }
}

/// A job that is done has a key that was issued for it.
fn made(evidence: &Evidence, job: &Job, broken: &mut Broken) {
    if job.state != "done" || job.outcome.as_deref() != Some("pass") {
        let (order, state) = (&job.order_number, &job.state);
        broken.unaccounted(format!("order {order} is finished and its job {} is {state}", job.job), PLACE);
    }
    let key = job.key_id.as_deref().and_then(|id| evidence.ledger.key(id));
    if !key.is_some_and(|key| key.state == "issued" && key.job.as_deref() == Some(&job.job)) {
        broken.lost(format!("job {} is done and no key was issued for it", job.job), "portal: jobs, keys");
    }
}

/// A job of an order in production says where it is.
fn open(evidence: &Evidence, job: &Job, broken: &mut Broken) {
    let key = job.key_id.as_deref();
    let told = match job.state.as_str() {
        "waiting" => key.is_none(),
        "leased" => job.station.is_some() && key.is_none_or(|key| in_work(evidence, key, job)),
        "stuck" => job.stuck_reason.is_some(),
        "done" => return made(evidence, job, broken),
        _ => false,
    };
    if !told {
        let what = format!("job {} is {} with key {key:?}: nobody has it in work", job.job, job.state);
        broken.unaccounted(what, "portal: jobs; journals");
    }
}

fn in_work(evidence: &Evidence, key: &str, job: &Job) -> bool {
    let bound = evidence.ledger.key(key).is_some_and(|key| key.state == "bound");
    let station = evidence.books.iter().filter(|book| Some(&book.station) == job.station.as_ref());
    bound && station.into_iter().any(|book| book.has_in_hand(key, Some(&job.job)))
}

fn labelled(evidence: &Evidence, order: &Order, broken: &mut Broken) {
    let number = &order.number;
    let Some(parcel) = evidence.ledger.parcel(number).filter(|parcel| !parcel.waybill.is_empty()) else {
        return broken.lost(format!("order {number} is finished and has no waybill"), "portal: parcels");
    };
    if !evidence.labels.contains(&parcel.waybill) {
        broken.lost(format!("waybill {} of order {number} has no label", parcel.waybill), "labels");
    }
    let said = evidence.ledger.reports.iter().any(|report| {
        report.refusal.is_none()
            && report.event["event"] == "label_printed"
            && report.event["order"] == number.as_str()
            && report.event["waybill"] == parcel.waybill.as_str()
    });
    if !said {
        broken.lost(
            format!("order {number} is finished and no report says its label was printed"),
            "portal: reports",
        );
    }
}
