#![no_main]

#[path = "../laws/config.rs"]
mod config;
#[path = "../laws/memory_file.rs"]
mod memory_file;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| config::hold(bytes));
