//! Who publishes: one HTTP request a tick tells a server what to send to everybody.

use std::{
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use mio::{Interest, Registry, Token, net::TcpStream};
use serde_json::json;

use super::message::Message;

/// More than an answer ever needs.
const ANSWER_MAX: usize = 64 << 10;

/// What a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The daemon: reports of a streamer, of which it makes messages.
    Ingest,
    /// A peer: the messages themselves, one a line.
    Publish,
}

/// What is published.
#[derive(Clone, Copy, Debug)]
pub struct Programme {
    pub door: Door,
    /// Messages of one tick, each of a channel of its own.
    pub per_tick: usize,
    pub bytes: usize,
}

pub struct Publisher {
    programme: Programme,
    address: SocketAddr,
    socket: TcpStream,
    unsent: Vec<u8>,
    answers: Vec<u8>,
    ticks: u32,
}

impl Publisher {
    pub fn new(address: SocketAddr, programme: Programme, registry: &Registry, token: Token) -> Result<Self> {
        // Connected when it returns: the server is listening.
        let socket = std::net::TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { programme, address, socket, unsent: Vec::new(), answers: Vec::new(), ticks: 0 })
    }

    /// How many there were.
    pub fn ticks(&self) -> u32 {
        self.ticks
    }

    /// The next message of every channel; `now` on the clock of whoever receives them.
    pub fn tick(&mut self, now: Duration) -> Result<()> {
        self.ticks += 1;
        let Programme { door, per_tick, bytes } = self.programme;
        let messages = (0..per_tick).map(|channel| Message { channel, tick: self.ticks, sent: now });
        let (path, body) = match door {
            Door::Ingest => {
                let reports: Vec<_> = messages.map(|message| message.report(bytes)).collect::<Result<_>>()?;
                ("/api/v1/ingest", json!({ "source": "bench", "reports": reports }).to_string())
            }
            Door::Publish => {
                let lines: Vec<_> = messages.map(|message| message.payload(bytes)).collect::<Result<_>>()?;
                ("/publish", lines.join("\n"))
            }
        };
        write!(
            self.unsent,
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )?;
        self.send()
    }

    pub fn ready(&mut self) -> Result<()> {
        self.send()?;
        let mut buffer = [0; 4096];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => anyhow::bail!("the server closed the publisher's connection"),
                Ok(length) => self.answers.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
            ensure!(self.answers.len() < ANSWER_MAX, "an answer is longer than {ANSWER_MAX} bytes");
            while let Some(length) = complete(&self.answers)? {
                self.answers.drain(..length);
            }
        }
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(length) => drop(self.unsent.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// The length of a good answer; nothing while it is incomplete.
fn complete(answer: &[u8]) -> Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = head.parse(answer)? else { return Ok(None) };
    let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.map(|header| std::str::from_utf8(header.value).map(str::parse::<usize>));
    let end = start + length.transpose()?.transpose().context("content-length")?.unwrap_or(0);
    if answer.len() < end {
        return Ok(None);
    }
    let body = String::from_utf8_lossy(&answer[start..end]);
    ensure!(matches!(head.code, Some(200 | 204)), "publishing was answered {:?}: {body}", head.code);
    Ok(Some(end))
}

#[cfg(test)]
mod tests {
    use super::complete;

    #[test]
    fn an_answer_counts_once_it_is_complete_and_good() {
        assert_eq!(complete(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap(), Some(27));
        assert_eq!(complete(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{").unwrap(), None);
        assert_eq!(complete(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP").unwrap(), Some(40));
        let refusal = b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy";
        assert!(complete(refusal).unwrap_err().to_string().contains("busy"));
    }
}
