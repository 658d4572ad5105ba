//! Messages of every length, pings, and frames that are none.

use crate::{client::*, echo::Echo};

/// Around each border of the length's three forms.
const SIZES: [usize; 9] = [0, 1, 125, 126, 127, 128, 65_535, 65_536, 70_000];

#[test]
fn a_message_of_any_length_comes_back_as_it_was_sent() {
    let echo = Echo::start();
    for first in [FIN | TEXT, FIN | BINARY] {
        for size in SIZES {
            for part in [1, 997, usize::MAX] {
                if part == 1 && size > 65_535 {
                    continue;
                }
                let mut client = Client::open(&echo);
                let payload = vec![if first == FIN | TEXT { b'*' } else { 0xfe }; size];
                client.send_in_parts(&frame(first, &payload), part);
                client.expect(first, &payload);
                client.farewell();
            }
        }
    }
}

#[test]
fn every_mask_comes_off() {
    let echo = Echo::start();
    let mut client = Client::open(&echo);
    let payload: Vec<u8> = (0..=255).collect();
    for key in [[0; 4], [0xff; 4], [1, 0, 0, 0], [0, 0, 0, 0x80], [0x81, 0x05, 0x88, 0x80]] {
        for size in [1, 2, 3, 4, 5, 7, 8, 9, 256] {
            // Each frame has a mask of its own.
            let (begin, end) = payload[..size].split_at(size / 2);
            let frames = [masked_frame(BINARY, begin, key), frame(FIN | PING, b""), masked_frame(FIN, end, key)];
            client.send(&frames.concat());
            client.expect(FIN | PONG, b"");
            client.expect(FIN | BINARY, &payload[..size]);
        }
    }
    client.farewell();
}

#[test]
fn each_ping_is_answered_with_what_it_said_in_its_order() {
    let echo = Echo::start();
    let mut client = Client::open(&echo);
    let payloads: Vec<Vec<u8>> = (0..10).map(|n| vec![n; usize::from(n) * 13]).chain([vec![0xff; 125]]).collect();
    let frames: Vec<u8> = payloads.iter().flat_map(|payload| frame(FIN | PING, payload)).collect();
    for part in [usize::MAX, 1] {
        client.send_in_parts(&frames, part);
        payloads.iter().for_each(|payload| client.expect(FIN | PONG, payload));
    }
    client.farewell();
}

#[test]
fn a_pong_nobody_asked_for_changes_nothing() {
    let echo = Echo::start();
    let mut client = Client::open(&echo);
    client.send(&[frame(FIN | PONG, b"unasked"), frame(FIN | PING, b"asked"), frame(FIN | PONG, b"")].concat());
    client.expect(FIN | PONG, b"asked");
    client.farewell();
}

#[test]
fn a_frame_that_breaks_a_rule_ends_the_connection_with_1002_and_what_came_before_is_answered() {
    let echo = Echo::start();
    let reserved = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(|opcode| frame(FIN | opcode, b"x"));
    let bits = (1..8).flat_map(|rsv| [TEXT, PING, CLOSE].map(|opcode| frame(FIN | rsv << 4 | opcode, b"x")));
    let others = [
        frame(FIN | PING, &[b'x'; 126]),
        frame(FIN | CLOSE, &[b'x'; 126]),
        frame(PING, b"a fragment"),
        frame(CLOSE, b""),
        [0x81, 0x02, b'h', b'i'].to_vec(),
        [0x81, 0xfe, 0, 2, 1, 2, 3, 4, 9, 9].to_vec(),
        [0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 200, 1, 2, 3, 4].to_vec(),
        [0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4].to_vec(),
    ];
    for wrong in reserved.into_iter().chain(bits).chain(others) {
        for part in [1, usize::MAX] {
            let mut client = Client::open(&echo);
            let frames = [frame(FIN | TEXT, b"before"), wrong.clone()].concat();
            client.send_in_parts(&frames, part);
            client.expect(FIN | TEXT, b"before");
            client.expect_close(Some(1002));
        }
    }
}
