#![doc = include_str!("../README.md")]

pub mod alipay;
mod faults;
pub mod invoice;
mod kept;
mod listener;
pub mod sf;
pub mod sms;

pub use listener::{Listener, SandboxError, index};
