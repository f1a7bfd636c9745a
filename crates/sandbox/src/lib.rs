#![doc = include_str!("../README.md")]

pub mod alipay;
pub mod invoice;
mod listener;
pub mod sf;
pub mod sms;

pub use listener::{Listener, SandboxError, index};
