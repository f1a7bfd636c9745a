//! An order's jobs, for reading. The station side works on them.

use model::{JobId, KeyId, OrderNumber, StationId};
use serde::Serialize;
use sqlx::Row as _;

use super::store::OrderError;
use crate::db::{Connection, Db, DbError, Row, Sql, damaged};

/// One key to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobRow {
    /// The job.
    pub job: JobId,
    /// `waiting`, `leased`, `done` or `stuck`.
    pub state: String,
    /// Who holds or held it.
    pub station: Option<StationId>,
    /// The key bound to it.
    pub key: Option<KeyId>,
    /// How it ended, in the words of `model::Outcome`.
    pub outcome: Option<String>,
    /// How often it was tried.
    pub attempts: i64,
    /// Why it is stuck; `None` unless it is.
    pub stuck_reason: Option<String>,
}

/// How many jobs stations have.
///
/// # Errors
/// The database's.
pub async fn leased(db: &Db) -> Result<i64, DbError> {
    let count = "select count(*) from jobs where state = 'leased'";
    Ok(sqlx::query_scalar(count).fetch_one(db).await?)
}

/// Nobody is making a key of the order now, so that its money may go back.
///
/// # Errors
/// [`OrderError::NoRefund`]; the database's.
pub(crate) async fn not_in_work(connection: &mut Connection, number: &OrderNumber) -> Result<(), OrderError> {
    let busy = sqlx::query::<Sql>("select 1 from jobs where order_number = $1 and state = 'leased' limit 1");
    match busy.bind(number.as_str()).fetch_optional(connection).await? {
        Some(_) => Err(OrderError::NoRefund(
            "制证站正在制证，请先退回任务 (a station has its jobs: release them first)",
        )),
        None => Ok(()),
    }
}

/// An order's jobs, first to last; none before approval.
///
/// # Errors
/// The database's.
pub async fn jobs(db: &Db, number: &OrderNumber) -> Result<Vec<JobRow>, OrderError> {
    let rows = sqlx::query(
        "select job, state, station, key_id, outcome, attempts, stuck_reason from jobs where order_number = $1 order by idx",
    )
    .bind(number.as_str())
    .fetch_all(db)
    .await?;
    rows.iter().map(job_row).collect()
}

fn job_row(row: &Row) -> Result<JobRow, OrderError> {
    let job: String = row.try_get("job")?;
    let bad = |what: &str| damaged(format!("the {what} of job {job}"));
    let station: Option<String> = row.try_get("station")?;
    let key: Option<String> = row.try_get("key_id")?;
    Ok(JobRow {
        state: row.try_get("state")?,
        station: station.map(|name| name.parse()).transpose().map_err(|_| bad("station"))?,
        key: key.map(|key| key.parse()).transpose().map_err(|_| bad("key"))?,
        outcome: row.try_get("outcome")?,
        attempts: row.try_get("attempts")?,
        stuck_reason: row.try_get("stuck_reason")?,
        job: job.parse().map_err(|_| bad("name"))?,
    })
}
