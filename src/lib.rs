//! The parts of the daemon that tests and fuzzers reach without a process around them.

pub mod adapters;
