//! The store by itself: what any store must do, and what the embedded one does when it is killed, damaged
//! or out of space.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on panics, and it waits for another process, outside of any actor"
)]

mod damage;
mod every_store;
mod full_disk;
mod kill;
mod redis_server;
mod sharing;
mod shelf;
mod small_disk;
