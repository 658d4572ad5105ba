//! The real daemon in a house of its own: a free port, a configuration, a state directory, a log.

use std::{
    fs::{self, File},
    net::SocketAddr,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    figures::Figures,
    live::Live,
    patience::{PATIENCE, eventually},
};

/// No answer of the daemon may take longer.
const ANSWER_TIME: Duration = Duration::from_secs(45);

/// A daemon about to be started.
pub struct Plan {
    house: TempDir,
    config: String,
    surroundings: Surroundings,
}

/// What the process is given when it is started.
#[derive(Default)]
struct Surroundings {
    environment: Vec<(String, String)>,
    open_files: Option<u32>,
    handed_over: Option<HandedOver>,
}

/// A socket that is given to the daemon, so many times over, as a service manager would.
struct HandedOver {
    socket: OwnedFd,
    times: usize,
}

/// A daemon that runs; it ends with this value.
pub struct Daemon {
    house: TempDir,
    child: Child,
    surroundings: Surroundings,
    state_dir: PathBuf,
    address: SocketAddr,
    agent: ureq::Agent,
    starts: u32,
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub retry_after: Option<u64>,
    pub request_id: Option<String>,
    pub text: String,
}

/// A daemon that ended by itself.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    /// What it said to the one who started it.
    pub said: String,
}

impl Plan {
    pub fn new(config: &str) -> Self {
        let house = TempDir::new().unwrap();
        Self { house, config: config.to_owned(), surroundings: Surroundings::default() }
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.surroundings.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file beside the configuration.
    pub fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.house.path().join(name), text).unwrap();
        self
    }

    /// No more than so many files may be open at a time.
    pub fn open_files(mut self, most: u32) -> Self {
        self.surroundings.open_files = Some(most);
        self
    }

    /// A service manager has this socket and passes it on (`LISTEN_FDS`).
    pub fn hand_over(mut self, socket: impl Into<OwnedFd>, times: usize) -> Self {
        self.surroundings.handed_over = Some(HandedOver { socket: socket.into(), times });
        self
    }

    /// Where the state will be unless [`Self::state_dir`] says otherwise.
    pub fn own_state_dir(&self) -> PathBuf {
        self.house.path().join("state")
    }

    pub fn start(self) -> Daemon {
        let mut daemon = self.start_on_standby();
        daemon.wait_until_ready();
        daemon
    }

    /// It answers, but perhaps not yet as one that is ready.
    pub fn start_on_standby(self) -> Daemon {
        fs::write(self.house.path().join("config.toml"), &self.config).unwrap();
        let state_dir = self.own_state_dir();
        let Self { house, surroundings, .. } = self;
        let child = surroundings.spawn(house.path(), &state_dir, 1);
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(ANSWER_TIME))
            .build();
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut daemon =
            Daemon { house, child, surroundings, state_dir, address: unknown, agent: config.into(), starts: 1 };
        daemon.wait_until_serving();
        daemon
    }

    /// Runs the daemon with these arguments until it ends by itself, which it must do soon.
    pub fn run_to_its_end(&self, arguments: &[&str]) -> Ended {
        fs::write(self.house.path().join("config.toml"), &self.config).unwrap();
        let log = self.house.path().join("short-life.log");
        let mut child = self
            .surroundings
            .command(self.house.path())
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let began = std::time::Instant::now();
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if began.elapsed() > PATIENCE => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    panic!("the daemon was to end by itself, but ran on: {}", fs::read_to_string(&log).unwrap());
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        Ended { code: status.code(), said: fs::read_to_string(&log).unwrap() }
    }
}

impl Surroundings {
    fn command(&self, house: &Path) -> Command {
        let daemon = env!("CARGO_BIN_EXE_sattva-monitor");
        let mut first = String::new();
        if let Some(most) = self.open_files {
            first.push_str(&format!("ulimit -n {most}; "));
        }
        if let Some(HandedOver { times, .. }) = self.handed_over {
            // It comes as the shell's input; the daemon's sockets are those from 3 on.
            let sockets: String = (3..3 + times).map(|number| format!("{number}<&0 ")).collect();
            first.push_str(&format!("export LISTEN_PID=$$ LISTEN_FDS={times}; exec {sockets}</dev/null; "));
        }
        let mut command = Command::new(if first.is_empty() { daemon } else { "/bin/sh" });
        if !first.is_empty() {
            command.args(["-e", "-c", &format!("{first}exec \"$0\" \"$@\""), daemon]);
        }
        let handed_over = self.handed_over.as_ref();
        let input = handed_over.map_or_else(Stdio::null, |it| it.socket.try_clone().unwrap().into());
        // The tester's own variables and .env must not leak in.
        command.env_clear().envs(self.environment.iter().cloned()).current_dir(house).stdin(input);
        // Where scripts/coverage.sh counts which lines are run.
        command.envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)));
        command
    }

    fn spawn(&self, house: &Path, state_dir: &Path, start: u32) -> Child {
        self.command(house)
            .args(["serve", "--config", "config.toml", "--listen", "127.0.0.1:0", "--state-dir"])
            .arg(state_dir)
            .stdout(Stdio::null())
            .stderr(File::create(log_of(house, start)).unwrap())
            .spawn()
            .unwrap()
    }
}

fn log_of(house: &Path, start: u32) -> PathBuf {
    house.join(format!("start-{start}.log"))
}

impl Daemon {
    pub fn start(config: &str) -> Self {
        Plan::new(config).start()
    }

    fn wait_until_serving(&mut self) {
        self.address = eventually("the log line that names the address", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the daemon ended while it started, {status}: {}", self.log());
            }
            let said = self.logged(|line| line["message"] == "serving")?;
            let url = said["url"].as_str()?.to_owned();
            let (_, rest) = url.split_once("://")?;
            rest.split('/').next()?.parse().ok()
        });
    }

    pub fn wait_until_ready(&mut self) {
        self.wait_until_serving();
        eventually("the daemon to be ready", || (self.get("/readyz").status == 200).then_some(()));
    }

    // ---- its life ----

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// As a power cut would: nothing can be tidied up.
    pub fn kill_hard(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same state.
    pub fn start_again(&mut self) {
        self.starts += 1;
        self.child = self.surroundings.spawn(self.house.path(), &self.state_dir, self.starts);
        self.wait_until_ready();
    }

    pub fn kill_hard_and_start_again(&mut self) {
        self.kill_hard();
        self.start_again();
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub fn wait_for_its_end(&mut self) -> ExitStatus {
        eventually("the daemon to end", || self.child.try_wait().unwrap())
    }

    pub fn write_config(&self, config: &str) {
        fs::write(self.house.path().join("config.toml"), config).unwrap();
    }

    /// Replaces a file beside the configuration.
    pub fn write_file(&self, name: &str, text: &str) {
        fs::write(self.house.path().join(name), text).unwrap();
    }

    pub fn remove_file(&self, name: &str) {
        fs::remove_file(self.house.path().join(name)).unwrap();
    }

    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The bytes of memory it holds.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// The names of its threads.
    pub fn threads(&self) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        // One may end while it is looked at.
        tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("comm")).ok()).collect()
    }

    // ---- its log ----

    /// The log of the present start.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(log_of(self.house.path(), self.starts)).unwrap()).into_owned()
    }

    /// The first line of the log that is as wanted.
    pub fn logged(&self, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).find(wanted)
    }

    // ---- its HTTP ----

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn get(&self, path: &str) -> Answer {
        self.try_get(path).unwrap()
    }

    pub fn try_get(&self, path: &str) -> Result<Answer, ureq::Error> {
        self.agent.get(format!("http://{}{path}", self.address)).call().map(Answer::from)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.try_post(path, &body.to_string()).unwrap()
    }

    pub fn post_text(&self, path: &str, body: &str) -> Answer {
        self.try_post(path, body).unwrap()
    }

    pub fn try_post(&self, path: &str, body: &str) -> Result<Answer, ureq::Error> {
        let request = self.agent.post(format!("http://{}{path}", self.address));
        request.header("content-type", "application/json").send(body).map(Answer::from)
    }

    /// As a browser would for a page of `origin`.
    pub fn post_from(&self, origin: &str, path: &str, body: &Value) -> Answer {
        let request = self.agent.post(format!("http://{}{path}", self.address)).header("origin", origin);
        request.header("content-type", "application/json").send(body.to_string()).map(Answer::from).unwrap()
    }

    pub fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text);
        answer.json()
    }

    pub fn stream(&self, channel: &str) -> Value {
        self.json(&format!("/api/v1/streams/{channel}"))
    }

    pub fn explain(&self, channel: &str) -> Value {
        self.json(&format!("/api/v1/streams/{channel}/explain"))
    }

    pub fn phase(&self, channel: &str) -> String {
        self.stream(channel)["auto_end"]["phase"].as_str().unwrap().to_owned()
    }

    pub fn operate(&self, channel: &str, action: &str, body: &Value) -> Answer {
        self.post(&format!("/api/v1/streams/{channel}/{action}"), body)
    }

    pub fn figures(&self) -> Figures {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200);
        Figures(answer.text)
    }

    pub fn live(&self, query: &str) -> Live {
        Live::open(self.address, query)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("the daemon's last words:");
            tail.iter().rev().for_each(|line| eprintln!("  {line}"));
        }
    }
}

impl From<ureq::http::Response<ureq::Body>> for Answer {
    fn from(mut response: ureq::http::Response<ureq::Body>) -> Self {
        let header = |name| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        Self {
            status: response.status().as_u16(),
            content_type: header("content-type").unwrap_or_default(),
            retry_after: header("retry-after").and_then(|seconds| seconds.parse().ok()),
            request_id: header("x-request-id"),
            text: response.body_mut().with_config().limit(64 << 20).read_to_string().unwrap(),
        }
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("not JSON ({e}): {}", self.text))
    }

    /// Checks that it is a problem document with this status and code, and hands it out.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.content_type, "application/problem+json", "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        for member in ["type", "title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "no {member} in {problem}");
        }
        problem
    }

    /// Checks the status of the answer and the `status` in it.
    #[track_caller]
    pub fn ok_with(&self, status: u16, word: &str) {
        assert_eq!((self.status, self.json()["status"].as_str()), (status, Some(word)), "{}", self.text);
    }

    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }
}
