#![doc = include_str!("../README.md")]

mod client;
mod error;
mod reply;
mod sign;

pub use client::{Client, Message, Settings};
pub use error::{Refusal, SmsError, Why};
pub use reply::Delivery;
