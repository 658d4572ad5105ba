//! Who may listen on `/ws/stats`, how one narrows it, and how it ends.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tungstenite::Message;

use crate::{
    daemon::{Daemon, Plan},
    live::{Farewell, Live},
    raw_socket::{CONTINUATION, FIN, PING, RawSocket, TEXT},
    streamer::Streamer,
};

#[test]
fn a_page_of_another_origin_is_turned_away_before_the_upgrade() {
    let daemon = Daemon::start("");
    for origin in ["http://evil.example", "null", "http://127.0.0.1.evil.example"] {
        let away = Live::try_open_from(daemon.address(), origin).err().unwrap();
        assert_eq!((away.status, &away.body["code"]), (403, &json!("origin_not_allowed")), "{origin}");
    }
    let own = format!("http://{}", daemon.address());
    assert!(Live::try_open_from(daemon.address(), &own).is_ok());
}

#[test]
fn one_session_too_many_gets_503_and_when_to_come_again() {
    let daemon = Daemon::start("[websocket]\nmax_sessions = 1\n");
    let mut first = daemon.live("");
    first.until_type("snapshot");
    let away = Live::try_open(daemon.address(), "").err().unwrap();
    assert_eq!((away.status, &away.body["code"]), (503, &json!("too_many_sessions")));
    assert!(away.headers.contains_key("retry-after"));
}

#[test]
fn one_address_gets_no_more_than_its_share() {
    let daemon = Daemon::start("[websocket]\nmax_sessions_per_ip = 1\n");
    let mut first = daemon.live("");
    first.until_type("snapshot");
    let away = Live::try_open(daemon.address(), "").err().unwrap();
    assert_eq!((away.status, &away.body["code"]), (503, &json!("too_many_sessions_from_address")));
}

#[test]
fn where_few_files_may_be_open_it_is_said_how_many_sessions_there_can_be_and_streamers_still_get_in() {
    // 128 are the daemon's own; of the other 80 a quarter stays free of sessions.
    let daemon = Plan::new("").open_files(208).start();
    let warning = daemon.logged(|line| line["fields"]["wanted"] == 1000 || line["wanted"] == 1000).unwrap();
    assert!(warning.to_string().contains("LimitNOFILE"), "{warning}");
    let sessions: Vec<_> = (0..60).map(|_| daemon.live("")).collect();
    let away = Live::try_open(daemon.address(), "").err().unwrap();
    assert_eq!((away.status, &away.body["detail"]), (503, &json!("all 60 sessions are taken")));
    Streamer::new("radio-1", "jazz").hears(&daemon, 1);
    drop(sessions);
}

#[test]
fn a_session_narrowed_to_a_channel_hears_of_no_other() {
    let daemon = Daemon::start("");
    let mut live = daemon.live("?channels=rock&types=stream_update");
    live.until_type("snapshot");
    let (mut jazz, mut rock) = (Streamer::new("radio-1", "jazz"), Streamer::new("radio-2", "rock"));
    jazz.hears(&daemon, 1);
    rock.hears(&daemon, 1);
    let first = live.next().unwrap();
    assert_eq!((&first["type"], &first["data"]["channel_id"]), (&json!("stream_update"), &json!("rock")), "{first}");

    // What is added is in the snapshot, beside what the session heard before.
    live.say(r#"{"type":"subscribe","channels":["jazz"]}"#);
    let snapshot = live.until_type("snapshot");
    let channels: Vec<_> = snapshot["data"]["streams"].as_array().unwrap().iter().map(|s| &s["channel_id"]).collect();
    assert_eq!(channels, [&json!("jazz"), &json!("rock")], "{snapshot}");
    live.say(r#"{"type":"unsubscribe","channels":["rock"]}"#);
    live.say(r#"{"type":"ping"}"#);
    live.until_type("pong");
    rock.hears(&daemon, 2);
    jazz.hears(&daemon, 2);
    let next = live.next().unwrap();
    assert_eq!(next["data"]["channel_id"], "jazz", "{next}");
}

#[test]
fn taking_a_channel_from_a_session_that_hears_all_is_answered_with_what_to_do() {
    let daemon = Daemon::start("");
    let mut live = daemon.live("");
    live.until_type("snapshot");
    live.say(r#"{"type":"unsubscribe","channels":["jazz"]}"#);
    let error = live.until_type("error");
    assert_eq!(error["data"]["code"], "bad_filter", "{error}");
    assert!(error["data"]["message"].as_str().unwrap().contains("subscribe to those"), "{error}");
}

#[test]
fn a_ping_is_answered_and_rubbish_gets_an_error_and_then_the_door() {
    let daemon = Daemon::start("");
    let mut live = daemon.live("");
    live.say(r#"{"type":"ping"}"#);
    live.until_type("pong");
    live.say("hello");
    assert_eq!(live.until_type("error")["data"]["code"], "bad_message");
    for _ in 0..20 {
        live.say("hello");
    }
    assert_eq!(live.farewell(), Farewell::Close(1008));
}

#[test]
fn a_message_over_the_limit_and_one_that_is_no_text_end_the_session() {
    let daemon = Daemon::start("");
    let mut big = RawSocket::open(daemon.address());
    big.frame(FIN | TEXT, &[b'x'; 5000]);
    assert_eq!(big.close_code(), Some(1009));
    let mut binary = daemon.live("");
    binary.send(Message::binary(vec![1, 2, 3]));
    assert_eq!(binary.farewell(), Farewell::Close(1003));
}

#[test]
fn fragments_without_end_and_floods_of_pings_end_the_session() {
    let daemon = Daemon::start("");
    let mut fragments = RawSocket::open(daemon.address());
    fragments.frame(TEXT, b"");
    for _ in 0..40 {
        fragments.frame(CONTINUATION, b"");
    }
    assert_eq!(fragments.close_code(), Some(1008));
    let mut pings = RawSocket::open(daemon.address());
    for _ in 0..200 {
        pings.frame(FIN | PING, b"");
    }
    assert_eq!(pings.close_code(), Some(1008));
}

#[test]
fn a_client_that_answers_no_ping_is_let_go_after_two_heartbeats() {
    let daemon = Daemon::start("[websocket]\nheartbeat = 1\n");
    let mut silent = RawSocket::open(daemon.address());
    assert_eq!(silent.close_code(), Some(1008));
    assert!(silent.is_cut_within(Duration::from_secs(10)), "the socket stayed open");
}

#[test]
fn a_client_that_never_reads_disturbs_nobody_and_holds_no_memory() {
    let daemon = Daemon::start("");
    let mut healthy = daemon.live("?types=stream_update");
    healthy.until_type("snapshot");
    let _stuck: Vec<RawSocket> = (0..20).map(|_| RawSocket::open_with_room(daemon.address(), Some(4096))).collect();
    let before = daemon.resident_bytes();
    let mut jazz = Streamer::new("radio-1", "jazz");
    // Each report names another track, so none may be left out.
    for n in 0..3000 {
        let mut request = jazz.request(1);
        request["reports"][0]["track"] = json!({ "title": format!("{n} {}", "x".repeat(500)) });
        daemon.post("/api/v1/ingest", &request).ok();
        healthy.until("its track", |m| m["data"]["current_track"] == request["reports"][0]["track"]);
    }
    let grown = daemon.resident_bytes().saturating_sub(before);
    assert!(grown < 40 << 20, "20 stuck clients cost {} KiB", grown >> 10);
}

#[test]
fn on_sigterm_every_session_is_told_and_the_daemon_ends_well() {
    let mut daemon = Daemon::start("");
    let mut live = daemon.live("");
    live.until_type("snapshot");
    assert!(daemon.pid() > 0);
    daemon.signal(Signal::TERM);
    assert_eq!(live.farewell(), Farewell::Close(1001));
    assert!(daemon.wait_for_its_end().success());
}

#[test]
fn a_client_that_asks_for_snapshots_without_end_is_shown_the_door() {
    let daemon = Daemon::start("");
    let mut asking = daemon.live("");
    for _ in 0..200 {
        asking.say(r#"{"type":"subscribe","channels":["jazz"]}"#);
    }
    assert_eq!(asking.farewell(), Farewell::Close(1008));
}

#[test]
fn a_filter_that_grows_past_its_bound_is_refused_and_the_one_before_holds() {
    let daemon = Daemon::start("");
    let mut live = daemon.live("?channels=jazz");
    live.until_type("snapshot");
    let mut subscribe = |numbers: std::ops::Range<u32>| {
        let channels: Vec<String> = numbers.map(|n| format!("c{n}")).collect();
        live.say(&json!({ "type": "subscribe", "channels": channels }).to_string());
        live.until("an answer", |m| m["type"] == "snapshot" || m["type"] == "error")
    };
    // As many as a message has room for.
    for n in 0..4 {
        assert_eq!(subscribe(n * 250..n * 250 + if n == 3 { 249 } else { 250 })["type"], "snapshot");
    }
    let error = subscribe(2000..2001);
    assert_eq!(error["data"]["code"], "bad_filter", "{error}");
    Streamer::new("radio-1", "c2000").hears(&daemon, 1);
    Streamer::new("radio-2", "jazz").hears(&daemon, 1);
    let heard = live.until("an update", |m| m["type"] == "stream_update");
    assert_eq!(heard["data"]["channel_id"], "jazz", "{heard}");
}

#[test]
fn behind_one_address_there_is_room_for_as_many_as_there_may_be() {
    let daemon = Daemon::start("");
    let sessions: Vec<Live> = (0..110).map(|_| daemon.live("?types=stats")).collect();
    assert_eq!(daemon.figures().get("sattva_websocket_connections"), Some(sessions.len() as f64));
}

#[test]
fn a_query_that_names_its_channels_twice_is_answered_with_a_problem() {
    let daemon = Daemon::start("");
    let away = Live::try_open(daemon.address(), "?channels=a&channels=b").err().unwrap();
    assert_eq!((away.status, &away.body["code"]), (400, &json!("bad_query")), "{away:?}");
    let detail = away.body["detail"].as_str().unwrap();
    assert!(detail.contains("channels") && detail.contains("?channels=a,b"), "{detail}");
}
