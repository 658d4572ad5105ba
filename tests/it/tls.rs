//! The daemon speaks TLS itself, and changes its certificate while connections last.

use std::{
    io::{ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use rcgen::{CertificateParams, KeyPair};
use rustix::process::Signal;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket, client::IntoClientRequest};

use crate::{
    daemon::{Daemon, Plan},
    patience::{PATIENCE, eventually},
};

const CONFIG: &str = "[http]\ntls_certificate_file = \"tls.crt\"\ntls_key_file = \"tls.key\"\n";

/// A certificate for localhost, and its key.
pub struct Pair {
    certificate: String,
    key: String,
}

impl Pair {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { certificate, key: key.serialize_pem() }
    }

    pub fn plan(&self, more: &str) -> Plan {
        Plan::new(&format!("{CONFIG}{more}")).file("tls.crt", &self.certificate).file("tls.key", &self.key)
    }

    /// One who believes this certificate and no other.
    fn believer(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(ring::default_provider().into());
        let config = config.with_safe_default_protocol_versions().unwrap();
        Arc::new(config.with_root_certificates(roots).with_no_client_auth())
    }

    fn connects(&self, daemon: &Daemon) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let mut stream = TcpStream::connect(daemon.address())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(self.believer(), name).unwrap();
        while client.is_handshaking() {
            client.complete_io(&mut stream)?;
        }
        Ok(StreamOwned::new(client, stream))
    }

    /// The answer's head and body.
    pub fn asks(&self, daemon: &Daemon, method: &str, path: &str, body: &Value) -> String {
        let mut connection = self.connects(daemon).unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        write!(
            connection,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    pub fn listens(&self, daemon: &Daemon) -> WebSocket<StreamOwned<ClientConnection, TcpStream>> {
        let request = "wss://localhost/ws/stats".into_client_request().unwrap();
        tungstenite::client(request, self.connects(daemon).unwrap()).unwrap().0
    }

    fn reports(&self, daemon: &Daemon, seq: u64, listeners: u64) {
        let report =
            json!({ "channel_id": "jazz", "session": "s", "seq": seq, "state": "live", "listeners": listeners });
        let answer = self.asks(daemon, "POST", "/api/v1/ingest", &json!({ "source": "radio-1", "reports": [report] }));
        assert!(answer.contains("\"accepted\":1"), "{answer}");
    }
}

/// What the kernel holds for the one at `client`, in bytes; none where the daemon has no connection with it any more.
fn held_for(client: SocketAddr, daemon: SocketAddr) -> Option<usize> {
    const ESTABLISHED: &str = "01";
    let text = |address: SocketAddr| {
        let IpAddr::V4(ip) = address.ip() else { panic!("{address}") };
        format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port())
    };
    let (local, remote) = (text(daemon), text(client));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let row = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = row.into_iter().find(|row| row[1..4] == [local.as_str(), &remote, ESTABLISHED])?;
    usize::from_str_radix(row[4].split(':').next().unwrap(), 16).ok()
}

/// The next message of this type.
fn next(live: &mut WebSocket<StreamOwned<ClientConnection, TcpStream>>, kind: &str) -> Value {
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < PATIENCE, "no {kind} came");
        if let Message::Text(text) = live.read().unwrap() {
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["type"] == kind {
                return message;
            }
        }
    }
}

#[test]
fn requests_and_live_messages_are_carried_over_tls_and_nothing_else_is_spoken() {
    let pair = Pair::new();
    let daemon = pair.plan("").start_on_standby();
    let answer = pair.asks(&daemon, "GET", "/readyz", &Value::Null);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"ready\""), "{answer}");

    let mut live = pair.listens(&daemon);
    next(&mut live, "snapshot");
    pair.reports(&daemon, 1, 3);
    assert_eq!(next(&mut live, "stream_update")["data"]["channel_id"], "jazz");
    live.send(Message::Text("{\"type\":\"ping\"}".into())).unwrap();
    next(&mut live, "pong");
    live.close(None).unwrap();
    let ended = loop {
        match live.read() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(ended, tungstenite::Error::ConnectionClosed), "cut off, not closed: {ended}");

    // Plain HTTP is not understood; nothing of the answer is.
    let mut plain = TcpStream::connect(daemon.address()).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
}

#[test]
fn a_new_certificate_is_shown_to_new_connections_and_old_sessions_last() {
    let (old, new) = (Pair::new(), Pair::new());
    let daemon = old.plan("").start_on_standby();
    let mut live = old.listens(&daemon);
    next(&mut live, "snapshot");
    let expiry = "sattva_tls_certificate_expiry_timestamp_seconds";
    assert!(old.asks(&daemon, "GET", "/metrics", &Value::Null).contains(expiry));

    daemon.write_file("tls.crt", &new.certificate);
    daemon.write_file("tls.key", &new.key);
    daemon.signal(Signal::HUP);
    eventually("the new certificate", || new.connects(&daemon).ok());
    assert!(old.connects(&daemon).is_err(), "the old certificate is still shown");
    new.reports(&daemon, 1, 3);
    assert_eq!(next(&mut live, "stream_update")["data"]["channel_id"], "jazz");
}

#[test]
fn of_a_pair_that_does_not_fit_nothing_is_applied_and_no_daemon_starts_with_one() {
    let (pair, other) = (Pair::new(), Pair::new());
    let daemon = pair.plan("").start_on_standby();
    for (file, text) in [("tls.key", other.key.as_str()), ("tls.crt", "rubbish"), ("tls.key", "")] {
        daemon.write_file("tls.crt", &pair.certificate);
        daemon.write_file("tls.key", &pair.key);
        daemon.write_file(file, text);
        let refused = || daemon.log().lines().filter(|line| line.contains("the new configuration is refused")).count();
        let before = refused();
        daemon.signal(Signal::HUP);
        eventually("the refusal", || (refused() > before).then_some(()));
        let ready = pair.asks(&daemon, "GET", "/readyz", &Value::Null);
        assert!(ready.contains("degraded") && ready.contains("http.tls_"), "{ready}");
    }
    let plan = Plan::new(CONFIG).file("tls.crt", &pair.certificate).file("tls.key", &other.key);
    let ended = plan.run_to_its_end(&["serve", "--config", "config.toml", "--listen", "127.0.0.1:0"]);
    assert_eq!(ended.code, Some(78), "{}", ended.said);
    assert!(ended.said.contains("http.tls_key_file") && ended.said.contains("does not belong"), "{}", ended.said);
    let alone =
        Plan::new("[http]\ntls_key_file = \"tls.key\"\n").run_to_its_end(&["check-config", "--config", "config.toml"]);
    assert!(alone.said.contains("tls_certificate_file"), "{}", alone.said);
}

#[test]
fn a_client_that_takes_nothing_is_let_go_over_tls_too_and_others_hear_everything() {
    let pair = Pair::new();
    let daemon = pair.plan("").start_on_standby();
    // It agrees to everything, and then reads no more.
    let mut stuck = pair.listens(&daemon);
    next(&mut stuck, "snapshot");
    let mut live = pair.listens(&daemon);
    next(&mut live, "snapshot");
    let title = "x".repeat(900);
    let began = Instant::now();
    let client = stuck.get_ref().sock.local_addr().unwrap();
    let (mut seq, mut held) = (0, 0);
    eventually("the stuck one to be let go", || {
        let mut connection = pair.connects(&daemon).unwrap();
        for _ in 0..40 {
            seq += 1;
            let reports: Vec<Value> = (0..50)
                .map(|channel| {
                    json!({ "channel_id": format!("c{channel}"), "session": "s", "seq": seq, "state": "live", "listeners": 1,
                            "track": { "title": format!("{seq} {title}") } })
                })
                .collect();
            let body = json!({ "source": "radio-1", "reports": reports }).to_string();
            write!(
                connection,
                "POST /api/v1/ingest HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
            let mut answer = [0; 4096];
            let bytes = connection.read(&mut answer).unwrap();
            assert!(answer[..bytes].starts_with(b"HTTP/1.1 200"));
            // Whoever reads keeps up.
            while next(&mut live, "stream_update")["data"]["channel_id"] != "c49" {}
            held = held.max(held_for(client, daemon.address()).unwrap_or(0));
        }
        let figures = pair.asks(&daemon, "GET", "/metrics", &Value::Null);
        figures.contains("sattva_websocket_sessions_ended_total{reason=\"too_slow\"} 1").then_some(())
    });
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    assert!((1..=512 << 10).contains(&held), "the kernel held {held} bytes");

    // A little now and then does not keep what is over.
    stuck.get_ref().sock.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let began = Instant::now();
    eventually("its connection to be closed", || {
        let _ = stuck.get_mut().sock.read(&mut [0; 512]);
        held_for(client, daemon.address()).is_none().then_some(())
    });
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn a_crowd_that_connects_and_says_nothing_keeps_nobody_out() {
    let pair = Pair::new();
    let daemon = pair.plan("").start_on_standby();
    let crowd: Vec<TcpStream> = (0..1000).map(|_| TcpStream::connect(daemon.address()).unwrap()).collect();
    let answer = pair.asks(&daemon, "GET", "/healthz", &Value::Null);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    crowd[0].set_nonblocking(true).unwrap();
    let first = crowd[0].peek(&mut [0]).map_err(|error| error.kind());
    assert_eq!(first, Err(ErrorKind::WouldBlock), "the crowd had gone when the answer came");
}

#[test]
fn a_handshake_that_does_not_come_is_not_waited_for() {
    let pair = Pair::new();
    let daemon = pair.plan("").start_on_standby();
    let mut silent = TcpStream::connect(daemon.address()).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    let began = Instant::now();
    let mut answer = Vec::new();
    let _ = silent.read_to_end(&mut answer);
    assert!(began.elapsed() < Duration::from_secs(8), "it was waited for {:?}", began.elapsed());
    assert!(answer.is_empty());
}
