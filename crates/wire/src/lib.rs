#![doc = include_str!("../README.md")]

mod codec;
mod message;
mod topic;

pub use codec::{DecodeError, MESSAGE_BYTES_MAX, VERSION, decode, encode};
pub use message::*;
pub use topic::{Direction, Topic, TopicError};
