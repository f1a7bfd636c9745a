//! When each station was last heard of while it was on line. In memory at once, in the database within a minute: a station that was lost
//! before the portal was started again keeps its time.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use model::StationId;

use crate::{
    app::AppState,
    db::{DbError, Sql, begin_write},
};

/// A station's time is written down this often at most.
const WRITTEN_EVERY_MS: i64 = 60_000;
/// Rows written in one transaction: others write too.
const ROWS_MAX: usize = 250;

#[derive(Clone, Copy, Default)]
struct Times {
    heard_ms: i64,
    /// What was written down, and when.
    written_ms: i64,
    writing_ms: i64,
}

/// The stations' times.
#[derive(Default)]
pub struct Heard(Mutex<BTreeMap<StationId, Times>>);

impl Heard {
    /// A station spoke.
    pub(super) fn note(&self, station: &StationId, now_ms: i64) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.entry(station.clone()).or_default().heard_ms = now_ms;
    }

    /// When a station last spoke to this process.
    #[must_use]
    pub fn last(&self, station: &StationId) -> Option<i64> {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.get(station).map(|times| times.heard_ms)
    }

    /// What is to be written down now; each is held as written.
    fn take(&self, now_ms: i64) -> Vec<(StationId, i64)> {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = times.iter_mut().filter(|(_, times)| {
            times.heard_ms > times.written_ms && now_ms - times.writing_ms >= WRITTEN_EVERY_MS
        });
        due.map(|(name, times)| {
            (times.written_ms, times.writing_ms) = (times.heard_ms, now_ms);
            (name.clone(), times.heard_ms)
        })
        .collect()
    }
}

/// Writes down when stations spoke.
///
/// # Errors
/// The database's: what was not written is written when the station speaks again.
pub async fn keep_heard(state: &AppState) -> Result<(), DbError> {
    for some in state.heard.take(state.clock.now_ms()).chunks(ROWS_MAX) {
        let mut tx = begin_write(&state.db).await?;
        for (station, heard_ms) in some {
            sqlx::query::<Sql>("update stations set heard_ms = $2 where name = $1")
                .bind(station.as_str())
                .bind(heard_ms)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
    }
    Ok(())
}
