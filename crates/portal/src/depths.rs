//! How much waits in an outbox.

/// What waits in an outbox, and what was given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depths {
    /// Not told yet.
    pub waiting: i64,
    /// Given up.
    pub dead: i64,
}

/// Of messages and mails, what was given up this long ago is no work any more.
pub const FAILED_MS: i64 = 14 * 24 * 60 * 60_000;
