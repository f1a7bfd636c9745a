#![doc = include_str!("../README.md")]

mod apdu;
mod certificates;
mod journal;
mod messages;
mod profiles;

pub use apdu::apdu;
pub use certificates::{certificates, envelope};
pub use journal::{audit, records};
pub use messages::messages;
pub use profiles::profiles;
