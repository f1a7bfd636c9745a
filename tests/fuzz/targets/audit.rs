//! One input for `fuzz::audit`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::audit(bytes));
