//! Whether this portal can serve, for whoever sends it requests.

use std::{
    fmt::Display,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Mutex, task::spawn_blocking, time::timeout};

use crate::db::Db;

/// What does not answer by then does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The vault's answer holds this long: asking is open to all, and the vault has other work.
const HOLDS: Duration = Duration::from_secs(1);

/// Asks the vault whether it works; one question at a time, on a thread that may block.
#[derive(Clone)]
pub struct VaultWatch {
    question: Arc<dyn Fn() -> bool + Send + Sync>,
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl VaultWatch {
    /// A watch that asks by `question`, which may block.
    pub fn new<E: Display>(question: impl Fn() -> Result<(), E> + Send + Sync + 'static) -> Self {
        let question = move || match question() {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the vault does not work");
                false
            }
        };
        Self { question: Arc::new(question), last: Arc::default() }
    }

    /// Whether the vault works. No answer in time is no.
    pub async fn works(&self) -> bool {
        timeout(PATIENCE, self.ask()).await.unwrap_or(false)
    }

    /// The lock goes with the question, so that a vault that hangs has one thread and not one a request.
    async fn ask(&self) -> bool {
        let (mut last, question) = (Arc::clone(&self.last).lock_owned().await, Arc::clone(&self.question));
        if let Some((at, works)) = *last
            && at.elapsed() < HOLDS
        {
            return works;
        }
        let asked = spawn_blocking(move || {
            let works = question();
            *last = Some((Instant::now(), works));
            works
        });
        asked.await.unwrap_or(false)
    }
}

/// Whether the database answers.
pub async fn database_answers(db: &Db) -> bool {
    match timeout(PATIENCE, sqlx::query("select 1").execute(db)).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            tracing::error!(%error, "the database does not answer");
            false
        }
        Err(_) => {
            tracing::error!("the database does not answer within {PATIENCE:?}");
            false
        }
    }
}
