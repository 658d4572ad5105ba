//! A stream that nobody hears is warned of, stopped and seen gone; one listener in time saves it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    live::Live,
    patience::{eventually, let_pass},
    streamer::Streamer,
};

/// What a warning may be late for on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

fn quick(timeout: u64, warnings: &[u64]) -> Daemon {
    Daemon::start(&format!("[auto_end]\ntimeout = {timeout}\nwarnings = {warnings:?}\n"))
}

/// A streamer that reports the same again and again until it is told to stop.
fn reports_until_stopped(daemon: &Daemon, streamer: &mut Streamer, listeners: u64) -> Value {
    eventually("a stop command", || {
        let_pass(Duration::from_millis(100));
        streamer.hears(daemon, listeners).into_iter().next()
    })
}

fn warnings(live: &Live) -> Vec<u64> {
    let warnings = live.heard.iter().filter(|m| m["type"] == "auto_end_warning");
    warnings.map(|m| m["data"]["seconds_remaining"].as_u64().unwrap()).collect()
}

#[test]
fn an_empty_stream_is_warned_of_stopped_and_seen_gone() {
    let daemon = quick(6, &[4, 2, 1]);
    let mut live = daemon.live("");
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    let armed = Instant::now();
    assert_eq!(jazz.hears(&daemon, 0), [] as [Value; 0]);
    let started = live.until_auto_end("started");
    assert_eq!(started["data"]["channel_id"], "jazz");
    assert_eq!(started["data"]["reason"], "never_joined");

    let command = reports_until_stopped(&daemon, &mut jazz, 0);
    let took = armed.elapsed();
    assert!(took >= Duration::from_secs(6), "stopped early, after {took:?}");
    assert!(took < Duration::from_secs(8) + SLACK, "stopped late, after {took:?}");
    assert_eq!(command["type"], "stop");
    assert_eq!(command["channel_id"], "jazz");
    assert_eq!(command["session"], "s1");
    assert_eq!(command["reason"], "no_listeners");
    assert_eq!(command["only_if"], json!({ "listeners_at_most": 0, "joins": 0 }));
    let valid = command["valid_for_seconds"].as_u64().unwrap();
    assert!((50..=60).contains(&valid), "valid for {valid} s");

    jazz.acknowledges(&command, "ok");
    jazz.stops(&daemon);
    live.until_auto_end("stopping");
    let ended = live.until_auto_end("ended");
    assert_eq!(ended["data"]["channel_id"], "jazz");
    live.until("the stream to have stopped", |m| {
        m["type"] == "stream_update" && m["data"]["event"] == "stopped" && m["data"]["listeners"] == 0
    });
    assert_eq!(warnings(&live), [4, 2, 1]);
    let warning = live.heard.iter().find(|m| m["type"] == "auto_end_warning").unwrap();
    assert_eq!(warning["data"]["reason"], "no_listeners");
    assert!(warning["data"]["ends_at"].as_str().unwrap().ends_with('Z'), "{warning}");

    let figures = daemon.figures();
    for event in ["started", "stopping", "ended"] {
        assert_eq!(figures.of(&format!("sattva_auto_end_events_total{{event=\"{event}\"}}")), 1.0, "{event}");
    }
    assert_eq!(figures.of("sattva_auto_end_warnings_total"), 3.0);
    assert_eq!(figures.of("sattva_stop_commands_total{outcome=\"confirmed\"}"), 1.0);
    assert_eq!(jazz.asks(&daemon, 0), [] as [Value; 0], "a settled command is not delivered again");
}

#[test]
fn a_listener_in_the_last_seconds_saves_the_stream() {
    let daemon = quick(6, &[3, 1]);
    let mut live = daemon.live("?types=auto_end,auto_end_warning");
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    jazz.hears(&daemon, 0);
    // Reports at zero until the last warning, as a real one would.
    eventually("the last warning", || {
        assert_eq!(jazz.hears(&daemon, 0), [] as [Value; 0]);
        while let Some(Ok(message)) = live.next_within(Duration::from_millis(100)) {
            if message["data"]["seconds_remaining"] == 1 {
                return Some(());
            }
        }
        None
    });
    assert_eq!(jazz.hears(&daemon, 1), [] as [Value; 0]);
    let cancelled = live.until_auto_end("cancelled");
    assert_eq!(cancelled["data"]["reason"], "listener");
    // The listener leaves again: the whole time runs anew.
    let left = Instant::now();
    jazz.hears(&daemon, 0);
    let again = live.until_auto_end("started");
    assert_eq!(again["data"]["reason"], "all_left");
    let command = reports_until_stopped(&daemon, &mut jazz, 0);
    assert!(left.elapsed() >= Duration::from_secs(6), "stopped early, after {:?}", left.elapsed());
    assert_eq!(command["only_if"]["joins"], 1);
}

#[test]
fn someone_who_came_and_went_between_two_reports_arms_it_anew_in_full() {
    let daemon = quick(4, &[1]);
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    jazz.hears(&daemon, 0);
    let almost = Instant::now() + Duration::from_secs(2);
    while Instant::now() < almost {
        jazz.hears(&daemon, 0);
        let_pass(Duration::from_millis(100));
    }
    jazz.joins = Some(1);
    let came_and_went = Instant::now();
    jazz.hears(&daemon, 0);
    reports_until_stopped(&daemon, &mut jazz, 0);
    assert!(came_and_went.elapsed() >= Duration::from_secs(4), "stopped after {:?}", came_and_went.elapsed());
}

#[test]
fn silence_freezes_the_countdown_and_nothing_is_stopped_in_doubt() {
    let daemon = quick(2, &[1]);
    let mut live = daemon.live("?types=auto_end");
    let mut jazz = Streamer::new("radio-1", "jazz").every(0.4);
    jazz.hears(&daemon, 0);
    let frozen = live.until_auto_end("frozen");
    assert_eq!(frozen["data"]["reason"], "unknown");
    // Longer than the whole timeout goes by in silence.
    let_pass(Duration::from_secs(3));
    assert_eq!(daemon.phase("jazz"), "frozen");
    assert_eq!(jazz.hears(&daemon, 0), [] as [Value; 0], "a stop must follow fresh evidence, never silence");
    live.until_auto_end("unfrozen");
    reports_until_stopped(&daemon, &mut jazz, 0);
}

#[test]
fn two_sources_must_both_be_empty() {
    let daemon = quick(2, &[1]);
    let mut one = Streamer::new("radio-1", "jazz").every(2.0);
    let mut two = Streamer::new("radio-2", "jazz").every(2.0);
    two.hears(&daemon, 1);
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        assert_eq!(one.hears(&daemon, 0), [] as [Value; 0]);
        assert_eq!(two.hears(&daemon, 1), [] as [Value; 0]);
        let_pass(Duration::from_millis(200));
    }
    // Now both: each gets a command of its own.
    let (mut first, mut second) = (None, None);
    eventually("a command for each source", || {
        let_pass(Duration::from_millis(100));
        first = first.take().or(one.hears(&daemon, 0).pop());
        second = second.take().or(two.hears(&daemon, 0).pop());
        (first.is_some() && second.is_some()).then_some(())
    });
    assert_ne!(first.unwrap()["id"], second.unwrap()["id"]);
}

#[test]
fn a_refused_stop_arms_anew_in_full_under_a_new_id() {
    let daemon = quick(3, &[1]);
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    let refused = reports_until_stopped(&daemon, &mut jazz, 0);
    jazz.acknowledges(&refused, "refused");
    let began = Instant::now();
    assert_eq!(jazz.hears(&daemon, 0), [] as [Value; 0]);
    let next = reports_until_stopped(&daemon, &mut jazz, 0);
    assert!(began.elapsed() >= Duration::from_secs(3), "stopped again after {:?}", began.elapsed());
    assert_ne!(next["id"], refused["id"]);
}

#[test]
fn a_streamer_that_cannot_stop_makes_it_stop_failed_loudly() {
    let daemon = quick(2, &[1]);
    let mut live = daemon.live("?types=auto_end");
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    let command = reports_until_stopped(&daemon, &mut jazz, 0);
    jazz.acknowledges(&command, "error");
    assert_eq!(jazz.hears(&daemon, 0), [] as [Value; 0]);
    let failed = live.until_auto_end("stop_failed");
    assert_eq!(failed["data"]["phase"], "stop_failed");
    assert_eq!(daemon.phase("jazz"), "stop_failed");
    assert_eq!(daemon.figures().of("sattva_stop_failed_streams"), 1.0);
    assert!(daemon.logged(|line| line["level"] == "ERROR" && line["channel_id"] == "jazz").is_some());
    let explained = daemon.explain("jazz");
    assert_eq!(explained["commands"][0]["outcome"], "error");
    assert_eq!(explained["commands"][0]["detail"], "the test says so");
}

#[test]
fn a_stop_that_nobody_answers_is_delivered_again_under_the_same_id() {
    let daemon = quick(2, &[1]);
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    let first = reports_until_stopped(&daemon, &mut jazz, 0);
    let delivered = Instant::now();
    let second = reports_until_stopped(&daemon, &mut jazz, 0);
    assert!(delivered.elapsed() >= Duration::from_millis(1500), "redelivered after {:?}", delivered.elapsed());
    assert_eq!(first["id"], second["id"]);
}

#[test]
fn a_listener_withdraws_a_stop_that_is_not_acknowledged() {
    let daemon = quick(2, &[1]);
    let mut live = daemon.live("?types=auto_end");
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    let command = reports_until_stopped(&daemon, &mut jazz, 0);
    assert_eq!(jazz.hears(&daemon, 1), [] as [Value; 0]);
    let withdrawn = live.until_auto_end("cancelled");
    assert_eq!(withdrawn["data"]["reason"], "listener");
    assert_eq!(daemon.explain("jazz")["commands"][0]["state"], "withdrawn");
    assert_eq!(daemon.explain("jazz")["commands"][0]["id"], command["id"]);
}

#[test]
fn a_dry_run_says_so_once_and_commands_nothing() {
    let daemon = Daemon::start("[auto_end]\ntimeout = 2\nwarnings = [1]\ndry_run = true\n");
    let mut live = daemon.live("?types=auto_end");
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        assert_eq!(jazz.hears(&daemon, 0), [] as [Value; 0]);
        let_pass(Duration::from_millis(100));
    }
    live.until_auto_end("would_stop");
    assert_eq!(daemon.figures().of("sattva_auto_end_events_total{event=\"would_stop\"}"), 1.0);
    assert_eq!(daemon.figures().of("sattva_auto_end_events_total{event=\"stopping\"}"), 0.0);
}
