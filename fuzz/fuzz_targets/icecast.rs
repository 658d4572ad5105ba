#![no_main]

#[path = "../laws/icecast.rs"]
mod icecast;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| icecast::hold(bytes));
