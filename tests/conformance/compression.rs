//! permessage-deflate: offers, and messages of every size.

use crate::{client::*, echo::Echo};

const BOTH: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

#[test]
fn each_offer_gets_its_answer() {
    let echo = Echo::start();
    let with_window = format!("{BOTH}; server_max_window_bits=15");
    for (offers, answer) in [
        ("", None),
        ("Sec-WebSocket-Extensions: x-unknown\r\n", None),
        ("Sec-WebSocket-Extensions: permessage-deflate\r\n", Some(BOTH)),
        ("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n", Some(BOTH)),
        ("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=9\r\n", Some(BOTH)),
        ("Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n", Some(BOTH)),
        ("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=15\r\n", Some(&*with_window)),
        ("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9, permessage-deflate\r\n", Some(BOTH)),
        ("Sec-WebSocket-Extensions: x-unknown\r\nSec-WebSocket-Extensions: permessage-deflate\r\n", Some(BOTH)),
        ("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=16\r\n", None),
        ("Sec-WebSocket-Extensions: permessage-deflate; what\r\n", None),
    ] {
        let mut client = Client::offering(&echo, offers);
        assert_eq!(client.agreed.as_deref(), answer, "{offers}");
        let message = b"and it works, it works, it works, it works, it works".to_vec();
        client.send(&frame(FIN | TEXT, &message));
        let (first, payload) = client.read().unwrap();
        assert_eq!(first & RSV1 != 0, answer.is_some(), "{offers}");
        assert_eq!(inflated((first, payload), message.len()), message);
        client.farewell();
    }
}

#[test]
fn a_smaller_window_of_the_server_is_declined() {
    let echo = Echo::start();
    for bits in 8..15 {
        for others in ["", "; server_no_context_takeover; client_no_context_takeover", "; client_max_window_bits"] {
            let offer = format!("permessage-deflate; server_max_window_bits={bits}{others}");
            let mut client = Client::offering(&echo, &format!("Sec-WebSocket-Extensions: {offer}\r\n"));
            assert_eq!(client.agreed, None, "{offer}");
            client.send(&frame(FIN | RSV1 | TEXT, &deflated(b"all the same")));
            client.expect_close(Some(1002));
        }
    }
}

#[test]
fn messages_that_do_not_shrink_come_back_as_they_are_however_many() {
    let echo = Echo::start();
    let mut client = Client::deflating(&echo);
    let mut state = 1_u64;
    let random: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(70_000)
    .collect();
    for size in (0..70_000).step_by(3_499).chain([70_000; 5]) {
        client.send(&frame(FIN | RSV1 | BINARY, &deflated(&random[..size])));
        client.expect(FIN | BINARY, &random[..size]);
    }
    client.farewell();
}

#[test]
fn compressed_messages_of_any_size_come_back_compressed_in_fragments_or_not() {
    let echo = Echo::start();
    for size in [0, 16, 64, 256, 1024, 4096, 8192, 16_384, 65_536, 131_072, 1 << 20] {
        let mut client = Client::deflating(&echo);
        let message: Vec<u8> = (0..size).map(|n| b'a' + ((n * n / 7 + n / 1000) % 23) as u8).collect();
        let wire = deflated(&message);
        for round in 0..if size > 100_000 { 3 } else { 50 } {
            if round % 2 == 0 {
                client.send(&frame(FIN | RSV1 | TEXT, &wire));
            } else {
                let (begin, rest) = wire.split_at(wire.len() / 3);
                let ping = frame(FIN | PING, b"between");
                let frames =
                    [frame(RSV1 | TEXT, begin), ping, frame(CONTINUATION, rest), frame(FIN | CONTINUATION, b"")];
                client.send(&frames.concat());
                client.expect(FIN | PONG, b"between");
            }
            let (first, payload) = client.read().unwrap();
            assert_eq!(first & !RSV1, FIN | TEXT);
            assert!(inflated((first, payload), size) == message, "{size} bytes");
        }
        client.farewell();
    }
}

#[test]
fn every_kind_of_block_is_understood() {
    let echo = Echo::start();
    let mut client = Client::deflating(&echo);
    // The examples of RFC 7692, 7.2.3: no compression, BFINAL set, two blocks, and the empty message.
    for (wire, message) in [
        (&[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00][..], &b"Hello"[..]),
        (&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00], b"Hello"),
        (&[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00], b"Hello"),
        (&[0x00], b""),
    ] {
        client.send_in_parts(&frame(FIN | RSV1 | TEXT, wire), 1);
        client.expect(FIN | TEXT, message);
        client.send(&frame(FIN | TEXT, b"uncompressed"));
        client.expect(FIN | TEXT, b"uncompressed");
    }
    client.farewell();
}

#[test]
fn what_cannot_be_inflated_or_is_no_utf8_then_ends_the_connection_with_1007() {
    let echo = Echo::start();
    for wrong in [vec![0xff; 8], vec![0xf2, 0x48], deflated(&[0xff; 40])] {
        let mut client = Client::deflating(&echo);
        client.send(&frame(FIN | RSV1 | TEXT, &wrong));
        client.expect_close(Some(1007));
    }
}
