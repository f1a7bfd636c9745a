//! One input for `fuzz::certificates`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::certificates(bytes));
