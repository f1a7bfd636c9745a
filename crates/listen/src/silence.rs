//! How long nothing was written.

use std::{
    future::Future as _,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// A timer that each written byte sets back.
#[derive(Debug)]
pub(crate) struct Silence {
    end: Pin<Box<Sleep>>,
    limit: Duration,
}

impl Silence {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { end: Box::pin(sleep(limit)), limit }
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
    io::Error::new(io::ErrorKind::TimedOut, "nothing was written to this connection for too long")
}
