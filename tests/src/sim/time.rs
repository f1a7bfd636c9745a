//! Time that is played, and the end of a process between any two effects.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use ukey_station::clock::Time;

/// The time of the whole world.
#[derive(Clone, Debug)]
pub struct WorldClock {
    ms: Arc<AtomicU64>,
    start: Timestamp,
}

impl WorldClock {
    /// Begins at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self { ms: Arc::default(), start }
    }

    /// Since the beginning.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.ms.load(Ordering::SeqCst))
    }

    /// Time goes on.
    pub fn pass(&self, length: Duration) {
        self.ms.fetch_add(u64::try_from(length.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// The wall clock of a machine whose clock is off by `jump_ms`.
    #[must_use]
    pub fn wall(&self, jump_ms: i64) -> Timestamp {
        let since = i64::try_from(self.ms.load(Ordering::SeqCst)).unwrap_or(i64::MAX);
        let ms = self.start.as_millisecond().saturating_add(since).saturating_add(jump_ms);
        Timestamp::from_millisecond(ms).unwrap_or(self.start)
    }
}

/// What a thread that is killed unwinds with.
#[derive(Debug)]
pub struct Crash;

/// Burns one step at each effect of a process; when it is burnt down the process ends there.
#[derive(Debug, Default)]
pub struct Fuse(AtomicI64);

impl Fuse {
    /// The process will end at the `steps`-th effect from now.
    pub fn light(&self, steps: u64) {
        self.0.store(i64::try_from(steps).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// The process will not end by itself.
    pub fn put_out(&self) {
        self.0.store(0, Ordering::SeqCst);
    }

    /// Whether it burns.
    #[must_use]
    pub fn burns(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }

    /// An effect. Does not come back where the process ends.
    pub fn step(&self) {
        if self.burns() && self.0.fetch_sub(1, Ordering::SeqCst) == 1 {
            // Unwinds past the panic hook: nothing is wrong with the program that ends here.
            resume_unwind(Box::new(Crash));
        }
    }
}

/// The time of one station's machine.
pub struct StationTime {
    /// The world's.
    pub world: WorldClock,
    /// How far its wall clock is off.
    pub jump_ms: AtomicI64,
    /// Its process's.
    pub fuse: Arc<Fuse>,
}

impl Time for StationTime {
    fn elapsed(&self) -> Duration {
        self.world.elapsed()
    }

    /// Asked before every record, so that a process may end there.
    fn timestamp(&self) -> Timestamp {
        self.fuse.step();
        // Streams are named by the millisecond.
        self.world.pass(Duration::from_millis(1));
        self.world.wall(self.jump_ms.load(Ordering::SeqCst))
    }

    fn sleep(&self, length: Duration) {
        self.world.pass(length);
    }

    fn block(&self, length: Duration) -> Duration {
        self.world.pass(length);
        Duration::ZERO
    }
}
