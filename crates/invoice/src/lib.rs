#![doc = include_str!("../README.md")]

mod client;
mod error;
mod reply;
mod request;

pub use client::{Client, Settings};
pub use error::{InvoiceError, Refusal, Why};
pub use reply::{Issued, Red, Session, Status};
pub use request::{Line, NewInvoice, NewRed};
