//! Leases: who works on which job, and until when.

use model::StationId;
use sqlx::Row as _;
use wire::{Lease, Pull, Renew, Renewed};

use super::{desk::Desk, job::Job, refusal::Refusal};
use crate::db::{Sql, Transaction, begin_write};

/// Longer lists in a request are refused: no station holds so many.
const LIST_MAX: usize = 2_000;

/// Leases orders, the oldest first, while there is room; and again what was leased but never reached the station.
///
/// An order is leased whole and stays in one place, so the last one may exceed the room (a big order would never be made otherwise).
pub(super) async fn pull(desk: &Desk, station: &StationId, pull: &Pull) -> Result<Lease, Refusal> {
    if pull.holding.len() > LIST_MAX || pull.profiles.len() > LIST_MAX {
        return Err(Refusal::invalid(format!("a pull lists at most {LIST_MAX} jobs and profiles")));
    }
    let terms = &desk.state.config.leases;
    let now = desk.state.clock.now_ms();
    let until = now + i64::from(terms.seconds) * 1000;
    let mut tx = begin_write(&desk.state.db).await?;
    release_expired(&mut tx, now).await?;

    let leased = Job::leased_to(&mut tx, station).await?;
    let lost = leased.iter().filter(|job| !pull.holding.contains(&job.id)).count();
    let allowed = usize::from(terms.jobs_max).saturating_sub(leased.len());
    let mut room = usize::from(pull.capacity).saturating_sub(lost).min(allowed);
    for (order, jobs) in candidates(&mut tx, station, &pull.profiles, room).await? {
        if room == 0 {
            break;
        }
        take(&mut tx, station, &order, until).await?;
        room = room.saturating_sub(jobs);
    }

    let leased = Job::leased_to(&mut tx, station).await?;
    let wanted: Vec<Job> = leased.into_iter().filter(|job| !pull.holding.contains(&job.id)).collect();
    for job in &wanted {
        extend(&mut tx, station, &job.id.to_string(), until).await?;
    }
    tx.commit().await?;
    let jobs = wanted.into_iter().map(|job| job.order(&desk.state.programmes)).collect();
    Ok(Lease { jobs, seconds: terms.seconds })
}

/// Keeps leases alive.
pub(super) async fn renew(desk: &Desk, station: &StationId, renew: &Renew) -> Result<Renewed, Refusal> {
    if renew.jobs.len() > LIST_MAX {
        return Err(Refusal::invalid(format!("a renewal lists at most {LIST_MAX} jobs")));
    }
    let seconds = desk.state.config.leases.seconds;
    let until = desk.state.clock.now_ms() + i64::from(seconds) * 1000;
    let mut tx = begin_write(&desk.state.db).await?;
    let (mut kept, mut lost) = (Vec::new(), Vec::new());
    for job in &renew.jobs {
        let held = extend(&mut tx, station, &job.to_string(), until).await?;
        if held { kept.push(job.clone()) } else { lost.push(job.clone()) }
    }
    tx.commit().await?;
    Ok(Renewed { kept, lost, seconds })
}

/// A job with a key bound never falls back by itself: the key may be half made, in that station's slot.
async fn release_expired(tx: &mut Transaction, now: i64) -> Result<(), Refusal> {
    sqlx::query::<Sql>(
        "update jobs set state = 'waiting', station = null, leased_until = null \
         where state = 'leased' and leased_until < $1 and key_id is null",
    )
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The oldest orders this station could take, at most `room` of them, with the number of jobs that wait in each.
///
/// Jobs with the same profiles are looked at together, so that a long queue for other keys hides nothing.
async fn candidates(
    tx: &mut Transaction,
    station: &StationId,
    profiles: &[String],
    room: usize,
) -> Result<Vec<(String, usize)>, Refusal> {
    let rows = sqlx::query::<Sql>("select distinct profiles from jobs where state = 'waiting'")
        .fetch_all(&mut **tx)
        .await?;
    let mut orders = Vec::new();
    for row in rows {
        let text: String = row.try_get("profiles")?;
        let allowed: Vec<String> = serde_json::from_str(&text)
            .map_err(|_| crate::db::damaged(format!("the profiles {text:?} of a job")))?;
        if !allowed.is_empty() && !allowed.iter().any(|profile| profiles.contains(profile)) {
            continue;
        }
        // No other station may hold, have made or be stuck on a job of the order: its parcel is packed in one place. Nor is a key made
        // whose money is asked back.
        let rows = sqlx::query::<Sql>(
            "select o.created_ms, o.number, count(*) as jobs from jobs j join orders o on o.number = j.order_number \
             where j.state = 'waiting' and j.profiles = $1 and o.state = 'awaiting_production' \
             and not exists (select 1 from jobs k where k.order_number = j.order_number and k.station <> $2) \
             and not exists (select 1 from refund_requests r where r.order_number = o.number and r.state <> 'declined') \
             group by o.created_ms, o.number order by o.created_ms, o.number limit $3",
        )
        .bind(&text)
        .bind(station.as_str())
        .bind(i64::try_from(room).unwrap_or(i64::MAX))
        .fetch_all(&mut **tx)
        .await?;
        for row in rows {
            let jobs = usize::try_from(row.try_get::<i64, _>("jobs")?).unwrap_or(0);
            orders.push((row.try_get::<i64, _>("created_ms")?, row.try_get::<String, _>("number")?, jobs));
        }
    }
    orders.sort();
    Ok(orders.into_iter().map(|(_, order, jobs)| (order, jobs)).collect())
}

async fn take(tx: &mut Transaction, station: &StationId, order: &str, until: i64) -> Result<(), Refusal> {
    sqlx::query::<Sql>(
        "update jobs set state = 'leased', station = $1, leased_until = $2 where order_number = $3 and state = 'waiting'",
    )
    .bind(station.as_str())
    .bind(until)
    .bind(order)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Whether the job was leased to the station, and is for longer now.
async fn extend(tx: &mut Transaction, station: &StationId, job: &str, until: i64) -> Result<bool, Refusal> {
    let updated = sqlx::query::<Sql>(
        "update jobs set leased_until = $3 where job = $1 and station = $2 and state = 'leased'",
    )
    .bind(job)
    .bind(station.as_str())
    .bind(until)
    .execute(&mut **tx)
    .await?;
    Ok(updated.rows_affected() == 1)
}
