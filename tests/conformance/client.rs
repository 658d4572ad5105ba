//! A client that writes any frame, in parts of any size, and reads what comes back.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

pub use crate::by_hand::masked_frame;
use crate::{
    by_hand::handshake,
    echo::{Echo, PATIENCE},
};

pub const FIN: u8 = 0x80;
pub const RSV1: u8 = 0x40;
pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// The server lets go of a connection that has been closed by both within so long.
const CLOSED_WITHIN: Duration = Duration::from_millis(800);

pub struct Client {
    stream: TcpStream,
    /// The answer to the offered extensions.
    pub agreed: Option<String>,
}

/// The first byte and the payload of a frame.
pub type Frame = (u8, Vec<u8>);

pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    masked_frame(first, payload, KEY)
}

pub fn close(code: u16) -> Vec<u8> {
    frame(FIN | CLOSE, &code.to_be_bytes())
}

impl Client {
    pub fn open(echo: &Echo) -> Self {
        Self::offering(echo, "")
    }

    /// `extensions` is any number of header lines.
    pub fn offering(echo: &Echo, extensions: &str) -> Self {
        let mut stream = TcpStream::connect(echo.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let answer = handshake(&mut stream, "/", extensions);
        let extensions = answer.lines().find_map(|line| line.strip_prefix("sec-websocket-extensions: "));
        Self { stream, agreed: extensions.map(str::to_owned) }
    }

    pub fn deflating(echo: &Echo) -> Self {
        let client = Self::offering(echo, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
        assert!(client.agreed.is_some());
        client
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub fn send_in_parts(&mut self, bytes: &[u8], size: usize) {
        bytes.chunks(size).for_each(|part| self.send(part));
    }

    /// Writes in the background: a server that is not read from need not read.
    pub fn send_beside(&self, bytes: Vec<u8>) {
        let mut stream = self.stream.try_clone().unwrap();
        std::thread::spawn(move || stream.write_all(&bytes));
    }

    /// The next frame; `None` at the end of the connection.
    pub fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).ok()?;
        assert_eq!(head[1] & 0x80, 0, "a server's frame is not masked");
        let mut long = [0; 8];
        let length = match head[1] {
            126 => {
                self.stream.read_exact(&mut long[6..]).unwrap();
                u64::from_be_bytes(long)
            }
            127 => {
                self.stream.read_exact(&mut long).unwrap();
                u64::from_be_bytes(long)
            }
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).unwrap();
        Some((head[0], payload))
    }

    #[track_caller]
    pub fn expect(&mut self, first: u8, payload: &[u8]) {
        let (got, content) = self.read().expect("a frame before the end of the connection");
        assert_eq!((got, content.len()), (first, payload.len()));
        assert!(content == payload, "the content is another");
    }

    /// The server's close, and then the end of the connection without delay.
    #[track_caller]
    pub fn expect_close(mut self, code: Option<u16>) {
        let (first, payload) = self.read().expect("a close before the end of the connection");
        assert_eq!((first, payload.first_chunk().map(|code| u16::from_be_bytes(*code))), (FIN | CLOSE, code));
        assert!(payload.len() != 1 && std::str::from_utf8(payload.get(2..).unwrap_or_default()).is_ok());
        let began = Instant::now();
        assert_eq!(self.stream.read(&mut [0; 1]).ok(), Some(0), "the server closes first, in order");
        assert!(began.elapsed() < CLOSED_WITHIN, "closed after {:?}", began.elapsed());
    }

    /// Closes in good order.
    #[track_caller]
    pub fn farewell(mut self) {
        self.send(&close(1000));
        self.expect_close(Some(1000));
    }

    pub fn shut_down(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// What the server wrote into nothing: no more frames, only the end.
    pub fn is_over(&mut self) -> bool {
        self.read().is_none()
    }
}

/// A message as it goes over the wire.
pub fn deflated(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() * 2 + 64);
    Compress::new(Compression::default(), false).compress_vec(message, &mut out, FlushCompress::Sync).unwrap();
    out.truncate(out.len() - 4);
    out
}

/// A message of a server's frame.
pub fn inflated((first, payload): Frame, size: usize) -> Vec<u8> {
    if first & RSV1 == 0 {
        return payload;
    }
    let mut out = Vec::with_capacity(size + 64);
    let whole = [&payload[..], &[0, 0, 0xff, 0xff]].concat();
    Decompress::new(false).decompress_vec(&whole, &mut out, FlushDecompress::Sync).unwrap();
    out
}
