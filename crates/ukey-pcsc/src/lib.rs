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
