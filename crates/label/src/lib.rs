#![doc = include_str!("../README.md")]

mod code;
mod data;
mod drawing;
mod error;
mod font;
mod layout;
mod letter;
mod maker;
mod mask;
mod pdf;
mod printer;
mod sheet;
mod text;

pub use data::{LabelData, Party, Payment, mask_name};
pub use error::LabelError;
pub use letter::LetterData;
pub use maker::{LabelMaker, LetterMaker};
pub use mask::Mask;
pub use printer::{PrintError, Printed, Printer, PrinterSettings};
