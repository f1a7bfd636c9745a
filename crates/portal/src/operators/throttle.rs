//! A brake on guessing passwords, by name and by address. In the database: all portals that share it brake together.

use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::Row as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    app::AppState,
    codes::network,
    db::{Db, DbError, Sql, begin_write},
    seal::Sealer,
};

/// Wrong tries for one name within the window.
const NAME_TRIES: i64 = 5;
/// Wrong tries from one address within the window: an office shares one.
const ADDRESS_TRIES: i64 = 20;
const WINDOW_MS: i64 = 5 * 60 * 1000;
/// Passwords hashed at once. Each takes 19 MiB: a flood of log-ins waits its turn instead of filling the memory.
const TURNS: usize = 2;

/// Why no try is allowed now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Brake {
    /// Too many were wrong: this many seconds until the next.
    #[error("too many tries: wait {0} seconds")]
    Wait(u64),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for Brake {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// Wrong tries so far. Each row costs whoever makes it a try, so within the window there are no more than can be tried.
pub struct Throttle {
    db: Db,
    sealer: Sealer,
    turns: Semaphore,
    braked: AtomicU64,
}

const KINDS: [(&str, i64); 2] = [("name", NAME_TRIES), ("address", ADDRESS_TRIES)];

impl Throttle {
    /// A brake on this database; names are kept as `sealer`'s digests.
    #[must_use]
    pub fn new(db: Db, sealer: Sealer) -> Self {
        Self { db, sealer, turns: Semaphore::new(TURNS), braked: AtomicU64::new(0) }
    }

    /// Whether another try is allowed now.
    ///
    /// # Errors
    /// [`Brake::Wait`] with the seconds to wait; the database's.
    pub async fn may_try(&self, name: &str, address: &str, now_ms: i64) -> Result<(), Brake> {
        let [name, address] = self.keys(name, address);
        let rows = sqlx::query::<Sql>(
            "select kind, since_ms, wrong from log_in_tries \
             where (kind = 'name' and who = $1) or (kind = 'address' and who = $2)",
        )
        .bind(name)
        .bind(address)
        .fetch_all(&self.db)
        .await?;
        for row in &rows {
            let (kind, wrong): (&str, i64) = (row.try_get("kind")?, row.try_get("wrong")?);
            let left_ms = row.try_get::<i64, _>("since_ms")? + WINDOW_MS - now_ms;
            if left_ms > 0 && KINDS.iter().any(|(of, most)| *of == kind && wrong >= *most) {
                self.braked.fetch_add(1, Ordering::Relaxed);
                return Err(Brake::Wait(left_ms.unsigned_abs().div_ceil(1000)));
            }
        }
        Ok(())
    }

    /// Waits for a turn to hash; the turn lasts until what is given back is dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    /// How many tries were braked here since this was asked last.
    pub fn take_braked(&self) -> u64 {
        self.braked.swap(0, Ordering::Relaxed)
    }

    /// A try was wrong.
    ///
    /// # Errors
    /// The database's.
    pub async fn failed(&self, name: &str, address: &str, now_ms: i64) -> Result<(), DbError> {
        let mut tx = begin_write(&self.db).await?;
        for ((kind, _), who) in KINDS.iter().zip(self.keys(name, address)) {
            sqlx::query::<Sql>(
                "insert into log_in_tries (kind, who, since_ms, wrong) values ($1, $2, $3, 1) \
                 on conflict (kind, who) do update set \
                 wrong = case when log_in_tries.since_ms <= $4 then 1 else log_in_tries.wrong + 1 end, \
                 since_ms = case when log_in_tries.since_ms <= $4 then excluded.since_ms else log_in_tries.since_ms end",
            )
            .bind(*kind)
            .bind(who)
            .bind(now_ms)
            .bind(now_ms - WINDOW_MS)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// A try was right: the name starts afresh, the address does not.
    ///
    /// # Errors
    /// The database's.
    pub async fn succeeded(&self, name: &str) -> Result<(), DbError> {
        let [name, _] = self.keys(name, "");
        sqlx::query::<Sql>("delete from log_in_tries where kind = 'name' and who = $1")
            .bind(name)
            .execute(&self.db)
            .await?;
        Ok(())
    }

    fn keys(&self, name: &str, address: &str) -> [String; 2] {
        let short = |text: &str| text.chars().take(64).collect::<String>();
        [
            self.sealer.digest("log-in-name", &short(name)),
            self.sealer.digest("log-in-address", &network(address)),
        ]
    }
}

/// Forgets tries whose window is over.
///
/// # Errors
/// The database's.
pub async fn forget_old_tries(state: &AppState) -> Result<(), DbError> {
    sqlx::query::<Sql>("delete from log_in_tries where since_ms <= $1")
        .bind(state.clock.now_ms() - WINDOW_MS)
        .execute(&state.db)
        .await?;
    Ok(())
}
