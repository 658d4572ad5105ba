#![no_main]

#[path = "../laws/redis_values.rs"]
mod redis_values;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| redis_values::hold(bytes));
