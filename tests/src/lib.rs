#![doc = include_str!("../README.md")]

pub mod disk;
pub mod http;
pub mod inside;
pub mod laws;
pub mod orders;
pub mod pcscd;
pub mod places;
pub mod plain_card;
pub mod process;
pub mod proof;
pub mod sim;
pub mod stack;
pub mod staff;
pub mod stranger;
