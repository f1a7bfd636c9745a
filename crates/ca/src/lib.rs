#![doc = include_str!("../README.md")]

mod authority;
mod dates;
mod error;
mod issue;
mod ledger;

pub use authority::{CaMaterial, CaNames, EmbeddedCa};
pub use error::CaError;
pub use gm::certificate::{Encoding, Extension};
pub use gm::crl::{Crl, Reason, Revoked};
pub use issue::{IssueRequest, Subject, request_id};
pub use ledger::{Issued, Ledger, MemoryLedger, Recorded};
