//! Reports: what happened at a station, applied once and kept for ever.

mod bench_events;
mod job_ended;

use gm::PublicKey;
use model::{OrderState, StationId};
use sqlx::Row as _;
use wire::{Ack, Chain, Event, LabelPrinted, Report, SignedHead};

use super::{desk::Desk, refusal::Refusal};
use crate::{
    audit::{self, Head, What},
    db::{Connection, DbError, Sql, Transaction, begin_write, damaged},
    orders::{Actor, change_state, standing},
};

const ID_BYTES_MAX: usize = 256;

/// Applies a report, once. The acknowledgement is given after the commit; the same report again gets the same answer.
///
/// The anchor belongs to the sending and not to the report: it is kept whatever becomes of the report, unless its signature is wrong.
pub(super) async fn report(
    desk: &Desk,
    station: &StationId,
    key: PublicKey,
    report: &Report,
) -> Result<Ack, Refusal> {
    readable(report)?;
    let (report, anchor) = (&Report { anchor: None, ..report.clone() }, report.anchor.as_ref());
    let sending = Sending { desk, station, key, anchor, now: desk.state.clock.now_ms() };
    let head = match sending.check() {
        Ok(()) => sending.take(report).await?,
        Err(refusal) => {
            let mut tx = begin_write(&desk.state.db).await?;
            sending.tell(&mut tx, report, What::ReportRefused, "anchor=wrong").await?;
            tx.commit().await?;
            return Err(refusal);
        }
    };
    let portal_head = desk.authority.signed(head).await?;
    Ok(Ack { report: report.id.clone(), portal_head: Some(portal_head) })
}

/// One sending of a report.
struct Sending<'a> {
    desk: &'a Desk,
    station: &'a StationId,
    key: PublicKey,
    anchor: Option<&'a SignedHead>,
    now: i64,
}

impl Sending<'_> {
    /// The anchor was signed by the station, or there is none.
    fn check(&self) -> Result<(), Refusal> {
        let Some(anchor) = self.anchor else { return Ok(()) };
        let checked = match i64::try_from(anchor.sequence) {
            Ok(_) => anchor.verified(Chain::Journal, &self.key).map(drop).map_err(|error| error.to_string()),
            Err(_) => Err("no journal has so many links".to_owned()),
        };
        checked.map_err(|why| {
            Refusal::invalid(format!(
                "报告所附日志签名无效，请勿继续使用该工位并联系门户管理员 (the journal's head that came with the report is not signed by {}: {why})",
                self.station
            ))
        })
    }

    /// Keeps the anchor, applies the report unless it is known, and says where the audit stands then.
    async fn take(&self, report: &Report) -> Result<Head, Refusal> {
        let body = serde_json::to_string(report).map_err(|error| Refusal::invalid(error.to_string()))?;
        let mut tx = begin_write(&self.desk.state.db).await?;
        self.keep_anchor(&mut tx).await?;
        if let Some(known) = find(&mut tx, self.station, &report.id).await? {
            // What was refused is looked at again: the operator may have put right what was in its way.
            if known.body != body || known.refusal.is_none() {
                return self.commit(tx, known.answer(report, &body)).await;
            }
        }
        match apply(self.desk, &mut tx, self.station, report).await {
            Ok(()) => {
                self.keep(&mut tx, report, &body, None).await?;
                self.commit(tx, Ok(())).await
            }
            Err(refusal) if refusal.code == wire::RefusedCode::Invalid => {
                // What the attempt wrote must not stay; the refusal must.
                tx.rollback().await?;
                let mut tx = begin_write(&self.desk.state.db).await?;
                self.keep_anchor(&mut tx).await?;
                self.keep(&mut tx, report, &body, Some(&refusal.detail)).await?;
                self.commit(tx, Err(refusal)).await
            }
            Err(refusal) => Err(refusal),
        }
    }

    async fn commit(&self, mut tx: Transaction, answer: Result<(), Refusal>) -> Result<Head, Refusal> {
        let head = audit::head(&mut tx).await?;
        tx.commit().await?;
        answer.map(|()| head)
    }

    /// An anchor that contradicts an earlier one is an alarm and no reason to hold the report up: key and order come first.
    async fn keep_anchor(&self, tx: &mut Transaction) -> Result<(), DbError> {
        match self.anchor {
            Some(anchor) => audit::keep_anchor(tx, self.station, &self.key, anchor, self.now).await,
            None => Ok(()),
        }
    }

    /// Keeps the report, applied or refused.
    async fn keep(
        &self,
        tx: &mut Transaction,
        report: &Report,
        body: &str,
        refusal: Option<&str>,
    ) -> Result<(), DbError> {
        let (kind, job) = match &report.event {
            Event::JobEnded(ended) => ("job_ended", Some(ended.job.to_string())),
            Event::KeyRefused(_) => ("key_refused", None),
            Event::LabelPrinted(_) => ("label_printed", None),
            Event::BreakerChanged(_) => ("breaker_changed", None),
            Event::ShiftClosed(_) => ("shift_closed", None),
        };
        // A refusal gives way to what the second look says; an answer that was given stands.
        let kept = sqlx::query::<Sql>(
            "insert into reports (id, station, kind, job, body, received_ms, refusal) values ($1, $2, $3, $4, $5, $6, $7) \
             on conflict (station, id) do update set refusal = excluded.refusal, received_ms = excluded.received_ms \
             where reports.refusal is not null",
        )
        .bind(&report.id)
        .bind(self.station.as_str())
        .bind(kind)
        .bind(job)
        .bind(body)
        .bind(self.now)
        .bind(refusal)
        .execute(&mut **tx)
        .await?;
        if kept.rows_affected() != 1 {
            return Ok(());
        }
        // The digest holds the stored report to the chain; the anchor is on record even if its table is not.
        let mut detail = format!("kind={kind} body={}", hex::encode(gm::sm3(body.as_bytes())));
        if let Some(anchor) = self.anchor {
            detail.push_str(&format!(" journal={} {}", anchor.sequence, anchor.head));
        }
        let what = if refusal.is_none() { What::ReportApplied } else { What::ReportRefused };
        self.tell(tx, report, what, &detail).await
    }

    /// A row of the audit about the report.
    async fn tell(
        &self,
        tx: &mut Transaction,
        report: &Report,
        what: What,
        detail: &str,
    ) -> Result<(), DbError> {
        audit::record(tx, self.now, &Actor::Station(self.station.clone()), what, &report.id, detail).await
    }
}

/// What can be said of a report without the database.
fn readable(report: &Report) -> Result<(), Refusal> {
    if report.id.is_empty() || report.id.len() > ID_BYTES_MAX {
        return Err(Refusal::invalid(format!("a report's id has 1 to {ID_BYTES_MAX} bytes")));
    }
    if report.at.parse::<jiff::Timestamp>().is_err() {
        return Err(Refusal::invalid(
            "the report's time `at` is not RFC 3339, such as 2026-11-22T09:30:00+08:00",
        ));
    }
    Ok(())
}

struct Known {
    body: String,
    refusal: Option<String>,
}

impl Known {
    fn answer(self, report: &Report, body: &str) -> Result<(), Refusal> {
        if self.body != body {
            return Err(Refusal::invalid(format!("report id {:?} was used for another report", report.id)));
        }
        Ok(())
    }
}

/// The id of the report that ends an attempt.
pub(super) fn end_of(attempt: &str) -> String {
    format!("ended:{attempt}")
}

/// Whether a station's report with this id is stored, applied or not.
pub(super) async fn is_stored(
    connection: &mut Connection,
    station: &StationId,
    id: &str,
) -> Result<bool, DbError> {
    Ok(find(connection, station, id).await?.is_some())
}

async fn find(connection: &mut Connection, station: &StationId, id: &str) -> Result<Option<Known>, DbError> {
    let row = sqlx::query::<Sql>("select body, refusal from reports where station = $1 and id = $2")
        .bind(station.as_str())
        .bind(id)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Known { body: row.try_get("body")?, refusal: row.try_get("refusal")? }))
}

async fn apply(
    desk: &Desk,
    tx: &mut Transaction,
    station: &StationId,
    report: &Report,
) -> Result<(), Refusal> {
    match &report.event {
        Event::JobEnded(ended) => job_ended::apply(desk, tx, station, &report.id, ended).await,
        // Nothing follows from it; it is kept for the page and the spoilage ledger.
        Event::KeyRefused(_) => Ok(()),
        Event::LabelPrinted(printed) => label_printed(desk, tx, station, printed).await,
        Event::BreakerChanged(changed) => bench_events::breaker_changed(tx, station, report, changed).await,
        Event::ShiftClosed(closed) => bench_events::shift_closed(tx, station, report, closed).await,
    }
}

/// The parcel is labelled: the order waits for delivery.
async fn label_printed(
    desk: &Desk,
    tx: &mut Transaction,
    station: &StationId,
    printed: &LabelPrinted,
) -> Result<(), Refusal> {
    let now = desk.state.clock.now_ms();
    let updated = sqlx::query::<Sql>(
        "update parcels set printed_ms = coalesce(printed_ms, $4) where order_number = $1 and waybill = $2 and station = $3",
    )
    .bind(printed.order.as_str())
    .bind(&printed.waybill)
    .bind(station.as_str())
    .bind(now)
    .execute(&mut **tx)
    .await?;
    if updated.rows_affected() != 1 {
        return Err(Refusal::invalid(format!(
            "订单 {0} 没有运单 {1} (order {0} has no parcel {1} of {station}: ask for the parcel first)",
            printed.order, printed.waybill
        )));
    }
    let order = standing(tx, &printed.order).await?;
    let order = order.ok_or_else(|| damaged(format!("order {}, which has a parcel", printed.order)))?;
    // A second print of the same label is not a second change of state.
    if matches!(order.state, OrderState::AwaitingDelivery | OrderState::Completed) {
        return Ok(());
    }
    let actor = Actor::Station(station.clone());
    change_state(tx, &printed.order, OrderState::AwaitingDelivery, &actor, &printed.waybill, now).await?;
    Ok(())
}
