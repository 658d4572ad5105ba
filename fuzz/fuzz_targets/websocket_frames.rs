#![no_main]

#[path = "../laws/websocket_frames.rs"]
mod websocket_frames;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| websocket_frames::hold(bytes));
