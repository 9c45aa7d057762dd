//! `questions` under libFuzzer; see `lingualign_fuzz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lingualign_fuzz::run("questions", bytes));
