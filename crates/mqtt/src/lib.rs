#![doc = include_str!("../README.md")]

mod inbox;
mod link;
mod settings;

pub use inbox::{Inbox, Incoming, Message};
pub use link::{MqttError, PUBLISH_WAIT, Publisher, connect};
pub use settings::{PAYLOAD_BYTES_MAX, Settings, SettingsError};
