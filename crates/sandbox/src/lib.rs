#![doc = include_str!("../README.md")]

pub mod alipay;
mod listener;
pub mod sf;
pub mod sms;

pub use listener::{Listener, SandboxError, index};
