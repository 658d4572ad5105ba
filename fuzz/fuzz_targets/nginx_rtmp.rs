#![no_main]

#[path = "../laws/nginx_rtmp.rs"]
mod nginx_rtmp;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nginx_rtmp::hold(bytes));
