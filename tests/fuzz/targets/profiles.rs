//! One input for `fuzz::profiles`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::profiles(bytes));
