//! Requests to the portal and their answers, over the broker.
//!
//! A request is repeated under the same id until it is answered or patience ends: everything on the wire is idempotent.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use model::StationId;
use wire::{Direction, Down, Status, Topic, Up};

use crate::{clock::Time, config::Patience};

/// The way to the broker. What it takes may be lost: whoever needs an answer sends again.
pub trait Publish: Send + Sync {
    /// Sends `bytes` to a topic.
    fn publish(&self, topic: &str, retain: bool, bytes: Vec<u8>);
}

/// The portal gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Patience ended.
    #[error("no answer of the portal within {0} s: look at the network, the broker and the portal")]
    TimedOut(u64),
    /// The station shuts down.
    #[error("the station is shutting down")]
    Closing,
}

/// The link. Clones share it.
#[derive(Clone)]
pub struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    station: StationId,
    publisher: Arc<dyn Publish>,
    patience: Patience,
    time: Arc<dyn Time>,
    pending: Mutex<HashMap<String, mpsc::SyncSender<Down>>>,
    closing: AtomicBool,
}

impl Link {
    /// A link that speaks for `station`. Calls that block must not be made on the threads of an async runtime.
    #[must_use]
    pub fn new(
        station: StationId,
        publisher: Arc<dyn Publish>,
        patience: Patience,
        time: Arc<dyn Time>,
    ) -> Self {
        let shared = Shared {
            station,
            publisher,
            patience,
            time,
            pending: Mutex::default(),
            closing: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn request(&self, body: &Up) -> Result<Down, NoAnswer> {
        let id = uuid::Uuid::new_v4().to_string();
        let (sender, receiver) = mpsc::sync_channel(1);
        self.pending().insert(id.clone(), sender);
        let answer = self.await_answer(&id, body, &receiver);
        self.pending().remove(&id);
        answer
    }

    fn await_answer(&self, id: &str, body: &Up, receiver: &mpsc::Receiver<Down>) -> Result<Down, NoAnswer> {
        let time = &self.shared.time;
        let until = time.elapsed() + self.shared.patience.answer();
        while time.elapsed() < until {
            self.send(id, body);
            let again = time.elapsed() + self.shared.patience.repeat();
            while time.elapsed() < again.min(until) {
                if self.shared.closing.load(Ordering::Relaxed) {
                    return Err(NoAnswer::Closing);
                }
                if let Ok(answer) = receiver.recv_timeout(time.block(Duration::from_millis(200))) {
                    return Ok(answer);
                }
            }
        }
        Err(NoAnswer::TimedOut(self.shared.patience.answer_seconds))
    }

    /// Sends once, without waiting for an answer. A failure is only logged: whoever needs an answer sends again.
    pub fn send(&self, id: &str, body: &Up) {
        match wire::encode(id, body) {
            Ok(bytes) => self.publish(Direction::Up, false, bytes),
            Err(error) => tracing::error!(%error, "a message could not be written"),
        }
    }

    /// Publishes the retained status.
    pub fn status(&self, status: &Status) {
        match wire::encode("status", status) {
            Ok(bytes) => self.publish(Direction::Status, true, bytes),
            Err(error) => tracing::error!(%error, "the status could not be written"),
        }
    }

    fn publish(&self, direction: Direction, retain: bool, bytes: Vec<u8>) {
        let topic = Topic::new(self.shared.station.clone(), direction).to_string();
        self.shared.publisher.publish(&topic, retain, bytes);
    }

    /// Hands an answer to whoever asked. False if nobody waits for it any more.
    pub fn answer(&self, id: &str, body: Down) -> bool {
        match self.pending().remove(id) {
            Some(waiting) => waiting.try_send(body).is_ok(),
            None => false,
        }
    }

    /// Ends all waiting.
    pub fn close(&self) {
        self.shared.closing.store(true, Ordering::Relaxed);
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, HashMap<String, mpsc::SyncSender<Down>>> {
        self.shared.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
