//! The seed to the letter: what its dashboards, alerts and scripts already rely on.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{daemon::Daemon, live::Live, patience::eventually, streamer::Streamer};

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn is_whole(value: &Value) -> bool {
    value.is_u64()
}

/// RFC 3339, UTC, milliseconds: `2026-01-31T12:00:00.000Z`.
fn is_timestamp(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000Z"
}

fn with_track(daemon: &Daemon, streamer: &mut Streamer, listeners: u64, queue: u64, track: &Value) {
    let mut request = streamer.request(listeners);
    request["reports"][0]["queue_size"] = queue.into();
    request["reports"][0]["track"] = track.clone();
    daemon.post("/api/v1/ingest", &request).ok();
}

#[test]
fn api_stats_has_the_seeds_four_fields_and_ours_beside_them() {
    let daemon = Daemon::start("");
    let nothing = daemon.json("/api/stats");
    assert_eq!(nothing["active_streams"], 0);
    assert_eq!(nothing["total_listeners"], 0);
    assert_eq!(nothing["queue_items"], 0);
    assert_eq!(nothing["uptime"], "0m");
    for ours in ["uptime_seconds", "started_at", "cpu_percent", "memory_percent", "version"] {
        assert!(nothing.get(ours).is_some(), "no {ours} in {nothing}");
    }
    assert!(is_timestamp(&nothing["started_at"]), "{nothing}");

    with_track(&daemon, &mut Streamer::new("radio-1", "123"), 15, 5, &Value::Null);
    with_track(&daemon, &mut Streamer::new("radio-1", "456"), 8, 7, &Value::Null);
    Streamer::new("radio-1", "789").hears(&daemon, 0);
    let stats = daemon.json("/api/stats");
    assert_eq!(stats["active_streams"], 3);
    assert_eq!(stats["total_listeners"], 23);
    assert_eq!(stats["queue_items"], 12);
}

#[test]
fn the_first_message_is_a_snapshot_the_second_statistics_and_then_it_is_live() {
    let daemon = Daemon::start("[stats]\nbroadcast_interval = 1\nsample_interval = 1\n");
    eventually("the host to be sampled", || daemon.json("/api/stats")["cpu_percent"].is_number().then_some(()));
    let track = json!({ "title": "So What", "artist": "Miles Davis", "duration_seconds": 545.0 });
    let mut jazz = Streamer::new("radio-1", "jazz");
    with_track(&daemon, &mut jazz, 3, 5, &track);
    // Statistics that were taken with the stream.
    eventually("the statistics to be broadcast", || {
        let mut live = daemon.live("");
        live.next().unwrap();
        (live.next().unwrap()["data"]["active_streams"] == 1).then_some(())
    });

    let mut live = daemon.live("");
    let snapshot = live.next().unwrap();
    assert_eq!(keys(&snapshot), BTreeSet::from(["type", "timestamp", "data"]));
    assert_eq!(snapshot["type"], "snapshot");
    assert!(is_timestamp(&snapshot["timestamp"]), "{snapshot}");
    let state = &snapshot["data"]["streams"][0];
    assert_eq!(state["channel_id"], "jazz");
    assert_eq!(state["sources"], json!(["radio-1"]));
    assert_eq!(state["session"], "s1");
    assert_eq!(state["state"], "live");
    assert_eq!(state["listeners"], 3);
    assert_eq!(state["listeners_known"], true);
    assert_eq!(state["joins"], 3);
    assert_eq!(state["queue_size"], 5);
    assert_eq!(state["current_track"], track);
    assert_eq!(state["auto_end"]["phase"], "watching");
    assert!(is_timestamp(&state["started_at"]), "{state}");
    assert!(state["evidence_age_seconds"].is_number(), "{state}");

    let stats = live.next().unwrap();
    check_stats(&stats);
    let again = live.until_type("stats");
    check_stats(&again);

    jazz.joins = Some(3);
    with_track(&daemon, &mut jazz, 4, 5, &json!({ "title": "Blue in Green" }));
    let changed = live.until_type("stream_update");
    check_update(&changed, "track_changed", 4);
    assert_eq!(changed["data"]["current_track"]["title"], "Blue in Green");
}

fn check_stats(message: &Value) {
    assert_eq!(keys(message), BTreeSet::from(["type", "timestamp", "data"]), "{message}");
    assert_eq!(message["type"], "stats");
    let data = &message["data"];
    assert_eq!(
        keys(data),
        BTreeSet::from([
            "active_streams",
            "total_listeners",
            "queue_items",
            "cpu_percent",
            "memory_percent",
            "uptime_seconds"
        ])
    );
    assert_eq!(
        (&data["active_streams"], &data["total_listeners"], &data["queue_items"]),
        (&json!(1), &json!(3), &json!(5))
    );
    assert!(is_whole(&data["uptime_seconds"]), "{data}");
    for percent in ["cpu_percent", "memory_percent"] {
        assert!(data[percent].as_f64().is_some_and(|p| (0.0..=100.0).contains(&p)), "{percent} in {data}");
    }
}

fn check_update(message: &Value, event: &str, listeners: u64) {
    assert_eq!(keys(message), BTreeSet::from(["type", "timestamp", "data"]), "{message}");
    assert_eq!(message["data"]["channel_id"], "jazz");
    assert_eq!(message["data"]["event"], event, "{message}");
    assert_eq!(message["data"]["listeners"], listeners, "{message}");
}

#[test]
fn every_change_of_a_stream_is_told_as_it_happens() {
    let daemon = Daemon::start("");
    let mut live = daemon.live("?types=stream_update");
    let update = |live: &mut Live| live.until_type("stream_update");
    let mut jazz = Streamer::new("radio-1", "jazz").every(0.5);
    with_track(&daemon, &mut jazz, 1, 2, &json!({ "title": "One" }));
    check_update(&update(&mut live), "started", 1);
    with_track(&daemon, &mut jazz, 1, 2, &json!({ "title": "Two" }));
    live.until("track_changed", |m| m["data"]["event"] == "track_changed");
    with_track(&daemon, &mut jazz, 9, 2, &json!({ "title": "Two" }));
    live.until("9 listeners", |m| m["data"]["event"] == "listeners_changed" && m["data"]["listeners"] == 9);
    with_track(&daemon, &mut jazz, 9, 4, &json!({ "title": "Two" }));
    live.until("a queue of 4", |m| m["data"]["event"] == "queue_changed" && m["data"]["queue_size"] == 4);
    jazz.state = "paused";
    jazz.hears(&daemon, 9);
    live.until("paused", |m| m["data"]["event"] == "paused");
    jazz.state = "live";
    jazz.hears(&daemon, 9);
    live.until("resumed", |m| m["data"]["event"] == "resumed");
    // Silence: the count stays a number, but says that it is not known.
    let unknown = live.until("unknown", |m| m["data"]["event"] == "unknown");
    assert_eq!(unknown["data"]["listeners"], 9);
    assert_eq!(unknown["data"]["listeners_known"], false);
    jazz.stops(&daemon);
    check_update(&live.until("stopped", |m| m["data"]["event"] == "stopped"), "stopped", 0);
}

#[test]
fn many_changes_of_one_count_are_told_at_most_four_times_a_second_and_the_last_is_never_lost() {
    let daemon = Daemon::start("");
    let mut live = daemon.live("?types=stream_update");
    let mut jazz = Streamer::new("radio-1", "jazz");
    let began = std::time::Instant::now();
    for listeners in 1..=200 {
        jazz.hears(&daemon, listeners);
    }
    live.until("the last count", |m| m["data"]["listeners"] == 200);
    let allowed = 2 + (began.elapsed().as_millis() / 250) as usize;
    let told = live.heard.iter().filter(|m| m["data"]["event"] == "listeners_changed").count();
    assert!(told <= allowed, "{told} messages where {allowed} are allowed");
}

#[test]
fn the_dashboard_has_the_seeds_address_and_the_root_leads_there() {
    let daemon = Daemon::start("");
    let root = daemon.get("/");
    assert_eq!(root.status, 307);
    let page = daemon.get("/monitoring");
    // Without the frontend built in, it says how to build it.
    assert!(page.status == 200 || page.text.contains("make frontend"), "{} {}", page.status, page.text);
}

#[test]
fn statistics_come_at_the_interval_of_the_seeds_variable() {
    let daemon = crate::daemon::Plan::new("").env("STATS_BROADCAST_INTERVAL", "1").start();
    let mut live = daemon.live("?types=stats");
    live.until_type("stats");
    let began = std::time::Instant::now();
    live.until_type("stats");
    live.until_type("stats");
    let took = began.elapsed();
    assert!((1.0..4.5).contains(&took.as_secs_f64()), "two intervals took {took:?}");
}
