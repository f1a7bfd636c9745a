#![doc = include_str!("../README.md")]

pub mod bench;
pub mod board;
pub mod clock;
pub mod config;
pub mod enrol;
mod identity;
pub mod inbox;
pub mod inspect;
mod kiosk;
pub mod leases;
pub mod link;
pub mod outbox;
pub mod parcels;
pub mod pool;
mod portal_issuer;
pub mod run;
pub mod slot;
pub mod socket;
