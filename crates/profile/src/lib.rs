#![doc = include_str!("../README.md")]

pub mod dialect;
mod trusted;

pub use dialect::Dialect;
pub use trusted::{Limits, Match, Names, PinPolicy, Profile, Redo, Secrets, Source, Step, StepKind, Transport};
