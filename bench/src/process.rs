//! What the kernel knows of a process.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

impl Process {
    pub fn this() -> Self {
        Self(std::process::id())
    }

    /// CPU time used so far, user and system, of all its threads.
    pub fn cpu(self) -> Result<Duration> {
        let stat = self.read("stat")?;
        // The name in brackets may hold spaces; what follows it does not.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok());
        let ticks = ticks(11).zip(ticks(12)).with_context(|| format!("/proc/{}/stat reads {stat:?}", self.0))?;
        let per_second = rustix::param::clock_ticks_per_second();
        Ok(Duration::from_secs_f64((ticks.0 + ticks.1) as f64 / per_second as f64))
    }

    /// Bytes of memory it holds.
    pub fn resident(self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// The most it has held since it began or [`Self::forget_peak`].
    pub fn peak(self) -> Result<u64> {
        self.status("VmHWM:")
    }

    pub fn forget_peak(self) -> Result<()> {
        let path = format!("/proc/{}/clear_refs", self.0);
        fs::write(&path, "5").with_context(|| path)
    }

    fn status(self, key: &str) -> Result<u64> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kilobytes.map(|kb| kb * 1024).with_context(|| format!("/proc/{}/status has no {key}", self.0))
    }

    fn read(self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.0);
        fs::read_to_string(&path).with_context(|| path)
    }
}
