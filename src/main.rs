//! Sattva Monitor: see `sattva-monitor help`.

fn main() -> std::process::ExitCode {
    sattva_monitor::cli::run()
}
