//! The desk on the broker: messages in, replies out, many at once with a bound.

use std::time::Duration;

use anyhow::Context as _;
use model::{Secret, StationId};
use mqtt::{Incoming, Message, Publisher};
use wire::{Direction, Topic};

use super::{desk::Desk, lanes::Lanes, parked};
use crate::config::Config;

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Serves stations until the link is closed.
///
/// # Errors
/// Only at the start: files of `portal init` are absent or damaged. A broker that does not answer is waited for.
pub async fn serve(desk: Desk) -> anyhow::Result<()> {
    let subscriptions = vec![Topic::all(Direction::Up), Topic::all(Direction::Status)];
    let (publisher, mut inbox) = mqtt::connect(settings(&desk.state.config)?, subscriptions)?;
    let _unheard = Unheard(&desk);
    let mut lanes = Lanes::new();
    while let Some(incoming) = inbox.next().await {
        match incoming {
            Incoming::Online => {
                desk.state.link.send_replace(Some(true));
                tracing::info!("the portal hears its stations");
            }
            Incoming::Offline => {
                desk.state.link.send_replace(Some(false));
                tracing::warn!("the portal does not hear its stations");
            }
            Incoming::Message(message) => receive(&desk, &publisher, &mut lanes, message).await,
        }
    }
    Ok(())
}

/// When the service ends, nobody listens.
struct Unheard<'a>(&'a Desk);

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        self.0.state.link.send_replace(None);
    }
}

/// Takes a message without waiting for anything but its topic: what takes time is done in the station's lane.
async fn receive(desk: &Desk, publisher: &Publisher, lanes: &mut Lanes, message: Message) {
    let Message { topic: text, payload } = message;
    let topic = match Topic::parse(&text) {
        Ok(topic) if topic.direction != Direction::Down => topic,
        _ => {
            let now = desk.state.clock.now_ms();
            let reason = "the topic is none of a station's";
            parked::park_or_log(&desk.state.db, &text, &payload, reason, now).await;
            return;
        }
    };
    let (desk, publisher, station) = (desk.clone(), publisher.clone(), topic.station.clone());
    if topic.direction == Direction::Status {
        // In line, because the last one counts.
        if let Err(reason) = desk.show(&station, &payload) {
            lanes.spawn(&topic.station, async move {
                desk.park(&station, Direction::Status, &payload, &reason).await;
            });
        }
        return;
    }
    lanes.spawn(&topic.station, async move { answer(&desk, &publisher, &station, &payload).await });
}

async fn answer(desk: &Desk, publisher: &Publisher, station: &StationId, payload: &[u8]) {
    let topic = Topic::new(station.clone(), Direction::Down).to_string();
    for reply in desk.handle(station, payload).await {
        if let Err(error) = publisher.publish(&topic, false, reply).await {
            // The station asks again and gets the same answer.
            tracing::warn!(%station, %error, "a reply was not sent");
        }
    }
}

fn settings(config: &Config) -> anyhow::Result<mqtt::Settings> {
    let folder = config.broker_dir();
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}: was `portal init` run?", path.display()))
    };
    Ok(mqtt::Settings {
        host: config.broker.host.clone(),
        port: config.broker.port,
        client_id: "portal".to_owned(),
        ca_pem: read("ca.pem")?,
        cert_pem: read("portal.pem")?,
        key_pem: Secret::new(read("portal.key")?.into_bytes()),
        keep_alive: KEEP_ALIVE,
        last_will: None,
    })
}
