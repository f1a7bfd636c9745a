//! The desk on the broker: messages in, replies out, many at once with a bound.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use model::{Secret, StationId};
use mqtt::{Incoming, Message, Publisher};
use tokio::sync::Semaphore;
use wire::{Direction, Topic};

use super::{desk::Desk, parked};
use crate::config::Config;

/// Requests worked on at once. More wait in the broker.
const AT_ONCE: usize = 32;
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Serves stations until the link is closed.
///
/// # Errors
/// Only at the start: files of `portal init` are absent or damaged. A broker that does not answer is waited for.
pub async fn serve(desk: Desk) -> anyhow::Result<()> {
    let subscriptions = vec![Topic::all(Direction::Up), Topic::all(Direction::Status)];
    let (publisher, mut inbox) = mqtt::connect(settings(&desk.state.config)?, subscriptions)?;
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(incoming) = inbox.next().await {
        match incoming {
            Incoming::Online => tracing::info!("the portal hears its stations"),
            Incoming::Offline => tracing::warn!("the portal does not hear its stations"),
            Incoming::Message(message) => receive(&desk, &publisher, &gate, message).await?,
        }
    }
    Ok(())
}

async fn receive(
    desk: &Desk,
    publisher: &Publisher,
    gate: &Arc<Semaphore>,
    message: Message,
) -> anyhow::Result<()> {
    let topic = match Topic::parse(&message.topic) {
        Ok(topic) if topic.direction != Direction::Down => topic,
        _ => {
            let now = desk.state.clock.now_ms();
            let reason = "the topic is none of a station's";
            parked::park_or_log(&desk.state.db, &message.topic, &message.payload, reason, now).await;
            return Ok(());
        }
    };
    if topic.direction == Direction::Status {
        // In line, because the last one counts.
        desk.status(&topic.station, &message.payload).await;
        return Ok(());
    }
    let permit = gate.clone().acquire_owned().await.context("the gate was closed")?;
    let (desk, publisher) = (desk.clone(), publisher.clone());
    tokio::spawn(async move {
        answer(&desk, &publisher, &topic.station, &message.payload).await;
        drop(permit);
    });
    Ok(())
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
