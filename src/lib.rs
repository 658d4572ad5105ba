//! The process around the actors: what `main` runs, and tests, benches and fuzzers reach.

pub mod access;
pub mod adapters;
pub mod cli;
pub mod config;
pub mod health;
pub mod history;
pub mod http;
mod listener;
mod log;
mod memory;
mod open_files;
mod outbound;
pub mod reload;
mod scheduling;
mod service_manager;
pub mod simulate;
mod terminal;
mod tls;
mod traces;
pub mod webhooks;
mod wiring;
