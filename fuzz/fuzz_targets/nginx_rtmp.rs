#![no_main]

#[path = "../laws/nginx_rtmp.rs"]
mod nginx_rtmp;
#[path = "../laws/xml.rs"]
mod xml;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nginx_rtmp::hold(bytes));
