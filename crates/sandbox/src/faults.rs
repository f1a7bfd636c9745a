//! What is to go wrong next, and how all doubles do it.

use std::{
    collections::VecDeque,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::StatusCode,
    response::{IntoResponse, Response},
};

/// More faults than this do not wait.
const MAX: usize = 10_000;

/// The faults to come, one a call.
pub(crate) struct Faults<F>(Mutex<VecDeque<F>>);

impl<F> Default for Faults<F> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<F> Faults<F> {
    /// Adds them to what waits, or replaces that.
    ///
    /// # Errors
    /// What a control answers when too many would wait; then none is added.
    pub(crate) fn add(
        &self,
        faults: impl IntoIterator<Item = F>,
        replace: bool,
    ) -> Result<(), (StatusCode, String)> {
        let mut queue = lock(&self.0);
        if replace {
            queue.clear();
        }
        let before = queue.len();
        queue.extend(faults.into_iter().take(MAX + 1));
        if queue.len() <= MAX {
            return Ok(());
        }
        queue.truncate(before);
        let text = "too many faults wait already: send {\"clear\": true} first".to_owned();
        Err((StatusCode::BAD_REQUEST, text))
    }

    /// What this call meets.
    pub(crate) fn take(&self) -> Option<F> {
        lock(&self.0).pop_front()
    }
}

/// A panic in a handler leaves nothing half-done, so the lock is taken all the same.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Silence. The caller gives up first; the bound keeps a forgotten connection from living for ever.
pub(crate) async fn timeout() -> Response {
    tokio::time::sleep(Duration::from_secs(600)).await;
    StatusCode::GATEWAY_TIMEOUT.into_response()
}

/// An answer whose connection breaks after its first bytes.
pub(crate) fn cut_after(begin: &'static [u8]) -> Response {
    let cut = [Ok(Bytes::from_static(begin)), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
    Body::from_stream(futures_util::stream::iter(cut)).into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn faults_come_in_turn_and_not_without_end() {
        let faults = Faults::default();
        faults.add([1, 2], false).unwrap();
        assert!(faults.add(std::iter::repeat_n(3, MAX), false).is_err(), "as many again");
        assert_eq!((faults.take(), faults.take(), faults.take()), (Some(1), Some(2), None));
        faults.add([4], false).unwrap();
        faults.add([5], true).unwrap();
        assert_eq!((faults.take(), faults.take()), (Some(5), None));
    }
}
