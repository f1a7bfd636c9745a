#![doc = include_str!("../README.md")]

mod cipher;
pub mod envelope;
mod error;
mod key;
mod signature;
pub mod sm4;

pub use cipher::{SEALED_PLAIN_LIMIT, open, seal};
pub use error::GmError;
pub use key::{DEFAULT_ID, PublicKey, SigningKey, sm3};
pub use signature::Signature;
