//! Enrolled stations.

use gm::PublicKey;
use model::StationId;
use sqlx::Row as _;

use super::refusal::Refusal;
use crate::{
    audit::{self, What},
    db::{Connection, Db, DbError, Sql, begin_write, damaged},
    init::StationCertificate,
    orders::Actor,
};

/// The SM2 key to which an enrolled, active station's secrets are sealed.
pub(super) async fn sealing_key(db: &Db, station: &StationId) -> Result<PublicKey, Refusal> {
    let row = sqlx::query::<Sql>("select state, sealing_key from stations where name = $1")
        .bind(station.as_str())
        .fetch_optional(db)
        .await?;
    let Some(row) = row else {
        return Err(Refusal::not_active(format!(
            "工作站 {station} 未注册 (station {station} is not enrolled: run `portal station add {station}`)"
        )));
    };
    if row.try_get::<&str, _>("state")? != "active" {
        return Err(Refusal::not_active(format!(
            "工作站 {station} 已停用 (station {station} is disabled: ask an operator)"
        )));
    }
    public_key(row.try_get("sealing_key")?)
        .ok_or_else(|| damaged(format!("the key of station {station}")).into())
}

/// 128 hex digits to a point on the curve.
pub(crate) fn public_key(text: &str) -> Option<PublicKey> {
    let bytes: [u8; 64] = hex::decode(text).ok()?.try_into().ok()?;
    PublicKey::from_xy(&bytes).ok()
}

/// Writes a station's identity; a second enrolment replaces the first and makes a disabled station active.
pub(crate) async fn enrol(
    tx: &mut Connection,
    station: &StationId,
    sealing_key: &PublicKey,
    certificate: &StationCertificate,
    now: i64,
) -> Result<(), DbError> {
    revoke(&mut *tx, station, now).await?;
    sqlx::query::<Sql>(
        "insert into stations (name, state, sealing_key, certificate, enrolled_ms, serial) \
         values ($1, 'active', $2, $3, $4, $5) \
         on conflict (name) do update set state = 'active', sealing_key = excluded.sealing_key, \
         certificate = excluded.certificate, enrolled_ms = excluded.enrolled_ms, serial = excluded.serial",
    )
    .bind(station.as_str())
    .bind(hex::encode(sealing_key.xy()))
    .bind(&certificate.pem)
    .bind(now)
    .bind(&certificate.serial)
    .execute(&mut *tx)
    .await?;
    let detail = format!("key={} certificate={}", hex::encode(sealing_key.xy()), certificate.serial);
    audit::record(tx, now, &Actor::Station(station.clone()), What::StationEnrolled, station, &detail).await
}

/// Puts the certificate that a station has on the broker's list, which the caller writes after the commit.
async fn revoke(tx: &mut Connection, station: &StationId, now: i64) -> Result<(), DbError> {
    sqlx::query::<Sql>(
        "insert into revoked_stations (serial, station, revoked_ms) \
         select serial, name, $2 from stations where name = $1 and serial <> '' on conflict (serial) do nothing",
    )
    .bind(station.as_str())
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// Disables a station: it gets nothing but refusals. False if there is no such station. The caller writes the broker's list afterwards.
pub(crate) async fn disable(db: &Db, station: &StationId, now: i64) -> Result<bool, DbError> {
    let mut tx = begin_write(db).await?;
    revoke(&mut tx, station, now).await?;
    let updated = sqlx::query::<Sql>("update stations set state = 'disabled' where name = $1")
        .bind(station.as_str())
        .execute(&mut *tx)
        .await?;
    if updated.rows_affected() != 1 {
        return Ok(false);
    }
    audit::record(&mut tx, now, &Actor::CommandLine, What::StationDisabled, station, "").await?;
    tx.commit().await?;
    Ok(true)
}
