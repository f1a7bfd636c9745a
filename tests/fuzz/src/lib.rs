#![doc = include_str!("../README.md")]

mod apdu;
mod certificates;
mod journal;
mod messages;
mod orders;
mod profiles;

pub use apdu::apdu;
pub use certificates::{certificates, envelope};
pub use journal::{audit, records};
pub use messages::messages;
pub use orders::orders;
pub use profiles::profiles;
