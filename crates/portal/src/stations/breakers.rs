//! What stations stopped after too many bad keys, for operators.

use crate::db::{Db, DbError, Sql};

/// More than these are not shown.
const SHOWN_MAX: i64 = 100;

/// Something that a station has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBreaker {
    /// The station.
    pub station: String,
    /// `slot`, `hub` or `lot`.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// Why, in the station's words.
    pub detail: String,
    /// Since when, milliseconds since 1970.
    pub changed_ms: i64,
}

/// All that is stopped, the newest first.
///
/// # Errors
/// The database's.
pub async fn open_breakers(db: &Db) -> Result<Vec<OpenBreaker>, DbError> {
    let rows = sqlx::query_as::<Sql, (String, String, String, String, i64)>(
        "select station, scope, name, detail, changed_ms from breakers where open = 1 \
         order by changed_ms desc, station, scope, name limit $1",
    );
    let breaker =
        |(station, scope, name, detail, changed_ms)| OpenBreaker { station, scope, name, detail, changed_ms };
    Ok(rows.bind(SHOWN_MAX).fetch_all(db).await?.into_iter().map(breaker).collect())
}
