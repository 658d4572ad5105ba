//! The original streamer's Redis, when it or what is in it is wrong: unknown, a clear line, no stop.

use std::time::Duration;

use redis::{Commands, Connection};
use serde_json::json;

use crate::{
    daemon::{Daemon, Plan},
    patience::{eventually, let_pass},
    redis_server::RedisServer,
};

/// A daemon that watches it.
fn watching(redis: &RedisServer) -> Daemon {
    let url = format!("redis://127.0.0.1:{}", redis.port);
    Plan::new(&format!(
        "[auto_end]\ntimeout = 2\nwarnings = [1]\n[[redis_control]]\nname = \"main\"\nurl = \"{url}\"\n\
         poll_interval = \"200ms\"\nupdate_interval = \"2s\"\n"
    ))
    .start()
}

fn write(connection: &mut Connection, channel: &str, n: u32, listeners: &serde_json::Value) {
    let text = json!({ "status": "playing", "updated_at": n.to_string(), "listeners_count": listeners }).to_string();
    let _: () = connection.set(format!("stream:status:{channel}"), text).unwrap();
}

fn knows(daemon: &Daemon, channel: &str) -> bool {
    let answer = daemon.get(&format!("/api/v1/streams/{channel}"));
    answer.status == 200 && answer.json()["listeners_known"] == true
}

/// Writes a new status again and again until something is so.
fn writes_until(connection: &mut Connection, channel: &str, what: &str, done: impl Fn() -> bool) {
    let mut n = 0;
    eventually(what, || {
        n += 1;
        write(connection, channel, n, &json!(0));
        let_pass(Duration::from_millis(250));
        done().then_some(())
    });
}

#[test]
fn rubbish_beside_a_channel_spoils_nothing_and_is_named_once() {
    let redis = RedisServer::start();
    let mut connection = redis.connection();
    let _: () = connection.set("stream:status:odd", "no json \u{0} at all").unwrap();
    let _: () = connection.set("stream:status:a b/c", r#"{"status":"playing"}"#).unwrap();
    let _: () = connection.lpush("stream:status:list", "x").unwrap();
    let _: () = connection.set("stream_queue:jazz", "not a list").unwrap();
    let daemon = watching(&redis);
    writes_until(&mut connection, "jazz", "jazz to be known", || knows(&daemon, "jazz"));
    assert!(daemon.stream("jazz")["queue_size"].is_null());
    let named = daemon.log().lines().filter(|line| line.contains("cannot be understood")).count();
    assert_eq!(named, 3, "{}", daemon.log());
}

#[test]
fn a_zero_that_nobody_writes_anew_ends_nothing() {
    let redis = RedisServer::start();
    let mut connection = redis.connection();
    let daemon = watching(&redis);
    writes_until(&mut connection, "jazz", "jazz to be known", || knows(&daemon, "jazz"));
    // The streamer hangs; its last word was that nobody listens.
    eventually("the count to be unknown", || (!knows(&daemon, "jazz")).then_some(()));
    let_pass(Duration::from_secs(3));
    assert_eq!(daemon.figures().get("sattva_stop_commands_total{outcome=\"decided\"}"), Some(0.0));
}

#[test]
fn a_stop_that_no_streamer_hears_fails_loudly() {
    let redis = RedisServer::start();
    let mut connection = redis.connection();
    let daemon = watching(&redis);
    writes_until(&mut connection, "jazz", "the stop to be published in vain", || {
        daemon.log().contains("no streamer hears stream:control")
    });
    assert_eq!(daemon.phase("jazz"), "stopping");
}

#[test]
fn a_redis_that_is_down_makes_everything_unknown_and_is_watched_again_when_it_is_back() {
    let redis = RedisServer::start();
    let port = redis.port;
    let mut connection = redis.connection();
    let daemon = watching(&redis);
    writes_until(&mut connection, "jazz", "jazz to be known", || knows(&daemon, "jazz"));
    write(&mut connection, "jazz", 1000, &json!(3));
    drop((connection, redis));
    let ready = eventually("the trouble to be seen", || {
        let ready = daemon.json("/readyz");
        (ready["status"] == "degraded").then_some(ready)
    });
    assert!(ready["dependencies"]["redis_control:main"]["detail"].is_string(), "{ready}");
    eventually("the count to be unknown", || (!knows(&daemon, "jazz")).then_some(()));
    let redis = RedisServer::at(port, &["--save", ""]);
    let mut connection = redis.connection();
    // It has come back empty: nothing is known, and nothing is taken for ended.
    eventually("the trouble to be over", || (daemon.json("/readyz")["status"] == "ready").then_some(()));
    assert_ne!(daemon.stream("jazz")["state"], "stopped");
    writes_until(&mut connection, "jazz", "jazz to be known again", || knows(&daemon, "jazz"));
}
