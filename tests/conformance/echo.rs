//! The echo server as a process of its own; it ends with this value.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

/// Nothing takes longer, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Echo {
    child: Child,
    pub address: SocketAddr,
}

impl Echo {
    #[expect(clippy::disallowed_methods, reason = "it waits for another process, outside of any actor")]
    pub fn start() -> Self {
        let tests = std::env::current_exe().unwrap();
        let server = tests.ancestors().nth(2).unwrap().join("examples/ws_echo");
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new(&server).arg(address.to_string()).spawn();
        let child =
            child.unwrap_or_else(|error| panic!("{}: {error}; cargo build --example ws_echo", server.display()));
        let began = Instant::now();
        while let Err(error) = TcpStream::connect(address) {
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            assert!(began.elapsed() < PATIENCE, "ws_echo does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        Self { child, address }
    }

    /// The bytes of memory it holds.
    pub fn resident_bytes(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most it ever held.
    pub fn most_resident_bytes(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
