//! A WebSocket client without manners: it writes frames byte by byte, and reads only if it likes.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use crate::{
    by_hand::{handshake, masked_frame},
    patience::PATIENCE,
};

pub struct RawSocket(TcpStream);

/// The first byte of a frame.
pub const TEXT: u8 = 0x01;
pub const CONTINUATION: u8 = 0x00;
pub const PING: u8 = 0x09;
const CLOSE: u8 = 0x08;
pub const FIN: u8 = 0x80;
/// Any key will do: nobody is in between.
const KEY: [u8; 4] = [1, 2, 3, 4];

impl RawSocket {
    pub fn open(address: SocketAddr) -> Self {
        Self::open_with_room(address, None)
    }

    /// `room` is what the kernel may hold for a client that does not read.
    pub fn open_with_room(address: SocketAddr, room: Option<usize>) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        if let Some(room) = room {
            socket.set_recv_buffer_size(room).unwrap();
        }
        socket.connect(&address.into()).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        handshake(&mut stream, "/ws/stats", "");
        Self(stream)
    }

    /// One masked frame; a connection that is gone takes nothing, which is for the reader to find out.
    pub fn frame(&mut self, first: u8, payload: &[u8]) {
        let _ = self.0.write_all(&masked_frame(first, payload, KEY));
    }

    /// The next frame's opcode and payload; `None` at the end of the connection.
    pub fn read_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).ok()?;
        let length = match head[1] & 0x7f {
            126 => {
                let mut length = [0; 2];
                self.0.read_exact(&mut length).ok()?;
                usize::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.0.read_exact(&mut length).ok()?;
                usize::try_from(u64::from_be_bytes(length)).unwrap()
            }
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).ok()?;
        Some((head[0] & 0x0f, payload))
    }

    /// Reads on, answering nothing, until the close frame; its code, or `None` where none came.
    pub fn close_code(&mut self) -> Option<u16> {
        loop {
            let (opcode, payload) = self.read_frame()?;
            if opcode == CLOSE {
                return Some(u16::from_be_bytes([payload[0], payload[1]]));
            }
        }
    }

    /// Whether the other side has let go of the connection by now; reads what had been sent.
    pub fn is_cut_within(&mut self, limit: Duration) -> bool {
        self.0.set_read_timeout(Some(limit)).unwrap();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match self.0.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => {
                    return !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
                }
            }
        }
    }
}
