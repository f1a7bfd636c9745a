//! A transport with time budgets: time spent in the key is counted, time spent elsewhere is not.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ukey::{CardTransport, TransportError};

/// What is left for the running step and for the whole job. Clones share it.
#[derive(Clone)]
pub(crate) struct Budget(Arc<Mutex<Left>>);

struct Left {
    step: Duration,
    job: Duration,
}

impl Budget {
    pub(crate) fn new(job: Duration) -> Self {
        Self(Arc::new(Mutex::new(Left { step: job, job })))
    }

    pub(crate) fn begin_step(&self, budget: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).step = budget;
    }

    fn spend(&self, spent: Duration) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.step = left.step.saturating_sub(spent);
        left.job = left.job.saturating_sub(spent);
    }

    fn is_spent(&self) -> bool {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.step.is_zero() || left.job.is_zero()
    }
}

/// Refuses the next command once a budget is spent. A command under way is never cut: what it did would be unknown.
pub(crate) struct Timed<T> {
    pub(crate) inner: T,
    pub(crate) budget: Budget,
}

impl<T: CardTransport> CardTransport for Timed<T> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        if self.budget.is_spent() {
            return Err(TransportError::TimedOut);
        }
        let before = Instant::now();
        let answer = self.inner.transmit(command);
        self.budget.spend(before.elapsed());
        answer
    }

    fn atr(&self) -> Option<&[u8]> {
        self.inner.atr()
    }
}
