//! Daemons that keep their state in one Redis: one has the channels, the next is ready to take them; and a Redis that
//! is away, empty, full, or locked.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use redis::{Client, Commands};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    daemon::{Answer, Daemon, Plan},
    patience::{eventually, eventually_within, let_pass},
    raw_socket::RawSocket,
    redis_server::{RedisServer, free_port},
    streamer::Streamer,
};

const LEASE: Duration = Duration::from_secs(2);

fn plan(redis: &RedisServer, timeout: u32, more: &str) -> Plan {
    let port = redis.port;
    Plan::new(&format!(
        "[auto_end]\ntimeout = {timeout}\nwarnings = [1]\n[store]\nredis_url = \"redis://127.0.0.1:{port}/0\"\n\
         redis_lease = \"2s\"\n{more}"
    ))
}

/// A first daemon that has every channel, and a second one that waits.
fn pair(redis: &RedisServer, timeout: u32) -> (Daemon, Daemon) {
    let first = plan(redis, timeout, "").start();
    let second = plan(redis, timeout, "").start_on_standby();
    (first, second)
}

/// Says how many listen to whichever daemon takes it; answers with what it commands.
fn tell(streamer: &mut Streamer, daemons: &[&Daemon], listeners: u64) -> Vec<Value> {
    let request = streamer.request(listeners).to_string();
    for daemon in daemons {
        let Ok(answer) = daemon.try_post("/api/v1/ingest", &request) else { continue };
        if answer.status == 200 {
            return answer.json()["commands"].as_array().unwrap().clone();
        }
    }
    Vec::new()
}

fn degraded(answer: &Answer) -> Option<String> {
    let body = answer.json();
    let failing = body["dependencies"]["store"]["status"] == "failing";
    failing.then(|| body["dependencies"]["store"]["detail"].as_str().unwrap().to_owned())
}

#[test]
fn killed_in_the_middle_of_a_countdown_the_other_daemon_ends_the_stream_and_not_early() {
    let redis = RedisServer::start().long_in_use();
    let (mut first, second) = pair(&redis, 8);
    second.get("/readyz").ok_with(503, "standby");
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    let mut rock = Streamer::new("radio-2", "rock").every(2.0);
    let empty_since = Instant::now();
    // Before it has them, the second one sends whoever reports to the first.
    second.post("/api/v1/ingest", &jazz.request(0)).problem(503, "elsewhere");
    while empty_since.elapsed() < Duration::from_secs(3) {
        assert_eq!(tell(&mut jazz, &[&second, &first], 0), [] as [Value; 0]);
        tell(&mut rock, &[&first], 1);
        let_pass(Duration::from_millis(200));
    }
    first.kill_hard();
    let killed = Instant::now();
    eventually_within(LEASE + Duration::from_secs(1), "the second daemon to be ready", || {
        (second.get("/readyz").status == 200).then_some(())
    });
    assert!(killed.elapsed() > LEASE - Duration::from_secs(1));
    assert_eq!(second.phase("jazz"), "frozen", "nothing is known until it is reported anew");
    let command = eventually("the stop", || {
        tell(&mut rock, &[&second], 1);
        let command = tell(&mut jazz, &[&second], 0).pop();
        if command.is_none() {
            let_pass(Duration::from_millis(200));
        }
        command
    });
    let took = empty_since.elapsed();
    assert!(took >= Duration::from_secs(8), "ended early, after {took:?}");
    assert!(took < Duration::from_secs(8) + LEASE + Duration::from_secs(4), "ended late, after {took:?}");
    assert_eq!(second.phase("rock"), "watching");
    jazz.acknowledges(&command, "ok");
    jazz.state = "stopped";
    tell(&mut jazz, &[&second], 0);
    let decisions = second.explain("jazz")["decisions"].as_array().unwrap().clone();
    let events: Vec<&str> = decisions.iter().map(|decision| decision["event"].as_str().unwrap()).collect();
    assert_eq!(events.iter().filter(|event| **event == "stopping").count(), 1, "{events:?}");
    assert_eq!((events[0], events[events.len() - 1]), ("started", "ended"), "its journal is whole: {events:?}");
}

#[test]
fn a_stop_that_was_decided_keeps_its_id_when_another_daemon_takes_over() {
    let redis = RedisServer::start().long_in_use();
    let (mut first, second) = pair(&redis, 2);
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    let decided = eventually("the stop", || tell(&mut jazz, &[&first], 0).pop());
    first.kill_hard();
    let again = eventually("the stop again", || tell(&mut jazz, &[&second], 0).pop());
    assert_eq!(again["id"], decided["id"]);
}

#[test]
fn a_daemon_that_sleeps_longer_than_its_lease_wakes_to_nothing_that_it_could_end() {
    let redis = RedisServer::start().long_in_use();
    let (first, second) = pair(&redis, 4);
    let mut jazz = Streamer::new("radio-1", "jazz").every(1.0);
    while first.get("/api/v1/streams/jazz").status != 200 {
        tell(&mut jazz, &[&first], 0);
    }
    first.signal(Signal::STOP);
    eventually("the second daemon to be ready", || (second.get("/readyz").status == 200).then_some(()));
    // Somebody has come meanwhile; the first knows nothing of it.
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        assert_eq!(tell(&mut jazz, &[&second], 1), [] as [Value; 0]);
        let_pass(Duration::from_millis(200));
    }
    first.signal(Signal::CONT);
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert_eq!(tell(&mut jazz, &[&first, &second], 1), [] as [Value; 0]);
        let_pass(Duration::from_millis(100));
    }
    first.get("/readyz").ok_with(503, "standby");
    assert_eq!(second.phase("jazz"), "watching");
    let events: Vec<Value> = second.explain("jazz")["decisions"].as_array().unwrap().clone();
    assert!(!events.iter().any(|decision| decision["event"] == "stopping"), "{events:?}");
}

#[test]
fn a_daemon_that_is_told_to_end_leaves_its_channels_to_the_other_at_once() {
    let redis = RedisServer::start().long_in_use();
    let first = plan(&redis, 30, "").start();
    let second = plan(&redis, 30, "").start_on_standby();
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    tell(&mut jazz, &[&first], 0);
    first.operate("jazz", "auto-end/pause", &json!({})).ok();
    // Somebody who does not take leave keeps it from ending for a while.
    let _stays = RawSocket::open(first.address());
    let mut first = first;
    first.signal(Signal::TERM);
    let told = Instant::now();
    eventually("the second daemon to be ready", || (second.get("/readyz").status == 200).then_some(()));
    assert!(told.elapsed() < LEASE, "{:?}", told.elapsed());
    assert_eq!(second.phase("jazz"), "paused");
    first.wait_for_its_end();
}

#[test]
fn a_redis_that_may_drop_what_is_kept_in_it_is_warned_of() {
    let redis = RedisServer::with(&["--save", "", "--maxmemory-policy", "allkeys-lru"]).long_in_use();
    let daemon = plan(&redis, 30, "").start();
    let warning = daemon.logged(|line| line["policy"] == "allkeys-lru").expect("a warning");
    assert_eq!(warning["level"], "WARN");
    assert!(warning["message"].as_str().unwrap().contains("noeviction"), "{warning}");
}

#[test]
fn another_program_pauses_and_resumes_a_stream_within_a_second() {
    let redis = RedisServer::start().long_in_use();
    let daemon = plan(&redis, 60, "").start();
    let mut other = redis.connection();
    let mut jazz = Streamer::new("radio-1", "jazz").every(5.0);
    tell(&mut jazz, &[&daemon], 0);
    let second = Duration::from_secs(1);
    eventually("the timer's key", || other.get::<_, Option<String>>("auto_end:jazz:timer").unwrap());
    let left: u64 = other.ttl("auto_end:jazz:timer").unwrap();
    assert!((58..=60).contains(&left), "{left}");

    let _: () = other.set("auto_end:jazz:paused", "1").unwrap();
    eventually_within(second, "the pause", || (daemon.phase("jazz") == "paused").then_some(()));
    eventually("the timer's key to go", || (!other.exists::<_, bool>("auto_end:jazz:timer").unwrap()).then_some(()));
    let _: () = other.del("auto_end:jazz:paused").unwrap();
    eventually_within(second, "the resumption", || (daemon.phase("jazz") == "counting").then_some(()));

    daemon.operate("jazz", "auto-end/pause", &json!({})).ok();
    eventually("the paused key", || other.get::<_, Option<String>>("auto_end:jazz:paused").unwrap());
    daemon.operate("jazz", "auto-end/resume", &json!({})).ok();
    eventually("the paused key to go", || (!other.exists::<_, bool>("auto_end:jazz:paused").unwrap()).then_some(()));
    let_pass(second);
    assert_eq!(daemon.phase("jazz"), "counting");
}

#[test]
fn while_redis_is_away_everything_is_shown_and_nothing_ended_and_then_it_goes_on_by_itself() {
    let mut redis = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]).long_in_use();
    let daemon = plan(&redis, 3, "").start();
    let mut jazz = Streamer::new("radio-1", "jazz").every(1.0);
    let mut rock = Streamer::new("radio-2", "rock").every(1.0);
    tell(&mut jazz, &[&daemon], 0);
    tell(&mut rock, &[&daemon], 2);
    redis.kill();
    let away = Instant::now();
    while away.elapsed() < Duration::from_secs(6) {
        assert_eq!(tell(&mut jazz, &[&daemon], 0), [] as [Value; 0], "nothing may be ended that cannot be kept");
        assert_eq!(tell(&mut rock, &[&daemon], 3), [] as [Value; 0]);
        let_pass(Duration::from_millis(200));
    }
    let why = degraded(&daemon.get("/readyz")).expect("it says that the store fails");
    assert!(why.contains("is it running"), "{why}");
    daemon.get("/readyz").ok_with(503, "cut_off");
    assert_eq!(daemon.figures().of("sattva_store_failing"), 1.0);
    assert_eq!(daemon.stream("rock")["listeners"], 3);
    // Whoever has the channel by then would know nothing of it.
    daemon.operate("rock", "auto-end/resume", &json!({})).problem(503, "not_kept");
    redis.start_again();
    let back = Instant::now();
    eventually("the stop", || {
        tell(&mut rock, &[&daemon], 3);
        let_pass(Duration::from_millis(100));
        tell(&mut jazz, &[&daemon], 0).pop()
    });
    assert!(back.elapsed() < Duration::from_secs(12), "{:?}", back.elapsed());
    daemon.get("/readyz").ok_with(200, "ready");
    assert_eq!(daemon.phase("rock"), "watching");
}

#[test]
fn a_redis_that_answers_nobody_for_a_while_holds_nothing_up_and_ends_nothing() {
    let redis = RedisServer::start().long_in_use();
    let daemon = plan(&redis, 5, "").start();
    let mut jazz = Streamer::new("radio-1", "jazz").every(1.0);
    let empty_since = Instant::now();
    tell(&mut jazz, &[&daemon], 0);
    redis.pause();
    // Long enough for its lease to end, were anybody there to see it.
    while empty_since.elapsed() < Duration::from_secs(7) {
        let asked = Instant::now();
        assert_eq!(tell(&mut jazz, &[&daemon], 0), [] as [Value; 0]);
        assert!(asked.elapsed() < Duration::from_secs(5), "an answer took {:?}", asked.elapsed());
        assert_eq!(daemon.get("/api/v1/streams").status, 200);
        let_pass(Duration::from_millis(200));
    }
    redis.go_on();
    let back = Instant::now();
    eventually("the stop", || {
        let_pass(Duration::from_millis(100));
        tell(&mut jazz, &[&daemon], 0).pop()
    });
    assert!(back.elapsed() < Duration::from_secs(12), "{:?}", back.elapsed());
}

#[test]
fn a_redis_that_comes_back_empty_is_filled_again_and_every_empty_stream_still_ends() {
    let mut redis = RedisServer::start().long_in_use();
    let (first, second) = pair(&redis, 5);
    let mut jazz = Streamer::new("radio-1", "jazz").every(1.0);
    let mut held = Streamer::new("radio-2", "held").every(1.0);
    tell(&mut jazz, &[&first], 0);
    tell(&mut held, &[&first], 0);
    first.operate("held", "auto-end/pause", &json!({})).ok();
    redis.kill();
    redis.start_again();
    let back = Instant::now();
    let command = eventually("the stop", || {
        assert_eq!(tell(&mut held, &[&first, &second], 0), [] as [Value; 0]);
        let_pass(Duration::from_millis(100));
        tell(&mut jazz, &[&first, &second], 0).pop()
    });
    assert!(back.elapsed() < Duration::from_secs(75), "{:?}", back.elapsed());
    assert_eq!(first.phase("held"), "paused");
    let mut other = redis.connection();
    let records: usize = redis::cmd("EVAL")
        .arg("local n = 0 for _, key in ipairs(redis.call('KEYS', 'sattva:records:*')) do n = n + redis.call('HLEN', key) end return n")
        .arg(0)
        .query(&mut other)
        .unwrap();
    assert_eq!(records, 2);
    // And what is in it is enough for the next one.
    drop(first);
    let again = eventually("the stop of the next daemon", || {
        let_pass(Duration::from_millis(100));
        tell(&mut jazz, &[&second], 0).pop()
    });
    assert_eq!(again["id"], command["id"]);
    assert_eq!(second.phase("held"), "paused");
}

#[test]
fn a_daemon_starts_without_its_redis_says_so_and_serves_when_it_comes() {
    let port = free_port();
    let plan = Plan::new(&format!("[store]\nredis_url = \"redis://127.0.0.1:{port}\"\nredis_lease = \"2s\"\n"));
    let daemon = plan.start_on_standby();
    let why = eventually("the store to fail", || degraded(&daemon.get("/readyz")));
    assert!(why.contains("is it running"), "{why}");
    let mut jazz = Streamer::new("radio-1", "jazz");
    jazz.reports(&daemon, 1).problem(503, "elsewhere");
    let _redis = RedisServer::at(port, &["--save", ""]);
    eventually("the daemon to be ready", || (daemon.get("/readyz").status == 200).then_some(()));
    assert_eq!(jazz.hears(&daemon, 1), [] as [Value; 0]);
}

/// A Sentinel that believes what it sees alone, of a primary that it calls `radio`.
struct Sentinel {
    port: u16,
    child: Child,
    _dir: TempDir,
}

impl Sentinel {
    fn of(primary: &RedisServer) -> Self {
        let (dir, port) = (TempDir::new().unwrap(), free_port());
        let config = dir.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor radio 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds radio 500\nsentinel failover-timeout radio 2000\n",
            dir.path().display(),
            primary.port
        );
        std::fs::write(&config, text).unwrap();
        let child = Command::new("redis-server").arg(&config).arg("--sentinel").stdout(Stdio::null()).spawn().unwrap();
        Self { port, child, _dir: dir }
    }

    /// Whether it knows of the replica.
    fn sees_a_replica(&self) -> bool {
        let ask = || -> redis::RedisResult<usize> {
            let mut connection = Client::open(format!("redis://127.0.0.1:{}/", self.port))?.get_connection()?;
            let replicas: Vec<redis::Value> =
                redis::cmd("SENTINEL").arg("replicas").arg("radio").query(&mut connection)?;
            Ok(replicas.len())
        };
        ask().is_ok_and(|replicas| replicas == 1)
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_primary_dies_in_the_middle_of_a_countdown_and_the_stream_ends_by_its_successor() {
    let mut primary = RedisServer::start().long_in_use();
    let port = primary.port.to_string();
    let replica = RedisServer::with(&["--save", "", "--replicaof", "127.0.0.1", &port]);
    let sentinel = Sentinel::of(&primary);
    eventually("the sentinel to know both", || sentinel.sees_a_replica().then_some(()));
    let nobody = free_port();
    let daemon = Plan::new(&format!(
        "[auto_end]\ntimeout = 8\nwarnings = [1]\n[store]\nredis_url = \"redis://radio/0\"\nredis_lease = \"2s\"\n\
         redis_sentinels = [\"127.0.0.1:{nobody}\", \"127.0.0.1:{}\"]\n",
        sentinel.port
    ))
    .start();
    let mut jazz = Streamer::new("radio-1", "jazz").every(1.0);
    let mut rock = Streamer::new("radio-2", "rock").every(1.0);
    let empty_since = Instant::now();
    let mut killed = false;
    let command = eventually("the stop", || {
        if !killed && empty_since.elapsed() > Duration::from_secs(2) {
            primary.kill();
            killed = true;
        }
        assert_eq!(tell(&mut rock, &[&daemon], 1), [] as [Value; 0]);
        let_pass(Duration::from_millis(100));
        tell(&mut jazz, &[&daemon], 0).pop()
    });
    let took = empty_since.elapsed();
    assert!(took >= Duration::from_secs(8), "ended early, after {took:?}");
    assert!(took < Duration::from_secs(20), "ended late, after {took:?}");
    jazz.acknowledges(&command, "ok");
    jazz.state = "stopped";
    tell(&mut jazz, &[&daemon], 0);
    let role: Vec<redis::Value> = redis::cmd("ROLE").query(&mut replica.connection()).unwrap();
    assert_eq!(role[0], redis::Value::BulkString(b"master".to_vec()));
    assert!(replica.connection().hlen::<_, usize>("sattva:leases").unwrap() > 0);
    assert_eq!(daemon.phase("rock"), "watching");
}

#[test]
fn no_password_is_in_a_log_an_answer_or_the_command_line() {
    let redis = RedisServer::with(&["--requirepass", "hunter2", "--save", ""]);
    let config = format!(
        "[store]\nredis_url = \"redis://127.0.0.1:{}\"\nredis_password_file = \"redis.password\"\nredis_lease = \"2s\"\n\
         [log]\nlevel = \"debug\"\n",
        redis.port
    );
    let daemon = Plan::new(&config).file("redis.password", "wrong-hunter2\n").start_on_standby();
    let why = eventually("the store to fail", || degraded(&daemon.get("/readyz")));
    assert!(why.contains("redis_password_file"), "{why}");
    // Mended without a restart.
    daemon.write_file("redis.password", "hunter2\n");
    eventually("the daemon to be ready", || (daemon.get("/readyz").status == 200).then_some(()));
    assert!(!daemon.log().contains("hunter2") && !why.contains("hunter2"));
}
