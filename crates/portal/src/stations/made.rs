//! What became of an order's jobs, for operators and for the demo's report.

use model::{JobId, KeyId, OrderNumber, Outcome, SlotName};
use serde::Serialize;
use wire::{Event, Report};

use crate::db::{Db, DbError, Sql, damaged};

/// How a job ended, as its station reported it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MadeKey {
    /// The job.
    pub job: JobId,
    /// The station.
    pub station: String,
    /// The slot.
    pub slot: SlotName,
    /// The key.
    pub key: KeyId,
    /// The key's serial alone, as printed on it.
    pub key_serial: String,
    /// The key's profile.
    pub profile: String,
    /// The outcome.
    pub outcome: Outcome,
    /// How long it took.
    pub milliseconds: u64,
    /// Serial of the signing certificate read back, hex.
    pub sign_cert_serial: Option<String>,
    /// Serial of the encryption certificate read back, hex.
    pub enc_cert_serial: Option<String>,
    /// For people.
    pub detail: String,
}

/// One entry a job that ended on some key: the pass if there is one, else the last that was tried. Jobs not begun are absent.
///
/// # Errors
/// The database's.
pub async fn made(db: &Db, order: &OrderNumber) -> Result<Vec<MadeKey>, DbError> {
    let rows = sqlx::query_as::<Sql, (String, String)>(
        "select r.station, r.body from reports r join jobs j on j.job = r.job \
         where j.order_number = $1 and r.kind = 'job_ended' and r.refusal is null order by j.idx, r.received_ms, r.id",
    );
    let mut made: Vec<MadeKey> = Vec::new();
    for (station, body) in rows.bind(order.as_str()).fetch_all(db).await? {
        let report: Report =
            serde_json::from_str(&body).map_err(|_| damaged(format!("a report on order {order}")))?;
        let Event::JobEnded(ended) = report.event else { continue };
        let entry = MadeKey {
            key_serial: ended.key.serial().to_owned(),
            job: ended.job,
            station,
            slot: ended.slot,
            key: ended.key,
            profile: ended.profile,
            outcome: ended.outcome,
            milliseconds: ended.milliseconds,
            sign_cert_serial: ended.sign_cert_serial,
            enc_cert_serial: ended.enc_cert_serial,
            detail: ended.detail,
        };
        match made.last_mut() {
            Some(last) if last.job == entry.job => {
                if last.outcome != Outcome::Pass {
                    *last = entry;
                }
            }
            _ => made.push(entry),
        }
    }
    Ok(made)
}

/// The order's waybill, once SF gave one.
///
/// # Errors
/// The database's.
pub async fn waybill(db: &Db, order: &OrderNumber) -> Result<Option<String>, DbError> {
    let waybill = sqlx::query_scalar::<Sql, String>("select waybill from parcels where order_number = $1");
    Ok(waybill.bind(order.as_str()).fetch_optional(db).await?)
}
