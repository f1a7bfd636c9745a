//! The end of a job on one key: what becomes of the job, the key and its certificates.

use model::{Outcome, StationId};
use wire::JobEnded;

use crate::{
    db::{DbError, Sql, Transaction},
    orders::Actor,
    stations::{
        certificates::{self, Reason},
        desk::Desk,
        job::{Job, JobState},
        keys::{self, KeyState},
        refusal::Refusal,
        reports::end_of,
    },
};

pub(super) async fn apply(
    desk: &Desk,
    tx: &mut Transaction,
    station: &StationId,
    report: &str,
    ended: &JobEnded,
) -> Result<(), Refusal> {
    let Some(job) = Job::load(tx, &ended.job).await? else {
        return Err(Refusal::invalid(format!("没有任务 {0} (there is no job {0})", ended.job)));
    };
    let known = keys::find(tx, &ended.key).await?;
    let bound = known == Some((KeyState::Bound, Some(job.id.clone())));
    if bound && job.station.as_ref() != Some(station) {
        return Err(Refusal::invalid(format!(
            "任务 {0} 不在工作站 {station} (job {0} with key {1} is not at {station}: what it says of it counts for nothing)",
            job.id, ended.key
        )));
    }
    let now = desk.state.clock.now_ms();
    if ended.outcome == Outcome::Pass {
        return passed(tx, station, &job, ended, bound, now).await;
    }
    if bound && !ends_binding(tx, report, ended).await? {
        // The end of an earlier attempt, late: the key is in work again, for the same job.
        return Ok(());
    }
    let certified = !certificates::serials(tx, &job.id, &ended.key).await?.is_empty();
    let by = (station, ended.profile.as_str());
    if bound && !ended.key_touched && !certified {
        keys::change(tx, &ended.key, KeyState::Blank, None, by, "", now).await?;
        return released(desk, tx, &job, ended, 0, now).await.map_err(Into::into);
    }
    if bound {
        spoil(tx, ended, by, now).await?;
        return released(desk, tx, &job, ended, 1, now).await.map_err(Into::into);
    }
    // Not bound to this job: the job is not concerned. A key that was written on all the same is set aside.
    let free = matches!(known, None | Some((KeyState::Blank, _)));
    if ended.key_touched && free {
        spoil(tx, ended, by, now).await?;
    }
    Ok(())
}

/// Whether the report ends the attempt for which the key is bound, not one before it.
async fn ends_binding(tx: &mut Transaction, report: &str, ended: &JobEnded) -> Result<bool, DbError> {
    let attempt = keys::attempt(tx, &ended.key).await?;
    Ok(attempt.is_empty() || report == end_of(&attempt))
}

async fn passed(
    tx: &mut Transaction,
    station: &StationId,
    job: &Job,
    ended: &JobEnded,
    bound: bool,
    now: i64,
) -> Result<(), Refusal> {
    if !bound || !job.is_leased_to(station) {
        return Err(Refusal::invalid(format!(
            "任务 {0} 没有绑定钥匙 {1} (job {0} of this station has no key {1}: this key must not be shipped)",
            job.id, ended.key
        )));
    }
    let read_back = (ended.sign_cert_serial.as_deref(), ended.enc_cert_serial.as_deref());
    let (Some(sign), Some(enc)) = read_back else {
        return Err(Refusal::invalid(
            "合格的钥匙必须回读两张证书 (a made key has both certificates read back)",
        ));
    };
    let valid = certificates::serials(tx, &job.id, &ended.key).await?;
    let matches = valid.iter().any(|(s, e)| s.eq_ignore_ascii_case(sign) && e.eq_ignore_ascii_case(enc));
    if !matches {
        return Err(Refusal::invalid(format!(
            "钥匙 {} 中的证书不是为它签发的 (the certificates read from the key are not the ones issued for it: set it aside)",
            ended.key
        )));
    }
    keys::change(tx, &ended.key, KeyState::Issued, Some(&job.id), (station, &ended.profile), "", now).await?;
    sqlx::query::<Sql>(
        "update jobs set state = 'done', outcome = 'pass', leased_until = null where job = $1",
    )
    .bind(job.id.to_string())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn spoil(
    tx: &mut Transaction,
    ended: &JobEnded,
    by: (&StationId, &str),
    now: i64,
) -> Result<(), DbError> {
    keys::change(tx, &ended.key, KeyState::Spoiled, Some(&ended.job), by, &ended.detail, now).await?;
    let who = Actor::Station(by.0.clone());
    certificates::revoke(tx, &ended.job, &ended.key, Reason::Spoiled, &who, now).await
}

/// The job waits for another key at the same station; after too many spoiled ones an operator must look.
async fn released(
    desk: &Desk,
    tx: &mut Transaction,
    job: &Job,
    ended: &JobEnded,
    spoiled: i64,
    now: i64,
) -> Result<(), DbError> {
    let terms = &desk.state.config.leases;
    let attempts = job.attempts + spoiled;
    let stuck = attempts >= i64::from(terms.attempts_max);
    let state = match job.state {
        JobState::Leased if stuck => "stuck",
        JobState::Leased => "leased",
        JobState::Waiting => "waiting",
        JobState::Done => "done",
        JobState::Stuck => "stuck",
    };
    if stuck {
        tracing::error!(job = %job.id, attempts, "a job is stuck: too many keys were spoiled on it");
    }
    let why = format!(
        "已作废 {attempts} 把钥匙，最后一次：{0} ({attempts} keys were spoiled; the last: {0})",
        ended.detail.chars().take(300).collect::<String>()
    );
    let outcome = serde_json::to_value(ended.outcome).ok();
    sqlx::query::<Sql>(
        "update jobs set key_id = null, state = $2, attempts = $3, outcome = $4, leased_until = $5, \
         stuck_reason = coalesce($6, stuck_reason) where job = $1",
    )
    .bind(job.id.to_string())
    .bind(state)
    .bind(attempts)
    .bind(outcome.as_ref().and_then(serde_json::Value::as_str))
    .bind(now + i64::from(terms.seconds) * 1000)
    .bind((state == "stuck" && job.state == JobState::Leased).then_some(why))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
