//! Everybody who listens: thousands of WebSocket connections on one thread, without a timer or an allocation each.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use mio::{Interest, Registry, Token, event::Event, net::TcpStream};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

use super::{
    frame::{self, Kind},
    latencies::Latencies,
    payloads::{Payloads, Place},
};

/// Connections from one address: fewer than it has ports.
const PER_ADDRESS: usize = 1000;
/// One read takes a burst, or a snapshot, whole.
const READ: usize = 256 << 10;
/// What a client that never reads has room for: the least the kernel allows.
const STUCK_ROOM: usize = 2304;
const KEY: &str = "c2F0dHZhIG1vbml0b3IuLg==";
const OFFER: &str =
    "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n";

/// Who comes.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    pub connections: usize,
    /// Of those: they never read.
    pub stuck: usize,
    pub deflate: bool,
    /// Messages of one tick, each of a channel of its own.
    pub per_tick: usize,
    /// What they want to hear, as a query: all that there is, if it is empty.
    pub query: &'static str,
    /// The first so many hear all that there is.
    pub hear_all: usize,
}

pub struct Audience {
    crowd: Crowd,
    address: SocketAddr,
    /// Of those who hear all, and of the others.
    requests: [Vec<u8>; 2],
    clients: Vec<Client>,
    /// The last tick that each client has had of each channel.
    ticks: Vec<u32>,
    payloads: Payloads,
    buffer: Vec<u8>,
    opened: usize,
    deflated: usize,
    /// Messages that arrived, each the next one of its channel.
    pub deliveries: u64,
    /// Of the ticks behind this one.
    pub latencies: Latencies,
    pub latencies_from: u32,
    /// The clock of the messages.
    pub epoch: Instant,
}

struct Client {
    socket: TcpStream,
    stage: Stage,
    /// What is incomplete, mostly nothing.
    rest: Vec<u8>,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    Waiting,
    Open,
    Stuck,
}

impl Audience {
    pub fn new(address: SocketAddr, crowd: Crowd) -> Self {
        let offer = if crowd.deflate { OFFER } else { "" };
        let requests = ["", crowd.query].map(|query| {
            format!(
            "GET /ws/stats{query} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{offer}\r\n"
        ).into_bytes() });
        Self {
            crowd,
            address,
            requests,
            clients: Vec::with_capacity(crowd.connections),
            ticks: vec![0; crowd.connections * crowd.per_tick],
            payloads: Payloads::new(),
            buffer: vec![0; READ],
            opened: 0,
            deflated: 0,
            deliveries: 0,
            latencies: Latencies::new(),
            latencies_from: u32::MAX,
            epoch: Instant::now(),
        }
    }

    pub fn opened(&self) -> usize {
        self.opened
    }

    pub fn opening(&self) -> usize {
        self.clients.len() - self.opened
    }

    /// Whether the server agreed to deflate, which it does with all or with none.
    pub fn is_deflated(&self) -> Result<bool> {
        ensure!([0, self.opened].contains(&self.deflated), "{} of {} are deflated", self.deflated, self.opened);
        Ok(self.deflated > 0)
    }

    /// Those who read.
    pub fn healthy(&self) -> usize {
        self.crowd.connections - self.crowd.stuck
    }

    /// One more connection begins.
    pub fn come(&mut self, registry: &Registry) -> Result<()> {
        let index = self.clients.len();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if index < self.crowd.stuck {
            socket.set_recv_buffer_size(STUCK_ROOM)?;
        }
        let source = Ipv4Addr::new(127, 0, 0, 2 + (index / PER_ADDRESS) as u8);
        socket.bind(&SocketAddr::from((source, 0)).into())?;
        match socket.connect(&self.address.into()) {
            Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => return Err(error.into()),
            _ => {}
        }
        let mut socket = TcpStream::from_std(socket.into());
        registry.register(&mut socket, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        self.clients.push(Client { socket, stage: Stage::Connecting, rest: Vec::new(), place: Place::default() });
        Ok(())
    }

    pub fn ready(&mut self, index: usize, event: &Event, registry: &Registry) -> Result<()> {
        let client = &mut self.clients[index];
        if client.stage == Stage::Connecting && event.is_writable() {
            let request = &self.requests[usize::from(index >= self.crowd.hear_all)];
            let written = client.socket.write(request).context("a connection was refused")?;
            ensure!(written == request.len(), "a handshake did not fit into its socket");
            client.stage = Stage::Waiting;
        }
        if event.is_readable() && client.stage != Stage::Stuck {
            self.read(index, registry).with_context(|| format!("client {index}"))?;
        }
        Ok(())
    }

    fn read(&mut self, index: usize, registry: &Registry) -> Result<()> {
        loop {
            let client = &mut self.clients[index];
            let kept = client.rest.len();
            if self.buffer.len() < kept + READ {
                self.buffer.resize(kept + READ, 0);
            }
            self.buffer[..kept].copy_from_slice(&client.rest);
            let length = match client.socket.read(&mut self.buffer[kept..]) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let end = kept + length;
            let drained = end < self.buffer.len();
            let used = self.take(index, end)?;
            let client = &mut self.clients[index];
            client.rest.clear();
            client.rest.extend_from_slice(&self.buffer[used..end]);
            if client.stage == Stage::Stuck {
                registry.deregister(&mut client.socket)?;
                return Ok(());
            }
            if drained {
                return Ok(());
            }
        }
    }

    /// Takes what is complete of the buffer, and says how much that was.
    fn take(&mut self, index: usize, end: usize) -> Result<usize> {
        let mut at = 0;
        if self.clients[index].stage == Stage::Waiting {
            at = self.shake_hands(index, end)?;
        }
        if self.clients[index].stage != Stage::Open {
            return Ok(at);
        }
        let now = self.epoch.elapsed();
        while let Some(found) = frame::first(&self.buffer[at..end])? {
            let payload = at + found.payload.start..at + found.payload.end;
            match found.kind {
                Kind::Data => self.hear(index, payload, found.deflated, now)?,
                Kind::Ping => {
                    let pong = frame::pong(&self.buffer[payload]);
                    self.clients[index].socket.write_all(&pong)?;
                }
                Kind::Pong => {}
                Kind::Close => bail!("the server said goodbye: {:?}", &self.buffer[payload]),
            }
            at += found.end;
        }
        Ok(at)
    }

    fn shake_hands(&mut self, index: usize, end: usize) -> Result<usize> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = head.parse(&self.buffer[..end])? else { return Ok(0) };
        ensure!(head.code == Some(101), "the handshake was answered {:?}", head.code);
        let header = |name: &str| head.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value);
        let accept = tungstenite::handshake::derive_accept_key(KEY.as_bytes());
        ensure!(header("sec-websocket-accept") == Some(accept.as_bytes()), "the handshake is not an answer to ours");
        let extensions = header("sec-websocket-extensions").unwrap_or_default();
        self.deflated += usize::from(extensions.starts_with(b"permessage-deflate"));
        self.opened += 1;
        self.clients[index].stage = if index < self.crowd.stuck { Stage::Stuck } else { Stage::Open };
        Ok(length)
    }

    fn hear(&mut self, index: usize, payload: std::ops::Range<usize>, deflated: bool, now: Duration) -> Result<()> {
        let place = &mut self.clients[index].place;
        let Some(message) = self.payloads.read(place, &self.buffer[payload], deflated)? else { return Ok(()) };
        ensure!(message.channel < self.crowd.per_tick, "a message of channel {}", message.channel);
        let last = &mut self.ticks[index * self.crowd.per_tick + message.channel];
        // Whoever publishes begins when all have come.
        ensure!(message.tick == *last + 1, "channel {}: {} came after {last}", message.channel, message.tick);
        *last = message.tick;
        self.deliveries += 1;
        if message.tick > self.latencies_from {
            self.latencies.add(now.saturating_sub(message.sent));
        }
        Ok(())
    }
}
