//! Requests being worked on. A station repeats what is not answered yet; a slow HSM must not be asked twice for it.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use model::StationId;

type Entries = Mutex<HashSet<(StationId, String)>>;

/// The requests in work, by station and message id. It never holds more than are worked on at once.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<Entries>);

/// A request in work; it leaves the set when this is dropped, also when the work is cut off.
pub(super) struct Entry {
    entries: Arc<Entries>,
    request: (StationId, String),
}

impl InFlight {
    /// Enters a request; `None` if it is in work already.
    pub(super) fn enter(&self, station: &StationId, id: &str) -> Option<Entry> {
        let request = (station.clone(), id.to_owned());
        let new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(request.clone());
        new.then(|| Entry { entries: self.0.clone(), request })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.request);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::InFlight;

    #[test]
    fn a_copy_waits_outside_until_the_first_is_done() {
        let (set, one, other) = (InFlight::default(), "bench-1".parse().unwrap(), "bench-2".parse().unwrap());
        let entry = set.enter(&one, "a");
        assert!(entry.is_some() && set.enter(&one, "a").is_none());
        assert!(set.enter(&one, "b").is_some() && set.enter(&other, "a").is_some());
        drop(entry);
        assert!(set.enter(&one, "a").is_some());
    }
}
