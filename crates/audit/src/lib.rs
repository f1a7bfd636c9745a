#![doc = include_str!("../README.md")]

pub mod anchors;
mod archive;
mod chain;
mod finding;
mod format;
mod history;
mod show;
mod state;
mod verify;

pub use archive::Archive;
pub use finding::{Finding, Kind};
pub use show::{Shown, show};
pub use verify::{Evidence, Pair, Verdict, verify};
