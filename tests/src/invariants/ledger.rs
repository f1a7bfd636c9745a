//! The portal's database, as it lies there.

mod services;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::Value;
use sqlx::{AnyConnection, Connection as _, FromRow, any::AnyRow};

pub(super) use self::services::{Invoice, Message, Notice, Payment, Refund};

/// What the portal and its CA wrote down.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pub orders: Vec<Order>,
    /// Changes of state, in turn.
    pub history: Vec<Change>,
    pub jobs: Vec<Job>,
    pub keys: Vec<Key>,
    pub certificates: Vec<Certificate>,
    pub reports: Vec<Report>,
    pub parcels: Vec<Parcel>,
    pub payments: Vec<Payment>,
    pub refunds: Vec<Refund>,
    pub notices: Vec<Notice>,
    /// Orders whose refund a second person approved.
    pub approved_refunds: Vec<String>,
    pub messages: Vec<Message>,
    pub invoices: Vec<Invoice>,
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
    pub amount_fen: i64,
}

/// A change of an order's state.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Change {
    pub order_number: String,
    pub who: String,
    /// None when the order came in.
    pub from_state: Option<String>,
    pub to_state: String,
}

impl Change {
    /// Whether it is this change: from any of the states, if any is given.
    pub fn is(&self, from: Option<&str>, to: &str) -> bool {
        self.to_state == to && (from.is_none() || self.from_state.as_deref() == from)
    }
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
    pub fn order(&self, number: &str) -> Option<&Order> {
        self.orders.iter().find(|order| order.number == number)
    }

    pub fn changes_of<'a>(&'a self, order: &'a str) -> impl Iterator<Item = &'a Change> {
        self.history.iter().filter(move |change| change.order_number == order)
    }

    /// Whether the order ever was in this state.
    pub fn was(&self, order: &str, state: &str) -> bool {
        self.changes_of(order).any(|change| change.is(None, state))
    }

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

/// Reads the database that the portal's config names. Of a file and of the log beside it a copy is read: opening either would write to them.
pub(super) fn read(stack: &Path, scratch: &Path) -> Result<Ledger> {
    let address = address(stack, scratch)?;
    sqlx::any::install_default_drivers();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(load(&address)).with_context(|| format!("reading {address}"))
}

fn address(stack: &Path, scratch: &Path) -> Result<String> {
    let config: toml::Table = fs::read_to_string(stack.join("portal.toml"))?.parse()?;
    if let Some(file) = config["database"].get("url_file").and_then(toml::Value::as_str) {
        return Ok(fs::read_to_string(file)?.trim().to_owned());
    }
    let (file, copy) = (stack.join("portal/portal.db"), scratch.join("portal.db"));
    fs::copy(&file, &copy).with_context(|| format!("the portal's database {}", file.display()))?;
    let log = file.with_extension("db-wal");
    if log.exists() {
        fs::copy(&log, copy.with_extension("db-wal"))?;
    }
    Ok(format!("sqlite://{}", copy.display()))
}

async fn load(address: &str) -> Result<Ledger> {
    let mut db = AnyConnection::connect(address).await?;
    // A server looks after its own files.
    let damage: Vec<String> = match address.starts_with("sqlite:") {
        true => sqlx::query_scalar("pragma integrity_check").fetch_all(&mut db).await?,
        false => Vec::new(),
    };
    let ledger = Ledger {
        orders: all(&mut db, "select number, state, quantity, amount_fen from orders").await?,
        history: all(
            &mut db,
            "select order_number, who, from_state, to_state from order_history order by order_number, step",
        )
        .await?,
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
        payments: all(
            &mut db,
            "select out_trade_no, order_number, amount_fen, state, trade_no, paid_fen, trouble from payments",
        )
        .await?,
        refunds: all(&mut db, "select out_request_no, out_trade_no, amount_fen, state from refunds").await?,
        notices: all(&mut db, "select out_trade_no, status, outcome from payment_notices").await?,
        approved_refunds: names(&mut db, "select order_number from refund_requests where state = 'approved'")
            .await?,
        messages: all(&mut db, "select id, order_number, kind, state, sends from messages").await?,
        invoices: all(&mut db, "select order_number, state, red, number, red_number from invoices").await?,
        blanks: names(&mut db, "select key_id from blanks").await?,
        stations: names(&mut db, "select name from stations").await?,
        damage: damage.into_iter().filter(|line| line != "ok").collect(),
    };
    db.close().await?;
    Ok(ledger)
}

async fn all<T>(db: &mut AnyConnection, sql: &'static str) -> Result<Vec<T>>
where
    T: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
{
    Ok(sqlx::query_as::<sqlx::Any, T>(sql).fetch_all(db).await?)
}

async fn names(db: &mut AnyConnection, sql: &'static str) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar::<sqlx::Any, String>(sql).fetch_all(db).await?)
}

async fn reports(db: &mut AnyConnection) -> Result<Vec<Report>> {
    type Row = (String, String, String, Option<String>);
    let rows: Vec<Row> = all(db, "select station, id, body, refusal from reports").await?;
    let read = |(station, id, body, refusal): Row| {
        let body: Value = serde_json::from_str(&body).with_context(|| format!("report {id}"))?;
        Ok(Report { station, id, event: body["event"].clone(), refusal })
    };
    rows.into_iter().map(read).collect()
}
