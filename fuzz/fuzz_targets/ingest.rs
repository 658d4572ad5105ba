#![no_main]

#[path = "../laws/ingest.rs"]
mod ingest;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ingest::hold(bytes));
