//! No two keys for a job, no key in two jobs, and no key was written on that nobody answers for.

use super::{super::Evidence, Broken, shared};
use crate::invariants::{flash::Flash, ledger::Key};

const PLACE: &str = "portal: keys, jobs, certificates";

pub(super) fn check(evidence: &Evidence, broken: &mut Broken) {
    one_each(evidence, broken);
    for key in &evidence.ledger.keys {
        known(evidence, key, broken);
    }
    for flash in &evidence.flashes {
        answered_for(evidence, flash, broken);
    }
    let touched = evidence.flashes.iter().filter(|flash| flash.touched);
    for (id, files) in shared(touched.map(|flash| (flash.id.as_str(), flash.file.as_path()))) {
        broken.doubled(format!("there are two written keys {id}"), format!("{files:?}"));
    }
}

fn one_each(evidence: &Evidence, broken: &mut Broken) {
    let ledger = &evidence.ledger;
    let live = ledger.keys.iter().filter(|key| matches!(key.state.as_str(), "bound" | "issued"));
    let of_keys = live.filter_map(|key| Some((key.job.as_deref()?, key.key_id.as_str())));
    let of_jobs = ledger.jobs.iter().filter_map(|job| Some((job.job.as_str(), job.key_id.as_deref()?)));
    let valid = ledger.certificates.iter().filter(|certificate| !certificate.revoked());
    let of_certificates = valid.map(|certificate| (certificate.job.as_str(), certificate.key_id.as_str()));
    let everywhere: Vec<(&str, &str)> = of_keys.chain(of_jobs).chain(of_certificates).collect();
    for (job, keys) in shared(everywhere.iter().copied()) {
        broken.doubled(format!("job {job} has the keys {}", keys.join(", ")), PLACE);
    }
    for (key, jobs) in shared(everywhere.iter().map(|(job, key)| (*key, *job))) {
        broken.doubled(format!("key {key} serves the jobs {}", jobs.join(", ")), PLACE);
    }
}

/// A key of the register has a job if it must, and its job knows it.
fn known(evidence: &Evidence, key: &Key, broken: &mut Broken) {
    let id = &key.key_id;
    let agreed = match key.state.as_str() {
        "bound" | "issued" => {
            let job = evidence.ledger.jobs.iter().find(|job| Some(&job.job) == key.job.as_ref());
            job.is_some_and(|job| job.key_id.as_ref() == Some(id))
        }
        "blank" => key.job.is_none() && evidence.ledger.valid_of(id).next().is_none(),
        "spoiled" | "lost" => {
            if evidence.ledger.valid_of(id).next().is_some() {
                let what = format!("key {id} is {} and has certificates that are not revoked", key.state);
                broken.unaccounted(what, "portal: keys, certificates");
            }
            true
        }
        _ => false,
    };
    if !agreed {
        broken.unaccounted(
            format!("key {id} is {} for job {:?}, which does not know it", key.state, key.job),
            PLACE,
        );
    }
    if key.state != "lost" && !evidence.flashes.iter().any(|flash| flash.id == *id) {
        broken.lost(format!("key {id} is {} and nowhere to be found", key.state), "portal: keys; flash");
    }
}

/// What was written on is issued, set aside, or in work.
fn answered_for(evidence: &Evidence, flash: &Flash, broken: &mut Broken) {
    if !flash.touched {
        return;
    }
    let id = &flash.id;
    let in_hand = || evidence.books.iter().any(|book| book.has_in_hand(id, None));
    match evidence.ledger.key_state(id) {
        Some("issued" | "spoiled" | "lost") => {}
        _ if in_hand() => {}
        state => {
            let what = format!(
                "key {id} was written on, the portal has it as {state:?}, and no journal has it in work"
            );
            broken.unaccounted(what, flash.file.display().to_string());
        }
    }
}
