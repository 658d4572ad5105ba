#![no_main]

#[path = "../laws/memory_file.rs"]
mod memory_file;
#[path = "../laws/tokens.rs"]
mod tokens;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tokens::hold(bytes));
