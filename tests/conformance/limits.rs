//! Large messages, many fragments, clients that do not read: nothing is slow, nothing grows without bound.

use std::time::{Duration, Instant};

use crate::{client::*, echo::Echo};

const MIB: usize = 1 << 20;

#[test]
fn messages_of_sixteen_mebibytes_come_back() {
    let echo = Echo::start();
    for first in [FIN | TEXT, FIN | BINARY] {
        let mut client = Client::open(&echo);
        let large = vec![b'*'; 16 * MIB];
        client.send_beside(frame(first, &large));
        client.expect(first, &large);
        client.farewell();
    }
}

#[test]
fn four_mebibytes_in_fragments_of_sixty_four_bytes_come_back() {
    let echo = Echo::start();
    for part in [usize::MAX, 64, 1000] {
        let mut client = Client::open(&echo);
        let mut fragments = frame(TEXT, b"");
        let fragment = frame(CONTINUATION, &[b'*'; 64]);
        (0..4 * MIB / 64).for_each(|_| fragments.extend_from_slice(&fragment));
        fragments.extend(frame(FIN | CONTINUATION, b""));
        client.send_in_parts(&fragments, part);
        client.expect(FIN | TEXT, &vec![b'*'; 4 * MIB]);
        client.farewell();
    }
}

#[test]
fn a_message_over_the_limit_is_refused_from_its_header_and_a_bomb_while_it_is_inflated() {
    let echo = Echo::start();
    let mut client = Client::open(&echo);
    client.send(&[0x82, 0xff, 0, 0, 0, 0, 0x04, 0, 0, 1, 1, 2, 3, 4]);
    client.expect_close(Some(1009));
    let mut client = Client::deflating(&echo);
    // One block after the other, each understood without those before: a gibibyte in a mebibyte.
    let block = [deflated(&vec![0; 16 * MIB]), vec![0, 0, 0xff, 0xff]].concat();
    let bomb = block.repeat(64);
    assert!(bomb.len() < 2 * MIB, "{}", bomb.len());
    client.send(&frame(FIN | RSV1 | BINARY, &bomb));
    client.expect_close(Some(1009));
    assert!(echo.most_resident_bytes() < 160 * MIB as u64, "{} MiB", echo.most_resident_bytes() >> 20);
}

#[test]
fn a_client_that_does_not_read_is_not_read_from() {
    let echo = Echo::start();
    let mut client = Client::open(&echo);
    let message = vec![b'*'; MIB];
    let number = 64;
    client.send_beside(frame(FIN | BINARY, &message).repeat(number));
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(500) {
        assert!(echo.resident_bytes() < 60 * MIB as u64, "{} MiB", echo.resident_bytes() >> 20);
    }
    (0..number).for_each(|_| client.expect(FIN | BINARY, &message));
    client.farewell();
}
