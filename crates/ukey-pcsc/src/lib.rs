#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod channel;
mod error;
mod reader;
mod transport;
mod watch;

pub use channel::ChannelId;
pub use error::PcscError;
pub use reader::{CardEvent, Reader, Removal, WAIT_MAX};
pub use transport::{APDU_BYTES_MAX, PcscTransport};
pub use watch::{ReaderWatch, Readers, readers};

/// The very `pcsc` crate, for the bench alone: what the station costs is measured against PC/SC with nothing of ours in it.
pub use pcsc as bare;
