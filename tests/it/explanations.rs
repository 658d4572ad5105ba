//! What the daemon says of a stream: its timer, its evidence, its decisions, in one sentence and in figures.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{daemon::Daemon, patience::eventually, streamer::Streamer};

#[test]
fn the_timer_of_a_stream_is_told_in_full() {
    let daemon = Daemon::start("[auto_end]\ntimeout = 300\nwarnings = [400, 60, 30, 10]\n");
    let mut jazz = Streamer::new("radio-1", "jazz");
    jazz.hears(&daemon, 1);
    let timer = daemon.json("/api/v1/streams/jazz/auto-end");
    assert_eq!(timer["is_active"], false);
    assert_eq!((&timer["remaining_seconds"], &timer["ends_at"]), (&Value::Null, &Value::Null));
    assert_eq!(timer["policy"]["warning_seconds"], json!([60.0, 30.0, 10.0]), "longer than the timeout is skipped");
    jazz.hears(&daemon, 0);
    let timer = daemon.json("/api/v1/streams/jazz/auto-end");
    assert_eq!(
        (&timer["is_active"], &timer["paused"], &timer["phase"]),
        (&json!(true), &json!(false), &json!("counting"))
    );
    let remaining = timer["remaining_seconds"].as_f64().unwrap();
    assert!((290.0..=300.0).contains(&remaining), "{timer}");
    assert_eq!(timer["policy"]["timeout_seconds"], 300.0);
    assert_eq!((&timer["policy"]["enabled"], &timer["policy"]["dry_run"]), (&json!(true), &json!(false)));
    let ends_at: jiff::Timestamp = timer["ends_at"].as_str().unwrap().parse().unwrap();
    let ahead = ends_at.duration_since(jiff::Timestamp::now()).as_secs_f64();
    assert!((285.0..=300.0).contains(&ahead), "{timer}");
    assert!(timer["why"].as_str().unwrap().contains("the last listener has left"), "{timer}");
    daemon.get("/api/v1/streams/nobody/auto-end").problem(404, "not_found");
}

#[test]
fn explain_names_the_evidence_its_age_and_the_decisions_that_led_here() {
    let daemon = Daemon::start("[auto_end]\ntimeout = 60\nwarnings = [5]\n");
    let mut jazz = Streamer::new("radio-1", "jazz").every(4.0);
    jazz.hears(&daemon, 0);
    jazz.hears(&daemon, 2);
    jazz.hears(&daemon, 0);
    let explained = eventually("the decisions to be on disk", || {
        let explained = daemon.explain("jazz");
        (explained["decisions"].as_array().unwrap().len() == 3).then_some(explained)
    });
    assert_eq!(explained["journal_error"], Value::Null);
    assert!(explained["why"].as_str().unwrap().starts_with("Counting down"), "{explained}");
    assert_eq!(explained["state"]["channel_id"], "jazz");
    assert_eq!(explained["auto_end"]["is_active"], true);
    let evidence = &explained["evidence"][0];
    assert_eq!(evidence["source"], "radio-1");
    assert_eq!(evidence["session"], "s1");
    assert_eq!((&evidence["listeners"], &evidence["joins"], &evidence["seq"]), (&json!(0), &json!(2), &json!(3)));
    assert_eq!((&evidence["believed"], &evidence["interval_seconds"]), (&json!(true), &json!(4.0)));
    assert!((0.0..30.0).contains(&evidence["age_seconds"].as_f64().unwrap()), "{evidence}");
    let events: Vec<&str> =
        explained["decisions"].as_array().unwrap().iter().map(|d| d["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["started", "cancelled", "started"]);
    let last = &explained["decisions"][2];
    assert_eq!((&last["listeners"], &last["joins"], &last["session"]), (&json!(0), &json!(2), &json!("s1")));
    assert!(last["because"].as_str().is_some_and(|because| !because.is_empty()), "{last}");
    assert!(last["at"].as_str().unwrap().ends_with('Z'), "{last}");
    assert_eq!(explained["commands"], json!([]));
}

#[test]
fn each_state_is_said_in_one_sentence() {
    let daemon = Daemon::start("[channels.off]\nenabled = false\n");
    let says = |channel: &str, what: &str| {
        let why = daemon.explain(channel)["why"].as_str().unwrap().to_owned();
        assert!(why.contains(what) && why.ends_with('.') && !why.contains('\n'), "{channel}: {why}");
    };
    Streamer::new("r", "heard").hears(&daemon, 3);
    says("heard", "3 listening");
    Streamer::new("r", "empty").hears(&daemon, 0);
    says("empty", "nobody has joined since it started");
    Streamer::new("r", "off").hears(&daemon, 0);
    says("off", "switched off for this channel");
    let mut paused = Streamer::new("r", "paused");
    paused.state = "paused";
    paused.hears(&daemon, 0);
    says("paused", "itself is paused");
    let mut over = Streamer::new("r", "over");
    over.hears(&daemon, 0);
    over.stops(&daemon);
    says("over", "The stream is over");
    let mut hidden = Streamer::new("r", "hidden").request(0);
    hidden["reports"][0]["listeners"] = Value::Null;
    daemon.post("/api/v1/ingest", &hidden).ok();
    says("hidden", "r does not say how many listen");
    daemon.operate("empty", "auto-end/pause", &json!({})).ok();
    says("empty", "An operator has paused auto-end");
}

#[test]
fn a_stream_without_evidence_for_long_is_shown_as_lost_and_never_stopped() {
    let daemon = Daemon::start("[auto_end]\ntimeout = 1\nwarnings = []\nlost_after = 1\n");
    let mut jazz = Streamer::new("radio-1", "jazz").every(0.2);
    jazz.hears(&daemon, 2);
    eventually("the stream to be lost", || (daemon.stream("jazz")["state"] == "lost").then_some(()));
    assert_eq!(daemon.json("/api/stats")["active_streams"], 0);
    assert_eq!(daemon.figures().of("sattva_lost_streams"), 1.0);
    crate::patience::let_pass(Duration::from_secs(1));
    assert_eq!(jazz.asks(&daemon, 0), [] as [Value; 0]);
    jazz.hears(&daemon, 2);
    assert_eq!(daemon.stream("jazz")["state"], "live");
    assert_eq!(daemon.json("/api/stats")["active_streams"], 1);
}

#[test]
fn the_list_of_streams_is_sorted_and_holds_each_once() {
    let daemon = Daemon::start("");
    for channel in ["rock", "jazz", "blues"] {
        Streamer::new("radio-1", channel).hears(&daemon, 1);
        Streamer::new("radio-2", channel).hears(&daemon, 1);
    }
    let listed = daemon.json("/api/v1/streams");
    let ids: Vec<&str> =
        listed["streams"].as_array().unwrap().iter().map(|s| s["channel_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["blues", "jazz", "rock"]);
    assert_eq!(listed["streams"][0], {
        let mut one = daemon.stream("blues");
        one["evidence_age_seconds"] = listed["streams"][0]["evidence_age_seconds"].clone();
        one
    });
}
