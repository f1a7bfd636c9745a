#![doc = include_str!("../README.md")]

mod driver;
mod end;
mod identify;
mod key_at_work;
mod ports;
mod read_back;
mod record;
mod state;
mod steps;
mod timed;

pub use driver::Driver;
pub use end::Interruption;
pub use identify::{Identified, Look, NotTaken, identify};
pub use ports::{Clock, Issuer, IssuerError, Observer, Proceed, Recorder, RecorderError, Settled};
pub use record::{Begun, Certificates, Ended, Output, Record};
pub use state::{Illegal, InWork, State, next, percent, replay};
