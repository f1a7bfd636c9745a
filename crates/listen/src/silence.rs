//! How long nothing was written, and too little read.

use std::{
    future::Future as _,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// A timer that each written byte sets back, and each byte read a little.
#[derive(Debug)]
pub(crate) struct Silence {
    end: Pin<Box<Sleep>>,
    limit: Duration,
    rate: u32,
}

impl Silence {
    pub(crate) fn new(limit: Duration, rate: u32) -> Self {
        Self { end: Box::pin(sleep(limit)), limit, rate }
    }

    /// Puts the end off by the time in which so many bytes come at the least rate, to a whole silence from now at most.
    pub(crate) fn put_off(&mut self, bytes: usize) {
        let micros = (bytes as u64).saturating_mul(1_000_000) / u64::from(self.rate.max(1));
        let end = self.end.deadline() + Duration::from_micros(micros);
        self.end.as_mut().reset(end.min(Instant::now() + self.limit));
    }

    pub(crate) fn begin_anew(&mut self) {
        self.end.as_mut().reset(Instant::now() + self.limit);
    }

    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.end.deadline()
    }

    /// An error once it is over; wakes the task then.
    pub(crate) fn poll_end<R>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<R>> {
        self.end.as_mut().poll(context).map(|()| Err(error()))
    }
}

pub(crate) fn error() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "nothing was written to this connection for too long, and too little came in",
    )
}
