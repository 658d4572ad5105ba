#![no_main]

#[path = "../laws/icecast.rs"]
mod icecast;
#[path = "../laws/xml.rs"]
mod xml;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| icecast::hold(bytes));
