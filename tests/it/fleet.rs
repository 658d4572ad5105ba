//! Several daemons on one Redis that share the channels: each takes in what is reported, shows everything, and does
//! what an operator wants, whoever has the channel.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    daemon::{Daemon, Plan},
    patience::{eventually, eventually_within, let_pass},
    redis_server::RedisServer,
    streamer::Streamer,
};

const LEASE: Duration = Duration::from_secs(2);

fn plan(redis: &RedisServer, timeout: u32) -> Plan {
    Plan::new(&format!(
        "[auto_end]\ntimeout = {timeout}\nwarnings = [1]\n[store]\nredis_url = \"redis://127.0.0.1:{}/0\"\n\
         redis_lease = \"2s\"\nredis_sharing = \"active\"\n",
        redis.port
    ))
}

/// Daemons that have divided the slots.
struct Fleet {
    daemons: Vec<Daemon>,
}

impl Fleet {
    fn start(redis: &RedisServer, number: usize, timeout: u32) -> Self {
        let daemons: Vec<Daemon> = (0..number).map(|_| plan(redis, timeout).start_on_standby()).collect();
        let fleet = Self { daemons };
        fleet.settles();
        fleet
    }

    /// Each knows of all, and all slots are divided between them.
    fn settles(&self) {
        let number = self.daemons.len();
        eventually("the slots to be divided", || {
            let held: Option<Vec<f64>> = self.daemons.iter().map(slots).collect();
            let held = held?;
            let fair = held.iter().all(|slots| (slots - 256.0 / number as f64).abs() < 2.0 * number as f64);
            let known = self.daemons.iter().all(|daemon| daemons_known(daemon) == number);
            (fair && known && held.iter().sum::<f64>() == 256.0).then_some(())
        });
    }

    /// Where a channel is, by its number here.
    fn owner(&self, channel: &str) -> usize {
        eventually("a daemon to have it", || self.daemons.iter().position(|daemon| has(daemon, channel)))
    }
}

fn figure(daemon: &Daemon, name: &str) -> Option<f64> {
    let answer = daemon.try_get("/metrics").ok().filter(|answer| answer.status == 200)?;
    answer.text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

fn slots(daemon: &Daemon) -> Option<f64> {
    figure(daemon, "sattva_slots")
}

fn daemons_known(daemon: &Daemon) -> usize {
    figure(daemon, "sattva_daemons").unwrap_or_default() as usize
}

fn has(daemon: &Daemon, channel: &str) -> bool {
    figure(daemon, &format!("sattva_stream_listeners{{channel_id=\"{channel}\"}}")).is_some()
}

fn channels_at(daemon: &Daemon) -> Vec<String> {
    let streams = daemon.json("/api/v1/streams")["streams"].as_array().unwrap().clone();
    streams.iter().map(|stream| stream["channel_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn whichever_daemon_is_told_all_show_every_channel_and_count_each_listener_once() {
    let redis = RedisServer::start().long_in_use();
    let fleet = Fleet::start(&redis, 3, 60);
    let names: Vec<String> = (10..40).map(|n| format!("c{n}")).collect();
    for (n, name) in names.iter().enumerate() {
        let mut streamer = Streamer::new("radio-1", name);
        assert_eq!(streamer.hears(&fleet.daemons[n % 3], 2), [] as [Value; 0]);
    }
    let held: Vec<usize> =
        fleet.daemons.iter().map(|daemon| names.iter().filter(|name| has(daemon, name)).count()).collect();
    assert_eq!(held.iter().sum::<usize>(), 30, "each channel has one owner: {held:?}");
    assert!(held.iter().all(|held| *held > 0), "{held:?}");
    for daemon in &fleet.daemons {
        assert_eq!(channels_at(daemon), names);
        assert_eq!(daemon.stream("c20")["listeners"], 2, "of one channel any of them tells");
        eventually("the totals", || {
            let stats = daemon.json("/api/stats");
            (stats["total_listeners"] == 60 && stats["active_streams"] == 30).then_some(())
        });
    }
    let missing = fleet.daemons[0].get("/api/v1/streams/nobody");
    let missing_too = fleet.daemons[1].get("/api/v1/streams/nobody");
    // One of them had to ask the other: whose request it was is told all the same.
    for missing in [missing, missing_too] {
        let problem = missing.problem(404, "not_found");
        assert_eq!(problem["request_id"].as_str(), missing.request_id.as_deref(), "{problem}");
    }
}

#[test]
fn a_stop_reaches_the_streamer_at_the_daemon_it_reports_to_and_is_confirmed_through_a_third() {
    let redis = RedisServer::start().long_in_use();
    let fleet = Fleet::start(&redis, 3, 3);
    let mut jazz = Streamer::new("radio-1", "jazz").every(1.0);
    jazz.hears(&fleet.daemons[0], 0);
    let owner = fleet.owner("jazz");
    let (second, third) = (&fleet.daemons[(owner + 1) % 3], &fleet.daemons[(owner + 2) % 3]);
    let empty_since = Instant::now();
    let command = eventually("the stop", || {
        let_pass(Duration::from_millis(200));
        jazz.hears(second, 0).pop()
    });
    assert!(empty_since.elapsed() > Duration::from_millis(2900), "{:?}", empty_since.elapsed());
    assert_eq!((command["channel_id"].as_str(), command["only_if"]["joins"].as_u64()), (Some("jazz"), Some(0)));
    jazz.acknowledges(&command, "ok");
    jazz.state = "stopped";
    assert_eq!(jazz.hears(third, 0), [] as [Value; 0]);
    let journal = eventually("the end", || {
        let journal = second.explain("jazz")["decisions"].as_array().unwrap().clone();
        journal.iter().any(|decision| decision["event"] == "ended").then_some(journal)
    });
    let stops = journal.iter().filter(|decision| decision["event"] == "stopping").count();
    assert_eq!(stops, 1, "{journal:?}");
}

#[test]
fn a_streamer_that_waits_for_its_commands_anywhere_is_told_at_once() {
    let redis = RedisServer::start().long_in_use();
    let fleet = Fleet::start(&redis, 2, 60);
    let mut jazz = Streamer::new("radio-1", "jazz").every(30.0);
    jazz.hears(&fleet.daemons[0], 3);
    let owner = fleet.owner("jazz");
    let (here, there) = (&fleet.daemons[owner], &fleet.daemons[1 - owner]);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let began = Instant::now();
            (jazz.asks(there, 10), began.elapsed())
        });
        let_pass(Duration::from_millis(500));
        here.operate("jazz", "stop", &json!({ "force": true })).ok();
        let (commands, took) = waits.join().unwrap();
        assert_eq!(commands.len(), 1, "{commands:?}");
        assert!(took < Duration::from_secs(3), "{took:?}");
    });
}

#[test]
fn an_operator_may_ask_any_daemon_and_is_told_what_the_owner_says() {
    let redis = RedisServer::start().long_in_use();
    let fleet = Fleet::start(&redis, 2, 60);
    let mut jazz = Streamer::new("radio-1", "jazz");
    jazz.hears(&fleet.daemons[0], 0);
    let owner = fleet.owner("jazz");
    let (here, there) = (&fleet.daemons[owner], &fleet.daemons[1 - owner]);
    assert_eq!(there.phase("jazz"), "counting");
    assert_eq!(there.operate("jazz", "auto-end/pause", &json!({})).ok()["durable"], true);
    assert_eq!(here.phase("jazz"), "paused");
    there.operate("jazz", "auto-end/extend", &json!({ "seconds": 0 })).problem(400, "bad_seconds");
    there.operate("jazz", "auto-end/resume", &json!({})).ok();
    let before = here.json("/api/v1/streams/jazz/auto-end")["remaining_seconds"].as_f64().unwrap();
    there.operate("jazz", "auto-end/extend", &json!({ "seconds": 100 })).ok();
    let after = there.json("/api/v1/streams/jazz/auto-end")["remaining_seconds"].as_f64().unwrap();
    assert!(after - before > 90.0 && after - before <= 100.0, "extended once: {before} to {after}");
    jazz.hears(there, 1);
    there.operate("jazz", "stop", &json!({})).problem(409, "somebody_listens");
    there.operate("jazz", "forget", &json!({})).ok();
    here.get("/api/v1/streams/jazz").problem(404, "not_found");
}

#[test]
fn a_browser_sees_what_happens_at_any_daemon() {
    let redis = RedisServer::start().long_in_use();
    let fleet = Fleet::start(&redis, 3, 60);
    let mut jazz = Streamer::new("radio-1", "jazz");
    jazz.hears(&fleet.daemons[0], 1);
    let owner = fleet.owner("jazz");
    let (second, third) = (&fleet.daemons[(owner + 1) % 3], &fleet.daemons[(owner + 2) % 3]);
    let mut live = third.live("");
    let snapshot = live.next().unwrap();
    assert_eq!(snapshot["type"], "snapshot");
    assert_eq!(snapshot["data"]["streams"][0]["channel_id"], "jazz");
    assert_eq!(snapshot["data"]["streams"][0]["listeners"], 1);
    jazz.hears(second, 7);
    let update =
        live.until("the update", |message| message["type"] == "stream_update" && message["data"]["listeners"] == 7);
    assert_eq!(update["data"]["channel_id"], "jazz");
    jazz.hears(second, 0);
    let started = live.until_auto_end("started");
    assert_eq!(started["data"]["channel_id"], "jazz");
    let stats =
        live.until("the totals", |message| message["type"] == "stats" && message["data"]["active_streams"] == 1);
    assert_eq!(stats["data"]["total_listeners"], 0);
}

#[test]
fn the_channels_of_a_daemon_that_dies_are_divided_and_its_countdowns_go_on() {
    let redis = RedisServer::start().long_in_use();
    let mut fleet = Fleet::start(&redis, 3, 8);
    let names: Vec<String> = (10..40).map(|n| format!("c{n}")).collect();
    let mut streams: Vec<Streamer> =
        names.iter().enumerate().map(|(n, name)| Streamer::new(&format!("radio-{n}"), name).every(2.0)).collect();
    let empty_since = Instant::now();
    for streamer in &mut streams {
        streamer.hears(&fleet.daemons[1], 0);
    }
    fleet.daemons[0].kill_hard();
    let dead = fleet.daemons.remove(0);
    let mut ended: Vec<(String, Duration)> = Vec::new();
    eventually("every stream to be stopped", || {
        for (n, streamer) in streams.iter_mut().enumerate() {
            let request = streamer.request(0).to_string();
            let Ok(answer) = fleet.daemons[n % 2].try_post("/api/v1/ingest", &request) else { continue };
            let commands = if answer.status == 200 { answer.json()["commands"].clone() } else { json!([]) };
            for command in commands.as_array().unwrap() {
                ended.push((command["channel_id"].as_str().unwrap().to_owned(), empty_since.elapsed()));
                streamer.acknowledges(command, "ok");
                streamer.state = "stopped";
            }
        }
        let_pass(Duration::from_millis(200));
        names.iter().all(|name| ended.iter().any(|(channel, _)| channel == name)).then_some(())
    });
    for (channel, after) in &ended {
        assert!(*after >= Duration::from_secs(8), "{channel} was ended early, after {after:?}");
        assert!(*after < Duration::from_secs(8) + LEASE + Duration::from_secs(5), "{channel}: {after:?}");
    }
    fleet.settles();
    drop(dead);
}

#[test]
fn a_listener_told_to_another_daemon_while_the_owner_sleeps_saves_the_stream() {
    let redis = RedisServer::start().long_in_use();
    let fleet = Fleet::start(&redis, 2, 4);
    let mut jazz = Streamer::new("radio-1", "jazz").every(1.0);
    jazz.hears(&fleet.daemons[0], 0);
    let owner = fleet.owner("jazz");
    let (here, there) = (&fleet.daemons[owner], &fleet.daemons[1 - owner]);
    let_pass(Duration::from_secs(1));
    here.signal(Signal::STOP);
    let until = Instant::now() + Duration::from_secs(6);
    while Instant::now() < until {
        let request = jazz.request(1).to_string();
        // Taken in all the same: it lies there for whoever has the channel next.
        let answer = there.try_post("/api/v1/ingest", &request).unwrap();
        assert_eq!((answer.status, answer.json()["commands"].clone()), (200, json!([])), "{}", answer.text);
    }
    here.signal(Signal::CONT);
    eventually_within(Duration::from_secs(10), "it to be watched", || {
        (there.get("/api/v1/streams/jazz").status == 200 && there.phase("jazz") == "watching").then_some(())
    });
    let journal = there.explain("jazz")["decisions"].as_array().unwrap().clone();
    assert!(!journal.iter().any(|decision| decision["event"] == "stopping"), "{journal:?}");
}

#[test]
fn a_daemon_that_comes_and_one_that_goes_leave_no_gap() {
    let redis = RedisServer::start().long_in_use();
    let mut fleet = Fleet::start(&redis, 2, 60);
    let names: Vec<String> = (10..40).map(|n| format!("c{n}")).collect();
    let mut streams: Vec<Streamer> = names.iter().map(|name| Streamer::new("radio-1", name).every(5.0)).collect();
    let mut tell_all = |daemon: &Daemon| {
        let reports: Vec<Value> = streams.iter_mut().map(|streamer| streamer.snapshot(0)).collect();
        let answer = daemon.post("/api/v1/ingest", &json!({ "source": "radio-1", "reports": reports }));
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    tell_all(&fleet.daemons[0]);
    let deadline = |daemon: &Daemon, name: &str| daemon.json(&format!("/api/v1/streams/{name}/auto-end"));
    let began = Instant::now();
    fleet.daemons.push(plan(&redis, 60).start_on_standby());
    while began.elapsed() < Duration::from_secs(6) {
        // Nobody is turned away while channels move.
        tell_all(&fleet.daemons[began.elapsed().as_millis() as usize % 2]);
        let_pass(Duration::from_millis(100));
    }
    fleet.settles();
    fleet.daemons[0].signal(Signal::TERM);
    fleet.daemons[0].wait_for_its_end();
    drop(fleet.daemons.remove(0));
    fleet.settles();
    tell_all(&fleet.daemons[1]);
    for name in &names {
        let timer = deadline(&fleet.daemons[0], name);
        let (left, passed) = (timer["remaining_seconds"].as_f64().unwrap(), began.elapsed().as_secs_f64());
        assert_eq!(timer["phase"], "counting", "{timer}");
        assert!(left >= 60.0 - passed - 1.0, "time that has passed is all that is gone: {timer} after {passed}");
        assert!(left <= 60.0 - passed + 6.0, "and what was counted is kept: {timer} after {passed}");
    }
}

#[test]
fn a_daemon_that_ends_hands_out_nothing_of_what_another_has_by_now() {
    let redis = RedisServer::start().long_in_use();
    let mut fleet = Fleet::start(&redis, 2, 3);
    let mut jazz = Streamer::new("radio-1", "jazz").every(30.0);
    jazz.hears(&fleet.daemons[0], 0);
    let owner = fleet.owner("jazz");
    let heir = fleet.daemons.remove(1 - owner);
    let mut ending = fleet.daemons.remove(0);
    eventually("the stop to be decided, which nobody collects", || (ending.phase("jazz") == "stopping").then_some(()));
    // An open request holds its end up for seconds.
    let held = json!({ "source": "another", "reports": [], "acks": [], "wait_seconds": 20 }).to_string();
    std::thread::scope(|threads| {
        threads.spawn(|| ending.try_post("/api/v1/ingest", &held));
        let_pass(Duration::from_millis(300));
        ending.signal(Signal::TERM);
        eventually("another to have it", || (slots(&heir) == Some(256.0)).then_some(()));
        assert_eq!(jazz.hears(&heir, 1), [] as [Value; 0]);
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            assert_eq!(jazz.asks(&heir, 0), [] as [Value; 0], "somebody listens");
            let_pass(Duration::from_millis(50));
        }
    });
    ending.wait_for_its_end();
    assert_eq!(heir.phase("jazz"), "watching");
}

#[test]
fn what_is_told_to_an_owner_that_has_slept_too_long_is_known_to_the_one_that_is() {
    let redis = RedisServer::start().long_in_use();
    let fleet = Fleet::start(&redis, 2, 60);
    let mut jazz = Streamer::new("radio-1", "jazz").every(5.0);
    jazz.hears(&fleet.daemons[0], 0);
    let owner = fleet.owner("jazz");
    let (slept, heir) = (&fleet.daemons[owner], &fleet.daemons[1 - owner]);
    slept.signal(Signal::STOP);
    eventually("the other one to have it", || (slots(heir) == Some(256.0)).then_some(()));
    jazz.hears(heir, 0);
    // What it reads first when it wakes is an error, so for a second it does not know.
    let cut = redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").to_owned();
    cut.query::<u64>(&mut redis.connection()).unwrap();
    let_pass(Duration::from_millis(1500));
    slept.signal(Signal::CONT);
    eventually("it to be told", || {
        let answer = jazz.reports(slept, 7);
        (answer.status == 200).then_some(())
    });
    // The heir was cut too: what it is told before it can write again counts, and is to be reported anew.
    eventually_within(Duration::from_secs(4), "the heir to know", || {
        let known = heir.stream("jazz");
        (known["listeners"] == 7 && known["auto_end"]["phase"] == "watching").then_some(())
    });
}
