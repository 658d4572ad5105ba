//! Which core a thread runs on: what is measured on one, everything else on the other.

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_setaffinity};

/// The core of what is measured.
pub const MEASURED: usize = 0;
/// The core of the load and of everything that looks on.
pub const LOAD: usize = 1;

/// Keeps this thread, and whatever it starts from now on, on one core.
pub fn pin(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).with_context(|| format!("core {core} is not ours to use; two cores are needed"))
}

/// Starts something on the measured core; the caller stays on its own.
pub fn start_measured<T>(start: impl FnOnce() -> Result<T>) -> Result<T> {
    pin(MEASURED)?;
    let started = start();
    pin(LOAD)?;
    started
}
