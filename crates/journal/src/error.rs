//! What can go wrong, by who must act.

use std::path::PathBuf;

/// Why the journal did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The caller's bytes are over the bound (a bug of the caller).
    #[error(
        "the {what} of {name:?} has {bytes} bytes, the journal takes at most {limit}: make it smaller or split it"
    )]
    TooLarge {
        /// `record` or `report`.
        what: &'static str,
        /// The stream or report id.
        name: String,
        /// How many bytes it has.
        bytes: usize,
        /// [`crate::MAX_RECORD_BYTES`].
        limit: usize,
    },
    /// A stream name or report id that cannot be a key (a bug of the caller).
    #[error("{what} {name:?} is not valid: it has 1 to 96 visible ASCII characters")]
    BadName {
        /// `stream` or `report id`.
        what: &'static str,
        /// What was given, cut to 96 characters.
        name: String,
    },
    /// An append to a stream that was finished, or a finish of one that never was (a bug of the caller).
    #[error("stream {stream:?} {why}")]
    Stream {
        /// The stream.
        stream: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Another report with this id waits in the outbox with other bytes (a bug of the caller).
    #[error("report {id:?} waits in the outbox with other bytes: give a new report a new id")]
    ReportDiffers {
        /// The id that is taken.
        id: String,
    },
    /// The outbox holds [`crate::MAX_REPORTS`] reports: the portal has not acknowledged anything for long (operator).
    #[error(
        "the outbox of {dir} is full ({limit} reports): reconnect the station to the portal before more keys are made"
    )]
    OutboxFull {
        /// The journal's directory.
        dir: PathBuf,
        /// [`crate::MAX_REPORTS`].
        limit: usize,
    },
    /// Another process has this journal open (operator).
    #[error(
        "the journal {dir} is open in another process: stop the other station, or give this one a directory of its own"
    )]
    Busy {
        /// The journal's directory.
        dir: PathBuf,
    },
    /// The directory or the store in it cannot be opened (operator).
    #[error(
        "cannot open the journal {dir}: {doing}; check that the directory exists, is writable and has space"
    )]
    Open {
        /// The journal's directory.
        dir: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system answered.
        #[source]
        source: std::io::Error,
    },
    /// The store is there but cannot be read, as after a failing disk (operator).
    #[error(
        "the journal {dir} cannot be read: {detail}; keep a copy of the directory for the inquiry before anything else"
    )]
    Illegible {
        /// The journal's directory.
        dir: PathBuf,
        /// Which part, and why.
        detail: String,
    },
    /// A write or sync failed earlier: what is on the disk is unknown, so nothing more is taken (operator).
    #[error(
        "the journal {dir} is poisoned, since {reason}: stop the station, check the disk, start again; jobs under way are then resumed by reading their keys"
    )]
    Poisoned {
        /// The journal's directory.
        dir: PathBuf,
        /// The first failure.
        reason: String,
    },
    /// [`crate::Journal::sealed`] was called before.
    #[error("the journal {dir} was closed: the station is shutting down")]
    Sealed {
        /// The journal's directory.
        dir: PathBuf,
    },
}
