//! The receiving end: messages and changes of the connection, in order.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rumqttc::{AsyncClient, Publish};
use tokio::sync::mpsc;

/// How soon an acknowledgement that found the link's queue full is tried again.
const ACK_PAUSE: Duration = Duration::from_millis(50);

/// What the inbox yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Connected, and subscriptions are asked for. Comes again after every `Offline`.
    Online,
    /// The connection is gone; the link tries again by itself.
    Offline,
    /// A message. It may come twice.
    Message(Message),
}

/// A message as the broker gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The topic.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
}

/// What the link's task puts into the inbox.
pub(crate) enum Delivery {
    Online,
    Offline,
    /// A publish and the connection it came on.
    Publish(Publish, u64),
}

/// The receiving end of a link. Dropping it ends the link.
pub struct Inbox {
    deliveries: mpsc::Receiver<Delivery>,
    client: AsyncClient,
    /// Counts connections: an acknowledgement counts only on the connection its message came on.
    connection: Arc<AtomicU64>,
    unacknowledged: VecDeque<(Publish, u64)>,
}

impl Inbox {
    pub(crate) fn new(
        deliveries: mpsc::Receiver<Delivery>,
        client: AsyncClient,
        connection: Arc<AtomicU64>,
    ) -> Self {
        Self { deliveries, client, connection, unacknowledged: VecDeque::new() }
    }

    /// The next event; `None` when the link was closed. Taking a message acknowledges it to the broker.
    /// May be dropped while it waits: nothing is lost by that.
    pub async fn next(&mut self) -> Option<Incoming> {
        loop {
            self.acknowledge();
            let delivery = if self.unacknowledged.is_empty() {
                self.deliveries.recv().await?
            } else {
                match tokio::time::timeout(ACK_PAUSE, self.deliveries.recv()).await {
                    Ok(delivery) => delivery?,
                    Err(_) => continue,
                }
            };
            return Some(match delivery {
                Delivery::Online => Incoming::Online,
                Delivery::Offline => Incoming::Offline,
                Delivery::Publish(publish, connection) => {
                    let message = Message { topic: publish.topic.clone(), payload: publish.payload.to_vec() };
                    self.unacknowledged.push_back((publish, connection));
                    self.acknowledge();
                    Incoming::Message(message)
                }
            });
        }
    }

    /// Never waits: while the link is down its queue may be full, and the taker has other work.
    fn acknowledge(&mut self) {
        while let Some((publish, connection)) = self.unacknowledged.front() {
            let current = *connection == self.connection.load(Ordering::Acquire);
            if current && self.client.try_ack(publish).is_err() {
                return;
            }
            self.unacknowledged.pop_front();
        }
    }
}
