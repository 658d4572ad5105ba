//! WebSocket frames, RFC 6455, as both ends of this bench read and write them.

use std::ops::Range;

use anyhow::{Result, bail, ensure};

const FINAL: u8 = 0x80;
const DEFLATED: u8 = 0x40;
const MASKED: u8 = 0x80;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    pub deflated: bool,
    pub payload: Range<usize>,
    /// Where the next one begins.
    pub end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Data,
    Close,
    Ping,
    Pong,
}

/// The first frame of what a server sent; nothing while it is incomplete.
pub fn first(bytes: &[u8]) -> Result<Option<Frame>> {
    let [head, length, rest @ ..] = bytes else { return Ok(None) };
    ensure!(head & FINAL != 0, "a fragmented message");
    ensure!(length & MASKED == 0, "a masked frame from a server");
    let (start, length) = match (length, rest) {
        (126, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
        (127, [a, b, c, d, e, f, g, h, ..]) => (10, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]) as usize),
        (126 | 127, _) => return Ok(None),
        (short, _) => (2, usize::from(*short)),
    };
    let end = start + length;
    if bytes.len() < end {
        return Ok(None);
    }
    let kind = match head & 0x0f {
        1 | 2 => Kind::Data,
        8 => Kind::Close,
        9 => Kind::Ping,
        10 => Kind::Pong,
        opcode => bail!("a frame with opcode {opcode}"),
    };
    Ok(Some(Frame { kind, deflated: head & DEFLATED != 0, payload: start..end, end }))
}

/// A server's text message in one frame.
pub fn append_text(bytes: &mut Vec<u8>, payload: &[u8], deflated: bool) {
    bytes.push(if deflated { FINAL | DEFLATED | 1 } else { FINAL | 1 });
    match payload.len() {
        short @ ..=125 => bytes.push(short as u8),
        medium @ ..=0xffff => {
            bytes.push(126);
            bytes.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            bytes.push(127);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
}

/// A client's answer to a ping. Its mask is zero, so the payload stays as it is.
pub fn pong(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![FINAL | 10, MASKED | payload.len() as u8, 0, 0, 0, 0];
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_any_length_is_read_as_it_was_written_and_not_before_it_is_complete() {
        for length in [0, 1, 125, 126, 300, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut bytes = Vec::new();
            append_text(&mut bytes, &payload, length == 300);
            assert_eq!(first(&bytes[..bytes.len() - 1]).unwrap(), None, "{length}");
            let frame = first(&bytes).unwrap().unwrap();
            assert_eq!((frame.kind, frame.deflated, frame.end), (Kind::Data, length == 300, bytes.len()));
            assert_eq!(&bytes[frame.payload], payload);
        }
    }

    #[test]
    fn what_a_server_may_not_send_is_an_error() {
        assert!(first(&[0x01, 0]).is_err());
        assert!(first(&[0x81, 0x80, 0, 0, 0, 0]).is_err());
        assert!(first(&[0x83, 0]).is_err());
    }
}
