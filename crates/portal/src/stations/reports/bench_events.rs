//! What staff at a station decide and count: kept for the pages; nothing else follows from it.

use model::StationId;
use wire::{BreakerChanged, Report, ShiftClosed};

use crate::{
    db::{DbError, Sql, Transaction, damaged},
    stations::refusal::Refusal,
};

/// Longer texts of a station are refused.
const NAME_CHARS_MAX: usize = 64;
const TEXT_CHARS_MAX: usize = 2_000;

/// The last word on a breaker stands, by the station's clock: reports may come in any order.
pub(super) async fn breaker_changed(
    tx: &mut Transaction,
    station: &StationId,
    report: &Report,
    changed: &BreakerChanged,
) -> Result<(), Refusal> {
    let named = (1..=NAME_CHARS_MAX).contains(&changed.name.chars().count());
    if !named || changed.detail.chars().count() > TEXT_CHARS_MAX {
        return Err(Refusal::invalid(format!(
            "a breaker's name has 1 to {NAME_CHARS_MAX} characters, its text at most {TEXT_CHARS_MAX}"
        )));
    }
    sqlx::query::<Sql>(
        "insert into breakers (station, scope, name, open, detail, changed_ms) values ($1, $2, $3, $4, $5, $6) \
         on conflict (station, scope, name) do update set open = excluded.open, detail = excluded.detail, \
         changed_ms = excluded.changed_ms where excluded.changed_ms >= breakers.changed_ms",
    )
    .bind(station.as_str())
    .bind(code(changed)?)
    .bind(&changed.name)
    .bind(i64::from(changed.open))
    .bind(&changed.detail)
    .bind(milliseconds(&report.at)?)
    .execute(&mut **tx)
    .await
    .map_err(DbError::from)?;
    Ok(())
}

fn code(changed: &BreakerChanged) -> Result<String, DbError> {
    let scope = serde_json::to_value(changed.scope).ok();
    let scope = scope.as_ref().and_then(serde_json::Value::as_str).map(str::to_owned);
    scope.ok_or_else(|| damaged("the scope of a breaker"))
}

fn milliseconds(at: &str) -> Result<i64, Refusal> {
    let at = at.parse::<jiff::Timestamp>();
    at.map(jiff::Timestamp::as_millisecond).map_err(|error| Refusal::invalid(error.to_string()))
}

/// A shift is kept as it was counted.
pub(super) async fn shift_closed(
    tx: &mut Transaction,
    station: &StationId,
    report: &Report,
    closed: &ShiftClosed,
) -> Result<(), Refusal> {
    if closed.reason.chars().count() > TEXT_CHARS_MAX {
        return Err(Refusal::invalid(format!("a shift's reason has at most {TEXT_CHARS_MAX} characters")));
    }
    milliseconds(&closed.opened)?;
    let body = serde_json::to_string(closed).map_err(|error| Refusal::invalid(error.to_string()))?;
    sqlx::query::<Sql>(
        "insert into shifts (station, report, closed_ms, difference, body) values ($1, $2, $3, $4, $5)",
    )
    .bind(station.as_str())
    .bind(&report.id)
    .bind(milliseconds(&closed.closed)?)
    .bind(closed.difference())
    .bind(body)
    .execute(&mut **tx)
    .await
    .map_err(DbError::from)?;
    Ok(())
}
