//! The machine that figures were measured on.

use std::fs;

use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// In one line: cores, processor, kernel.
pub fn description() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map(|name| name.trim_start_matches([' ', '\t', ':']));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores, {}, Linux {}", model.unwrap_or("an unknown processor"), kernel.trim())
}

/// As many as this process, and whatever it starts, may have: thousands of connections are files.
pub fn allow_open_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}
