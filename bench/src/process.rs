//! What the kernel knows of a process.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use nix::{
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

impl Process {
    pub fn this() -> Self {
        Self(std::process::id())
    }

    /// CPU time used so far, user and system, of all its threads, to the nanosecond: `stat` counts in hundredths
    /// of a second.
    pub fn cpu(self) -> Result<Duration> {
        let clock = clock_getcpuclockid(Pid::from_raw(self.0.try_into()?));
        Ok(clock.and_then(clock_gettime).with_context(|| format!("process {} has no clock", self.0))?.into())
    }

    /// Files and sockets it has open.
    pub fn open_files(self) -> Result<usize> {
        let path = format!("/proc/{}/fd", self.0);
        Ok(fs::read_dir(&path).with_context(|| path)?.count())
    }

    /// Bytes of memory it has written to; its code, which the kernel may drop at any time, is not among them.
    pub fn written(self) -> Result<u64> {
        self.status("RssAnon:")
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
