//! Frames, RFC 6455: a client's headers are read, the server's frames are written.

use bytes::{Buf, BufMut, Bytes, BytesMut};

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_AND_3: u8 = 0x30;
const MASKED: u8 = 0x80;
/// The longest header of a server's frame, and of a client's: it has a mask.
const HEADER_MAX: usize = 10;
const CLIENT_HEADER_MAX: usize = HEADER_MAX + MASK;
const MASK: usize = 4;
/// The longest payload of a control frame.
pub const CONTROL_PAYLOAD_MAX: usize = 125;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

impl Opcode {
    const fn of(byte: u8) -> Option<Self> {
        Some(match byte & 0x0f {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    pub const fn is_control(self) -> bool {
        self as u8 >= Self::Close as u8
    }
}

/// Close codes this server gives of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    Normal = 1000,
    GoingAway = 1001,
    Protocol = 1002,
    Unsupported = 1003,
    Invalid = 1007,
    Policy = 1008,
    TooBig = 1009,
    TryAgainLater = 1013,
}

/// What a client did that ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    pub code: CloseCode,
    pub reason: &'static str,
}

impl Violation {
    pub const fn protocol(reason: &'static str) -> Self {
        Self { code: CloseCode::Protocol, reason }
    }
}

/// The key of a frame's payload, and how far into it the payload has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mask([u8; MASK]);

impl Mask {
    /// Takes the mask off the next part of a payload, or puts it on.
    pub fn apply(&mut self, part: &mut [u8]) {
        let [a, b, c, d] = self.0;
        let twice = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let mut eights = part.chunks_exact_mut(8);
        for eight in &mut eights {
            let mut word = [0; 8];
            word.copy_from_slice(eight);
            eight.copy_from_slice(&(u64::from_ne_bytes(word) ^ twice).to_ne_bytes());
        }
        for (byte, key) in eights.into_remainder().iter_mut().zip(self.0.iter().cycle()) {
            *byte ^= key;
        }
        self.0.rotate_left(part.len() % MASK);
    }
}

/// A client's frame, as its header announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub fin: bool,
    pub rsv1: bool,
    pub opcode: Opcode,
    pub mask: Mask,
    pub length: u64,
}

enum Parsed {
    Whole(Header),
    /// At least so many bytes are needed.
    Needs(usize),
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Parsed, Violation> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(Parsed::Needs(2)) };
        let opcode = Opcode::of(first).ok_or(Violation::protocol("reserved opcode"))?;
        let (fin, rsv1, short) = (first & FIN != 0, first & RSV1 != 0, second & !MASKED);
        if first & RSV2_AND_3 != 0 {
            return Err(Violation::protocol("reserved bits"));
        }
        if second & MASKED == 0 {
            return Err(Violation::protocol("a client's frame must be masked"));
        }
        if opcode.is_control() {
            if rsv1 {
                return Err(Violation::protocol("a control frame is never compressed"));
            }
            if !fin {
                return Err(Violation::protocol("a control frame has no fragments"));
            }
            if usize::from(short) > CONTROL_PAYLOAD_MAX {
                return Err(Violation::protocol("a control frame has at most 125 bytes"));
            }
        }
        let extended = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if rest.len() < extended {
            return Ok(Parsed::Needs(2 + extended + MASK));
        }
        let (digits, rest) = rest.split_at(extended);
        let (length, least) = match short {
            126 => (digits.iter().fold(0, |sum, digit| sum << 8 | u64::from(*digit)), 126),
            127 => (digits.iter().fold(0, |sum, digit| sum << 8 | u64::from(*digit)), 1 << 16),
            short => (u64::from(short), 0),
        };
        if length < least {
            return Err(Violation::protocol("a length has the shortest form"));
        }
        if length > i64::MAX as u64 {
            return Err(Violation::protocol("a length has at most 63 bits"));
        }
        let Some(mask) = rest.first_chunk() else { return Ok(Parsed::Needs(2 + extended + MASK)) };
        Ok(Parsed::Whole(Self { fin, rsv1, opcode, mask: Mask(*mask), length }))
    }
}

/// Reads headers from bytes that come in parts of any size.
#[derive(Debug, Default)]
pub struct HeaderReader {
    bytes: [u8; CLIENT_HEADER_MAX],
    have: usize,
}

impl HeaderReader {
    /// The header at the front of what came; `None` if the rest of it is yet to come.
    pub fn read(&mut self, input: &mut Bytes) -> Result<Option<Header>, Violation> {
        loop {
            match Header::parse(&self.bytes[..self.have])? {
                Parsed::Whole(header) => {
                    self.have = 0;
                    return Ok(Some(header));
                }
                Parsed::Needs(_) if input.is_empty() => return Ok(None),
                Parsed::Needs(need) => {
                    let more = input.len().min(need - self.have);
                    input.copy_to_slice(&mut self.bytes[self.have..self.have + more]);
                    self.have += more;
                }
            }
        }
    }
}

/// A whole message as one frame.
pub fn message(opcode: Opcode, compressed: bool, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER_MAX + payload.len());
    put_header(&mut out, FIN | if compressed { RSV1 } else { 0 } | opcode as u8, payload.len());
    out.put_slice(payload);
    out.freeze()
}

/// A value's JSON as one text frame.
pub fn json<T: serde::Serialize>(value: &T) -> Bytes {
    let mut buffer = vec![0; HEADER_MAX];
    if serde_json::to_writer(&mut buffer, value).is_err() {
        // Wire types hold nothing JSON cannot say.
        buffer.truncate(HEADER_MAX);
    }
    let payload = buffer.len() - HEADER_MAX;
    let mut header = BytesMut::with_capacity(HEADER_MAX);
    put_header(&mut header, FIN | Opcode::Text as u8, payload);
    let start = HEADER_MAX - header.len();
    buffer[start..HEADER_MAX].copy_from_slice(&header);
    Bytes::from(buffer).slice(start..)
}

/// The payload of a frame written here.
pub fn payload(frame: &[u8]) -> &[u8] {
    let header = match frame.get(1) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    };
    frame.get(header..).unwrap_or_default()
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

pub fn ping() -> Bytes {
    message(Opcode::Ping, false, b"")
}

/// A ping's payload fits: the reader has seen to that.
pub fn pong(payload: &[u8]) -> Bytes {
    message(Opcode::Pong, false, payload)
}

pub fn close(code: CloseCode, reason: &str) -> Bytes {
    let reason = &reason[..reason.floor_char_boundary(CONTROL_PAYLOAD_MAX - 2)];
    message(Opcode::Close, false, &[&(code as u16).to_be_bytes(), reason.as_bytes()].concat())
}

/// The answer to a client's close: its own code, if it gave one.
pub fn close_answer(code: Option<u16>) -> Bytes {
    match code {
        Some(code) => message(Opcode::Close, false, &code.to_be_bytes()),
        None => message(Opcode::Close, false, b""),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_length_gets_the_shortest_header() {
        for (length, header) in [(10, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            // A JSON string is its text and two quotes.
            let frame = json(&"x".repeat(length - 2));
            assert_eq!(frame.len(), header + length, "payload of {length} bytes");
            assert_eq!(frame[0], 0x81);
            assert_eq!(frame, message(Opcode::Text, false, payload(&frame)));
        }
    }

    #[test]
    fn a_close_carries_its_code_and_as_much_of_the_reason_as_fits() {
        assert_eq!(&close(CloseCode::GoingAway, "bye")[..], [0x88, 5, 0x03, 0xe9, b'b', b'y', b'e']);
        let long = close(CloseCode::GoingAway, &"я".repeat(100));
        assert_eq!(long[1], 124);
        assert!(std::str::from_utf8(&long[4..]).is_ok());
        assert_eq!(&close_answer(Some(3000))[..], [0x88, 2, 0x0b, 0xb8]);
        assert_eq!(&close_answer(None)[..], [0x88, 0]);
    }

    #[test]
    fn a_ping_is_empty_and_a_pong_gives_back_what_it_was_sent() {
        assert_eq!(&ping()[..], [0x89, 0]);
        assert_eq!(&pong(b"why")[..], [0x8a, 3, b'w', b'h', b'y']);
    }

    fn read(bytes: &[u8]) -> Result<Option<Header>, Violation> {
        HeaderReader::default().read(&mut Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn a_header_that_breaks_a_rule_is_refused_as_soon_as_it_shows() {
        for (wrong, bytes) in [
            ("RSV2", &[0xa1, 0x80][..]),
            ("RSV3", &[0x91, 0x80]),
            ("opcode 3", &[0x83, 0x80]),
            ("opcode 15", &[0x8f, 0x80]),
            ("no mask", &[0x81, 0x00]),
            ("a fragmented ping", &[0x09, 0x80]),
            ("a compressed pong", &[0xca, 0x80]),
            ("a ping of 126", &[0x89, 0xfe]),
            ("125 in two bytes", &[0x81, 0xfe, 0, 125]),
            ("65535 in eight bytes", &[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff]),
            ("64 bits", &[0x81, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            assert_eq!(read(bytes).map_err(|violation| violation.code), Err(CloseCode::Protocol), "{wrong}");
        }
    }

    #[test]
    fn a_control_frame_of_125_bytes_and_a_length_of_63_bits_are_just_within_the_rules() {
        let ping = [0x89, 0xfd, 1, 2, 3, 4];
        let long = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4];
        for (bytes, length) in [(&ping[..], 125), (&long, i64::MAX as u64)] {
            assert_eq!(read(bytes).unwrap().map(|header| header.length), Some(length));
        }
    }

    fn put_client_header(header: &Header) -> Vec<u8> {
        let mut out = BytesMut::new();
        let first = header.opcode as u8 | if header.fin { FIN } else { 0 } | if header.rsv1 { RSV1 } else { 0 };
        put_header(&mut out, first, header.length as usize);
        out[1] |= MASKED;
        out.put_slice(&header.mask.0);
        out.to_vec()
    }

    proptest! {
        #[test]
        fn a_header_reads_as_it_was_written_in_parts_of_any_size_and_nothing_behind_it_is_taken(
            (fin, rsv1, mask) in any::<(bool, bool, [u8; 4])>(),
            opcode in prop::sample::select(vec![Opcode::Continuation, Opcode::Text, Opcode::Binary]),
            length in prop_oneof![0_u64..200, 65_500_u64..65_600, 0..=i64::MAX as u64],
            part in 1_usize..15,
        ) {
            let header = Header { fin, rsv1, opcode, mask: Mask(mask), length };
            let mut reader = HeaderReader::default();
            let mut read = None;
            for part in put_client_header(&header).chunks(part) {
                prop_assert_eq!(read, None);
                read = reader.read(&mut Bytes::copy_from_slice(part)).unwrap();
            }
            prop_assert_eq!(read, Some(header));
            let mut input = Bytes::from([&put_client_header(&header)[..], b"the payload"].concat());
            prop_assert_eq!(HeaderReader::default().read(&mut input), Ok(Some(header)));
            prop_assert_eq!(&input[..], b"the payload");
        }

        #[test]
        fn a_mask_put_on_at_once_comes_off_in_parts(
            key in any::<[u8; 4]>(),
            text in prop::collection::vec(any::<u8>(), 0..200),
            part in 1_usize..40,
        ) {
            let mut masked = text.clone();
            Mask(key).apply(&mut masked);
            let expected: Vec<u8> = text.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            prop_assert_eq!(&masked, &expected);
            let mut mask = Mask(key);
            masked.chunks_mut(part).for_each(|part| mask.apply(part));
            prop_assert_eq!(masked, text);
        }

        #[test]
        fn no_bytes_make_the_reader_panic_and_it_never_takes_more_than_a_header(
            bytes in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut input = Bytes::from(bytes.clone());
            let _ = HeaderReader::default().read(&mut input);
            prop_assert!(bytes.len() - input.len() <= CLIENT_HEADER_MAX);
        }
    }
}
