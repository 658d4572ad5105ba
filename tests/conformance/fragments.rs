//! Messages in fragments, with control frames in between.

use crate::{client::*, echo::Echo};

#[test]
fn fragments_come_back_as_one_message_and_pings_between_them_at_once() {
    let echo = Echo::start();
    for part in [1, 3, usize::MAX] {
        let mut client = Client::open(&echo);
        client.send_in_parts(&[frame(TEXT, b"one "), frame(FIN | PING, b"now")].concat(), part);
        // While the message is under way.
        client.expect(FIN | PONG, b"now");
        let rest = [frame(CONTINUATION, b""), frame(FIN | PONG, b""), frame(FIN | CONTINUATION, b"two")];
        client.send_in_parts(&rest.concat(), part);
        client.expect(FIN | TEXT, b"one two");
        client.send_in_parts(&[frame(BINARY, b""), frame(FIN | CONTINUATION, b"")].concat(), part);
        client.expect(FIN | BINARY, b"");
        client.farewell();
    }
}

#[test]
fn it_does_not_matter_where_the_stream_is_cut() {
    let echo = Echo::start();
    let frames = [
        frame(TEXT, "Приве".as_bytes()),
        frame(FIN | PING, b"between"),
        frame(FIN | CONTINUATION, "т".as_bytes()),
        frame(FIN | RSV1 | BINARY, &deflated(b"again and again and again")),
        frame(FIN | TEXT, &[b'x'; 130]),
    ];
    let stream = frames.concat();
    for cut in 0..=stream.len() {
        let mut client = Client::deflating(&echo);
        let (begin, end) = stream.split_at(cut);
        client.send(begin);
        client.send(end);
        client.expect(FIN | PONG, b"between");
        client.expect(FIN | TEXT, "Привет".as_bytes());
        let again = client.read().unwrap();
        assert_eq!(inflated(again, 100), b"again and again and again");
        let long = client.read().unwrap();
        assert_eq!(inflated(long, 200), [b'x'; 130]);
        client.farewell();
    }
}

#[test]
fn fragments_in_a_wrong_order_end_the_connection() {
    let echo = Echo::start();
    for wrong in [
        vec![frame(FIN | CONTINUATION, b"of what")],
        vec![frame(CONTINUATION, b"of what"), frame(FIN | CONTINUATION, b"")],
        vec![frame(TEXT, b"a"), frame(FIN | TEXT, b"b")],
        vec![frame(BINARY, b"a"), frame(TEXT, b"b"), frame(FIN | CONTINUATION, b"c")],
        vec![frame(TEXT, b"a"), frame(FIN | RSV1 | CONTINUATION, b"b")],
    ] {
        let mut client = Client::deflating(&echo);
        client.send(&wrong.concat());
        client.expect_close(Some(1002));
    }
}
