//! Sattva Monitor: the process around the actors.

mod cli;
mod config;
mod http;
mod log;
mod reload;
mod wiring;

fn main() -> std::process::ExitCode {
    cli::run()
}
