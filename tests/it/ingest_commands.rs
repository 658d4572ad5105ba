//! Commands come back in the answers, held back until there is one if the streamer wishes.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{daemon::Daemon, patience::eventually, streamer::Streamer};

#[test]
fn an_answer_says_how_often_to_report() {
    let daemon = Daemon::start("[ingest]\nreport_interval = 7\n");
    let answer = Streamer::new("radio-1", "jazz").reports(&daemon, 1).ok();
    assert_eq!(answer["report_every_seconds"], 7.0);
    assert_eq!(answer["commands"], json!([]));
}

#[test]
fn a_waiting_streamer_gets_its_command_as_soon_as_there_is_one() {
    let daemon = Daemon::start("");
    let mut jazz = Streamer::new("radio-1", "jazz");
    jazz.hears(&daemon, 0);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let commands = jazz.asks(&daemon, 30);
            (commands, Instant::now())
        });
        // Whether it waits already or not: it gets the command.
        assert_eq!(daemon.operate("jazz", "stop", &json!({})).status, 200);
        let decided = Instant::now();
        let (commands, at) = waiting.join().unwrap();
        assert_eq!(commands.len(), 1, "{commands:?}");
        assert_eq!(commands[0]["reason"], "operator");
        let took = at.saturating_duration_since(decided);
        assert!(took < Duration::from_secs(5), "held back for {took:?}");
    });
}

#[test]
fn a_wait_without_a_command_ends_empty_when_its_time_is_up() {
    let daemon = Daemon::start("");
    let began = Instant::now();
    let commands = Streamer::new("radio-1", "jazz").asks(&daemon, 1);
    assert_eq!(commands, [] as [Value; 0]);
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn a_waiting_streamer_does_not_get_the_commands_of_another() {
    let daemon = Daemon::start("");
    let mut jazz = Streamer::new("radio-1", "jazz");
    jazz.hears(&daemon, 0);
    daemon.operate("jazz", "stop", &json!({})).ok();
    assert_eq!(Streamer::new("radio-2", "jazz").asks(&daemon, 1), [] as [Value; 0]);
    assert_eq!(jazz.asks(&daemon, 0).len(), 1);
}

#[test]
fn an_acknowledgement_of_another_source_or_of_nothing_is_ignored() {
    let daemon = Daemon::start("");
    let mut jazz = Streamer::new("radio-1", "jazz");
    jazz.hears(&daemon, 0);
    daemon.operate("jazz", "stop", &json!({})).ok();
    let command = eventually("the command", || jazz.asks(&daemon, 1).pop());
    let mut stranger = Streamer::new("radio-2", "rock");
    stranger.acknowledges(&command, "ok");
    stranger.acks.push(json!({ "id": "no such command", "outcome": "ok" }));
    stranger.acks.push(json!({ "id": "jazz/g99.f99.r0/s1", "outcome": "error" }));
    stranger.hears(&daemon, 1);
    let explained = daemon.explain("jazz");
    assert_eq!(explained["commands"][0]["state"], "delivered", "{explained}");
    assert_eq!(explained["state"]["auto_end"]["phase"], "stopping");
    jazz.acknowledges(&command, "ok");
    jazz.hears(&daemon, 0);
    assert_eq!(daemon.explain("jazz")["commands"][0]["state"], "acked");
}

#[test]
fn a_retired_source_is_refused_and_leaves_the_sum() {
    let daemon = Daemon::start("[ingest]\nretired_sources = [\"old-studio\"]\n");
    let answer = Streamer::new("old-studio", "jazz").reports(&daemon, 1);
    answer.problem(403, "source_retired");
}

#[test]
fn a_full_house_takes_no_new_channel_but_goes_on_with_the_old_ones() {
    let daemon = Daemon::start("[ingest]\nmax_channels = 2\n");
    let mut one = Streamer::new("radio-1", "one");
    one.hears(&daemon, 1);
    Streamer::new("radio-1", "two").hears(&daemon, 1);
    let answer = Streamer::new("radio-1", "three").reports(&daemon, 1);
    answer.problem(503, "too_many_channels");
    assert!(answer.retry_after.is_some());
    one.hears(&daemon, 2);
}
