//! Two daemons behind a real haproxy, with the sample that the documentation names.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    daemon::Plan,
    live::Live,
    patience::{eventually, let_pass},
    redis_server::{RedisServer, free_port},
    streamer::Streamer,
};

struct Proxy {
    address: SocketAddr,
    child: Child,
    _dir: TempDir,
}

impl Proxy {
    /// The sample, with other ports.
    fn before(first: SocketAddr, second: SocketAddr) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let sample = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/scaling/haproxy.cfg")).unwrap();
        let text = [("127.0.0.1:8080", address), ("127.0.0.1:8081", first), ("127.0.0.1:8082", second)].iter().fold(
            sample,
            |text, (sample, real)| {
                assert!(text.contains(sample), "{sample}");
                text.replace(sample, &real.to_string())
            },
        );
        let dir = TempDir::new().unwrap();
        let config = dir.path().join("haproxy.cfg");
        fs::write(&config, text).unwrap();
        let haproxy = ["/usr/sbin/haproxy", "haproxy"].into_iter().find(|path| fs::exists(path).unwrap_or(false));
        let haproxy = haproxy.unwrap_or("haproxy");
        let child = Command::new(haproxy).arg("-db").arg("-f").arg(&config).stdin(Stdio::null()).spawn().unwrap();
        Self { address, child, _dir: dir }
    }

    /// The status and the body of an answer.
    fn post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        let body = body.to_string();
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        let json = &body[body.find('{')?..=body.rfind('}')?];
        Some((status, serde_json::from_str(json).ok()?))
    }

    /// What is commanded; `None` while nobody takes the report.
    fn tell(&self, streamer: &mut Streamer, listeners: u64) -> Option<Vec<Value>> {
        let (status, answer) = self.post("/api/v1/ingest", &streamer.request(listeners))?;
        (status == 200).then(|| answer["commands"].as_array().unwrap().clone())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn streamers_and_browsers_find_the_daemon_that_is_active_by_one_address() {
    let redis = RedisServer::start().long_in_use();
    let plan = || {
        Plan::new(&format!(
            "[auto_end]\ntimeout = 6\nwarnings = [1]\n[store]\nredis_url = \"redis://127.0.0.1:{}/0\"\n\
             redis_lease = \"2s\"\n",
            redis.port
        ))
    };
    let mut first = plan().start();
    let second = plan().start_on_standby();
    let proxy = Proxy::before(first.address(), second.address());
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    let mut rock = Streamer::new("radio-2", "rock").every(2.0);
    eventually("the proxy to find the active daemon", || proxy.tell(&mut jazz, 0));
    assert_eq!(first.phase("jazz"), "counting");
    let mut live = eventually("a session", || Live::try_open(proxy.address, "").ok());
    assert_eq!(live.next().unwrap()["data"]["streams"][0]["channel_id"], "jazz");

    first.kill_hard();
    let command = eventually("the stop", || {
        let_pass(Duration::from_millis(200));
        assert!(proxy.tell(&mut rock, 2).is_none_or(|commands| commands.is_empty()));
        proxy.tell(&mut jazz, 0)?.pop()
    });
    assert_eq!(command["channel_id"], "jazz");
    assert_eq!(second.stream("rock")["listeners"], 2);
    let mut live = eventually("a session", || Live::try_open(proxy.address, "").ok());
    assert_eq!(live.next().unwrap()["type"], "snapshot");
    assert_eq!(json!(2), second.json("/api/stats")["total_listeners"]);
}
