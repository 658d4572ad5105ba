//! What an operator may do to a stream, what is refused, and how it is explained (law 18).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    patience::{eventually, let_pass},
    streamer::Streamer,
};

fn nothing() -> Value {
    json!({})
}

fn quick() -> Daemon {
    Daemon::start("[auto_end]\ntimeout = 2\nwarnings = [1]\n")
}

/// Reports the same for a while; no stop may come of it.
fn is_not_stopped(daemon: &Daemon, streamer: &mut Streamer, time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        assert_eq!(streamer.hears(daemon, 0), [] as [Value; 0]);
        let_pass(Duration::from_millis(100));
    }
}

fn is_stopped(daemon: &Daemon, streamer: &mut Streamer) -> Value {
    eventually("a stop command", || {
        let_pass(Duration::from_millis(50));
        streamer.hears(daemon, 0).pop()
    })
}

#[test]
fn a_pause_holds_across_a_restart_until_it_is_resumed() {
    let mut daemon = quick();
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    jazz.hears(&daemon, 0);
    let paused = daemon.operate("jazz", "auto-end/pause", &nothing()).ok();
    assert_eq!(paused["auto_end"]["phase"], "paused");
    is_not_stopped(&daemon, &mut jazz, Duration::from_secs(3));
    daemon.kill_hard_and_start_again();
    is_not_stopped(&daemon, &mut jazz, Duration::from_secs(3));
    assert_eq!(daemon.json("/api/v1/streams/jazz/auto-end")["paused"], true);

    let resumed = Instant::now();
    let state = daemon.operate("jazz", "auto-end/resume", &nothing()).ok();
    assert_eq!(state["auto_end"]["phase"], "counting");
    is_stopped(&daemon, &mut jazz);
    assert!(resumed.elapsed() >= Duration::from_secs(2), "stopped {:?} after the pause", resumed.elapsed());
}

#[test]
fn a_pause_ends_with_its_session() {
    let daemon = quick();
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    jazz.hears(&daemon, 0);
    daemon.operate("jazz", "auto-end/pause", &nothing()).ok();
    jazz.stops(&daemon);
    let mut next = Streamer::new("radio-1", "jazz").session("s2").every(2.0);
    is_stopped(&daemon, &mut next);
}

#[test]
fn keeping_alive_holds_until_somebody_has_joined() {
    let daemon = quick();
    let mut live = daemon.live("?types=auto_end");
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    jazz.hears(&daemon, 0);
    daemon.operate("jazz", "auto-end/cancel", &nothing()).ok();
    assert_eq!(live.until_auto_end("cancelled")["data"]["reason"], "kept_alive");
    is_not_stopped(&daemon, &mut jazz, Duration::from_secs(3));
    assert!(daemon.explain("jazz")["why"].as_str().unwrap().contains("keeps it alive"));
    jazz.hears(&daemon, 1);
    is_stopped(&daemon, &mut jazz);
}

#[test]
fn an_extension_moves_the_deadline_and_warns_again() {
    let daemon = quick();
    let mut live = daemon.live("?types=auto_end,auto_end_warning");
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    let began = Instant::now();
    jazz.hears(&daemon, 0);
    live.until_type("auto_end_warning");
    let extended = daemon.operate("jazz", "auto-end/extend", &json!({ "seconds": 2 })).ok();
    assert!(extended["auto_end"]["remaining_seconds"].as_f64().unwrap() > 2.0, "{extended}");
    live.until_auto_end("extended");
    is_stopped(&daemon, &mut jazz);
    assert!(began.elapsed() >= Duration::from_secs(4), "stopped after {:?}", began.elapsed());
    live.until_type("auto_end_warning");
}

#[test]
fn an_extension_without_a_countdown_is_refused() {
    let daemon = quick();
    Streamer::new("radio-1", "jazz").hears(&daemon, 1);
    daemon.operate("jazz", "auto-end/extend", &json!({ "seconds": 60 })).problem(409, "no_countdown");
}

#[test]
fn a_stop_is_refused_while_anyone_listens_unless_it_is_forced() {
    let daemon = Daemon::start("");
    let mut jazz = Streamer::new("radio-1", "jazz");
    jazz.hears(&daemon, 1);
    daemon.operate("jazz", "stop", &nothing()).problem(409, "somebody_listens");
    assert_eq!(jazz.hears(&daemon, 1), [] as [Value; 0]);
    let state = daemon.operate("jazz", "stop", &json!({ "force": true })).ok();
    assert_eq!(state["auto_end"]["phase"], "stopping");
    daemon.operate("jazz", "stop", &json!({ "force": true })).problem(409, "already_stopping");
    let command = eventually("the forced stop", || jazz.hears(&daemon, 1).pop());
    assert_eq!(command["reason"], "operator");
    assert_eq!(command.get("only_if"), None, "{command}");
}

#[test]
fn a_stop_is_refused_while_the_count_is_unknown() {
    let daemon = Daemon::start("");
    let mut jazz = Streamer::new("radio-1", "jazz").every(0.3);
    jazz.hears(&daemon, 0);
    eventually("the count to be unknown", || (daemon.stream("jazz")["listeners_known"] == false).then_some(()));
    daemon.operate("jazz", "stop", &nothing()).problem(409, "count_unknown");
    daemon.operate("jazz", "stop", &json!({ "force": true })).ok();
}

#[test]
fn an_operators_stop_of_an_empty_stream_is_guarded_and_confirmed() {
    let daemon = Daemon::start("[auto_end]\nenabled = false\n");
    let mut live = daemon.live("?types=auto_end");
    let mut jazz = Streamer::new("radio-1", "jazz");
    jazz.hears(&daemon, 0);
    assert_eq!(daemon.phase("jazz"), "off");
    daemon.operate("jazz", "stop", &nothing()).ok();
    let command = is_stopped(&daemon, &mut jazz);
    assert_eq!(command["only_if"], json!({ "listeners_at_most": 0, "joins": 0 }));
    jazz.acknowledges(&command, "ok");
    jazz.stops(&daemon);
    assert_eq!(live.until_auto_end("ended")["data"]["reason"], "confirmed");
    daemon.operate("jazz", "stop", &nothing()).problem(409, "stream_is_over");
    daemon.operate("jazz", "auto-end/pause", &nothing()).problem(409, "stream_is_over");
}

#[test]
fn a_page_of_a_foreign_origin_may_not_act() {
    let daemon = Daemon::start("");
    Streamer::new("radio-1", "jazz").hears(&daemon, 0);
    let answer = daemon.post_from("http://evil.example", "/api/v1/streams/jazz/stop", &json!({ "force": true }));
    answer.problem(403, "origin_not_allowed");
    assert_eq!(daemon.phase("jazz"), "counting");
    let own = format!("http://{}", daemon.address());
    daemon.post_from(&own, "/api/v1/streams/jazz/stop", &nothing()).ok();
}

#[test]
fn a_silent_source_leaves_the_sum_when_it_is_forgotten() {
    let daemon = quick();
    let mut jazz = Streamer::new("radio-1", "jazz").every(1.0);
    Streamer::new("radio-2", "jazz").every(0.3).hears(&daemon, 5);
    jazz.hears(&daemon, 0);
    eventually("the sum to be unknown", || {
        jazz.hears(&daemon, 0);
        (daemon.stream("jazz")["listeners_known"] == false).then_some(())
    });
    let why = daemon.explain("jazz")["why"].as_str().unwrap().to_owned();
    assert!(why.contains("radio-2"), "{why}");
    daemon.operate("jazz", "forget", &json!({ "source": "radio-9" })).problem(404, "not_found");
    daemon.operate("jazz", "forget", &json!({ "source": "radio-2" })).ok();
    jazz.hears(&daemon, 0);
    let state = daemon.stream("jazz");
    assert_eq!((&state["listeners_known"], &state["sources"]), (&json!(true), &json!(["radio-1"])));
    is_stopped(&daemon, &mut jazz);
}

#[test]
fn a_forgotten_channel_is_gone_across_a_restart_too() {
    let mut daemon = Daemon::start("");
    Streamer::new("radio-1", "jazz").hears(&daemon, 0);
    daemon.operate("jazz", "forget", &nothing()).ok();
    daemon.get("/api/v1/streams/jazz").problem(404, "not_found");
    daemon.operate("jazz", "forget", &nothing()).problem(404, "not_found");
    daemon.signal(rustix::process::Signal::TERM);
    daemon.wait_for_its_end();
    daemon.start_again();
    daemon.get("/api/v1/streams/jazz").problem(404, "not_found");
    Streamer::new("radio-1", "jazz").hears(&daemon, 0);
}
