#![no_main]

#[path = "../laws/tokens.rs"]
mod tokens;
#[path = "../laws/memory_file.rs"]
mod memory_file;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tokens::hold(bytes));
