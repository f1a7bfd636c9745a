#![doc = include_str!("../README.md")]

pub mod anchors;
mod archive;
mod chain;
mod finding;
mod format;
mod history;
mod state;
mod verify;

pub use archive::Archive;
pub use finding::{Finding, Kind};
pub use verify::{Evidence, Pair, Verdict, verify};
