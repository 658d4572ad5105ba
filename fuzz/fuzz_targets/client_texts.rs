#![no_main]

#[path = "../laws/client_texts.rs"]
mod client_texts;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| client_texts::hold(bytes));
