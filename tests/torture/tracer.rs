//! A process some of whose system calls fail, for as long as it is traced.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// An strace.
pub struct Tracer(Child);

impl Tracer {
    /// Of these calls, separated by commas, each fails with EIO. `log` is told of them.
    pub fn attach(process: Pid, calls: &str, log: &Path) -> Self {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:error=EIO")]);
        command.args(["-p", &process.as_raw_nonzero().to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log).unwrap());
        Self(command.spawn().expect("strace is there: `scripts/install.sh test` installs it"))
    }
}

impl Drop for Tracer {
    /// It lets the process go, if that one has not ended before.
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}
