//! One of the daemons: a real process with a door that streamers find, if it has one at the time.

use std::{
    fs::{self, File},
    net::SocketAddr,
    os::unix::{fs::symlink, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{clock::WallClock, tracer::Tracer};

/// How a daemon ends that cannot start.
const REFUSED: i32 = 1;
/// It is started again after this, as `systemd/sattva-monitor.service` has it.
const RESTARTED_AFTER: Duration = Duration::from_secs(1);

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
    pub clock: WallClock,
    house: PathBuf,
    child: Option<Child>,
    /// It has been told to end.
    leaves: bool,
    starts: u32,
    /// Something is wrong with its disk,
    ill: bool,
    /// and was so while it started: it may refuse to.
    may_refuse: bool,
    /// Which of its calls fail,
    failing: Option<&'static str>,
    /// by this.
    tracer: Option<Tracer>,
    /// When it is started again that refused to start.
    again_at: Option<Instant>,
}

impl Daemon {
    /// Its state is on the disk, if it has one.
    pub fn start(house: PathBuf, clock: WallClock, config: &str, disk: Option<&Path>) -> Self {
        fs::create_dir(&house).unwrap();
        fs::write(house.join("config.toml"), config).unwrap();
        if let Some(disk) = disk {
            symlink(disk, house.join("state")).unwrap();
        }
        let mut daemon = Self {
            door: Door::default(),
            clock,
            house,
            child: None,
            leaves: false,
            starts: 0,
            ill: false,
            may_refuse: false,
            failing: None,
            tracer: None,
            again_at: None,
        };
        daemon.start_again();
        daemon
    }

    pub fn start_again(&mut self) {
        // One that was told to end, and has not.
        self.kill();
        self.starts += 1;
        self.may_refuse = self.ill;
        let mut command = Command::new(env!("CARGO_BIN_EXE_sattva-monitor"));
        // The tester's own variables and .env must not leak in.
        command.env_clear().current_dir(&self.house).stdin(Stdio::null()).stdout(Stdio::null());
        command.args(["serve", "--config", "config.toml", "--listen", "127.0.0.1:0", "--state-dir", "state"]);
        self.clock.give_to(&mut command);
        self.child = Some(command.stderr(File::create(self.log()).unwrap()).spawn().unwrap());
        self.trace();
    }

    fn log(&self) -> PathBuf {
        log_of(&self.house, self.starts)
    }

    /// Takes note of the door it has opened since it was started; true once it has one, or is meant to be dead.
    /// An error is the end of a daemon that nobody has killed.
    pub fn look(&mut self) -> Result<bool, String> {
        if self.again_at.take_if(|at| *at <= Instant::now()).is_some() {
            self.start_again();
        }
        let Some(child) = self.child.as_mut() else { return Ok(self.again_at.is_none()) };
        if let Some(status) = child.try_wait().unwrap() {
            let held_nothing = self.door.address().is_none();
            self.door.set(None);
            self.child = None;
            // In its first milliseconds, before it listens for signals, the kernel ends it.
            let by_signal = held_nothing && status.signal() == Some(Signal::TERM.as_raw());
            if std::mem::take(&mut self.leaves) && (status.success() || by_signal) {
                return Ok(true);
            }
            if held_nothing && self.may_refuse && status.code() == Some(REFUSED) {
                self.again_at = Some(Instant::now() + RESTARTED_AFTER);
                return Ok(false);
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
        self.again_at = None;
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

    /// Something is wrong with its disk, or nothing any more.
    pub fn set_ill(&mut self, ill: bool) {
        self.ill = ill;
        self.may_refuse |= ill && self.door.address().is_none();
    }

    /// These of its calls fail from here on, after a start too.
    pub fn set_failing(&mut self, calls: Option<&'static str>) {
        self.set_ill(calls.is_some());
        self.failing = calls;
        self.tracer = None;
        self.trace();
    }

    fn trace(&mut self) {
        let (Some(child), Some(calls)) = (&self.child, self.failing) else { return };
        let log = self.house.join(format!("failed-{}.log", self.starts));
        self.tracer = Some(Tracer::attach(Pid::from_child(child), calls, log));
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
