//! Sattva Monitor: see `sattva-monitor help`.

/// The system's allocator asks the kernel for each page of a thread that is not the first one; the actors
/// live on such a thread, and a channel is half a page.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    sattva_monitor::cli::run()
}
