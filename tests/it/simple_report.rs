//! `POST /api/v1/streams/{id}/listeners`: the simplest possible report, to the end of a stream.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    daemon::{Answer, Daemon},
    patience::{eventually, let_pass},
};

fn report(daemon: &Daemon, body: &Value) -> Answer {
    daemon.post("/api/v1/streams/jazz/listeners", body)
}

#[test]
fn a_count_is_all_it_takes_to_be_watched_and_ended() {
    let daemon = Daemon::start("[auto_end]\ntimeout = 3\nwarnings = [2, 1]\n");
    let mut live = daemon.live("");
    assert_eq!(report(&daemon, &json!({ "listeners_count": 4 })).ok()["accepted"], 1);
    let state = daemon.stream("jazz");
    assert_eq!(
        (&state["listeners"], &state["state"], &state["sources"]),
        (&json!(4), &json!("live"), &json!(["simple"]))
    );
    // Absolute, never added up.
    report(&daemon, &json!({ "listeners_count": 2 })).ok();
    assert_eq!(daemon.stream("jazz")["listeners"], 2);

    let left = Instant::now();
    let command = eventually("a stop command in an answer", || {
        let_pass(Duration::from_millis(100));
        report(&daemon, &json!({ "listeners_count": 0 })).ok()["commands"].as_array().unwrap().first().cloned()
    });
    assert!(left.elapsed() >= Duration::from_secs(3), "stopped early, after {:?}", left.elapsed());
    assert_eq!((&command["type"], &command["channel_id"]), (&json!("stop"), &json!("jazz")));
    assert_eq!(command["only_if"], json!({ "listeners_at_most": 0 }));

    let gone = report(&daemon, &json!({ "listeners_count": 0, "state": "stopped" })).ok();
    assert_eq!(gone["commands"], json!([]));
    live.until_auto_end("started");
    live.until_type("auto_end_warning");
    live.until_auto_end("stopping");
    live.until_auto_end("ended");
    assert_eq!(daemon.json("/api/stats")["active_streams"], 0);

    // The next count is a new session.
    let before = daemon.explain("jazz")["evidence"][0]["session"].clone();
    report(&daemon, &json!({ "listeners_count": 1 })).ok();
    assert_ne!(daemon.stream("jazz")["session"], before);
}

#[test]
fn it_states_its_rhythm_and_is_unknown_when_it_falls_silent() {
    let daemon = Daemon::start("");
    report(&daemon, &json!({ "listeners_count": 3, "interval_seconds": 0.3 })).ok();
    assert_eq!(daemon.stream("jazz")["listeners_known"], true);
    eventually("the count to be unknown", || (daemon.stream("jazz")["listeners_known"] == false).then_some(()));
}

#[test]
fn wrong_counts_are_named() {
    let daemon = Daemon::start("");
    for (body, field) in [
        (json!({}), "listeners_count"),
        (json!({ "listeners_count": -1 }), "listeners_count"),
        (json!({ "listeners_count": null }), "listeners_count"),
        (json!({ "listeners_count": "3" }), "listeners_count"),
        (json!({ "listeners_count": 99_000_000 }), "listeners_count"),
        (json!({ "listeners_count": 1, "state": "dancing" }), "state"),
        (json!({ "listeners_count": 1, "interval_seconds": 0 }), "interval_seconds"),
    ] {
        let problem = report(&daemon, &body).problem(400, "bad_report");
        assert_eq!(problem["field"], field, "{body}: {problem}");
    }
    daemon.post_text("/api/v1/streams/jazz/listeners", "3 listeners").problem(400, "not_json");
    let problem = report(&daemon, &json!(3)).problem(400, "bad_report");
    assert!(problem["detail"].as_str().unwrap().contains("expected a JSON object"), "{problem}");
    daemon.post("/api/v1/streams/a%20b/listeners", &json!({ "listeners_count": 1 })).problem(400, "bad_channel_id");
    assert_eq!(daemon.json("/api/v1/streams")["streams"], json!([]));
}

#[test]
fn a_paused_stream_is_not_counted_down() {
    let daemon = Daemon::start("[auto_end]\ntimeout = 1\nwarnings = []\n");
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        let answer = report(&daemon, &json!({ "listeners_count": 0, "state": "paused" })).ok();
        assert_eq!(answer["commands"], json!([]));
        let_pass(Duration::from_millis(100));
    }
    assert_eq!(daemon.phase("jazz"), "watching");
    report(&daemon, &json!({ "listeners_count": 0, "state": "live" })).ok();
    assert_eq!(daemon.phase("jazz"), "counting");
}
