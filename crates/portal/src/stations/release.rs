//! The way out: an operator takes a job away from its key and its station, and any station may make it anew.

use model::{JobId, KeyId, OrderState};
use serde::Deserialize;

use super::{
    certificates::{self, Reason},
    job::{Job, JobState},
    keys::KeyState,
};
use crate::{
    audit::{self, What},
    clock::Clock,
    db::{Db, DbError, Sql, Transaction, begin_write, damaged},
    orders::{Actor, HistoryEntry, OrderError, REASON_CHARS_MAX, add_history, standing},
};

/// What became of the job's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFate {
    /// It is here and is set aside.
    Spoiled,
    /// It cannot be found: whoever has it must not be able to use it.
    Lost,
}

impl KeyFate {
    fn state(self) -> KeyState {
        match self {
            Self::Spoiled => KeyState::Spoiled,
            Self::Lost => KeyState::Lost,
        }
    }

    fn reason(self) -> Reason {
        match self {
            Self::Spoiled => Reason::Spoiled,
            Self::Lost => Reason::Lost,
        }
    }

    fn zh(self) -> &'static str {
        match self {
            Self::Spoiled => "作废",
            Self::Lost => "遗失",
        }
    }
}

/// What an operator says of a job.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// What became of its key, if it has one.
    pub key: KeyFate,
    /// Why, 1 to 500 characters; kept with the key and in the order's history.
    pub reason: String,
    /// The key that the operator saw beside the job, empty for none. If it is given and another is bound by now, nothing is done.
    #[serde(default)]
    pub seen_key: Option<String>,
}

/// Revokes the certificates of the job's key, sets the key aside for ever and lets the job wait for any station, its attempts forgotten.
/// A job that waits already stays as it is.
///
/// A made key may be taken back like this until its order has a waybill.
///
/// # Errors
/// [`OrderError`]: no such job, no reason, an order out of production or with a waybill, another key than was seen.
pub async fn release(
    db: &Db,
    clock: &Clock,
    id: &JobId,
    release: &Release,
    actor: &Actor,
) -> Result<(), OrderError> {
    let reason = release.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return Err(OrderError::Reason);
    }
    let mut tx = begin_write(db).await?;
    let job = Job::load(&mut tx, id).await?.ok_or_else(|| OrderError::UnknownJob(id.clone()))?;
    if job.state == JobState::Waiting && job.key.is_none() {
        return Ok(());
    }
    may_release(&mut tx, &job, release).await?;
    let now = clock.now_ms();
    if let Some(key) = &job.key {
        certificates::revoke(&mut tx, id, key, release.key.reason(), actor, now).await?;
        set_aside(&mut tx, key, release.key, reason, now).await?;
    }
    sqlx::query::<Sql>(
        "update jobs set state = 'waiting', station = null, leased_until = null, key_id = null, outcome = null, \
         attempts = 0, stuck_reason = null where job = $1",
    )
    .bind(id.to_string())
    .execute(&mut *tx)
    .await?;
    let entry = history(&job, release.key, reason, actor, now);
    add_history(&mut tx, id.order(), &entry).await?;
    let key = job.key.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    let station = job.station.as_ref().map_or("none", |station| station.as_str());
    let detail = format!("key={key} fate={} station={station}", release.key.state().code());
    audit::record(&mut tx, now, actor, What::JobReleased, id, &detail).await?;
    tx.commit().await?;
    tracing::warn!(job = %id, key = ?job.key, fate = ?release.key, %actor, "a job was released");
    Ok(())
}

async fn may_release(tx: &mut Transaction, job: &Job, release: &Release) -> Result<(), OrderError> {
    let key = job.key.as_ref().map(ToString::to_string).unwrap_or_default();
    if release.seen_key.as_ref().is_some_and(|seen| *seen != key) {
        return Err(OrderError::Raced);
    }
    let order = standing(tx, job.id.order()).await?;
    let order = order.ok_or_else(|| damaged(format!("the order of job {}", job.id)))?;
    if order.state != OrderState::AwaitingProduction {
        return Err(OrderError::NotReleasable("订单不在待制证状态 (its order is not in production)"));
    }
    let parcel = sqlx::query("select 1 from parcels where order_number = $1").bind(job.id.order().as_str());
    if parcel.fetch_optional(&mut **tx).await?.is_some() {
        return Err(OrderError::NotReleasable(
            "订单已有运单，其面单列有该钥匙 (its order has a waybill, whose label names the key)",
        ));
    }
    Ok(())
}

async fn set_aside(
    tx: &mut Transaction,
    key: &KeyId,
    fate: KeyFate,
    reason: &str,
    now: i64,
) -> Result<(), DbError> {
    sqlx::query::<Sql>("update keys set state = $2, reason = $3, changed_ms = $4 where key_id = $1")
        .bind(key.to_string())
        .bind(fate.state().code())
        .bind(reason)
        .bind(now)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn history(job: &Job, fate: KeyFate, reason: &str, actor: &Actor, now: i64) -> HistoryEntry {
    let key = job
        .key
        .as_ref()
        .map_or_else(|| "无钥匙".to_owned(), |key| format!("钥匙 {} {}", key.serial(), fate.zh()));
    let station = job.station.as_ref().map_or("", |station| station.as_str());
    HistoryEntry {
        at_ms: now,
        who: actor.to_string(),
        from: Some(OrderState::AwaitingProduction),
        to: OrderState::AwaitingProduction,
        reason: format!("任务 -{} 退回（{station}，{key}）：{reason}", job.id.index()),
    }
}
