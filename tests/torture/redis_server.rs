//! A real redis-server that keeps nothing on disk, answers on a socket file, and has a wall clock of its own.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::clock::WallClock;

const STARTS_WITHIN: Duration = Duration::from_secs(10);

pub struct RedisServer {
    pub clock: WallClock,
    house: PathBuf,
    child: Child,
}

impl RedisServer {
    pub fn start(house: &Path) -> Self {
        let clock = WallClock::new(house, "redis");
        let child = spawn(house, &clock);
        let server = Self { clock, house: house.to_owned(), child };
        let began = Instant::now();
        // As one that has been in use for long: nobody is waited for who might have held something in it.
        while server.say("SET sattva:born 1\r\n").is_none_or(|answer| !answer.starts_with("+OK")) {
            assert!(began.elapsed() < STARTS_WITHIN, "redis-server does not start");
            sleep(Duration::from_millis(10));
        }
        server
    }

    /// Where it answers. A file, because a port that nobody listens at may be taken by anybody.
    pub fn socket(&self) -> PathBuf {
        socket_in(&self.house)
    }

    pub fn say(&self, words: &str) -> Option<String> {
        let mut stream = UnixStream::connect(self.socket()).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        stream.write_all(words.as_bytes()).ok()?;
        let mut answer = [0; 256];
        let length = stream.read(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer[..length]).into_owned())
    }

    /// As a power cut would: everything in it is lost.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn start_again(&mut self) {
        self.child = spawn(&self.house, &self.clock);
    }

    /// It keeps its connections and answers nobody.
    pub fn sleep(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).unwrap();
    }

    pub fn wake(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
    }
}

fn socket_in(house: &Path) -> PathBuf {
    house.join("redis.sock")
}

fn spawn(house: &Path, clock: &WallClock) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--port", "0", "--save", "", "--appendonly", "no", "--dir"]).arg(house);
    command.arg("--unixsocket").arg(socket_in(house)).stdin(Stdio::null()).stdout(Stdio::null());
    clock.give_to(&mut command);
    command.spawn().unwrap()
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
