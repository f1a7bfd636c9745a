#![doc = include_str!("../README.md")]

mod code;
mod data;
mod drawing;
mod error;
mod font;
mod layout;
mod maker;
mod pdf;
mod printer;
mod text;

pub use data::{LabelData, Party, Payment, mask_name};
pub use error::LabelError;
pub use maker::LabelMaker;
pub use printer::{PrintError, Printed, Printer, PrinterSettings};
