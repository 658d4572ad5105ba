//! A real redis-server on a port of its own, which can be killed, stopped and started anew.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use redis::{Client, Connection};
use tempfile::TempDir;

const STARTS_WITHIN: Duration = Duration::from_secs(20);

pub struct RedisServer {
    pub port: u16,
    dir: TempDir,
    arguments: Vec<String>,
    child: Child,
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl RedisServer {
    /// It keeps nothing on disk.
    pub fn start() -> Self {
        Self::with(&["--save", "", "--appendonly", "no"])
    }

    pub fn with(arguments: &[&str]) -> Self {
        Self::at(free_port(), arguments)
    }

    pub fn at(port: u16, arguments: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let child = spawn(port, &dir, &arguments);
        let server = Self { port, dir, arguments, child };
        server.wait();
        server
    }

    /// Ends it as a power cut would. What it had not written to disk is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn start_again(&mut self) {
        self.child = spawn(self.port, &self.dir, &self.arguments);
        self.wait();
    }

    /// It keeps its connections and answers nobody.
    pub fn pause(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    pub fn go_on(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    fn wait(&self) {
        let began = Instant::now();
        loop {
            let asked = self.client().get_connection().and_then(|mut there| redis::cmd("PING").query::<()>(&mut there));
            match asked {
                Ok(()) => return,
                // One that wants a password is there; one that is loading is not there yet.
                Err(error) if !error.is_io_error() && error.code() != Some("LOADING") => return,
                Err(error) => assert!(began.elapsed() < STARTS_WITHIN, "redis-server does not start: {error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub fn client(&self) -> Client {
        Client::open(self.url()).unwrap()
    }

    pub fn connection(&self) -> Connection {
        self.client().get_connection().unwrap()
    }

    /// As one that has been in use for long: nobody is waited for who might have held something in it.
    pub fn long_in_use(self) -> Self {
        redis::cmd("SET").arg("sattva:born").arg(1).query::<()>(&mut self.connection()).unwrap();
        self
    }
}

fn spawn(port: u16, dir: &TempDir, arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir", dir.path().to_str().unwrap()])
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // That ends one that stands still, too.
        self.kill();
    }
}
