#![doc = include_str!("../README.md")]

mod chip;
mod error;
mod faults;
mod flash;
mod key;
mod latency;
mod reader;
mod show;
mod store;
mod tape;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod testing;
pub mod vpcd;

pub use error::SimError;
pub use faults::{Effect, Fault, FaultTextError, Faults};
pub use key::{Answer, Options, SharedKey, VirtualKey};
pub use latency::Latency;
pub use reader::{InProcess, Reader};
pub use show::{ApplicationSummary, ContainerSummary, HalfSummary, PinSummary, Summary};
pub use tape::Exchange;

/// The factory device authentication key of the virtual maker. It is public: every blank the virtual maker makes
/// without a key file has it, and no real product does.
pub const FACTORY_DEVICE_KEY: [u8; 16] = *b"virtual factory!";
