//! The limit: one thread, one epoll set, a message encoded once and one write to each connection. Nothing is checked,
//! nothing is kept, nobody is pinged.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use flate2::{Compress, Compression, FlushCompress};
use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};
use socket2::{Domain, Socket, Type};

use super::frame;
use crate::cores;

const LISTENER: Token = Token(usize::MAX);
const BACKLOG: i32 = 4096;
const EVENTS: usize = 1024;
const READ: usize = 64 << 10;
/// A head, and the messages of one request.
const REQUEST_MAX: usize = 1 << 20;
const EXTENSION: &str = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// `deflate`, or anything else for plain.
    offer: String,
    port: u16,
}

struct Connection {
    socket: TcpStream,
    received: Vec<u8>,
    role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Unknown,
    Client { deflated: bool },
}

/// Serves until it is killed.
pub fn run(args: &Args) -> Result<()> {
    cores::pin(cores::MEASURED)?;
    let deflate = args.offer == "deflate";
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(socket.into());
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut house = House { deflate, connections: Vec::new(), encoder: Encoder::new(), buffer: vec![0; READ] };
    let mut events = Events::with_capacity(EVENTS);
    loop {
        poll.poll(&mut events, None::<Duration>)?;
        for event in &events {
            match event.token() {
                LISTENER => house.accept(&listener, &poll)?,
                Token(index) => house.read(index)?,
            }
        }
    }
}

struct House {
    deflate: bool,
    /// A connection that is gone leaves its place empty.
    connections: Vec<Option<Connection>>,
    encoder: Encoder,
    buffer: Vec<u8>,
}

impl House {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> Result<()> {
        while let Ok((mut socket, _)) = listener.accept() {
            socket.set_nodelay(true)?;
            poll.registry().register(&mut socket, Token(self.connections.len()), Interest::READABLE)?;
            self.connections.push(Some(Connection { socket, received: Vec::new(), role: Role::Unknown }));
        }
        Ok(())
    }

    fn read(&mut self, index: usize) -> Result<()> {
        while let Some(connection) = &mut self.connections[index] {
            match connection.socket.read(&mut self.buffer) {
                Ok(0) => self.connections[index] = None,
                // What clients say is nothing to it.
                Ok(_) if connection.role != Role::Unknown => {}
                Ok(length) => {
                    connection.received.extend_from_slice(&self.buffer[..length]);
                    ensure!(connection.received.len() <= REQUEST_MAX, "a request is longer than {REQUEST_MAX} bytes");
                    self.answer(index)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.connections[index] = None,
            }
        }
        Ok(())
    }

    /// Answers every complete request.
    fn answer(&mut self, index: usize) -> Result<()> {
        while let Some(connection) = &mut self.connections[index] {
            let mut headers = [httparse::EMPTY_HEADER; 16];
            let mut head = httparse::Request::new(&mut headers);
            let httparse::Status::Complete(start) = head.parse(&connection.received)? else { break };
            let header = |name: &str| {
                let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
                found.and_then(|header| std::str::from_utf8(header.value).ok())
            };
            if head.method == Some("GET") {
                let key = header("sec-websocket-key").context("no WebSocket")?;
                let key = tungstenite::handshake::derive_accept_key(key.as_bytes());
                let asked = header("sec-websocket-extensions").is_some_and(|e| e.contains("permessage-deflate"));
                let deflated = asked && self.deflate;
                let extension =
                    if deflated { format!("Sec-WebSocket-Extensions: {EXTENSION}\r\n") } else { String::new() };
                let answer = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {key}\r\n{extension}\r\n"
                );
                connection.socket.write_all(answer.as_bytes())?;
                (connection.role, connection.received) = (Role::Client { deflated }, Vec::new());
                break;
            }
            let length: usize = header("content-length").context("no length")?.parse()?;
            if connection.received.len() < start + length {
                break;
            }
            let messages = connection.received[start..start + length].to_vec();
            connection.received.drain(..start + length);
            connection.socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
            self.publish(&messages)?;
        }
        Ok(())
    }

    /// The messages of one request go together.
    fn publish(&mut self, messages: &[u8]) -> Result<()> {
        let (mut plain, mut deflated) = (Vec::new(), Vec::new());
        let is_deflated = |connection: &Connection| connection.role == Role::Client { deflated: true };
        let deflating = self.connections.iter().flatten().any(is_deflated);
        for message in messages.split(|byte| *byte == b'\n') {
            frame::append_text(&mut plain, message, false);
            if deflating {
                frame::append_text(&mut deflated, &self.encoder.deflated(message)?, true);
            }
        }
        for place in &mut self.connections {
            let Some(connection) = place else { continue };
            let frames = match connection.role {
                Role::Unknown => continue,
                Role::Client { deflated: true } => &deflated,
                Role::Client { deflated: false } => &plain,
            };
            // A client that does not take it is beyond what a limit has to deal with.
            if !connection.socket.write(frames).is_ok_and(|written| written == frames.len()) {
                *place = None;
            }
        }
        Ok(())
    }
}

/// permessage-deflate without context takeover.
pub struct Encoder(Compress);

impl Encoder {
    pub fn new() -> Self {
        Self(Compress::new(Compression::default(), false))
    }

    pub fn deflated(&mut self, payload: &[u8]) -> Result<Vec<u8>> {
        self.0.reset();
        let mut deflated = Vec::with_capacity(payload.len() + 64);
        self.0.compress_vec(payload, &mut deflated, FlushCompress::Sync)?;
        ensure!(deflated.ends_with(&[0, 0, 0xff, 0xff]), "a deflated message was not flushed");
        deflated.truncate(deflated.len() - 4);
        Ok(deflated)
    }
}
