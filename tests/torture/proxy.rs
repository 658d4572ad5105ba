//! The network between one daemon and the Redis, which can be cut, and can stand still in one direction or in both.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    thread::{JoinHandle, sleep, spawn},
    time::Duration,
};

/// How soon a change is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Passage {
    Everything,
    /// Connections are closed, and new ones too.
    Nothing,
    /// Of the next bytes only a part arrives, and then the connection is closed; new ones are opened.
    Torn,
    /// Connections stay. What is sent arrives when it is over, long after anybody waits for it.
    Late {
        requests: bool,
        answers: bool,
    },
}

impl Passage {
    fn holds_back(self, direction: Direction) -> bool {
        match (self, direction) {
            (Self::Late { requests, .. }, Direction::Requests) => requests,
            (Self::Late { answers, .. }, Direction::Answers) => answers,
            _ => false,
        }
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Requests,
    Answers,
}

/// The present passage, or that there will be none any more.
struct Valve(AtomicU8);

const CLOSED_FOR_GOOD: u8 = u8::MAX;

impl Valve {
    fn set(&self, passage: Passage) {
        self.0.store(
            match passage {
                Passage::Everything => 0,
                Passage::Nothing => 1,
                Passage::Torn => 6,
                Passage::Late { requests, answers } => 2 + u8::from(requests) + 2 * u8::from(answers),
            },
            SeqCst,
        );
    }

    fn passage(&self) -> Passage {
        match self.0.load(SeqCst) {
            0 => Passage::Everything,
            6 => Passage::Torn,
            late @ 2..=5 => Passage::Late { requests: (late - 2) & 1 == 1, answers: (late - 2) & 2 == 2 },
            _ => Passage::Nothing,
        }
    }

    fn is_closed_for_good(&self) -> bool {
        self.0.load(SeqCst) == CLOSED_FOR_GOOD
    }
}

pub struct Proxy {
    pub address: SocketAddr,
    valve: Arc<Valve>,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    pub fn to(redis: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let valve = Arc::new(Valve(AtomicU8::new(0)));
        let (its_valve, redis) = (Arc::clone(&valve), redis.to_owned());
        let acceptor = spawn(move || accept(&listener, &redis, &its_valve));
        Self { address, valve, acceptor: Some(acceptor) }
    }

    pub fn let_pass(&self, passage: Passage) {
        self.valve.set(passage);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.valve.0.store(CLOSED_FOR_GOOD, SeqCst);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, redis: &PathBuf, valve: &Arc<Valve>) {
    while !valve.is_closed_for_good() {
        let Ok((daemon, _)) = listener.accept() else {
            sleep(LOOK_EVERY);
            continue;
        };
        if valve.passage() == Passage::Nothing {
            continue;
        }
        // Without a Redis the connection is closed, as a machine without one would.
        if let Ok(redis) = UnixStream::connect(redis) {
            Wire { daemon, redis }.carry(valve);
        }
    }
}

/// One connection.
struct Wire {
    daemon: TcpStream,
    redis: UnixStream,
}

impl Wire {
    fn carry(self, valve: &Arc<Valve>) {
        self.daemon.set_nonblocking(false).unwrap();
        self.daemon.set_nodelay(true).unwrap();
        self.daemon.set_read_timeout(Some(LOOK_EVERY)).unwrap();
        self.redis.set_read_timeout(Some(LOOK_EVERY)).unwrap();
        let (there, back) = (Arc::new(self), Arc::clone(valve));
        let (wire, valve) = (Arc::clone(&there), Arc::clone(valve));
        spawn(move || {
            pump(&there.daemon, &there.redis, &back, Direction::Requests);
            there.hang_up();
        });
        spawn(move || {
            pump(&wire.redis, &wire.daemon, &valve, Direction::Answers);
            wire.hang_up();
        });
    }

    fn hang_up(&self) {
        // The other side may have done so already.
        let _ = self.daemon.shutdown(Shutdown::Both);
        let _ = self.redis.shutdown(Shutdown::Both);
    }
}

/// Carries bytes until one side has closed, or the network is cut. An end is held back as bytes are.
fn pump(mut from: impl Read, mut to: impl Write, valve: &Valve, direction: Direction) {
    let mut bytes = [0; 16_384];
    loop {
        let length = match from.read(&mut bytes) {
            Ok(length) => length,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) =>
            {
                if valve.passage() == Passage::Nothing {
                    return;
                }
                continue;
            }
            Err(_) => return,
        };
        while valve.passage().holds_back(direction) {
            sleep(LOOK_EVERY);
        }
        let passage = valve.passage();
        let arrives = if passage == Passage::Torn { length / 2 } else { length };
        if length == 0 || passage == Passage::Nothing || to.write_all(&bytes[..arrives]).is_err() || arrives < length {
            return;
        }
    }
}
