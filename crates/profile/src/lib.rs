#![doc = include_str!("../README.md")]

mod atr;
mod checks;
pub mod dialect;
mod error;
mod file;
mod load;
mod locate;
mod matching;
mod trusted;

pub use dialect::Dialect;
pub use error::{Finding, ProfileError};
pub use load::{check_names, load_dir, load_file, parse};
pub use trusted::{
    Limits, Match, Names, PinPolicy, Profile, Redo, Secrets, Source, Step, StepKind, Transport,
};
