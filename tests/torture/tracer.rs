//! A process some of whose system calls fail for as long as it is traced.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

pub struct Tracer {
    process: Pid,
    strace: Child,
    log: PathBuf,
}

impl Tracer {
    /// Each of these calls, which are separated by commas, fails with EIO.
    pub fn attach(process: Pid, calls: &str, log: PathBuf) -> Self {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:error=EIO")]);
        command.args(["-p", &process.as_raw_nonzero().to_string()]);
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        Self { process, strace: command.spawn().expect("strace is missing: apt-get install strace"), log }
    }
}

impl Drop for Tracer {
    /// Lets the process go, if it has not ended. Says loudly if nothing failed because nobody may trace it.
    fn drop(&mut self) {
        let strace = Pid::from_child(&self.strace);
        let _ = kill_process(strace, Signal::TERM);
        let _ = self.strace.wait();
        // It tries out on a child of its own what it may do, and leaves that one behind where it is ended meanwhile.
        let _ = kill_process_group(strace, Signal::KILL);
        // One that has ended is refused in the same words.
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.as_raw_nonzero())).unwrap_or_default();
        if status.is_empty() || status.contains("(zombie)") {
            return;
        }
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        if let Some(refusal) = log.lines().find(|line| line.contains("Operation not permitted")) {
            eprintln!("NO PROCESS MAY BE TRACED HERE ({refusal}): no disk failed");
        }
    }
}
