//! Keys: which job each serves, and its secrets.

use gm::PublicKey;
use model::{JobId, KeyId, Secret, StationId};
use sqlx::Row as _;
use wire::{Bytes, KeySecrets, RefusedCode, SecretsReply, SecretsRequest};

use super::{
    desk::Desk,
    job::Job,
    refusal::{Refusal, blocking},
    rehearsal::{RehearsalError, subject},
    reports,
};
use crate::{
    audit::{self, What},
    db::{Connection, DbError, Sql, Transaction, begin_write, damaged},
    orders::{self, Actor},
    stock,
};

/// Longer names of attempts are refused: the id of the report that ends one must fit into a report's.
const ATTEMPT_BYTES_MAX: usize = 200;
/// Every dialect takes an admin PIN of this length: fields hold 16 bytes, GM/T 0016 asks for 6.
const ADMIN_PIN_LENGTH: u8 = 12;

/// What the register of keys knows of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyState {
    /// It was bound once and given back untouched.
    Blank,
    /// It is being made.
    Bound,
    /// It was made.
    Issued,
    /// It was written on and not made.
    Spoiled,
    /// It cannot be found any more.
    Lost,
}

impl KeyState {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::Bound => "bound",
            Self::Issued => "issued",
            Self::Spoiled => "spoiled",
            Self::Lost => "lost",
        }
    }
}

/// Binds the key to the job and gives its secrets, sealed to the station. The same request gives the same binding.
pub(super) async fn secrets(
    desk: &Desk,
    station: &StationId,
    sealing_key: PublicKey,
    request: &SecretsRequest,
) -> Result<SecretsReply, Refusal> {
    let user_pin = check(desk, station, request).await?;
    certifiable(desk, station, request).await?;
    // Before the binding: a label that the vault does not know must not cost a key.
    let (vault, key, label) = (desk.vault.clone(), request.key.clone(), request.factory_device_key.clone());
    let sealed = blocking(move || seal(&vault, &sealing_key, &key, &label, &user_pin)).await?;
    bind(desk, station, request).await?;
    let lot = stock::lot_of(&mut *desk.state.db.acquire().await?, &request.key).await?;
    Ok(SecretsReply { job: request.job.clone(), key: request.key.clone(), sealed: Bytes(sealed), lot })
}

/// A first look without the write lock; [`bind`] looks again.
async fn check(desk: &Desk, station: &StationId, request: &SecretsRequest) -> Result<Secret, Refusal> {
    if request.attempt.is_empty() || request.attempt.len() > ATTEMPT_BYTES_MAX {
        return Err(Refusal::invalid(format!(
            "请求未注明制证批次，请更新工位程序 (the request names no attempt of 1 to {ATTEMPT_BYTES_MAX} bytes: update the station)"
        )));
    }
    let mut connection = desk.state.db.acquire().await?;
    let job = leased_or_stuck(desk, &mut connection, station, request).await?;
    if !job.takes(&request.profile) {
        return Err(Refusal::invalid(format!(
            "任务 {} 不能使用型号 {} 的钥匙 (the job takes keys of {})",
            job.id,
            request.profile,
            job.profiles.join(", ")
        )));
    }
    if desk.state.config.stock.required && !stock::is_registered(&mut connection, &request.key).await? {
        return Err(Refusal::new(
            RefusedCode::NotRegistered,
            format!(
                "钥匙 {0} 未入库，请勿使用 (key {0} is not in stock: register its delivery with `portal stock add`)",
                request.key
            ),
        ));
    }
    may_bind(&mut connection, request).await?;
    not_ended(&mut connection, station, request).await?;
    let programme = desk.state.programmes.get(&job.programme).ok_or_else(|| {
        Refusal::later(format!(
            "门户没有项目 {} 的文件 (the portal has no file of this programme)",
            job.programme
        ))
    })?;
    Ok(programme.initial_user_pin.clone())
}

/// Rehearses the certificates before a key is bound. A job whose order cannot be certified is stuck until an operator releases it.
async fn certifiable(desk: &Desk, station: &StationId, request: &SecretsRequest) -> Result<(), Refusal> {
    let state = &desk.state;
    let order = orders::load(state, request.job.order()).await?;
    let content = order.ok_or_else(|| damaged(format!("the order of job {}", request.job)))?.content;
    let certified = match subject(&state.programmes, &content) {
        Ok(subject) => desk.authority.rehearsal.certify(subject, state.clock.now().into()).await,
        Err(error) => Err(error),
    };
    match certified {
        Ok(()) => Ok(()),
        Err(RehearsalError::Other(why)) => Err(Refusal::later(why)),
        Err(RehearsalError::Order(why)) => {
            stick(desk, station, &request.job, &why).await?;
            Err(Refusal::new(
                RefusedCode::OrderWrong,
                format!("订单内容有误，须在门户更正 (the order must be corrected at the portal: {why})"),
            ))
        }
    }
}

/// A job that has a key is left alone: that key is its station's business, and the job's end is still to be reported.
async fn stick(desk: &Desk, station: &StationId, job: &JobId, why: &str) -> Result<(), DbError> {
    let stuck = sqlx::query::<Sql>(
        "update jobs set state = 'stuck', stuck_reason = $3, leased_until = null \
         where job = $1 and station = $2 and state = 'leased' and key_id is null",
    )
    .bind(job.to_string())
    .bind(station.as_str())
    .bind(why)
    .execute(&desk.state.db)
    .await?;
    if stuck.rows_affected() == 1 {
        tracing::error!(%job, why, "a job is stuck: its order cannot be certified");
    }
    Ok(())
}

/// The job, if it is leased to this station.
pub(super) async fn leased(
    connection: &mut Connection,
    station: &StationId,
    job: &JobId,
) -> Result<Job, Refusal> {
    match Job::load(connection, job).await? {
        Some(job) if job.is_leased_to(station) => Ok(job),
        _ => Err(Refusal::not_leased(format!(
            "任务 {job} 未分配给本工作站 (job {job} is not leased to {station})"
        ))),
    }
}

/// The job, if it is leased to this station. Of one that is stuck here for its order, the station is told that again: the first answer
/// may have been lost.
async fn leased_or_stuck(
    desk: &Desk,
    connection: &mut Connection,
    station: &StationId,
    request: &SecretsRequest,
) -> Result<Job, Refusal> {
    match Job::load(connection, &request.job).await? {
        Some(job) if job.is_stuck_at(station) => certifiable(desk, station, request).await?,
        _ => {}
    }
    leased(connection, station, &request.job).await
}

async fn may_bind(connection: &mut Connection, request: &SecretsRequest) -> Result<(), Refusal> {
    let (job, key) = (&request.job, &request.key);
    match find(connection, key).await? {
        None | Some((KeyState::Blank, _)) => {}
        Some((KeyState::Bound, Some(bound))) if bound == *job => return Ok(()),
        Some((state, bound)) => {
            let bound = bound.map(|job| job.to_string()).unwrap_or_default();
            return Err(Refusal::new(
                RefusedCode::KeyUsed,
                format!(
                    "钥匙 {key} 已用于任务 {bound}（{0}） (key {key} served job {bound}: {0})",
                    state.code()
                ),
            ));
        }
    }
    let other: Option<String> = sqlx::query_scalar::<Sql, _>(
        "select key_id from keys where job = $1 and state in ('bound', 'issued')",
    )
    .bind(job.to_string())
    .fetch_optional(connection)
    .await?;
    match other {
        None => Ok(()),
        Some(other) => Err(Refusal::new(
            RefusedCode::JobHasKey,
            format!("任务 {job} 已绑定钥匙 {other} (job {job} has key {other}: put that one back)"),
        )),
    }
}

/// A copy of a request that comes after its attempt ended must not bind the key again: nobody would ever end that binding.
async fn not_ended(
    connection: &mut Connection,
    station: &StationId,
    request: &SecretsRequest,
) -> Result<(), Refusal> {
    if reports::is_stored(connection, station, &reports::end_of(&request.attempt)).await? {
        return Err(Refusal::invalid(format!(
            "该次制证已结束，请重新开始 (the attempt {} has ended: begin a new one)",
            request.attempt
        )));
    }
    Ok(())
}

async fn bind(desk: &Desk, station: &StationId, request: &SecretsRequest) -> Result<(), Refusal> {
    let mut tx = begin_write(&desk.state.db).await?;
    leased(&mut tx, station, &request.job).await?;
    may_bind(&mut tx, request).await?;
    not_ended(&mut tx, station, request).await?;
    let job = request.job.to_string();
    let key = request.key.to_string();
    let now = desk.state.clock.now_ms();
    sqlx::query::<Sql>(
        "insert into keys (key_id, state, job, station, profile, reason, changed_ms, attempt) \
         values ($1, 'bound', $2, $3, $4, '', $5, $6) \
         on conflict (key_id) do update set state = 'bound', job = excluded.job, station = excluded.station, \
         profile = excluded.profile, changed_ms = excluded.changed_ms, attempt = excluded.attempt",
    )
    .bind(&key)
    .bind(&job)
    .bind(station.as_str())
    .bind(&request.profile)
    .bind(now)
    .bind(&request.attempt)
    .execute(&mut *tx)
    .await?;
    sqlx::query::<Sql>("update jobs set key_id = $2 where job = $1")
        .bind(&job)
        .bind(&key)
        .execute(&mut *tx)
        .await?;
    // Each time, also when the same request is answered again: they leave the house each time.
    let who = Actor::Station(station.clone());
    audit::record(&mut tx, now, &who, What::SecretsGiven, &request.job, &format!("key={key}")).await?;
    tx.commit().await?;
    Ok(())
}

fn seal(
    vault: &vault::Vault,
    sealing_key: &PublicKey,
    key: &KeyId,
    label: &str,
    user_pin: &Secret,
) -> Result<Vec<u8>, Refusal> {
    let factory = vault.factory_key(label).map_err(|error| match error {
        vault::VaultError::Absent { .. } | vault::VaultError::Argument { .. } => Refusal::invalid(format!(
            "密码机中没有出厂设备密钥 {label} (the vault has no factory key {label:?}: `portal factory-key {label}`)"
        )),
        other => other.into(),
    })?;
    let secrets = KeySecrets {
        key: key.clone(),
        factory_device_key: hex::encode(factory.expose()),
        device_key: hex::encode(vault.device_key(key)?.expose()),
        admin_pin: text(&vault.admin_pin(key, ADMIN_PIN_LENGTH)?)?,
        user_pin: text(user_pin)?,
    };
    // One allocation, so that no half-grown copy is left behind in memory.
    let mut plain = Vec::with_capacity(1024);
    serde_json::to_writer(&mut plain, &secrets).map_err(|error| Refusal::later(error.to_string()))?;
    gm::seal(sealing_key, &Secret::new(plain)).map_err(|error| Refusal::later(error.to_string()))
}

fn text(secret: &Secret) -> Result<String, Refusal> {
    let text = std::str::from_utf8(secret.expose());
    text.map(str::to_owned)
        .map_err(|_| Refusal::later("a PIN of the portal is not text: check the programme's file"))
}

/// What is known of a key, and the job it is bound to or was.
pub(super) async fn find(
    connection: &mut Connection,
    key: &KeyId,
) -> Result<Option<(KeyState, Option<JobId>)>, DbError> {
    let row = sqlx::query::<Sql>("select state, job from keys where key_id = $1")
        .bind(key.to_string())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let states = [KeyState::Blank, KeyState::Bound, KeyState::Issued, KeyState::Spoiled, KeyState::Lost];
    let code: &str = row.try_get("state")?;
    let state = states.into_iter().find(|state| state.code() == code);
    let job: Option<String> = row.try_get("job")?;
    let job = job.map(|job| job.parse().map_err(|_| damaged(format!("the job of key {key}")))).transpose()?;
    Ok(Some((state.ok_or_else(|| damaged(format!("the state of key {key}")))?, job)))
}

/// The attempt for which a key was bound last; empty if that is not known.
pub(super) async fn attempt(connection: &mut Connection, key: &KeyId) -> Result<String, DbError> {
    let attempt = sqlx::query_scalar::<Sql, String>("select attempt from keys where key_id = $1");
    Ok(attempt.bind(key.to_string()).fetch_optional(connection).await?.unwrap_or_default())
}

/// Writes a key's new state. `job` stays with a key that was made or spoiled for it, and leaves a blank one.
pub(super) async fn change(
    tx: &mut Transaction,
    key: &KeyId,
    state: KeyState,
    job: Option<&JobId>,
    by: (&StationId, &str),
    reason: &str,
    now: i64,
) -> Result<(), DbError> {
    let (station, profile) = by;
    sqlx::query::<Sql>(
        "insert into keys (key_id, state, job, station, profile, reason, changed_ms) values ($1, $2, $3, $4, $5, $6, $7) \
         on conflict (key_id) do update set state = excluded.state, job = excluded.job, station = excluded.station, \
         reason = excluded.reason, changed_ms = excluded.changed_ms",
    )
    .bind(key.to_string())
    .bind(state.code())
    .bind(job.map(ToString::to_string))
    .bind(station.as_str())
    .bind(profile)
    .bind(reason.chars().take(500).collect::<String>())
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
