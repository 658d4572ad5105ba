//! Replays, late arrivals and older sessions change nothing; the newest snapshot heals everything.

use serde_json::json;

use crate::{daemon::Daemon, streamer::Streamer};

const INGEST: &str = "/api/v1/ingest";

#[test]
fn a_batch_sent_twice_counts_once() {
    let daemon = Daemon::start("");
    let mut jazz = Streamer::new("radio-1", "jazz");
    let reports: Vec<_> = (1..=5).map(|n| jazz.snapshot(n)).collect();
    let batch = json!({ "source": "radio-1", "reports": reports });
    assert_eq!(daemon.post(INGEST, &batch).ok()["accepted"], 5);
    let replay = daemon.post(INGEST, &batch).ok();
    assert_eq!((&replay["accepted"], &replay["duplicates"]), (&json!(0), &json!(5)));
    assert_eq!(daemon.stream("jazz")["listeners"], 5);
    assert_eq!(daemon.figures().of("sattva_reports_total{verdict=\"duplicate\"}"), 5.0);
}

#[test]
fn a_seq_from_the_past_changes_nothing() {
    let daemon = Daemon::start("");
    let mut jazz = Streamer::new("radio-1", "jazz");
    let late = jazz.request(0);
    jazz.hears(&daemon, 4);
    let answer = daemon.post(INGEST, &late).ok();
    assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(0), &json!(1)));
    assert_eq!(daemon.stream("jazz")["listeners"], 4);
}

#[test]
fn a_duplicate_does_not_refresh_the_evidence() {
    let daemon = Daemon::start("");
    let mut jazz = Streamer::new("radio-1", "jazz").every(0.3);
    let request = jazz.request(4);
    daemon.post(INGEST, &request).ok();
    crate::patience::eventually("the evidence to expire in spite of its replays", || {
        assert_eq!(daemon.post(INGEST, &request).ok()["accepted"], 0);
        (daemon.stream("jazz")["listeners_known"] == false).then_some(())
    });
}

#[test]
fn the_same_seq_in_two_channels_and_two_sources_is_not_a_duplicate() {
    let daemon = Daemon::start("");
    for (source, channel) in [("radio-1", "jazz"), ("radio-1", "rock"), ("radio-2", "jazz")] {
        Streamer::new(source, channel).hears(&daemon, 2);
    }
    assert_eq!(daemon.stream("jazz")["listeners"], 4, "the sum over both sources");
}

#[test]
fn an_older_session_is_superseded_and_never_returns_across_restarts_too() {
    let mut daemon = Daemon::start("");
    let begun = |session: &str, started_at: Option<&str>, listeners: u64| {
        let mut request = Streamer::new("radio-1", "jazz").session(session).request(listeners);
        request["reports"][0]["started_at"] = json!(started_at);
        request
    };
    let older = begun("older", Some("2026-01-01T10:00:00.000Z"), 1);
    let newer = begun("newer", Some("2026-01-01T11:00:00.000Z"), 2);
    let oldest = begun("oldest", Some("2026-01-01T09:00:00.000Z"), 9);
    daemon.post(INGEST, &older).ok();
    assert_eq!(daemon.post(INGEST, &newer).ok()["accepted"], 1);
    let mut again = older.clone();
    again["reports"][0]["seq"] = 1000.into();
    for _ in 0..2 {
        for superseded in [&older, &again, &oldest] {
            assert_eq!(daemon.post(INGEST, superseded).ok()["duplicates"], 1, "{superseded}");
        }
        assert_eq!(daemon.stream("jazz")["session"], "newer");
        assert_eq!(daemon.stream("jazz")["listeners"], 2);
        daemon.kill_hard_and_start_again();
    }
}

#[test]
fn without_a_start_the_first_arrival_orders_the_sessions_across_restarts_too() {
    let mut daemon = Daemon::start("");
    let mut first = Streamer::new("radio-1", "jazz").session("first");
    let mut second = Streamer::new("radio-1", "jazz").session("second");
    first.hears(&daemon, 1);
    second.hears(&daemon, 2);
    for _ in 0..2 {
        assert_eq!(first.reports(&daemon, 1).ok()["duplicates"], 1);
        assert_eq!(daemon.stream("jazz")["session"], "second");
        daemon.kill_hard_and_start_again();
    }
    // The seq goes on where it was: an older one is a replay even now.
    second.seq = 0;
    assert_eq!(second.reports(&daemon, 5).ok()["duplicates"], 1);
    second.seq = 100;
    second.hears(&daemon, 5);
}

#[test]
fn what_was_observed_long_ago_is_old_evidence() {
    let daemon = Daemon::start("");
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    let at = |seconds_ago: i64| (jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds_ago)).to_string();
    let mut request = jazz.request(3);
    request["reports"][0]["observed_at"] = at(0).into();
    daemon.post(INGEST, &request).ok();
    assert_eq!(daemon.stream("jazz")["listeners_known"], true);
    let mut held_back = Streamer::new("radio-1", "rock").every(2.0).request(3);
    held_back["reports"][0]["observed_at"] = at(60).into();
    daemon.post(INGEST, &held_back).ok();
    assert_eq!(daemon.stream("rock")["listeners_known"], false);
}

#[test]
fn what_a_report_leaves_out_is_unknown_and_never_zero() {
    let daemon = Daemon::start("[auto_end]\ntimeout = 1\nwarnings = []\n");
    let bare = json!({ "channel_id": "jazz", "session": "s1", "seq": 1, "state": "live" });
    daemon.post(INGEST, &json!({ "source": "radio-1", "reports": [bare] })).ok();
    let state = daemon.stream("jazz");
    assert_eq!(state["listeners_known"], false);
    assert_eq!(state["auto_end"]["phase"], "watching");
    assert_eq!((state.get("joins"), state.get("queue_size")), (None, None));
}
