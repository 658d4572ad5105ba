//! What becomes of a client's bytes, right and wrong.

use bytes::{BufMut, BytesMut};
use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;

use super::*;
use crate::session::{deflate::Deflater, frame::CONTROL_PAYLOAD_MAX};

const UNLIMITED: PaceLimit = PaceLimit { most: u32::MAX, within: Duration::from_secs(1) };
const WIDE: Limits = Limits {
    message_max: 1 << 20,
    fragments_max: usize::MAX,
    message_time: Duration::MAX,
    control: UNLIMITED,
    binary: true,
};
const NARROW: Limits = Limits {
    message_max: 4096,
    fragments_max: 16,
    message_time: Duration::from_secs(10),
    control: PaceLimit { most: 10, within: Duration::from_secs(1) },
    binary: false,
};
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A client's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    out.put_u8(first);
    match payload.len() {
        short @ 0..=125 => out.put_u8(0x80 | short as u8),
        long @ 126..=65_535 => {
            out.put_u8(0x80 | 126);
            out.put_u16(long as u16);
        }
        long => {
            out.put_u8(0x80 | 127);
            out.put_u64(long as u64);
        }
    }
    out.put_slice(&KEY);
    out.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    out.to_vec()
}

/// All that is said by bytes which come in parts of this size.
fn said(limits: Limits, encoding: Encoding, bytes: &[u8], part: usize) -> Vec<Result<Event, CloseCode>> {
    let now = Timestamp::from_secs(1);
    let mut assembler = Assembler::new(limits, encoding, now);
    let mut said = Vec::new();
    for part in bytes.chunks(part) {
        let mut input = Bytes::copy_from_slice(part);
        while let Some(event) = assembler.next(&mut input, now) {
            said.push(event.map_err(|violation| violation.code));
        }
        assert!(input.is_empty());
    }
    said
}

/// The same, which must not depend on the size of the parts.
#[track_caller]
fn all_said(limits: Limits, encoding: Encoding, frames: &[Vec<u8>]) -> Vec<Result<Event, CloseCode>> {
    let bytes = frames.concat();
    let whole = said(limits, encoding, &bytes, usize::MAX);
    for part in [1, 2, 3, 7] {
        assert_eq!(said(limits, encoding, &bytes, part), whole, "in parts of {part}");
    }
    whole
}

#[track_caller]
fn refused(limits: Limits, frames: &[Vec<u8>], code: CloseCode) {
    for encoding in Encoding::ALL {
        assert_eq!(all_said(limits, encoding, frames), [Err(code)], "{encoding:?}");
    }
}

fn text(text: &'static str) -> Result<Event, CloseCode> {
    Ok(Event::Text(text.into()))
}

fn compressed(message: &[u8]) -> Vec<u8> {
    Deflater::new().deflate(message).expect("a message that shrinks")
}

#[test]
fn messages_come_whole_with_control_frames_between_their_fragments() {
    let frames = [
        frame(TEXT, "Hell".as_bytes()),
        frame(FIN | PING, b"are you there"),
        frame(CONTINUATION, b""),
        frame(FIN | PONG, b"nobody asked"),
        frame(FIN | CONTINUATION, b"o"),
        frame(FIN | BINARY, &[0xff; 300]),
        frame(FIN | TEXT, b""),
    ];
    let expected = [
        Ok(Event::Ping("are you there".into())),
        Ok(Event::Pong),
        text("Hello"),
        Ok(Event::Binary(vec![0xff; 300].into())),
        text(""),
    ];
    assert_eq!(all_said(WIDE, Encoding::Plain, &frames), expected);
}

#[test]
fn a_compressed_message_may_have_fragments_and_an_uncompressed_one_may_follow() {
    let message = "compressed and compressed and compressed";
    let deflated = compressed(message.as_bytes());
    let frames = [
        frame(RSV1 | TEXT, &deflated[..5]),
        frame(FIN | PING, b""),
        frame(FIN | CONTINUATION, &deflated[5..]),
        frame(FIN | TEXT, b"plain"),
        frame(FIN | RSV1 | TEXT, &[0]),
    ];
    let expected = [Ok(Event::Ping("".into())), text(message), text("plain"), text("")];
    assert_eq!(all_said(WIDE, Encoding::Deflate, &frames), expected);
}

#[test]
fn frames_in_a_wrong_order_are_refused() {
    refused(WIDE, &[frame(FIN | CONTINUATION, b"of what")], CloseCode::Protocol);
    refused(WIDE, &[frame(TEXT, b"a"), frame(FIN | TEXT, b"b")], CloseCode::Protocol);
    refused(WIDE, &[frame(TEXT, b"a"), frame(FIN | RSV1 | CONTINUATION, b"b")], CloseCode::Protocol);
    let unasked = [frame(FIN | RSV1 | TEXT, &compressed(&[b'a'; 50]))];
    assert_eq!(all_said(WIDE, Encoding::Plain, &unasked), [Err(CloseCode::Protocol)]);
}

#[test]
fn a_text_is_refused_at_its_first_byte_that_cannot_be_utf8() {
    refused(WIDE, &[frame(FIN | TEXT, b"\xce\xba\xff")], CloseCode::Invalid);
    refused(WIDE, &[frame(FIN | TEXT, b"cut \xf0\x9f")], CloseCode::Invalid);
    refused(WIDE, &[frame(TEXT, b"\xf4"), frame(CONTINUATION, b"\x90")], CloseCode::Invalid);
    // The frame is far from its end, and nobody waits for it.
    let begun = &frame(FIN | TEXT, &[b"\xed\xa0".to_vec(), vec![b'x'; 1000]].concat())[..10];
    assert_eq!(said(WIDE, Encoding::Plain, begun, 100), [Err(CloseCode::Invalid)]);
    let hidden = [frame(FIN | RSV1 | TEXT, &compressed(&[0xff; 50]))];
    assert_eq!(all_said(WIDE, Encoding::Deflate, &hidden), [Err(CloseCode::Invalid)]);
    // A character may be cut by fragments, and binary messages are what they are.
    let frames = [frame(TEXT, b"\xf0\x9f"), frame(FIN | CONTINUATION, b"\x8e\xb5"), frame(FIN | BINARY, b"\xff")];
    let expected = [text("🎵"), Ok(Event::Binary(vec![0xff].into()))];
    assert_eq!(all_said(WIDE, Encoding::Plain, &frames), expected);
}

#[test]
fn a_close_is_checked_and_nothing_comes_after_it() {
    let close =
        |payload: &[u8]| all_said(WIDE, Encoding::Plain, &[frame(FIN | CLOSE, payload), frame(FIN | TEXT, b"x")]);
    assert_eq!(close(b""), [Ok(Event::Close(None))]);
    for code in [1000_u16, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999] {
        assert_eq!(close(&[&code.to_be_bytes()[..], "até".as_bytes()].concat()), [Ok(Event::Close(Some(code)))]);
    }
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        assert_eq!(close(&code.to_be_bytes()), [Err(CloseCode::Protocol)], "{code}");
    }
    assert_eq!(close(&[3]), [Err(CloseCode::Protocol)]);
    assert_eq!(close(b"\x03\xe8\xff"), [Err(CloseCode::Invalid)]);
    // In the middle of a message, too.
    let frames = [frame(TEXT, b"a"), frame(FIN | CLOSE, b"\x03\xe8"), frame(FIN | CONTINUATION, b"b")];
    assert_eq!(all_said(WIDE, Encoding::Plain, &frames), [Ok(Event::Close(Some(1000)))]);
}

#[test]
fn a_message_too_big_is_refused_from_its_header() {
    let header = &frame(FIN | TEXT, &[b'x'; 4097])[..8];
    assert_eq!(said(NARROW, Encoding::Plain, header, 100), [Err(CloseCode::TooBig)]);
    refused(NARROW, &[frame(TEXT, &[b'x'; 4000]), frame(FIN | CONTINUATION, &[b'x'; 97])], CloseCode::TooBig);
    let header = [FIN | RSV1 | TEXT, 0x80 | 127, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4];
    assert_eq!(said(NARROW, Encoding::Deflate, &header, 100), [Err(CloseCode::TooBig)]);
    let most = frame(FIN | TEXT, &[b'x'; 4096]);
    assert_eq!(all_said(NARROW, Encoding::Plain, &[most]), [Ok(Event::Text(vec![b'x'; 4096].into()))]);
}

#[test]
fn a_bomb_is_refused_while_it_is_inflated() {
    let bomb = frame(FIN | RSV1 | TEXT, &compressed(&vec![b'x'; 200_000]));
    assert!(bomb.len() < 4000, "{}", bomb.len());
    assert_eq!(all_said(NARROW, Encoding::Deflate, &[bomb]), [Err(CloseCode::TooBig)]);
    // Blocks without content are no message either.
    let empty = frame(FIN | RSV1 | TEXT, &[0, 0, 0, 0xff, 0xff].repeat(2000));
    assert_eq!(all_said(NARROW, Encoding::Deflate, &[empty]), [Err(CloseCode::TooBig)]);
}

#[test]
fn a_message_that_does_not_shrink_may_be_as_long_as_any_other() {
    let mut stored = vec![0x00, 0x00, 0x10, 0xff, 0xef];
    stored.extend_from_slice(&[b'x'; 4096]);
    stored.push(0);
    let frames = [frame(FIN | RSV1 | TEXT, &stored)];
    assert_eq!(all_said(NARROW, Encoding::Deflate, &frames), [Ok(Event::Text(vec![b'x'; 4096].into()))]);
}

#[test]
fn what_a_compressed_message_may_take_on_the_wire_is_a_little_more_and_told_by_its_header() {
    let header = |length: u16| {
        let [high, low] = length.to_be_bytes();
        let header = [FIN | RSV1 | TEXT, 0x80 | 126, high, low, 1, 2, 3, 4];
        said(NARROW, Encoding::Deflate, &header, 100)
    };
    assert_eq!(header(4096 + 64 + 64), []);
    assert_eq!(header(4096 + 64 + 64 + 1), [Err(CloseCode::TooBig)]);
}

#[test]
fn what_is_no_compressed_message_is_refused() {
    for payload in [&[0xff; 4][..], &[0xf2, 0x48], &[0x05]] {
        let frames = [frame(FIN | RSV1 | BINARY, payload)];
        assert_eq!(all_said(WIDE, Encoding::Deflate, &frames), [Err(CloseCode::Invalid)], "{payload:x?}");
    }
}

#[test]
fn fragments_without_end_are_refused_empty_ones_too() {
    let mut frames = vec![frame(TEXT, b"")];
    frames.resize(16, frame(CONTINUATION, b""));
    assert_eq!(all_said(NARROW, Encoding::Plain, &frames), []);
    refused(NARROW, &[frames, vec![frame(CONTINUATION, b"")]].concat(), CloseCode::Policy);
}

#[test]
fn a_message_has_its_time_to_be_finished_in() {
    let begun = Timestamp::from_secs(1);
    for (after, expected) in [(10, Ok(Event::Text("ab".into()))), (11, Err(CloseCode::Policy))] {
        let mut assembler = Assembler::new(NARROW, Encoding::Plain, begun);
        assert_eq!(assembler.next(&mut frame(TEXT, b"a").into(), begun), None);
        let last = assembler.next(&mut frame(FIN | CONTINUATION, b"b").into(), begun.plus(Duration::from_secs(after)));
        assert_eq!(last.map(|event| event.map_err(|violation| violation.code)), Some(expected), "{after} s");
    }
}

#[test]
fn a_message_that_is_never_finished_is_noticed_without_another_byte_and_once() {
    let begun = Timestamp::from_secs(1);
    let mut assembler = Assembler::new(NARROW, Encoding::Plain, begun);
    assert_eq!(assembler.check_time(Timestamp::from_secs(100)), Ok(()));
    assert_eq!(assembler.next(&mut frame(TEXT, b"a").into(), begun), None);
    assert_eq!(assembler.check_time(Timestamp::from_secs(11)), Ok(()));
    assert_eq!(assembler.check_time(Timestamp::from_secs(12)).map_err(|v| v.code), Err(CloseCode::Policy));
    assert_eq!(assembler.next(&mut frame(FIN | CONTINUATION, b"b").into(), Timestamp::from_secs(12)), None);
    assert_eq!(assembler.check_time(Timestamp::from_secs(13)), Ok(()));
}

#[test]
fn control_frames_have_a_pace() {
    let mut assembler = Assembler::new(NARROW, Encoding::Plain, Timestamp::ZERO);
    let mut pings = |number: usize, now: Timestamp| {
        let mut input = Bytes::from(frame(FIN | PING, b"").repeat(number));
        let mut last = None;
        while let Some(event) = assembler.next(&mut input, now) {
            last = Some(event.map_err(|violation| violation.code));
        }
        last
    };
    assert_eq!(pings(10, Timestamp::ZERO), Some(Ok(Event::Ping("".into()))));
    assert_eq!(pings(10, Timestamp::from_secs(1)), Some(Ok(Event::Ping("".into()))));
    assert_eq!(pings(1, Timestamp::from_secs(1)), Some(Err(CloseCode::Policy)));
    assert_eq!(pings(1, Timestamp::from_secs(9)), None);
}

#[test]
fn where_only_texts_are_wanted_a_binary_message_is_refused_from_its_header() {
    assert_eq!(said(NARROW, Encoding::Plain, &frame(BINARY, b"x")[..6], 1), [Err(CloseCode::Unsupported)]);
}

/// As other compressors would: at any level, in blocks of any size, of any kind.
fn in_blocks(message: &[u8], level: u32, block: usize, flush: FlushCompress) -> Vec<u8> {
    let mut out = Vec::new();
    let mut compress = Compress::new(Compression::new(level), false);
    for block in message.chunks(block) {
        out.reserve(2 * block.len() + 100);
        let (read, written) = (compress.total_in(), out.len());
        compress.compress_vec(block, &mut out, flush).unwrap();
        assert!(compress.total_in() - read == block.len() as u64 && out.len() < out.capacity(), "{written}");
        if flush == FlushCompress::Finish {
            compress.reset();
        }
    }
    // The message's tail is left out; a last block is followed by one without content.
    if flush == FlushCompress::Finish || out.is_empty() {
        out.push(0)
    } else {
        out.truncate(out.len() - 4)
    }
    out
}

/// A message, how it is sent, and the control frames that come between its fragments.
#[derive(Clone, Debug)]
struct Sent {
    text: Option<String>,
    binary: Vec<u8>,
    /// Level and the size of a block, after which nothing may refer to what was before, or the message ends for once.
    compress: Option<(u32, usize, FlushCompress)>,
    fragment: usize,
    pings: bool,
}

impl Sent {
    fn content(&self) -> &[u8] {
        self.text.as_ref().map_or(&self.binary, |text| text.as_bytes())
    }

    /// Appends the frames, and what they say.
    fn put(&self, frames: &mut Vec<u8>, events: &mut Vec<Result<Event, CloseCode>>) {
        let deflated = self.compress.map(|(level, block, flush)| in_blocks(self.content(), level, block, flush));
        let opcode = if self.text.is_some() { TEXT } else { BINARY };
        let mut first = if deflated.is_some() { RSV1 | opcode } else { opcode };
        let wire = deflated.as_deref().unwrap_or(self.content());
        let fragments: Vec<_> = wire.chunks(self.fragment).chain([&[][..]]).collect();
        for (index, fragment) in fragments.iter().enumerate() {
            if self.pings && index > 0 {
                frames.extend(frame(FIN | PING, &[index as u8]));
                events.push(Ok(Event::Ping(vec![index as u8].into())));
            }
            let last = if index + 1 == fragments.len() { FIN } else { 0 };
            frames.extend(frame(last | std::mem::replace(&mut first, CONTINUATION), fragment));
        }
        let content = Bytes::copy_from_slice(self.content());
        events.push(Ok(if self.text.is_some() { Event::Text(content) } else { Event::Binary(content) }));
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let text = prop::option::of(prop_oneof![any::<String>(), "[a-cж🎵]{0,300}"]);
    let binary = prop::collection::vec(any::<u8>(), 0..300);
    let flush = prop::sample::select(&[FlushCompress::Sync, FlushCompress::Full, FlushCompress::Finish][..]);
    let compress = prop::option::of((0_u32..10, 1_usize..400, flush));
    (text, binary, compress, 1_usize..100, any::<bool>()).prop_map(|(text, binary, compress, fragment, pings)| Sent {
        text,
        binary,
        compress,
        fragment,
        pings,
    })
}

/// Reads it all, and sees what is held meanwhile.
fn read_rubbish(bytes: &[u8], part: usize) {
    let mut assembler = Assembler::new(NARROW, Encoding::Deflate, Timestamp::ZERO);
    for part in bytes.chunks(part) {
        let mut input = Bytes::copy_from_slice(part);
        while let Some(event) = assembler.next(&mut input, Timestamp::ZERO) {
            if let Ok(Event::Text(message)) = event {
                assert!(message.len() <= NARROW.message_max && std::str::from_utf8(&message).is_ok());
            }
        }
        assert!(input.is_empty());
        let held = assembler.message.as_ref().map_or(0, |message| message.content.capacity());
        assert!(held <= 2 * NARROW.message_max + 64, "{held}");
        assert!(assembler.control.capacity() <= 2 * CONTROL_PAYLOAD_MAX, "{}", assembler.control.capacity());
    }
}

proptest! {
    #[test]
    fn whatever_is_sent_is_understood_in_parts_of_any_size(
        messages in prop::collection::vec(sent(), 0..5),
        part in prop_oneof![1_usize..20, 1_usize..2000],
    ) {
        let (mut frames, mut expected) = (Vec::new(), Vec::new());
        messages.iter().for_each(|message| message.put(&mut frames, &mut expected));
        prop_assert_eq!(said(WIDE, Encoding::Deflate, &frames, part), expected);
    }

    #[test]
    fn no_bytes_make_it_panic_or_hold_more_than_a_message(
        // Bytes that are often headers, and masks that often change nothing.
        bytes in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(&[0, 1, 2, 0x41, 0x80, 0x81, 0x89, 0xc1, 0xfe][..])],
            0..1500,
        ),
        part in 1_usize..3000,
    ) {
        read_rubbish(&bytes, part);
    }

    #[test]
    fn messages_with_bytes_that_are_wrong_are_refused_or_others_and_nothing_worse(
        messages in prop::collection::vec(sent(), 1..5),
        wrong in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        part in prop_oneof![1_usize..20, 1_usize..2000],
    ) {
        let mut frames = Vec::new();
        messages.iter().for_each(|message| message.put(&mut frames, &mut Vec::new()));
        wrong.iter().for_each(|(place, byte)| *place.get_mut(&mut frames) = *byte);
        read_rubbish(&frames, part);
    }
}
