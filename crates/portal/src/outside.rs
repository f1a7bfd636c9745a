//! The services outside that the portal calls: those that the config names.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{config::Config, stations::secret_file};

/// Calls to one service at once; each holds a thread for as long as the service is slow.
const CALLS_MAX: usize = 8;
/// The longest one call to the SMS service may take: a customer waits for a code.
const SMS_TIMEOUT: Duration = Duration::from_secs(8);

/// The services. One that is not configured is not there.
#[derive(Default)]
pub struct Outside {
    /// Short messages.
    pub sms: Option<SmsService>,
}

impl Outside {
    /// Builds the clients of the services that the config names.
    ///
    /// # Errors
    /// A secret's file that cannot be read, a setting that cannot work.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let mut outside = Self::default();
        if let Some(sms) = &config.sms {
            let client = sms::Client::new(sms::Settings {
                endpoint: sms.endpoint.clone(),
                access_key_id: sms.access_key_id.clone(),
                access_key_secret: secret_file(&sms.access_key_secret_file)?,
                timeout: SMS_TIMEOUT,
            })?;
            outside.sms = Some(SmsService {
                port: Port::new(client),
                sign_name: sms.sign_name.clone(),
                code_template: sms.code_template.clone(),
                day_budget: sms.day_budget,
            });
        }
        Ok(outside)
    }
}

/// The SMS service and what codes need of it.
pub struct SmsService {
    /// The client.
    pub port: Port<sms::Client>,
    /// The sign name of codes.
    pub sign_name: String,
    /// The template of codes; its parameter is `code`.
    pub code_template: String,
    /// Codes a day, for everybody together.
    pub day_budget: u32,
}

/// A blocking client, and places for calls to it.
pub struct Port<C> {
    client: Arc<C>,
    turns: Arc<Semaphore>,
}

impl<C: Send + Sync + 'static> Port<C> {
    /// A port with [`CALLS_MAX`] places.
    pub fn new(client: C) -> Self {
        Self { client: Arc::new(client), turns: Arc::new(Semaphore::new(CALLS_MAX)) }
    }

    /// A place for one call; `None` while all are taken.
    #[must_use]
    pub fn turn(&self) -> Option<Turn<C>> {
        let permit = Arc::clone(&self.turns).try_acquire_owned().ok()?;
        Some(Turn { client: Arc::clone(&self.client), permit })
    }
}

/// A place for one call.
pub struct Turn<C> {
    client: Arc<C>,
    permit: OwnedSemaphorePermit,
}

impl<C: Send + Sync + 'static> Turn<C> {
    /// Makes the call on a thread where it may wait; it is made whole even if nobody waits for it any more.
    ///
    /// # Errors
    /// The thread ended without an answer.
    pub async fn call<T: Send + 'static>(
        self,
        work: impl FnOnce(&C) -> T + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        let Self { client, permit } = self;
        tokio::task::spawn_blocking(move || {
            let answer = work(&client);
            drop(permit);
            answer
        })
        .await
    }
}
