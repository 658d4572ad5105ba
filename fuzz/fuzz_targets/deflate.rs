#![no_main]

#[path = "../laws/deflate.rs"]
mod deflate;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| deflate::hold(bytes));
