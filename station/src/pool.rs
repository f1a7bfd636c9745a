//! The jobs leased to this station: which wait for a blank, which are in work, which wait for an acknowledgement.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use model::JobId;
use wire::JobOrder;

/// Where a leased job stands at this station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// No blank has it yet.
    Waiting,
    /// A slot works on it, or waits for its key to come back.
    InWork,
    /// Ended; the report is not acknowledged yet.
    Reported,
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<JobOrder>,
    places: BTreeMap<JobId, Place>,
    /// Profiles of blanks that wait and have no job; true once the portal was asked for them in vain.
    wanted: BTreeMap<String, bool>,
    closed: bool,
}

/// The pool. Clones share it.
#[derive(Clone, Default)]
pub struct Pool {
    shared: Arc<(Mutex<Inner>, Condvar)>,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves the queue itself whole: every change below is a single step.
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds leased jobs. One that is here already, in whatever place, is left alone.
    pub fn add(&self, jobs: Vec<JobOrder>) {
        let mut inner = self.lock();
        for order in jobs {
            if !inner.places.contains_key(&order.job) {
                inner.places.insert(order.job.clone(), Place::Waiting);
                inner.queue.push_back(order);
            }
        }
        self.shared.1.notify_all();
    }

    /// Marks a job as in work that did not come from the queue (found in the journal at start).
    pub fn adopt(&self, job: JobId) {
        let mut inner = self.lock();
        inner.queue.retain(|order| order.job != job);
        inner.places.insert(job, Place::InWork);
    }

    /// Takes the first job that a key of `profile` may serve, waiting for one at most `timeout`.
    pub fn take(&self, profile: &str, timeout: Duration) -> Option<JobOrder> {
        let fits = |inner: &Inner| inner.queue.iter().position(|order| allows(order, profile));
        let guard = self.lock();
        let (mut inner, _) = self
            .shared
            .1
            .wait_timeout_while(guard, timeout, |inner| !inner.closed && fits(inner).is_none())
            .unwrap_or_else(PoisonError::into_inner);
        if inner.closed {
            return None;
        }
        let Some(at) = fits(&inner) else {
            inner.wanted.entry(profile.to_owned()).or_insert(false);
            return None;
        };
        let order = inner.queue.remove(at)?;
        inner.wanted.remove(profile);
        inner.places.insert(order.job.clone(), Place::InWork);
        Some(order)
    }

    /// Puts back a job that was taken and not begun.
    pub fn give_back(&self, order: JobOrder) {
        let mut inner = self.lock();
        inner.places.insert(order.job.clone(), Place::Waiting);
        inner.queue.push_front(order);
        self.shared.1.notify_all();
    }

    /// Profiles of blanks that wait although jobs are here: the portal is asked for jobs for these alone.
    #[must_use]
    pub fn wanted(&self) -> Vec<String> {
        self.lock().wanted.keys().cloned().collect()
    }

    /// The portal was asked for jobs for these profiles; whatever it had is in the queue.
    pub fn asked(&self, profiles: &[String]) {
        let mut inner = self.lock();
        for profile in profiles {
            if let Some(in_vain) = inner.wanted.get_mut(profile) {
                *in_vain = true;
            }
        }
    }

    /// Whether jobs wait, none of which a key of `profile` may serve, and the portal has none either: the key is of the wrong model.
    #[must_use]
    pub fn only_other_models_wait(&self, profile: &str) -> bool {
        let inner = self.lock();
        let in_vain = inner.wanted.get(profile) == Some(&true);
        in_vain && !inner.queue.is_empty() && !inner.queue.iter().any(|order| allows(order, profile))
    }

    /// A blank of `profile` waits no longer.
    pub fn no_longer_wanted(&self, profile: &str) {
        self.lock().wanted.remove(profile);
    }

    /// The job ended and its report is in the outbox.
    pub fn reported(&self, job: &JobId) {
        self.lock().places.insert(job.clone(), Place::Reported);
    }

    /// The portal has the report: if the job is still ours it will be leased again.
    pub fn forget(&self, job: &JobId) {
        let mut inner = self.lock();
        if inner.places.get(job) == Some(&Place::Reported) {
            inner.places.remove(job);
        }
    }

    /// These leases are lost: those not begun are dropped.
    pub fn lost(&self, jobs: &[JobId]) {
        let mut inner = self.lock();
        for job in jobs {
            if inner.places.get(job) == Some(&Place::Waiting) {
                inner.places.remove(job);
                inner.queue.retain(|order| order.job != *job);
            }
        }
    }

    /// Every job that the portal must not lease again now.
    #[must_use]
    pub fn holding(&self) -> Vec<JobId> {
        self.lock().places.keys().cloned().collect()
    }

    /// How many jobs wait for a blank.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().queue.len()
    }

    /// Ends all waiting: nobody gets a job any more.
    pub fn close(&self) {
        self.lock().closed = true;
        self.shared.1.notify_all();
    }
}

fn allows(order: &JobOrder, profile: &str) -> bool {
    order.profiles.is_empty() || order.profiles.iter().any(|allowed| allowed == profile)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use wire::{CertificateKind, JobOrder};

    use super::Pool;

    fn job(index: u16, profiles: &[&str]) -> JobOrder {
        JobOrder {
            job: format!("SAAS120261122093000000001-{index}").parse().unwrap(),
            quantity: 2,
            programme: "p".into(),
            programme_title: "项目".into(),
            holder: "测试单位".into(),
            certificate: CertificateKind::Unit,
            profiles: profiles.iter().map(|&p| p.to_owned()).collect(),
        }
    }

    #[test]
    fn a_job_is_given_once_and_leased_again_only_after_the_acknowledgement() {
        let pool = Pool::default();
        pool.add(vec![job(1, &[])]);
        pool.add(vec![job(1, &[])]);
        let taken = pool.take("ukey/virtual", Duration::ZERO).unwrap();
        assert!(pool.take("ukey/virtual", Duration::ZERO).is_none());
        pool.reported(&taken.job);
        pool.add(vec![job(1, &[])]);
        assert!(pool.take("ukey/virtual", Duration::ZERO).is_none(), "its report is not acknowledged yet");
        pool.forget(&taken.job);
        pool.add(vec![job(1, &[])]);
        assert!(pool.take("ukey/virtual", Duration::ZERO).is_some());
    }

    #[test]
    fn a_key_of_another_model_gets_nothing_and_is_told_so() {
        let pool = Pool::default();
        pool.add(vec![job(1, &["longmai/gm3000"])]);
        assert!(pool.take("ukey/virtual", Duration::ZERO).is_none());
        assert!(!pool.only_other_models_wait("ukey/virtual"), "the portal may have one");
        assert_eq!(pool.wanted(), ["ukey/virtual"]);
        pool.asked(&pool.wanted());
        assert!(pool.only_other_models_wait("ukey/virtual"));
        assert!(pool.take("longmai/gm3000", Duration::ZERO).is_some());
        assert!(!pool.only_other_models_wait("ukey/virtual"));
    }

    #[test]
    fn a_lost_lease_takes_away_only_what_was_not_begun() {
        let pool = Pool::default();
        pool.add(vec![job(1, &[]), job(2, &[])]);
        let begun = pool.take("x", Duration::ZERO).unwrap().job;
        let waiting = job(2, &[]).job;
        pool.lost(&[begun.clone(), waiting]);
        assert_eq!(pool.holding(), vec![begun]);
        assert_eq!(pool.waiting(), 0);
    }
}
