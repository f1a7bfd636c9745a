//! One input for `fuzz::apdu`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::apdu(bytes));
