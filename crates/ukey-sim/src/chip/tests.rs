//! The rules of the key, one by one, in raw APDUs.

mod access;
mod arbitrary;
mod containers;
mod ecc;
mod files;
mod frame;
