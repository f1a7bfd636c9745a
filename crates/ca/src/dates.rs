//! Validity periods: from five minutes ago, for whole calendar years, never longer than strict verifiers allow.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gm::certificate::MAX_VALIDITY_DAYS;

use crate::CaError;

/// Clocks of stations and customers may run behind by this much.
const BACKDATED: Duration = Duration::from_secs(5 * 60);
/// One second less than the limit, because both ends count (RFC 5280 clause 4.1.2.5).
const LONGEST: Duration = Duration::from_secs(MAX_VALIDITY_DAYS * 86_400 - 1);

/// From when to when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
}

/// The period of a CA certificate made now: as long as is allowed.
pub(crate) fn for_ca(now: SystemTime) -> Result<Period, CaError> {
    let not_before = whole_seconds(now)?.checked_sub(BACKDATED).ok_or(CaError::Clock)?;
    let not_after = not_before.checked_add(LONGEST).ok_or(CaError::Clock)?;
    Ok(Period { not_before, not_after })
}

/// The period of a key's certificates: `years` calendar years from now, not beginning before `earliest` (the CA's own beginning).
pub(crate) fn for_years(now: SystemTime, years: u8, earliest: SystemTime) -> Result<Period, CaError> {
    if !(1..=10).contains(&years) {
        return Err(CaError::Years(years));
    }
    let now = whole_seconds(now)?;
    if now < earliest {
        return Err(CaError::Clock);
    }
    let Period { not_before, not_after: latest } = for_ca(now)?;
    Ok(Period { not_before: not_before.max(earliest), not_after: later(now, years)?.min(latest) })
}

/// The same day and time `years` later; 29 February becomes 28 February where there is none.
fn later(now: SystemTime, years: u8) -> Result<SystemTime, CaError> {
    let date = der::DateTime::from_system_time(now).map_err(|_| CaError::Clock)?;
    let on = |day| {
        let year = date.year() + u16::from(years);
        der::DateTime::new(year, date.month(), day, date.hour(), date.minutes(), date.seconds())
    };
    let then = on(date.day()).or_else(|_| on(28)).map_err(|_| CaError::Clock)?;
    Ok(then.to_system_time())
}

fn whole_seconds(at: SystemTime) -> Result<SystemTime, CaError> {
    let since = at.duration_since(UNIX_EPOCH).map_err(|_| CaError::Clock)?;
    Ok(UNIX_EPOCH + Duration::from_secs(since.as_secs()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(text: &str) -> SystemTime {
        text.parse::<der::DateTime>().unwrap().to_system_time()
    }

    #[test]
    fn years_are_calendar_years() {
        let now = at("2026-11-22T03:04:05Z");
        for (years, until) in [(1, "2027-11-22T03:04:05Z"), (3, "2029-11-22T03:04:05Z")] {
            let period = for_years(now, years, UNIX_EPOCH).unwrap();
            assert_eq!((period.not_before, period.not_after), (at("2026-11-22T02:59:05Z"), at(until)));
        }
        let leap = for_years(at("2028-02-29T00:00:00Z"), 1, UNIX_EPOCH).unwrap();
        assert_eq!(leap.not_after, at("2029-02-28T00:00:00Z"));
        let leap = for_years(at("2028-02-29T00:00:00Z"), 4, UNIX_EPOCH).unwrap();
        assert_eq!(leap.not_after, at("2032-02-29T00:00:00Z"));
    }

    #[test]
    fn no_period_is_longer_than_strict_verifiers_allow() {
        // Ten years with three leap days are 3653 days; the five minutes before would be too much.
        let period = for_years(at("2027-11-22T00:00:00Z"), 10, UNIX_EPOCH).unwrap();
        assert_eq!(period.not_after.duration_since(period.not_before).unwrap(), LONGEST);
        let period = for_ca(at("2027-11-22T00:00:00Z")).unwrap();
        assert_eq!(period.not_after.duration_since(period.not_before).unwrap(), LONGEST);
    }

    #[test]
    fn wrong_clocks_and_years_are_refused() {
        let now = at("2026-11-22T00:00:00Z");
        assert!(matches!(for_years(now, 0, UNIX_EPOCH), Err(CaError::Years(0))));
        assert!(matches!(for_years(now, 11, UNIX_EPOCH), Err(CaError::Years(11))));
        assert!(matches!(for_years(now, 1, now + BACKDATED), Err(CaError::Clock)));
        assert!(matches!(for_ca(UNIX_EPOCH - BACKDATED), Err(CaError::Clock)));
        assert_eq!(
            for_years(now, 1, now - Duration::from_secs(1)).unwrap().not_before,
            now - Duration::from_secs(1)
        );
    }
}
