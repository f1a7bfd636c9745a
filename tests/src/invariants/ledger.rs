//! The portal's database, as it lies there.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::Value;
use sqlx::{FromRow, SqliteConnection, sqlite::SqliteConnectOptions};

/// What the portal and its CA wrote down.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pub orders: Vec<Order>,
    pub jobs: Vec<Job>,
    pub keys: Vec<Key>,
    pub certificates: Vec<Certificate>,
    pub reports: Vec<Report>,
    pub parcels: Vec<Parcel>,
    /// Keys of registered deliveries.
    pub blanks: Vec<String>,
    /// Names of stations.
    pub stations: Vec<String>,
    /// What SQLite finds wrong with the file.
    pub damage: Vec<String>,
}

#[derive(Clone, Debug, FromRow)]
pub(super) struct Order {
    pub number: String,
    pub state: String,
    pub quantity: i64,
}

#[derive(Clone, Debug, FromRow)]
pub(super) struct Job {
    pub job: String,
    pub order_number: String,
    pub state: String,
    pub station: Option<String>,
    pub key_id: Option<String>,
    pub outcome: Option<String>,
    pub stuck_reason: Option<String>,
}

#[derive(Clone, Debug, FromRow)]
pub(super) struct Key {
    pub key_id: String,
    pub state: String,
    pub job: Option<String>,
}

#[derive(Clone, Debug, FromRow)]
pub(super) struct Certificate {
    pub job: String,
    pub key_id: String,
    pub key_xy: String,
    pub sign_serial: String,
    pub enc_serial: String,
    pub sign_der: Vec<u8>,
    pub enc_der: Vec<u8>,
    pub revoked_ms: Option<i64>,
}

impl Certificate {
    pub fn revoked(&self) -> bool {
        self.revoked_ms.is_some()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Report {
    pub station: String,
    pub id: String,
    /// The event, JSON.
    pub event: Value,
    pub refusal: Option<String>,
}

#[derive(Clone, Debug, FromRow)]
pub(super) struct Parcel {
    pub order_number: String,
    pub waybill: String,
}

impl Ledger {
    pub fn key(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.key_id == id)
    }

    pub fn key_state(&self, id: &str) -> Option<&str> {
        self.key(id).map(|key| key.state.as_str())
    }

    pub fn jobs_of<'a>(&'a self, order: &'a str) -> impl Iterator<Item = &'a Job> {
        self.jobs.iter().filter(move |job| job.order_number == order)
    }

    pub fn parcel(&self, order: &str) -> Option<&Parcel> {
        self.parcels.iter().find(|parcel| parcel.order_number == order)
    }

    pub fn report(&self, station: &str, id: &str) -> Option<&Report> {
        self.reports.iter().find(|report| report.station == station && report.id == id)
    }

    /// Certificates of a key that are not revoked.
    pub fn valid_of<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Certificate> {
        self.certificates
            .iter()
            .filter(move |certificate| certificate.key_id == key && !certificate.revoked())
    }
}

/// Reads a copy of the file and of the log beside it: opening either would write to them.
pub(super) fn read(file: &Path, scratch: &Path) -> Result<Ledger> {
    let copy = scratch.join("portal.db");
    fs::copy(file, &copy).with_context(|| format!("the portal's database {}", file.display()))?;
    let log = file.with_extension("db-wal");
    if log.exists() {
        fs::copy(&log, copy.with_extension("db-wal"))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(load(&copy)).with_context(|| format!("reading a copy of {}", file.display()))
}

async fn load(file: &Path) -> Result<Ledger> {
    use sqlx::ConnectOptions as _;
    let mut db = SqliteConnectOptions::new().filename(file).connect().await?;
    let damage: Vec<String> = sqlx::query_scalar("pragma integrity_check").fetch_all(&mut db).await?;
    Ok(Ledger {
        orders: all(&mut db, "select number, state, quantity from orders").await?,
        jobs: all(
            &mut db,
            "select job, order_number, state, station, key_id, outcome, stuck_reason from jobs order by job",
        )
        .await?,
        keys: all(&mut db, "select key_id, state, job from keys").await?,
        certificates: all(
            &mut db,
            "select job, key_id, key_xy, sign_serial, enc_serial, sign_der, enc_der, revoked_ms from certificates",
        )
        .await?,
        reports: reports(&mut db).await?,
        parcels: all(&mut db, "select order_number, waybill from parcels").await?,
        blanks: sqlx::query_scalar("select key_id from blanks").fetch_all(&mut db).await?,
        stations: sqlx::query_scalar("select name from stations").fetch_all(&mut db).await?,
        damage: damage.into_iter().filter(|line| line != "ok").collect(),
    })
}

async fn all<T>(db: &mut SqliteConnection, sql: &'static str) -> Result<Vec<T>>
where
    T: for<'r> FromRow<'r, sqlx::sqlite::SqliteRow> + Send + Unpin,
{
    Ok(sqlx::query_as::<sqlx::Sqlite, T>(sql).fetch_all(db).await?)
}

async fn reports(db: &mut SqliteConnection) -> Result<Vec<Report>> {
    type Row = (String, String, String, Option<String>);
    let rows: Vec<Row> = all(db, "select station, id, body, refusal from reports").await?;
    let read = |(station, id, body, refusal): Row| {
        let body: Value = serde_json::from_str(&body).with_context(|| format!("report {id}"))?;
        Ok(Report { station, id, event: body["event"].clone(), refusal })
    };
    rows.into_iter().map(read).collect()
}
