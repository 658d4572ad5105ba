//! Stories of the whole house in virtual time: every actor, a disk in memory, fake streamers, and viewers
//! at the broker. An hour passes in a moment, and a story told twice is the same story.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod chronicle;
mod crowd;
mod delivery;
mod dying_channel;
mod failing_disk;
mod journal;
mod last_moment;
mod live;
mod operators;
mod reload;
mod restarts;
mod silence;
mod stage;
mod storm;
mod to_the_end;
mod watchdog;
