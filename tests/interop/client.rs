//! A WebSocket client that nobody here wrote: a process that takes a command per line and tells an event per line.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    fmt,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    patience::{PATIENCE, let_pass},
    process::program,
};

/// A client tidies up after itself in less.
const LEAVING_TIME: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The npm package `ws`.
    Node,
    /// The PyPI package `websockets`.
    Python,
    Chromium,
}

/// What a client asks for in its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    None,
    Deflate,
    /// That the server may refer back no further than 10 bits, and nothing else.
    SmallWindow,
}

pub struct Client {
    pub kind: Kind,
    child: Child,
    commands: RefCell<Option<ChildStdin>>,
    events: Receiver<Value>,
    /// Events of other sockets than the one that was asked for.
    waiting: RefCell<HashMap<u64, VecDeque<Value>>>,
}

/// One socket of a client.
pub struct Socket<'a> {
    client: &'a Client,
    id: u64,
    /// The server's answer to what was offered.
    pub extensions: String,
}

/// The door stayed shut.
#[derive(Debug)]
pub struct Refused {
    pub status: u64,
    /// What the answer said, where the client is told.
    pub body: Option<Value>,
}

pub fn here(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(path)
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Node, Self::Python, Self::Chromium];
    /// Those that offer what they are told to, and ping when they are told to.
    pub const LIBRARIES: [Self; 2] = [Self::Node, Self::Python];

    pub fn start(self) -> Client {
        let mut command = match self {
            Self::Node => {
                let mut node = Command::new(program("node"));
                node.arg(here("clients/node.mjs"));
                node
            }
            Self::Python => {
                let mut python = Command::new(here(".venv/bin/python"));
                python.arg(here("clients/python.py"));
                python
            }
            Self::Chromium => {
                let mut node = Command::new(program("node"));
                node.arg(here("clients/chromium.mjs")).arg(program("chromium"));
                node
            }
        };
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{self:?} cannot start, `make test` installs it: {error}"));
        let (tell, events) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Ends with the client's output.
        thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .try_for_each(|line| tell.send(serde_json::from_str(&line).unwrap_or(json!(line))))
        });
        let commands = RefCell::new(child.stdin.take());
        Client { kind: self, child, commands, events, waiting: RefCell::default() }
    }
}

impl Client {
    fn command(&self, command: &Value) {
        let mut commands = self.commands.borrow_mut();
        writeln!(commands.as_mut().unwrap(), "{command}").unwrap_or_else(|error| panic!("{self} is gone: {error}"));
    }

    /// The next event of a socket.
    #[track_caller]
    fn event(&self, id: u64) -> Value {
        let began = Instant::now();
        loop {
            let mut waiting = self.waiting.borrow_mut();
            if let Some(event) = waiting.entry(id).or_default().pop_front() {
                return event;
            }
            let left = PATIENCE.saturating_sub(began.elapsed());
            let event = self.events.recv_timeout(left);
            let event = event.unwrap_or_else(|error| panic!("{self} has nothing to tell: {error}"));
            let id = event["id"].as_u64().unwrap_or_else(|| panic!("{self} speaks in tongues: {event}"));
            waiting.entry(id).or_default().push_back(event);
        }
    }

    pub fn try_open(&self, url: &str, offer: Offer, origin: Option<&str>) -> Result<Socket<'_>, Refused> {
        let id = self.waiting.borrow().len() as u64;
        self.waiting.borrow_mut().insert(id, VecDeque::new());
        let offer = match offer {
            Offer::None => "none",
            Offer::Deflate => "deflate",
            Offer::SmallWindow => "small window",
        };
        self.command(&json!({ "do": "open", "id": id, "url": url, "offer": offer, "origin": origin }));
        let event = self.event(id);
        match event["what"].as_str() {
            Some("opened") => {
                Ok(Socket { client: self, id, extensions: event["extensions"].as_str().unwrap().to_owned() })
            }
            Some("refused") => Err(Refused {
                status: event["status"].as_u64().unwrap(),
                body: event["body"].as_str().map(|body| serde_json::from_str(body).unwrap()),
            }),
            _ => panic!("{self} could not open {url}: {event}"),
        }
    }

    #[track_caller]
    pub fn open(&self, url: &str, offer: Offer) -> Socket<'_> {
        self.try_open(url, offer, None).unwrap_or_else(|refused| panic!("{self} at {url}: {refused:?}"))
    }
}

impl Socket<'_> {
    fn command(&self, what: &str, mut more: Value) {
        more["do"] = json!(what);
        more["id"] = json!(self.id);
        self.client.command(&more);
    }

    #[track_caller]
    fn expect(&self, what: &str) -> Value {
        let event = self.client.event(self.id);
        assert_eq!(event["what"], what, "{}: {event}", self.client);
        event
    }

    /// The next thing to happen, which must be a message.
    #[track_caller]
    pub fn message(&self) -> Value {
        serde_json::from_str(self.expect("message")["text"].as_str().unwrap()).unwrap()
    }

    /// The next message of a type; only statistics may come before.
    #[track_caller]
    pub fn message_of(&self, kind: &str) -> Value {
        loop {
            let message = self.message();
            if message["type"] == kind {
                return message;
            }
            assert_eq!(message["type"], "stats", "{}: {message} instead of {kind}", self.client);
        }
    }

    pub fn say(&self, message: &Value) {
        self.command("send", json!({ "text": message.to_string() }));
    }

    /// Pings and waits for the pong; only statistics may come before.
    #[track_caller]
    pub fn ping(&self, payload: &str) {
        self.command("ping", json!({ "payload": payload }));
        loop {
            let event = self.client.event(self.id);
            if event["what"] == "pong" {
                assert_eq!(event["payload"], payload, "{}", self.client);
                return;
            }
            assert_eq!(event["what"], "message", "{}: {event} instead of a pong", self.client);
        }
    }

    pub fn close(&self, code: u16, reason: &str) {
        self.command("close", json!({ "code": code, "reason": reason }));
    }

    /// Hears it to its end, which must be in order; the code of the server's close and its reason.
    #[track_caller]
    pub fn farewell(self) -> (u64, String) {
        loop {
            let event = self.client.event(self.id);
            match event["what"].as_str() {
                Some("message") => {}
                Some("closed") => {
                    return (event["code"].as_u64().unwrap(), event["reason"].as_str().unwrap().to_owned());
                }
                _ => panic!("{}: {event} instead of the end", self.client),
            }
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The end of its commands is the end of a client; what Chromium has on disk it removes itself.
        self.commands.borrow_mut().take();
        let began = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && began.elapsed() < LEAVING_TIME {
            let_pass(LOOK_EVERY);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
