//! The board on every portal: the leader, which alone hears the stations, writes down what changed, and the others read it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use model::StationId;
use sqlx::Row as _;
use wire::Status;

use crate::{
    app::AppState,
    db::{DbError, Sql, begin_write, damaged},
};

/// How often another portal's board is read.
const READING: Duration = Duration::from_secs(1);
/// Changes by clocks that differ this much are still seen.
const OVERLAP_MS: i64 = 10_000;
/// Rows written in one transaction: others write too.
const ROWS_MAX: usize = 250;

/// What of the board is written down already.
#[derive(Debug, Default)]
pub struct Shared(Mutex<BTreeMap<StationId, Status>>);

/// Writes down what changed since the last turn, if there are portals that read it.
///
/// # Errors
/// The database's.
pub(crate) async fn share_board(state: &AppState) -> Result<(), DbError> {
    if !state.is_shared() {
        return Ok(());
    }
    let changes: Vec<(StationId, Option<Status>)> = {
        let written = state.shared_board.0.lock().unwrap_or_else(PoisonError::into_inner);
        let board = state.stations.borrow();
        let changed = board.iter().filter(|(name, status)| written.get(*name) != Some(status));
        let gone = written.keys().filter(|name| !board.contains_key(*name));
        let changed = changed.map(|(name, status)| (name.clone(), Some(status.clone())));
        changed.chain(gone.map(|name| (name.clone(), None))).collect()
    };
    for some in changes.chunks(ROWS_MAX) {
        let mut tx = begin_write(&state.db).await?;
        for (station, status) in some {
            sqlx::query::<Sql>(
                "insert into station_statuses (station, body, changed_ms) values ($1, $2, $3) \
                 on conflict (station) do update set body = excluded.body, changed_ms = excluded.changed_ms",
            )
            .bind(station.as_str())
            .bind(status.as_ref().map(body).transpose()?.unwrap_or_default())
            .bind(state.clock.now_ms())
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        let mut written = state.shared_board.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (station, status) in some.iter().cloned() {
            match status {
                Some(status) => written.insert(station, status),
                None => written.remove(&station),
            };
        }
    }
    Ok(())
}

fn body(status: &Status) -> Result<String, DbError> {
    serde_json::to_string(status).map_err(|error| damaged(format!("a status that is no JSON ({error})")))
}

/// Reads what the leader wrote, for as long as this portal does not lead. Never ends.
pub async fn follow_board(state: &AppState) {
    let mut leads = state.leads.subscribe();
    let mut since = i64::MIN;
    loop {
        // Nobody else holds the sender.
        if leads.wait_for(|leads| !leads).await.is_err() {
            return std::future::pending().await;
        }
        match read(state, since).await {
            Ok(newest) => since = since.max(newest.saturating_sub(OVERLAP_MS)),
            Err(error) => tracing::warn!(%error, "the board could not be read; trying again"),
        }
        tokio::time::sleep(READING).await;
    }
}

/// Takes what changed to the board; gives the time of the newest change.
async fn read(state: &AppState, since_ms: i64) -> Result<i64, DbError> {
    let rows = sqlx::query::<Sql>(
        "select station, body, changed_ms from station_statuses where changed_ms >= $1 order by changed_ms",
    )
    .bind(since_ms)
    .fetch_all(&state.db)
    .await?;
    let mut newest = i64::MIN;
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        let (station, body): (String, String) = (row.try_get("station")?, row.try_get("body")?);
        newest = row.try_get("changed_ms")?;
        let station: StationId = station.parse().map_err(|_| damaged(format!("the station {station:?}")))?;
        let status: Option<Status> = match body.as_str() {
            "" => None,
            body => Some(serde_json::from_str(body).map_err(|_| damaged(format!("a status of {station}")))?),
        };
        changes.push((station, status));
    }
    state.stations.send_if_modified(|board| {
        let mut changed = false;
        for (station, status) in changes {
            changed |= match status {
                Some(status) => board.insert(station, status.clone()) != Some(status),
                None => board.remove(&station).is_some(),
            };
        }
        changed
    });
    Ok(newest)
}
