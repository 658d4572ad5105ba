//! Server frames, RFC 6455: unmasked, unfragmented, encoded once and shared.

use bytes::{BufMut, Bytes, BytesMut};

/// FIN + opcode.
const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
/// The longest header of a server frame.
const HEADER_MAX: usize = 10;

/// Close codes this server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    Normal = 1000,
    GoingAway = 1001,
    Protocol = 1002,
    Unsupported = 1003,
    Policy = 1008,
    TooBig = 1009,
    TryAgainLater = 1013,
}

/// A message as one text frame.
pub fn text<T: serde::Serialize>(message: &T) -> Bytes {
    let mut buffer = vec![0; HEADER_MAX];
    if serde_json::to_writer(&mut buffer, message).is_err() {
        // Wire types hold nothing JSON cannot say.
        buffer.truncate(HEADER_MAX);
    }
    let payload = buffer.len() - HEADER_MAX;
    let mut header = BytesMut::with_capacity(HEADER_MAX);
    put_header(&mut header, TEXT, payload);
    let start = HEADER_MAX - header.len();
    buffer[start..HEADER_MAX].copy_from_slice(&header);
    Bytes::from(buffer).slice(start..)
}

fn put_header(out: &mut BytesMut, first: u8, payload: usize) {
    out.put_u8(first);
    match payload {
        0..=125 => out.put_u8(payload as u8),
        126..=65_535 => {
            out.put_u8(126);
            out.put_u16(payload as u16);
        }
        _ => {
            out.put_u8(127);
            out.put_u64(payload as u64);
        }
    }
}

fn control(first: u8, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(2 + payload.len());
    put_header(&mut out, first, payload.len());
    out.put_slice(payload);
    out.freeze()
}

pub fn ping() -> Bytes {
    control(PING, b"")
}

/// A ping's payload is at most 125 bytes; the decoder has seen to that.
pub fn pong(payload: &[u8]) -> Bytes {
    control(PONG, payload)
}

pub fn close(code: CloseCode, reason: &str) -> Bytes {
    let mut payload = Vec::with_capacity(2 + reason.len());
    payload.extend_from_slice(&(code as u16).to_be_bytes());
    payload.extend_from_slice(&reason.as_bytes()[..reason.len().min(123)]);
    control(CLOSE, &payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_gets_the_shortest_header() {
        for (length, header) in [(10, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            // A JSON string is its text and two quotes.
            let frame = text(&"x".repeat(length - 2));
            assert_eq!(frame.len(), header + length, "payload of {length} bytes");
            assert_eq!(frame[0], 0x81);
        }
    }

    #[test]
    fn a_close_carries_its_code_and_reason() {
        assert_eq!(&close(CloseCode::GoingAway, "bye")[..], [0x88, 5, 0x03, 0xe9, b'b', b'y', b'e']);
    }
}
