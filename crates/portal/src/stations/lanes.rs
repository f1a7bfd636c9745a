//! Lanes: what one station sends is worked on beside what others send. Whoever sends more than is worked on waits for itself alone.

use std::{collections::HashMap, future::Future, sync::Arc};

use model::StationId;
use tokio::sync::Semaphore;

/// Messages of all stations worked on at once.
const ALL_AT_ONCE: usize = 32;
/// Messages of one station worked on at once.
const AT_ONCE: usize = 16;
/// Messages of one station in work or waiting: a full window of reports, and a question of every slot.
const PLACES: usize = 96;

/// The lanes of all stations. The broker's ACL makes their names trustworthy, so there are no more lanes than stations.
pub(super) struct Lanes {
    all: Arc<Semaphore>,
    lanes: HashMap<StationId, Lane>,
}

struct Lane {
    places: Arc<Semaphore>,
    at_once: Arc<Semaphore>,
    /// Messages that found no place.
    left: u64,
}

impl Lanes {
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(ALL_AT_ONCE)), lanes: HashMap::new() }
    }

    /// Works on a message in its station's lane. A message that finds no place is left unanswered: the station asks again, and its
    /// reports wait in its outbox.
    pub(super) fn spawn(&mut self, station: &StationId, work: impl Future<Output = ()> + Send + 'static) {
        let lane = self.lanes.entry(station.clone()).or_insert_with(Lane::new);
        let Ok(place) = lane.places.clone().try_acquire_owned() else {
            lane.left += 1;
            // A flood must not become one of the log.
            if lane.left.is_power_of_two() {
                tracing::warn!(%station, left = lane.left, "a station sends more than is worked on; messages are left unanswered");
            }
            return;
        };
        let (at_once, all) = (lane.at_once.clone(), self.all.clone());
        tokio::spawn(async move {
            let _place = place;
            // Nobody closes the two.
            if let (Ok(_one), Ok(_of_all)) = (at_once.acquire().await, all.acquire().await) {
                work.await;
            }
        });
    }
}

impl Lane {
    fn new() -> Self {
        let semaphore = |places| Arc::new(Semaphore::new(places));
        Self { places: semaphore(PLACES), at_once: semaphore(AT_ONCE), left: 0 }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a_flood_of_one_station_takes_no_place_of_another() {
        let (flooding, good) = ("bench-2".parse().unwrap(), "bench-1".parse().unwrap());
        let (mut lanes, gate) = (Lanes::new(), Arc::new(Semaphore::new(0)));
        let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..10 * PLACES {
            let (gate, begun, ended) = (gate.clone(), begun.clone(), ended.clone());
            lanes.spawn(&flooding, async move {
                begun.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                ended.fetch_add(1, Ordering::SeqCst);
            });
        }
        let answered = Arc::new(Notify::new());
        let answer = answered.clone();
        lanes.spawn(&good, async move { answer.notify_one() });
        answered.notified().await;
        assert_eq!((begun.load(Ordering::SeqCst), ended.load(Ordering::SeqCst)), (AT_ONCE, 0));
        // Those that found a place are worked on, the others never.
        gate.add_permits(10 * PLACES);
        let places = lanes.lanes[&flooding].places.clone();
        drop(places.acquire_many(u32::try_from(PLACES).unwrap()).await.unwrap());
        assert_eq!(ended.load(Ordering::SeqCst), PLACES);
        assert_eq!(lanes.lanes[&flooding].left, 9 * PLACES as u64);
    }
}
