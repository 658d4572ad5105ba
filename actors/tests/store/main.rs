//! The store by itself: what any store must do, and what the embedded one does when it is killed, damaged
//! or out of space.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod damage;
mod every_store;
mod full_disk;
mod kill;
mod shelf;
mod small_disk;
