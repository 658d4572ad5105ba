//! One story, told with every real streamer: the daemon watches it over its own process's border, and is
//! met by HTTP and WebSocket only.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
// What the tests speak with.
#![allow(clippy::disallowed_methods, reason = "tests may wait for the processes they started")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "how long a real server takes is worth reading")]

// The daemon as its users meet it.
#[allow(dead_code, reason = "the same daemon as in the tests of its own, which ask more of it")]
#[path = "../it/daemon.rs"]
mod daemon;
#[allow(dead_code, reason = "as above")]
#[path = "../it/figures.rs"]
mod figures;
#[allow(dead_code, reason = "as above")]
#[path = "../it/live.rs"]
mod live;
#[allow(dead_code, reason = "as above")]
#[path = "../it/patience.rs"]
mod patience;
#[path = "../icecast/process.rs"]
mod process;

mod bad_answers;
mod restarter;
mod stage;
#[macro_use]
mod story;

// The streamers.
mod icecast;
mod janus;
mod nginx_rtmp;
mod redis_control;
mod telegram;
