//! Stations in figures, from what is on record here: who is enrolled, what each makes, what it holds, when it last reported.

use std::collections::BTreeMap;

use crate::db::{Db, DbError, Sql};

const HOUR_MS: i64 = 3_600_000;

/// One station in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Whether it is enrolled and not disabled.
    pub active: bool,
    /// Keys made within the last hour.
    pub made_hour: i64,
    /// Keys made within the last day.
    pub made_day: i64,
    /// Keys spoiled within the last day.
    pub spoiled_day: i64,
    /// Jobs leased to it.
    pub leased: i64,
    /// Its jobs that wait for an operator.
    pub stuck: i64,
    /// When it was last heard of while it was on line, as far as that is written down, or reported within a day; milliseconds since 1970.
    pub heard_ms: Option<i64>,
}

/// Every station by name.
///
/// # Errors
/// The database's.
pub async fn figures(db: &Db, now_ms: i64) -> Result<BTreeMap<String, Figures>, DbError> {
    let mut all = BTreeMap::<String, Figures>::new();
    let enrolled =
        sqlx::query_as::<Sql, (String, String, Option<i64>)>("select name, state, heard_ms from stations");
    for (station, state, heard_ms) in enrolled.fetch_all(db).await? {
        let active = state == "active";
        all.insert(station, Figures { active, heard_ms, ..Figures::default() });
    }
    let made =
        "select station, count(*) from keys where state = 'issued' and changed_ms >= $1 group by station";
    let spoiled =
        "select station, count(*) from keys where state = 'spoiled' and changed_ms >= $1 group by station";
    let reported = "select station, max(received_ms) from reports where received_ms >= $1 group by station";
    for (station, count) in counted(db, made, now_ms - HOUR_MS).await? {
        all.entry(station).or_default().made_hour = count;
    }
    for (station, count) in counted(db, made, now_ms - 24 * HOUR_MS).await? {
        all.entry(station).or_default().made_day = count;
    }
    for (station, count) in counted(db, spoiled, now_ms - 24 * HOUR_MS).await? {
        all.entry(station).or_default().spoiled_day = count;
    }
    for (station, last) in counted(db, reported, now_ms - 24 * HOUR_MS).await? {
        let figures = all.entry(station).or_default();
        figures.heard_ms = figures.heard_ms.max(Some(last));
    }
    let held = sqlx::query_as::<Sql, (String, String, i64)>(
        "select station, state, count(*) from jobs where state in ('leased', 'stuck') and station is not null \
         group by station, state",
    );
    for (station, state, count) in held.fetch_all(db).await? {
        let figures = all.entry(station).or_default();
        if state == "leased" { figures.leased = count } else { figures.stuck = count }
    }
    Ok(all)
}

async fn counted(db: &Db, sql: &'static str, since_ms: i64) -> Result<Vec<(String, i64)>, DbError> {
    Ok(sqlx::query_as::<Sql, (String, i64)>(sql).bind(since_ms).fetch_all(db).await?)
}

/// Jobs that wait for any station.
///
/// # Errors
/// The database's.
pub async fn waiting_jobs(db: &Db) -> Result<i64, DbError> {
    let jobs = sqlx::query_scalar::<Sql, i64>(
        "select count(*) from jobs j join orders o on o.number = j.order_number \
         where j.state = 'waiting' and o.state = 'awaiting_production'",
    );
    Ok(jobs.fetch_one(db).await?)
}
