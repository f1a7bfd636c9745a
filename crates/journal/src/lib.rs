#![doc = include_str!("../README.md")]

mod archive;
#[cfg(test)]
mod breaks;
mod chain;
mod checkpoint;
mod compact;
mod entry;
mod error;
mod expected;
mod found;
mod index;
mod journal;
mod opening;
pub mod raw;
mod store;
#[cfg(test)]
mod tests;
mod walk;
mod writer;

pub use error::JournalError;
pub use journal::Journal;

/// Most bytes of one record or report: sixteen of them and their keys fit one sled node, see the README.
pub const MAX_RECORD_BYTES: usize = 16 * 1024;
/// Most characters of a stream's name or a report's id.
pub const MAX_NAME_BYTES: usize = 96;
/// Most records of one stream: a job has some forty.
pub const MAX_STREAM_RECORDS: u64 = 1024;
/// Most reports waiting in the outbox: weeks without a portal.
pub const MAX_REPORTS: usize = 100_000;
