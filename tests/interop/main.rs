//! Clients and proxies that nobody here wrote, on the real daemon: Node's `ws`, Python's `websockets` and Chromium,
//! straight and through nginx and haproxy.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on panics, and it waits for another process, outside of any actor"
)]

// What the tests speak with, some of it from the rooms next door.
mod client;
mod ways;
#[allow(dead_code, reason = "the tests next door need more of it")]
#[path = "../it"]
mod next_door {
    pub mod by_hand;
    pub mod daemon;
    pub mod figures;
    pub mod live;
    pub mod patience;
    pub mod raw_socket;
    pub mod streamer;
}
#[allow(dead_code, reason = "the tests next door need more of it")]
#[path = "../icecast/process.rs"]
mod process;
use next_door::{by_hand, daemon, figures, live, patience, raw_socket, streamer};

// What they meet, by behaviour.
mod conversation;
mod door;
mod farewell;
mod heartbeat;
mod webhook;
