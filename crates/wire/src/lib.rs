#![doc = include_str!("../README.md")]

mod codec;
mod head;
mod message;
mod report;
mod status;
mod topic;

pub use codec::{DecodeError, MESSAGE_BYTES_MAX, VERSION, decode, encode};
pub use head::{Chain, HeadError, PortalHead, SignedHead};
pub use message::*;
pub use report::{
    Ack, BreakerChanged, BreakerScope, Event, JobEnded, KeyRefused, LabelPrinted, RefusalReason, Report,
    ShiftClosed,
};
pub use status::{SlotPhase, SlotStatus, Status};
pub use topic::{Direction, Topic, TopicError};
