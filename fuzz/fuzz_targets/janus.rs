#![no_main]

#[path = "../laws/janus.rs"]
mod janus;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| janus::hold(bytes));
