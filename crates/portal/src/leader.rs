//! One of the portal processes that share a database leads: it serves the stations and does the work in the background.
//!
//! A lease in the database says which. Its holder renews it often and stops leading, by its own steady clock, before the lease is over for
//! others. That keeps the work from being done twice; that nothing is wrong when it is done twice after all (a clock was set, say) is seen
//! to by the database: one writer at a time, and work that may be repeated.

use std::{convert::Infallible, future::Future, net::SocketAddr, time::Duration};

use tokio::time::Instant;

use crate::{
    app::AppState,
    db::{Db, DbError, Sql},
};

/// How long a lease holds.
pub const LEASE: Duration = Duration::from_secs(15);
/// How often it is renewed, and asked for by those who wait.
const RENEWAL: Duration = Duration::from_secs(3);
/// How long before its end the holder stops: for clocks that differ, and for work that is just ending.
const MARGIN: Duration = Duration::from_secs(5);

/// A process's name in the lease. No two that run at once share one; the same portal started again has the same, and goes on at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder(String);

impl Holder {
    /// The name of the process that listens on `address`: nobody else on this machine can.
    #[must_use]
    pub fn listening_on(address: SocketAddr) -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let network = std::fs::read_link("/proc/self/ns/net").unwrap_or_default();
        let (machine, boot) = (text("/proc/sys/kernel/hostname"), text("/proc/sys/kernel/random/boot_id"));
        Self(format!("{machine} {boot} {} {address}", network.display()))
    }

    /// A name that is certainly nobody else's.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(name.to_owned())
    }
}

/// Takes or renews the lease; false if another has it.
///
/// # Errors
/// The database's.
pub async fn take(db: &Db, holder: &Holder, now_ms: i64) -> Result<bool, DbError> {
    // No writer's turn is waited for: this row is nobody else's business.
    let taken = sqlx::query::<Sql>(
        "insert into leader (name, holder, until_ms) values ('portal', $1, $2) on conflict (name) do update \
         set holder = excluded.holder, until_ms = excluded.until_ms \
         where leader.holder = excluded.holder or leader.until_ms <= $3",
    )
    .bind(&holder.0)
    .bind(now_ms + millis(LEASE))
    .bind(now_ms)
    .execute(db)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Gives the lease back, so that another need not wait.
///
/// # Errors
/// The database's.
pub async fn give_back(db: &Db, holder: &Holder) -> Result<(), DbError> {
    sqlx::query::<Sql>("delete from leader where holder = $1").bind(&holder.0).execute(db).await?;
    Ok(())
}

/// Waits for the lease, does `work` as long as it holds, and so on. `work` is dropped when the lease is lost.
///
/// # Errors
/// What `work` says when it ends by itself.
pub async fn lead<E, F: Future<Output = Result<Infallible, E>>>(
    state: &AppState,
    holder: &Holder,
    work: impl Fn() -> F,
) -> Result<Infallible, E> {
    loop {
        let began = wait_for_lease(state, holder).await;
        tracing::info!("this portal leads: it serves the stations");
        state.leads.send_replace(true);
        let ended = tokio::select! {
            ended = work() => Some(ended),
            () = lost(state, holder, began) => None,
        };
        state.leads.send_replace(false);
        match ended {
            Some(ended) => return ended,
            None => tracing::warn!("the lease was lost: another portal may serve the stations"),
        }
    }
}

/// When the lease was asked for that was got.
async fn wait_for_lease(state: &AppState, holder: &Holder) -> Instant {
    loop {
        let began = Instant::now();
        match take_in_time(state, holder).await {
            Some(true) => return began,
            Some(false) => tracing::debug!("another portal leads"),
            None => {}
        }
        tokio::time::sleep(RENEWAL).await;
    }
}

/// Renews until the lease is another's, or about to be.
async fn lost(state: &AppState, holder: &Holder, mut began: Instant) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        let ends = began + LEASE - MARGIN;
        let asked = Instant::now();
        match tokio::time::timeout_at(ends, take_in_time(state, holder)).await {
            Ok(Some(true)) => began = asked,
            Ok(Some(false)) | Err(_) => return,
            Ok(None) => {}
        }
    }
}

/// `None` if the database gave no answer.
async fn take_in_time(state: &AppState, holder: &Holder) -> Option<bool> {
    match tokio::time::timeout(RENEWAL, take(&state.db, holder, state.clock.now_ms())).await {
        Ok(Ok(taken)) => Some(taken),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the lease of the leading portal could not be renewed; trying again");
            None
        }
        Err(_) => {
            tracing::warn!("the database is slow: the lease of the leading portal waits");
            None
        }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
