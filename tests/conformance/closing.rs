//! How a connection ends.

use crate::{client::*, echo::Echo};

#[test]
fn a_close_is_answered_with_its_own_code() {
    let echo = Echo::start();
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
        let mut client = Client::open(&echo);
        client.send(&frame(FIN | CLOSE, &[&u16::to_be_bytes(code)[..], "à bientôt".as_bytes()].concat()));
        client.expect_close(Some(code));
    }
    let mut client = Client::open(&echo);
    client.send(&frame(FIN | CLOSE, b""));
    client.expect_close(None);
    let mut client = Client::open(&echo);
    client.send(&frame(FIN | CLOSE, &[&1000_u16.to_be_bytes()[..], &[b'x'; 123]].concat()));
    client.expect_close(Some(1000));
}

#[test]
fn a_code_that_may_not_be_sent_is_answered_with_1002() {
    let echo = Echo::start();
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        let mut client = Client::open(&echo);
        client.send(&close(code));
        client.expect_close(Some(1002));
    }
    let mut client = Client::open(&echo);
    client.send(&frame(FIN | CLOSE, b"\x03"));
    client.expect_close(Some(1002));
}

#[test]
fn a_reason_that_is_not_utf8_is_answered_with_1007() {
    let echo = Echo::start();
    let mut client = Client::open(&echo);
    client.send(&frame(FIN | CLOSE, b"\x03\xe8\xce\xba\xed\xa0\x80"));
    client.expect_close(Some(1007));
}

#[test]
fn nothing_is_answered_after_a_close_and_everything_before_it_is() {
    let echo = Echo::start();
    for late in [frame(FIN | PING, b"late"), frame(FIN | TEXT, b"late"), close(1000), frame(FIN | CONTINUATION, b"b")] {
        let mut client = Client::open(&echo);
        let large = vec![b'x'; 256 << 10];
        client.send(&[frame(FIN | TEXT, &large), frame(TEXT, b"a"), close(1000), late].concat());
        client.expect(FIN | TEXT, &large);
        client.expect_close(Some(1000));
    }
}

#[test]
fn a_client_that_only_stops_sending_still_gets_its_answers() {
    let echo = Echo::start();
    let mut client = Client::open(&echo);
    client.send(&frame(FIN | TEXT, b"last words"));
    client.shut_down();
    client.expect(FIN | TEXT, b"last words");
    assert!(client.is_over());
}
