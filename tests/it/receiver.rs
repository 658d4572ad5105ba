//! A program that takes webhooks: it notes what comes, and answers as it is told to.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::Value;

use crate::patience::eventually;

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Received {
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }
}

type Answering = Box<dyn Fn(&Received) -> (u16, String) + Send>;

#[derive(Clone)]
struct State {
    received: Arc<Mutex<Vec<Received>>>,
    answering: Arc<Mutex<Answering>>,
}

pub struct Receiver {
    address: SocketAddr,
    state: State,
}

impl Receiver {
    /// Says 204 to everything.
    pub fn open() -> Self {
        Self::open_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    pub fn open_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let nothing: Answering = Box::new(|_| (204, String::new()));
        let state = State { received: Arc::default(), answering: Arc::new(Mutex::new(nothing)) };
        let own = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = own.clone();
                thread::spawn(move || state.serve(&stream));
            }
        });
        Self { address, state }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    /// From now on.
    pub fn answers(&self, answering: impl Fn(&Received) -> (u16, String) + Send + 'static) {
        *self.state.answering.lock().unwrap() = Box::new(answering);
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }

    /// Waits for so many messages of a kind, and answers with all of that kind.
    pub fn until(&self, kind: &str, count: usize) -> Vec<Received> {
        eventually(&format!("{count} messages of type {kind}"), || {
            let of_kind: Vec<_> = self.received().into_iter().filter(|message| message.kind() == kind).collect();
            (of_kind.len() >= count).then_some(of_kind)
        })
    }
}

impl State {
    /// Request after request, until the sender closes.
    fn serve(&self, mut stream: &std::net::TcpStream) {
        let mut reader = BufReader::new(stream);
        loop {
            let mut headers = HashMap::new();
            let mut first = String::new();
            if reader.read_line(&mut first).is_ok_and(|read| read == 0) {
                return;
            }
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
                    break;
                }
                if let Some((name, value)) = line.split_once(':') {
                    headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
                }
            }
            let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_err() {
                return;
            }
            let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
            let message = Received { path, headers, body: String::from_utf8(body).unwrap() };
            let (status, body) = (self.answering.lock().unwrap())(&message);
            self.received.lock().unwrap().push(message);
            let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}
