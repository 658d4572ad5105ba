//! One of the daemons: a real process with a door that streamers find, if it has one at the time.

use std::{
    fs::{self, File},
    net::SocketAddr,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Where a daemon answers; nowhere while it is dead or only starting.
#[derive(Clone, Default)]
pub struct Door(Arc<Mutex<Option<SocketAddr>>>);

impl Door {
    pub fn address(&self) -> Option<SocketAddr> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, address: Option<SocketAddr>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }
}

pub struct Daemon {
    pub door: Door,
    house: PathBuf,
    child: Option<Child>,
    /// It has been told to end.
    leaves: bool,
    starts: u32,
}

impl Daemon {
    pub fn start(house: PathBuf, config: &str) -> Self {
        fs::create_dir(&house).unwrap();
        fs::write(house.join("config.toml"), config).unwrap();
        let mut daemon = Self { door: Door::default(), house, child: None, leaves: false, starts: 0 };
        daemon.start_again();
        daemon
    }

    pub fn start_again(&mut self) {
        // One that was told to end, and has not.
        self.kill();
        self.starts += 1;
        let mut command = Command::new(env!("CARGO_BIN_EXE_sattva-monitor"));
        // The tester's own variables and .env must not leak in.
        command.env_clear().current_dir(&self.house).stdin(Stdio::null()).stdout(Stdio::null());
        command.args(["serve", "--config", "config.toml", "--listen", "127.0.0.1:0", "--state-dir", "state"]);
        self.child = Some(command.stderr(File::create(self.log()).unwrap()).spawn().unwrap());
    }

    fn log(&self) -> PathBuf {
        log_of(&self.house, self.starts)
    }

    /// Takes note of the door it has opened since it was started; true once it has one, or is meant to be dead.
    /// An error is the end of a daemon that nobody has killed.
    pub fn look(&mut self) -> Result<bool, String> {
        let Some(child) = self.child.as_mut() else { return Ok(true) };
        if let Some(status) = child.try_wait().unwrap() {
            let held_nothing = self.door.address().is_none();
            self.door.set(None);
            self.child = None;
            // In its first milliseconds, before it listens for signals, the kernel ends it.
            let by_signal = held_nothing && status.signal() == Some(Signal::TERM.as_raw());
            if std::mem::take(&mut self.leaves) && (status.success() || by_signal) {
                return Ok(true);
            }
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(3).collect();
            return Err(format!("ended by itself, {status}: {last:?}"));
        }
        if self.door.address().is_none() {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            self.door.set(log.lines().find_map(address_in));
        }
        Ok(self.door.address().is_some())
    }

    /// As a power cut would.
    pub fn kill(&mut self) {
        self.leaves = false;
        self.door.set(None);
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// As for an update: it gives back what it holds and ends. Its door is open until then.
    pub fn leave(&mut self) {
        self.leaves = true;
        self.signal(Signal::TERM);
    }

    /// It stands still, with everything it believes to be so.
    pub fn sleep(&self) {
        self.signal(Signal::STOP);
    }

    pub fn wake(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            kill_process(Pid::from_child(child), signal).unwrap();
        }
    }
}

fn log_of(house: &Path, start: u32) -> PathBuf {
    house.join(format!("start-{start}.log"))
}

/// From the line of the log that names it.
fn address_in(line: &str) -> Option<SocketAddr> {
    let said: Value = serde_json::from_str(line).ok()?;
    let url = (said["message"] == "serving").then(|| said["url"].as_str())??;
    url.strip_prefix("http://")?.split('/').next()?.parse().ok()
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
