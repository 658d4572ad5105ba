//! A WebSocket client that nobody here wrote, on `/ws/stats`.

use std::{
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use serde_json::Value;
use tungstenite::{
    Message, WebSocket,
    client::IntoClientRequest,
    handshake::HandshakeError,
    http::{HeaderMap, HeaderName, Request},
};

use crate::patience::PATIENCE;

pub struct Live {
    socket: WebSocket<TcpStream>,
    /// The first message, until it is asked for.
    first: Option<Value>,
    /// Every message that came.
    pub heard: Vec<Value>,
}

/// How a session ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Farewell {
    Close(u16),
    /// Without a close frame.
    Cut,
}

/// The door stayed shut.
#[derive(Debug)]
pub struct TurnedAway {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

fn request(address: SocketAddr, query: &str) -> Request<()> {
    format!("ws://{address}/ws/stats{query}").into_client_request().unwrap()
}

fn handshake(address: SocketAddr, request: Request<()>) -> Result<Live, Box<TurnedAway>> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match tungstenite::client(request, stream) {
        Ok((socket, _)) => Ok(Live { socket, first: None, heard: Vec::new() }),
        Err(HandshakeError::Failure(tungstenite::Error::Http(answer))) => Err(Box::new(TurnedAway {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: answer.body().as_deref().map_or(Value::Null, |body| serde_json::from_slice(body).unwrap_or_default()),
        })),
        Err(error) => panic!("no handshake: {error}"),
    }
}

impl Live {
    /// A session that has begun: what happens from now on it hears, however busy the machine is.
    pub fn open(address: SocketAddr, query: &str) -> Self {
        let mut live =
            handshake(address, request(address, query)).unwrap_or_else(|away| panic!("turned away: {away:?}"));
        live.first = Some(live.next().unwrap_or_else(|farewell| panic!("{farewell:?} before anything was said")));
        live
    }

    pub fn try_open(address: SocketAddr, query: &str) -> Result<Self, Box<TurnedAway>> {
        handshake(address, request(address, query))
    }

    pub fn try_open_with(address: SocketAddr, query: &str, headers: &[(&str, &str)]) -> Result<Self, Box<TurnedAway>> {
        let mut request = request(address, query);
        for (name, value) in headers {
            request.headers_mut().insert(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        handshake(address, request)
    }

    pub fn try_open_from(address: SocketAddr, origin: &str) -> Result<Self, Box<TurnedAway>> {
        let mut request = request(address, "");
        request.headers_mut().insert("Origin", origin.parse().unwrap());
        handshake(address, request)
    }

    /// The next message, or how it ended. Pings are answered on the way.
    pub fn next(&mut self) -> Result<Value, Farewell> {
        self.next_within(PATIENCE).unwrap_or_else(|| panic!("no message within {PATIENCE:?}; heard {:?}", self.heard))
    }

    /// `None` when nothing came in time.
    pub fn next_within(&mut self, limit: Duration) -> Option<Result<Value, Farewell>> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        let began = Instant::now();
        loop {
            let left = limit.checked_sub(began.elapsed()).filter(|left| !left.is_zero())?;
            self.socket.get_ref().set_read_timeout(Some(left)).unwrap();
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    self.heard.push(message.clone());
                    return Some(Ok(message));
                }
                Ok(Message::Close(frame)) => {
                    return Some(Err(frame.map_or(Farewell::Cut, |frame| Farewell::Close(frame.code.into()))));
                }
                Ok(_) => {}
                Err(tungstenite::Error::Io(error))
                    if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
                Err(_) => return Some(Err(Farewell::Cut)),
            }
        }
    }

    /// Reads until a message is as wanted.
    #[track_caller]
    pub fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            match self.next_within(PATIENCE) {
                Some(Ok(message)) if wanted(&message) => return message,
                Some(Ok(_)) => {}
                Some(Err(farewell)) => panic!("{farewell:?} while waiting for {what}; heard {:?}", self.heard),
                None => break,
            }
        }
        panic!("waited in vain for {what}; heard {:?}", self.heard);
    }

    /// The next message of a type.
    #[track_caller]
    pub fn until_type(&mut self, kind: &str) -> Value {
        self.until(kind, |message| message["type"] == kind)
    }

    /// The next `auto_end` change of this kind.
    #[track_caller]
    pub fn until_auto_end(&mut self, event: &str) -> Value {
        self.until(event, |m| m["type"] == "auto_end" && m["data"]["event"] == event)
    }

    /// Reads to the end and says how it came.
    pub fn farewell(&mut self) -> Farewell {
        loop {
            if let Err(farewell) = self.next() {
                return farewell;
            }
        }
    }

    /// Says something; a session that is over already may not take it.
    pub fn say(&mut self, text: &str) {
        let _ = self.socket.send(Message::text(text));
    }

    /// Sends any kind of message.
    pub fn send(&mut self, message: Message) {
        let _ = self.socket.send(message);
    }
}
