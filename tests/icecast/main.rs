//! The Icecast adapter against the real thing: a real icecast2, real ffmpeg and ezstream sources, real
//! listeners, and the daemon's actors in this process, with a short policy.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

// What the tests speak with.
mod broadcast;
mod daemon;
mod icecast_server;
mod patience;
mod process;

// What the adapter does, by behaviour.
mod a_broken_server;
mod a_foreign_answer;
mod counting;
mod reconnecting;
mod stopping;
