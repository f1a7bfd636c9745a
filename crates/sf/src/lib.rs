#![doc = include_str!("../README.md")]

mod client;
mod error;
mod order;
mod reply;
mod settings;
mod sign;

pub use client::Client;
pub use error::{Refusal, SfError};
pub use order::{Contact, CreateOrder};
pub use reply::{Created, RouteLabel};
pub use settings::{Settings, SettingsFile};
pub use sign::SignMode;
