//! The Icecast adapter against the real thing: a real icecast2, real ffmpeg and ezstream sources, real
//! listeners, and the daemon's actors in this process, with a short policy.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
// What the tests speak with.
#![allow(clippy::print_stdout, reason = "how long a real server takes is worth reading in the output")]

mod broadcast;
mod daemon;
mod icecast_server;
mod lone_adapter;
mod patience;
mod process;

// What the adapter does, by behaviour.
mod a_broken_server;
mod a_foreign_answer;
mod counting;
mod reconnecting;
mod stopping;
mod taking_back;
