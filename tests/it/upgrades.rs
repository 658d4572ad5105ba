//! What becomes of requests that are not quite what a route is for: for an upgrade elsewhere, for the head alone.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::daemon::{Daemon, Plan};

const HANDSHAKE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// Sends all of it at once, and reads until the daemon closes.
fn say(daemon: &Daemon, request: &str, more: &[u8]) -> String {
    let mut stream = TcpStream::connect(daemon.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (line, headers) = request.split_once('\n').unwrap_or((request, ""));
    let head = format!("{line} HTTP/1.1\r\nHost: {}\r\n{headers}{HANDSHAKE}\r\n", daemon.address());
    stream.write_all(&[head.as_bytes(), more].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn another_route_answers_a_request_for_an_upgrade_like_any_other_and_in_full() {
    let daemon = Daemon::start("");
    for n in 0..40 {
        daemon
            .post(
                "/api/v1/ingest",
                &serde_json::json!({ "source": "radio-1", "reports":
            (0..50).map(|c| serde_json::json!({ "channel_id": format!("c{n}-{c}"), "session": "s", "seq": 1,
                "started_at": "2026-01-01T00:00:00Z", "state": "live", "listeners": 1 })).collect::<Vec<_>>() }),
            )
            .ok();
    }
    let answer = say(&daemon, "GET /metrics", b"");
    assert!(answer.starts_with("HTTP/1.1 200"), "{}", &answer[..200.min(answer.len())]);
    assert_eq!(answer.matches("sattva_stream_listeners{").count(), 2000, "{} bytes", answer.len());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(!head.contains("chunked") && body.ends_with("sessions_ended_total{reason=\"too_slow\"} 0\n"), "{head}");
    assert!(say(&daemon, "GET /nothing", b"").starts_with("HTTP/1.1 404"));
    assert!(say(&daemon, "POST /api/v1/ingest", b"").starts_with("HTTP/1.1 400"));
}

#[test]
fn who_is_turned_away_gets_the_reason_whatever_was_sent_behind_the_request() {
    let daemon = Plan::new("[websocket]\nmax_sessions = 1\n").start();
    let _first = daemon.live("");
    let answer = say(&daemon, "GET /ws/stats", &[b'x'; 50_000]);
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("too_many_sessions"), "{answer}");
    let answer = say(&daemon, "GET /ws/stats\nOrigin: http://evil.example\r\n", &[b'x'; 50_000]);
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("origin_not_allowed"), "{answer}");
    let answer = say(&daemon, "GET /%77s/stats\nOrigin: http://evil.example\r\n", b"");
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    for method in ["POST", "HEAD"] {
        let answer = say(&daemon, &format!("{method} /ws/stats"), b"");
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
}

#[test]
fn a_handshake_that_would_upgrade_to_something_else_too_opens_nothing() {
    let daemon = Daemon::start("");
    let answer = say(&daemon, "GET /ws/stats\nUpgrade: h2c, websocket\r\nConnection: close\r\n", b"");
    assert!(!answer.starts_with("HTTP/1.1 101"), "{answer}");
}

/// Sends a request of just these lines, and reads until the daemon closes.
fn ask(daemon: &Daemon, head: &str) -> String {
    let mut stream = TcpStream::connect(daemon.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_handshake_that_is_not_one_of_rfc_6455_is_refused_with_what_would_be() {
    let daemon = Daemon::start("");
    let shake = |http: &str, version: &str, key: &str| {
        ask(
            &daemon,
            &format!(
                "GET /ws/stats HTTP/{http}\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: {key}\r\n\r\n",
                daemon.address()
            ),
        )
    };
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    for version in ["7", "8", "14", ""] {
        let answer = shake("1.1", version, KEY);
        assert!(answer.starts_with("HTTP/1.1 426"), "{version:?}: {answer}");
        assert!(answer.to_lowercase().contains("sec-websocket-version: 13"), "{answer}");
    }
    for key in ["", "short==", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25j!Q==", "dGhlIHNhbXBsZSBub25jZXg="] {
        let answer = shake("1.1", "13", key);
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("16 bytes in base64"), "{key:?}: {answer}");
    }
    assert!(!shake("1.0", "13", KEY).contains(" 101 "));
}

#[test]
fn a_body_that_does_not_arrive_does_not_keep_the_connection() {
    let daemon = Daemon::start("");
    let head = format!(
        "POST /api/v1/ingest HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        daemon.address()
    );
    let answer = ask(&daemon, &head);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("too_late"), "{answer}");
}

#[test]
fn what_comes_in_one_piece_with_the_handshake_is_heard() {
    let daemon = Daemon::start("");
    // A ping, and the end: 1000.
    let answer = say(&daemon, "GET /ws/stats", b"\x89\x82\0\0\0\0hi\x88\x82\0\0\0\0\x03\xe8");
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(answer.contains("\u{2}hi"), "{answer}");
}

#[test]
fn who_asks_for_the_head_gets_the_head_of_what_there_is() {
    let daemon = Daemon::start("");
    for path in ["/healthz", "/readyz", "/metrics", "/api/stats", "/api/v1/streams", "/monitoring"] {
        let mut stream = TcpStream::connect(daemon.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let request = format!("HEAD {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", daemon.address());
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{path}: {answer}");
    }
}
