//! The clock, passed in: tests choose the time.

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};

/// Tells the time; cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that tells what `now` says.
    #[must_use]
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }

    /// Now, in milliseconds since 1970: the form of every `…_ms` column.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now().as_millisecond()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// China's time zone: +08:00 the whole year, so no zone data is needed.
#[must_use]
pub fn china() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(8))
}

/// `yyyy-MM-dd HH:mm:ss` in China for a `…_ms` column; empty for a time that cannot be.
#[must_use]
pub fn china_text(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time.to_zoned(china()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::china_text;

    #[test]
    fn times_are_shown_as_china_reads_them() {
        assert_eq!(china_text(0), "1970-01-01 08:00:00");
        assert_eq!(china_text(i64::MAX), "");
    }
}
