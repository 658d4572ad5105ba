//! What a client's bytes say. The first byte says in which parts they come, and whether compressed messages may be.

use std::time::Duration;

use bytes::Bytes;
use sattva_actors::{
    clock::Timestamp,
    session::{
        deflate::Encoding,
        frame::{self, Opcode, Violation},
        message::{Assembler, Event, Limits},
        pace::PaceLimit,
    },
};

const LIMITS: Limits = Limits {
    message_max: 512,
    fragments_max: 8,
    message_time: Duration::from_secs(10),
    control: PaceLimit { most: 10, within: Duration::from_secs(1) },
    binary: true,
};
/// The shortest frame of a client: two bytes and a mask.
const FRAME_MIN: usize = 6;
const NOW: Timestamp = Timestamp::from_secs(1);

fn read(bytes: &[u8], part: usize, encoding: Encoding) -> Vec<Result<Event, Violation>> {
    let mut assembler = Assembler::new(LIMITS, encoding, NOW);
    let mut events = Vec::new();
    for part in bytes.chunks(part) {
        let mut part = Bytes::copy_from_slice(part);
        while let Some(event) = assembler.next(&mut part, NOW) {
            events.push(event);
        }
        assert!(part.is_empty(), "something was left unread");
    }
    events
}

/// An event as a client writes it, with a mask of zeros.
fn written(event: &Event) -> Vec<u8> {
    let frame = match event {
        Event::Text(text) => frame::message(Opcode::Text, false, text),
        Event::Binary(binary) => frame::message(Opcode::Binary, false, binary),
        Event::Ping(payload) => frame::message(Opcode::Ping, false, payload),
        Event::Pong => frame::message(Opcode::Pong, false, b""),
        Event::Close(code) => frame::close_answer(*code),
    };
    let payload = frame::payload(&frame).len();
    let (header, payload) = frame.split_at(frame.len() - payload);
    let mut written = header.to_vec();
    written[1] |= 0x80;
    written.extend([0; 4]);
    written.extend(payload);
    written
}

pub fn hold(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let encoding = if first & 1 == 0 { Encoding::Plain } else { Encoding::Deflate };
    let part = 1 + usize::from(first >> 1);

    let events = read(bytes, usize::MAX, encoding);
    let in_parts = read(bytes, part, encoding);
    if encoding == Encoding::Plain {
        assert_eq!(events, in_parts, "in parts of {part} it is something else");
    } else {
        // Which of two troubles of a compressed message shows first may depend on the parts.
        let what =
            |events: &[Result<Event, Violation>]| events.iter().map(|event| event.clone().ok()).collect::<Vec<_>>();
        assert_eq!(what(&events), what(&in_parts), "in parts of {part} it is something else");
    }
    assert!(events.len() * FRAME_MIN <= bytes.len() + FRAME_MIN, "more events than frames");
    let mut content = 0;
    for (index, event) in events.iter().enumerate() {
        match event {
            Ok(Event::Text(text)) => {
                assert!(std::str::from_utf8(text).is_ok() && text.len() <= LIMITS.message_max);
                content += text.len();
            }
            Ok(Event::Binary(binary)) => {
                assert!(binary.len() <= LIMITS.message_max);
                content += binary.len();
            }
            Ok(Event::Ping(payload)) => assert!(payload.len() <= frame::CONTROL_PAYLOAD_MAX),
            Ok(Event::Pong) => {}
            Ok(Event::Close(_)) | Err(_) => assert_eq!(index + 1, events.len(), "something follows the end"),
        }
    }
    assert!(encoding == Encoding::Deflate || content <= bytes.len(), "more content than bytes");

    let good: Vec<&Event> = events.iter().flatten().collect();
    let again: Vec<u8> = good.iter().flat_map(|event| written(event)).collect();
    let again = read(&again, usize::MAX, Encoding::Plain);
    assert_eq!(again.iter().map(Result::as_ref).collect::<Vec<_>>(), good.into_iter().map(Ok).collect::<Vec<_>>());
}
