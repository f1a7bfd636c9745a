//! Anchors: where the journals of stations stood, each signed by its station when it sent a report.

use gm::PublicKey;
use model::StationId;
use wire::SignedHead;

use super::{What, record};
use crate::{
    db::{Connection, Db, DbError, Sql},
    orders::Actor,
};

/// Keeps an anchor whose signature was checked. One that contradicts an earlier one is kept too, and told in the audit.
pub(crate) async fn keep(
    tx: &mut Connection,
    station: &StationId,
    key: &PublicKey,
    anchor: &SignedHead,
    now_ms: i64,
) -> Result<(), DbError> {
    let key = hex::encode(key.xy());
    let head = anchor.head.to_ascii_lowercase();
    // The caller refused what does not fit.
    let sequence = i64::try_from(anchor.sequence).unwrap_or(i64::MAX);
    let added = sqlx::query::<Sql>(
        "insert into anchors (station, station_key, sequence, head, signature, received_ms) values ($1, $2, $3, $4, $5, $6) \
         on conflict (station, station_key, sequence, head) do nothing",
    )
    .bind(station.as_str())
    .bind(&key)
    .bind(sequence)
    .bind(&head)
    .bind(anchor.signature.to_ascii_lowercase())
    .bind(now_ms)
    .execute(&mut *tx)
    .await?;
    let other = sqlx::query_scalar::<Sql, String>(
        "select head from anchors where station = $1 and station_key = $2 and sequence = $3 and head <> $4 \
         order by received_ms, head limit 1",
    )
    .bind(station.as_str())
    .bind(&key)
    .bind(sequence)
    .bind(&head)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(other) = other.filter(|_| added.rows_affected() == 1) else { return Ok(()) };
    tracing::error!(%station, sequence, known = other, told = head, "a station's journal has two histories: it was rewritten, or went back");
    let detail = format!("sequence={sequence} known={other} told={head}");
    record(tx, now_ms, &Actor::Station(station.clone()), What::AnchorConflict, station, &detail).await
}

/// A station whose journal has two histories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The station.
    pub station: String,
    /// The first place where two heads are known.
    pub sequence: i64,
    /// How many places have more than one head.
    pub places: i64,
}

/// The stations whose journals have two histories, as far as they have the key that signed them. Such a journal does not heal: the alarm
/// ends when the station is enrolled with a new key, and the anchors stay. Anchors are many: only those of stations are looked through that
/// the audit names.
///
/// # Errors
/// The database's.
pub async fn conflicts(db: &Db) -> Result<Vec<Conflict>, DbError> {
    let rows = sqlx::query_as::<Sql, (String, i64, i64)>(
        "select c.station, min(c.sequence), count(*) from \
         (select a.station, a.sequence from anchors a \
          join stations s on s.name = a.station and s.sealing_key = a.station_key \
          where a.station in (select subject from audit where what = 'anchor.conflict') \
          group by a.station, a.sequence having count(*) > 1) c \
         group by c.station order by c.station",
    );
    let conflict = |(station, sequence, places)| Conflict { station, sequence, places };
    Ok(rows.fetch_all(db).await?.into_iter().map(conflict).collect())
}
