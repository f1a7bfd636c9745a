#![doc = include_str!("../README.md")]

pub mod ask;
pub mod bench;
pub mod board;
pub mod breaker;
pub mod breakers;
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
pub mod parking;
pub mod pool;
mod portal_issuer;
pub mod run;
mod series;
pub mod shift;
pub mod shifts;
pub mod slot;
pub mod socket;
pub mod tries;
pub mod words;
