#![doc = include_str!("../README.md")]

pub mod anchors;
mod archive;
mod chain;
mod finding;
mod format;
mod history;
mod outline;
mod portal;
pub mod portal_heads;
mod show;
mod state;
mod verify;

pub use archive::Archive;
pub use finding::{Finding, Kind};
pub use outline::{Outline, outline};
pub use portal::{PortalEvidence, PortalVerdict, verify_portal};
pub use portal_heads::{KnownHead, portal_heads};
pub use show::{Shown, show};
pub use verify::{Evidence, Pair, Verdict, verify};
