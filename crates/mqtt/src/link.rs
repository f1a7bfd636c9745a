//! The task that keeps the connection, and the sending end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use rumqttc::{
    AsyncClient, Event, EventLoop, NetworkOptions, Packet, QoS, Request, Subscribe, SubscribeFilter,
};
use tokio::sync::{mpsc, watch};

use crate::{
    inbox::{Delivery, Inbox},
    settings::{PAYLOAD_BYTES_MAX, Settings, SettingsError},
};

/// How long `publish` waits for room in the link's queue.
pub const PUBLISH_WAIT: Duration = Duration::from_secs(5);

/// Publishes that wait for the link.
const QUEUE_MAX: usize = 256;
/// Messages that wait for the program. More than a broker sends unacknowledged (mosquitto: 20 unless told).
const INBOX_MAX: usize = 256;
/// What is kept for resending over a broken connection.
const PENDING_MAX: usize = 1024;
const CONNECT_SECONDS_MAX: u64 = 10;
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Why something was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MqttError {
    /// The settings cannot work.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The payload is larger than [`PAYLOAD_BYTES_MAX`].
    #[error("a message of {0} bytes is more than the {PAYLOAD_BYTES_MAX} allowed: send less at once")]
    TooLarge(usize),
    /// Not a topic one can publish to.
    #[error("{0:?} is not a topic to publish to: it is empty or has + or # in it")]
    Topic(String),
    /// Not a filter one can subscribe to.
    #[error("{0:?} is not a topic filter")]
    Filter(String),
    /// The queue stayed full.
    #[error("the broker took nothing for {PUBLISH_WAIT:?} and the queue is full: try again later")]
    Busy,
    /// The link was closed.
    #[error("the link to the broker was closed")]
    Closed,
}

/// The sending end of a link; clones share it.
#[derive(Clone)]
pub struct Publisher {
    client: AsyncClient,
    closing: Arc<AtomicBool>,
    ended: watch::Receiver<bool>,
}

impl Publisher {
    /// Queues a message at QoS 1. `Ok` means that the link has it, not that anybody received it.
    ///
    /// # Errors
    /// [`MqttError::TooLarge`], [`MqttError::Topic`], [`MqttError::Busy`] after [`PUBLISH_WAIT`], [`MqttError::Closed`].
    pub async fn publish(&self, topic: &str, retain: bool, payload: Vec<u8>) -> Result<(), MqttError> {
        // Beyond the limit rumqttc breaks the connection, keeps the message and breaks the next one with it.
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(MqttError::TooLarge(payload.len()));
        }
        if topic.is_empty() || !rumqttc::valid_topic(topic) {
            return Err(MqttError::Topic(topic.to_owned()));
        }
        if *self.ended.borrow() {
            return Err(MqttError::Closed);
        }
        let sending = self.client.publish(topic, QoS::AtLeastOnce, retain, payload);
        match tokio::time::timeout(PUBLISH_WAIT, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(MqttError::Closed),
            Err(_) => Err(MqttError::Busy),
        }
    }

    /// Sends what is queued, says goodbye (so that the last will is not published) and ends the link. Waits a bounded time.
    pub async fn close(&self) {
        self.closing.store(true, Ordering::Release);
        let goodbye = async {
            let _ = self.client.disconnect().await;
            let mut ended = self.ended.clone();
            let _ = ended.wait_for(|ended| *ended).await;
        };
        if tokio::time::timeout(PUBLISH_WAIT, goodbye).await.is_err() {
            tracing::warn!("the broker did not take the goodbye in time");
        }
    }
}

/// Starts the link's task on the current tokio runtime and gives both ends. Returns at once; the inbox says when it is online.
///
/// # Errors
/// [`MqttError::Settings`] and [`MqttError::Filter`]; a broker that does not answer is not an error, the link goes on trying.
pub fn connect(settings: Settings, subscriptions: Vec<String>) -> Result<(Publisher, Inbox), MqttError> {
    if let Some(filter) = subscriptions.iter().find(|filter| !rumqttc::valid_filter(filter)) {
        return Err(MqttError::Filter(filter.clone()));
    }
    let (client, mut events) = AsyncClient::new(settings.options()?, QUEUE_MAX);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(CONNECT_SECONDS_MAX);
    events.set_network_options(network);

    let (deliveries, inbox) = mpsc::channel(INBOX_MAX);
    let (ended_tx, ended) = watch::channel(false);
    let connection = Arc::new(AtomicU64::new(0));
    let closing = Arc::new(AtomicBool::new(false));
    let task = Task {
        events,
        subscriptions,
        deliveries,
        connection: connection.clone(),
        closing: closing.clone(),
        broker: format!("{}:{}", settings.host, settings.port),
    };
    tokio::spawn(async move {
        task.run().await;
        ended_tx.send_replace(true);
    });
    Ok((Publisher { client: client.clone(), closing, ended }, Inbox::new(inbox, client, connection)))
}

struct Task {
    events: EventLoop,
    subscriptions: Vec<String>,
    deliveries: mpsc::Sender<Delivery>,
    connection: Arc<AtomicU64>,
    closing: Arc<AtomicBool>,
    broker: String,
}

impl Task {
    async fn run(mut self) {
        let mut pause = PAUSE_FIRST;
        let mut online = false;
        loop {
            // poll is never cancelled: a publish it has begun would be neither sent nor pending.
            let event = self.events.poll().await;
            if event.is_err() && (self.closing.load(Ordering::Acquire) || self.deliveries.is_closed()) {
                return;
            }
            let delivery = match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    pause = PAUSE_FIRST;
                    online = true;
                    tracing::info!(broker = self.broker, "connected to the broker");
                    self.connection.fetch_add(1, Ordering::AcqRel);
                    self.subscribe();
                    Delivery::Online
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    Delivery::Publish(publish, self.connection.load(Ordering::Acquire))
                }
                Ok(_) if self.deliveries.is_closed() => return,
                Ok(_) => continue,
                Err(error) => {
                    self.disconnected();
                    let what = if online { "disconnected" } else { "not connected" };
                    tracing::warn!(broker = self.broker, %error, "{what}; trying again in {pause:?}");
                    if std::mem::take(&mut online) && self.deliveries.send(Delivery::Offline).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                    continue;
                }
            };
            if self.deliveries.send(delivery).await.is_err() {
                return;
            }
        }
    }

    /// Goes in front of everything queued, on every connection: a broker that lost its disk has lost the subscriptions too.
    fn subscribe(&mut self) {
        if self.subscriptions.is_empty() {
            return;
        }
        let filters =
            self.subscriptions.iter().map(|path| SubscribeFilter::new(path.clone(), QoS::AtLeastOnce));
        self.events.pending.push_front(Request::Subscribe(Subscribe::new_many(filters)));
    }

    fn disconnected(&mut self) {
        // An acknowledgement of this connection could hit another message on the next one.
        self.connection.fetch_add(1, Ordering::AcqRel);
        self.events.pending.retain(|request| !matches!(request, Request::PubAck(_) | Request::Subscribe(_)));
        // rumqttc keeps a publish whose packet id collided aside for ever, and sends nothing while it does.
        if let Some(mut publish) = self.events.state.collision.take() {
            publish.pkid = 0;
            self.events.pending.push_back(Request::Publish(publish));
        }
        self.events.pending.truncate(PENDING_MAX);
    }
}
