#![doc = include_str!("../README.md")]

pub mod certificate;
mod cipher;
pub mod crl;
pub mod envelope;
mod error;
mod key;
pub mod name;
pub mod request;
mod signature;
mod signed;
pub mod sm4;

pub use cipher::{SEALED_PLAIN_LIMIT, open, seal};
pub use error::GmError;
pub use key::{DEFAULT_ID, PublicKey, SigningKey, sm3};
pub use signature::Signature;
