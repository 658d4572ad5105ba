//! How a streamer speaks to a daemon: over one connection, and each answer is waited for.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Result, ensure};

use crate::{ingest::accepted, streamer::Streamer};

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection on which one request follows the other.
pub struct Connection(TcpStream);

impl Connection {
    pub fn open(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(socket))
    }

    /// Answers how many reports were accepted.
    pub fn send(&mut self, request: &[u8]) -> Result<u64> {
        self.0.write_all(request)?;
        let mut answer = Vec::new();
        let mut part = [0; 16 << 10];
        loop {
            let read = self.0.read(&mut part)?;
            ensure!(read > 0, "the daemon closed the connection");
            answer.extend_from_slice(&part[..read]);
            if let Some(accepted) = accepted(&answer)? {
                return Ok(accepted);
            }
        }
    }

    /// The streamer's next request: every report of it must be taken in. Answers how many there were.
    pub fn report(&mut self, streamer: &mut Streamer) -> Result<u64> {
        let (request, reports) = streamer.next_request();
        let taken = self.send(request)?;
        ensure!(taken == reports, "{taken} of {reports} reports were accepted");
        Ok(reports)
    }
}
