#![doc = include_str!("../README.md")]

mod amount;
mod bill;
mod client;
mod error;
mod key;
mod notice;
mod reply;
mod settings;
mod trade;
mod zip;

pub use amount::{fen, yuan};
pub use bill::{BillError, BillKind, BillLine, read_bill};
pub use client::Client;
pub use error::AlipayError;
pub use key::{AppKey, KeyError, PublicKey};
pub use notice::{Notice, NoticeError};
pub use settings::Settings;
pub use trade::{Offer, Refunded, Trade, TradeStatus};
