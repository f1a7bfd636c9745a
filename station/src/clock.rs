//! The station's time: the only place that asks for it. A port, so that a whole shift can be played through in a second.

use std::time::{Duration, Instant};

/// Time as the station sees it.
pub trait Time: Send + Sync {
    /// Since some fixed point; never goes back.
    fn elapsed(&self) -> Duration;

    /// The wall clock; it may jump.
    fn timestamp(&self) -> jiff::Timestamp;

    /// Waits.
    fn sleep(&self, length: Duration);

    /// How long a wait of `length` for something else may block: all of it, or nothing where time is played and moves on by itself.
    fn block(&self, length: Duration) -> Duration;

    /// Now, RFC 3339 in UTC with milliseconds.
    fn now(&self) -> String {
        self.timestamp().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }

    /// Milliseconds since 1970, for names of streams.
    fn unix_ms(&self) -> i64 {
        self.timestamp().as_millisecond()
    }

    /// Time in China, as labels print it.
    fn china(&self) -> String {
        let offset = jiff::tz::Offset::constant(8);
        offset.to_datetime(self.timestamp()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

/// A time of the journal as staff read it, in China; as it stands if it is no time.
#[must_use]
pub fn china_of(at: &str) -> String {
    let offset = jiff::tz::Offset::constant(8);
    at.parse::<jiff::Timestamp>()
        .map_or_else(|_| at.to_owned(), |at| offset.to_datetime(at).strftime("%m-%d %H:%M").to_string())
}

/// The machine's time.
pub struct SystemTime {
    start: Instant,
}

impl Default for SystemTime {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Time for SystemTime {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn timestamp(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn sleep(&self, length: Duration) {
        std::thread::sleep(length);
    }

    fn block(&self, length: Duration) -> Duration {
        length
    }
}

/// The driver's clock.
pub(crate) struct DriverClock<'a>(pub(crate) &'a dyn Time);

impl workflow::Clock for DriverClock<'_> {
    fn now(&self) -> String {
        self.0.now()
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
