//! `examples/ws_echo.rs` as a real process, against the rules of RFC 6455 and RFC 7692: what a client may
//! send comes back, what it may not ends the connection as it must, and nobody waits long.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "../it/by_hand.rs"]
mod by_hand;
mod client;
mod echo;

mod closing;
mod compression;
mod fragments;
mod framing;
mod limits;
mod texts;
