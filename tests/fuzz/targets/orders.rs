//! One input for `fuzz::orders`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::orders(bytes));
