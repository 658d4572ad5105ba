//! Texts are UTF-8.

use crate::{client::*, echo::Echo};

const RIGHT: [&str; 7] = [
    "",
    "κόσμε",
    "Привет, мир",
    "\u{0}\u{7f}\u{80}\u{7ff}\u{800}",
    "\u{d7ff}\u{e000}\u{fffd}",
    "\u{fffe}\u{ffff}\u{10000}",
    "\u{10ffff}🎵",
];

/// Beginnings, each with a last byte that makes it wrong.
const WRONG: [&[u8]; 14] = [
    b"\x80",
    b"\xbf",
    b"\xc0",
    b"\xc1",
    b"\xfe",
    b"\xff",
    b"\xe0\x80",
    b"\xf0\x80",
    b"\xed\xa0",
    b"\xf4\x90",
    b"\xf5",
    b"\xf8",
    b"\xc3\x28",
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0",
];

#[test]
fn what_is_utf8_comes_back_however_it_is_cut() {
    let echo = Echo::start();
    for text in RIGHT.map(str::as_bytes) {
        let mut client = Client::open(&echo);
        client.send_in_parts(&frame(FIN | TEXT, text), 1);
        client.expect(FIN | TEXT, text);
        let mut fragments = frame(TEXT, b"");
        text.iter().for_each(|byte| fragments.extend(frame(CONTINUATION, &[*byte])));
        client.send(&[fragments, frame(FIN | CONTINUATION, b"")].concat());
        client.expect(FIN | TEXT, text);
        client.farewell();
    }
}

#[test]
fn what_is_not_ends_the_connection_with_1007() {
    let echo = Echo::start();
    for wrong in WRONG.into_iter().chain([&b"cut \xf0\x9f\x8e"[..], b"\xc3", b"\xe2\x82"]) {
        for part in [1, usize::MAX] {
            let mut client = Client::open(&echo);
            client.send_in_parts(&frame(FIN | TEXT, wrong), part);
            client.expect_close(Some(1007));
        }
    }
}

#[test]
fn the_first_wrong_byte_is_enough_with_the_frame_and_the_message_unfinished() {
    let echo = Echo::start();
    for wrong in WRONG {
        let mut client = Client::open(&echo);
        let begun = frame(TEXT, &[wrong, &[b'x'; 1000]].concat());
        client.send(&begun[..8 + wrong.len()]);
        client.expect_close(Some(1007));
        let mut client = Client::open(&echo);
        let (last, first) = wrong.split_last().unwrap();
        client.send(&[frame(TEXT, first), frame(CONTINUATION, &[*last])].concat());
        client.expect_close(Some(1007));
    }
}

#[test]
fn a_binary_message_may_be_anything() {
    let echo = Echo::start();
    let mut client = Client::open(&echo);
    for wrong in WRONG {
        client.send(&frame(FIN | BINARY, wrong));
        client.expect(FIN | BINARY, wrong);
    }
    client.farewell();
}
