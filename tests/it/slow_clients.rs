//! Clients that take their time to ask, so that others might find no room.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::{daemon::Daemon, patience::let_pass};

/// So many at once, as one script would open them.
const CROWD: usize = 200;
/// The head of a request has 5 s.
const CUT_WITHIN: Duration = Duration::from_secs(8);

#[test]
fn whoever_is_slow_to_ask_is_cut_off_and_others_are_served_meanwhile() {
    let daemon = Daemon::start("");
    let began = Instant::now();
    let mut crowd: Vec<TcpStream> = (0..CROWD)
        .map(|_| {
            let mut stream = TcpStream::connect(daemon.address()).unwrap();
            stream.write_all(b"GET /api/stats HTTP/1.1\r\nHost: a\r\nX-Slow: ").unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        })
        .collect();
    let mut answered = Vec::new();
    while !crowd.is_empty() {
        assert!(began.elapsed() < CUT_WITHIN, "{} are still there", crowd.len());
        let asked = Instant::now();
        assert_eq!(daemon.get("/healthz").status, 200);
        assert!(asked.elapsed() < Duration::from_secs(1), "others waited for {:?}", asked.elapsed());
        crowd.retain_mut(|stream| {
            // One byte at a time keeps nobody in.
            let _ = stream.write_all(b"x");
            let mut answer = [0; 64];
            match stream.read(&mut answer) {
                Ok(bytes) if bytes > 0 => {
                    answered.push(String::from_utf8_lossy(&answer[..bytes]).into_owned());
                    true
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => true,
                _ => false,
            }
        });
        let_pass(Duration::from_millis(50));
    }
    assert!(began.elapsed() >= Duration::from_secs(4), "a slow line was given no time at all");
    let told = answered.iter().filter(|answer| answer.starts_with("HTTP/1.1 408")).count();
    assert!(told > CROWD / 2, "only {told} of {CROWD} were told why: {:?}", answered.first());
}
