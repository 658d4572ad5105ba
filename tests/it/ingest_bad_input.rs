//! Whatever is wrong with a request is named, and nothing of it is applied.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    daemon::{Answer, Daemon},
    patience::{PATIENCE, eventually_within},
    streamer::Streamer,
};

const INGEST: &str = "/api/v1/ingest";

/// A good report, and one in which something is put in place of what was there; null removes it.
fn good_and_wrong(field: &str, value: &Value) -> Value {
    let good = Streamer::new("radio-1", "good").snapshot(1);
    let mut wrong = Streamer::new("radio-1", "wrong").snapshot(1);
    match value {
        Value::Null => wrong.as_object_mut().unwrap().remove(field),
        value => wrong.as_object_mut().unwrap().insert(field.to_owned(), value.clone()),
    };
    json!({ "source": "radio-1", "reports": [good, wrong] })
}

#[track_caller]
fn names(answer: &Answer, field: &str) {
    let problem = answer.problem(400, "bad_report");
    assert_eq!(problem["field"], field, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(field), "{problem}");
}

#[test]
fn a_body_that_is_not_json_is_refused() {
    let daemon = Daemon::start("");
    for body in ["", "{", "hello", "{\"source\":\"radio-1\"", "{\"source\":\"radio-1\"} and more", "\u{0}\u{1}", "[1,"]
    {
        daemon.post_text(INGEST, body).problem(400, "not_json");
    }
    for body in ["[]", "3", "\"text\"", "null"] {
        let problem = daemon.post_text(INGEST, body).problem(400, "bad_report");
        assert!(problem["detail"].as_str().unwrap().contains("expected a JSON object"), "{problem}");
    }
    assert_eq!(daemon.get("/api/v1/streams").json()["streams"], json!([]));
}

#[test]
fn each_missing_field_is_named_with_its_index_and_nothing_is_applied() {
    let daemon = Daemon::start("");
    for field in ["channel_id", "session", "seq", "state"] {
        names(&daemon.post(INGEST, &good_and_wrong(field, &Value::Null)), &format!("reports[1].{field}"));
    }
    let problem = daemon.post(INGEST, &json!({ "reports": [] })).problem(400, "bad_report");
    assert_eq!(problem["field"], "source");
    assert_eq!(daemon.json("/api/v1/streams")["streams"], json!([]), "the good report was applied alone");
}

#[test]
fn each_mistyped_field_is_named_with_its_index_and_nothing_is_applied() {
    let daemon = Daemon::start("");
    for (field, value) in [
        ("listeners", json!(-1)),
        ("listeners", json!("3")),
        ("listeners", json!(1.5)),
        ("listeners", json!(true)),
        ("listeners", json!(4_000_000_000_u64)),
        ("listeners", json!(100_000_000)),
        ("listeners", json!(1e300)),
        ("joins", json!(-1)),
        ("joins", json!(u64::MAX)),
        ("queue_size", json!(-5)),
        ("queue_size", json!([])),
        ("seq", json!(-1)),
        ("seq", json!("one")),
        ("seq", json!(1.5)),
        ("state", json!("dancing")),
        ("state", json!(1)),
        ("session", json!("")),
        ("session", json!(7)),
        ("session", json!("x".repeat(129))),
        ("session", json!("with space")),
        ("started_at", json!("yesterday")),
        ("observed_at", json!("12:00")),
        ("interval_seconds", json!(0)),
        ("interval_seconds", json!(-5)),
        ("interval_seconds", json!(1e9)),
        ("track", json!("So What")),
        ("channel_id", json!("")),
        ("channel_id", json!("a/b")),
        ("channel_id", json!("a b")),
        ("channel_id", json!("a\r\nb")),
        ("channel_id", json!("\u{202e}abc")),
        ("channel_id", json!("x".repeat(65))),
        ("channel_id", json!(1.5)),
        ("channel_id", json!({})),
    ] {
        let answer = daemon.post(INGEST, &good_and_wrong(field, &value));
        let problem = answer.problem(400, "bad_report");
        let named = problem["field"].as_str().unwrap();
        assert!(named.starts_with(&format!("reports[1].{field}")), "{field} = {value}: {problem}");
    }
    assert_eq!(daemon.json("/api/v1/streams")["streams"], json!([]), "a good report was applied alone");
}

#[test]
fn a_wrong_source_is_refused_by_name() {
    let daemon = Daemon::start("");
    for source in [json!(""), json!("with space"), json!("x".repeat(200)), json!("новости")] {
        let problem = daemon.post(INGEST, &json!({ "source": source, "reports": [] })).problem(400, "bad_source");
        assert_eq!(problem["field"], "source");
    }
}

#[test]
fn wrong_acknowledgements_and_waits_are_named() {
    let daemon = Daemon::start("");
    for (body, field) in [
        (json!({ "source": "r", "acks": [{ "outcome": "ok" }] }), "acks[0].id"),
        (json!({ "source": "r", "acks": [{ "id": "x", "outcome": "maybe" }] }), "acks[0].outcome"),
        (json!({ "source": "r", "acks": [{ "id": "x", "outcome": 1 }] }), "acks[0].outcome"),
        (json!({ "source": "r", "wait_seconds": -1 }), "wait_seconds"),
        (json!({ "source": "r", "wait_seconds": "long" }), "wait_seconds"),
        (json!({ "source": "r", "reports": {} }), "reports"),
    ] {
        names(&daemon.post(INGEST, &body), field);
    }
}

#[test]
fn a_body_that_is_too_large_gets_413_and_the_daemon_goes_on() {
    let daemon = Daemon::start("[http]\nmax_body_bytes = 16384\n");
    let mut request = Streamer::new("radio-1", "jazz").request(1);
    request["padding"] = "x".repeat(20_000).into();
    daemon.post(INGEST, &request).problem(413, "too_large");
    assert_eq!(daemon.json("/api/v1/streams")["streams"], json!([]));
    Streamer::new("radio-1", "jazz").hears(&daemon, 1);
}

#[test]
fn ten_thousand_snapshots_in_one_batch_are_taken_in_their_order() {
    let daemon = Daemon::start("");
    let mut jazz = Streamer::new("radio-1", "jazz").without_joins();
    let reports: Vec<_> = (1..=10_000).map(|n| jazz.snapshot(n)).collect();
    let answer = daemon.post(INGEST, &json!({ "source": "radio-1", "reports": reports })).ok();
    assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(10_000), &json!(0)));
    let state = daemon.stream("jazz");
    assert_eq!(state["listeners"], 10_000);
    assert_eq!(daemon.explain("jazz")["evidence"][0]["seq"], 10_000);
}

#[test]
fn ten_thousand_channels_in_one_batch_are_all_there() {
    let daemon = Daemon::start("");
    let reports: Vec<_> = (0..10_000).map(|n| Streamer::new("radio-1", &format!("c{n}")).snapshot(n % 7)).collect();
    let request = json!({ "source": "radio-1", "reports": reports });
    // Where the disk takes longer than an answer waits it is 503 `busy`; sent again, all of it is duplicates.
    let answer = (0..6).map(|_| daemon.post(INGEST, &request)).find(|answer| answer.status != 503).unwrap().ok();
    assert_eq!(answer["accepted"].as_u64().unwrap() + answer["duplicates"].as_u64().unwrap(), 10_000);
    assert_eq!(daemon.json("/api/stats")["active_streams"], 10_000);
    assert_eq!(daemon.stream("c9999")["listeners"], 9999 % 7);
}

#[test]
fn one_snapshot_more_than_ten_thousand_gets_413_and_none_is_applied() {
    let daemon = Daemon::start("");
    let mut jazz = Streamer::new("radio-1", "jazz");
    let reports: Vec<_> = (0..10_001).map(|_| jazz.snapshot(1)).collect();
    let problem = daemon.post(INGEST, &json!({ "source": "radio-1", "reports": reports })).problem(413, "too_large");
    assert_eq!(problem["field"], "reports");
    assert_eq!(daemon.json("/api/v1/streams")["streams"], json!([]));
}

#[test]
fn an_unknown_field_is_ignored_counted_and_named_once_per_source() {
    let daemon = Daemon::start("");
    let mut jazz = Streamer::new("radio-1", "jazz");
    for _ in 0..3 {
        let mut request = jazz.request(2);
        request["reports"][0]["mood"] = json!({ "of": ["the", "day"] });
        assert_eq!(daemon.post(INGEST, &request).ok()["accepted"], 1);
    }
    assert_eq!(daemon.stream("jazz")["listeners"], 2);
    assert_eq!(daemon.figures().of("sattva_ingest_unknown_fields_total"), 3.0);
    let named = daemon.log().lines().filter(|line| line.contains("\"reports.mood\"")).count();
    assert_eq!(named, 1, "{}", daemon.log());
}

#[test]
fn a_channel_id_may_come_as_a_number_and_is_answered_as_text() {
    let daemon = Daemon::start("");
    let mut request = Streamer::new("telegram", "x").request(3);
    request["reports"][0]["channel_id"] = json!(-1_001_234_567_890_i64);
    daemon.post(INGEST, &request).ok();
    assert_eq!(daemon.stream("-1001234567890")["channel_id"], "-1001234567890");
}

#[test]
fn a_wrong_id_in_a_path_and_a_wrong_action_are_problems_too() {
    let daemon = Daemon::start("");
    daemon.get("/api/v1/streams/a%20b").problem(400, "bad_channel_id");
    daemon.get("/api/v1/streams/nobody").problem(404, "not_found");
    daemon.get("/api/v1/nothing").problem(404, "not_found");
    daemon.post("/api/v1/streams/nobody/auto-end/dance", &json!({})).problem(404, "not_found");
    daemon.post("/api/v1/streams/nobody/stop", &json!({})).problem(404, "not_found");
    Streamer::new("radio-1", "jazz").hears(&daemon, 0);
    for body in ["{", "{\"force\": \"yes\"}", "[]"] {
        let answer = daemon.post_text("/api/v1/streams/jazz/stop", body);
        assert_eq!((answer.status, answer.content_type.as_str()), (400, "application/problem+json"), "{}", answer.text);
    }
    for body in ["{}", "{\"seconds\":0}", "{\"seconds\":-3}", "{\"seconds\":1e9}", "{\"seconds\":\"x\"}", ""] {
        let answer = daemon.post_text("/api/v1/streams/jazz/auto-end/extend", body);
        assert_eq!((answer.status, answer.content_type.as_str()), (400, "application/problem+json"), "{}", answer.text);
    }
}

#[test]
fn a_wrong_method_is_a_problem_too() {
    let daemon = Daemon::start("");
    let answer = daemon.get(INGEST);
    assert!(matches!(answer.status, 404 | 405), "{}", answer.status);
    assert_eq!(answer.content_type, "application/problem+json", "{}", answer.text);
}

/// What the daemon is asked for on one connection, and how many answers it has.
fn ask_together(daemon: &Daemon, paths: impl Iterator<Item = String>) -> usize {
    let mut asked: String = paths.map(|path| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).collect();
    asked.push_str("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut stream = TcpStream::connect(daemon.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let writes = std::thread::spawn(move || writer.write_all(asked.as_bytes()).unwrap());
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).unwrap();
    writes.join().unwrap();
    String::from_utf8_lossy(&answers).matches("HTTP/1.1 ").count() - 1
}

#[test]
fn a_hundred_thousand_random_urls_and_channel_names_make_no_new_series_and_hold_no_memory() {
    const TOGETHER: usize = 1000;
    let daemon = Daemon::start("");
    let mut turn = 1_u64;
    let mut random = move || {
        turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        turn >> 16
    };
    let mut ask = |number: usize| {
        let paths = (0..number).map(|n| match n % 4 {
            0 => format!("/{:x}", random()),
            1 => format!("/api/v1/streams/{:x}", random()),
            2 => format!("/api/v1/streams/-{}/auto-end", random()),
            _ => format!("/api/v1/{:x}/{:x}?{:x}={:x}", random(), random(), random(), random()),
        });
        assert_eq!(ask_together(&daemon, paths), number);
    };
    // Once of each, and until all that is made once has been made.
    ask(TOGETHER);
    daemon.figures();
    let (series, memory) = (daemon.figures().names(), daemon.resident_bytes());
    for _ in 0..100_000 / TOGETHER {
        ask(TOGETHER);
    }
    let new: Vec<String> = daemon.figures().names().difference(&series).cloned().collect();
    assert!(new.is_empty(), "{new:?}");
    let grown = daemon.resident_bytes().saturating_sub(memory);
    assert!(grown < 16 << 20, "{grown} bytes more");
    assert!(daemon.json("/api/v1/streams")["streams"].as_array().unwrap().is_empty());
}

#[test]
fn a_text_with_line_breaks_and_colours_stays_one_line_of_the_log() {
    let daemon = Daemon::start("[log]\nlevel = \"debug\"\n");
    let mut request = Streamer::new("radio-1", "jazz").request(1);
    request["reports"][0]["track"] = json!({ "title": "\r\n\u{1b}[31mFAKE level=ERROR\u{202e}" });
    request["reports"][0]["\r\n\u{1b}[31mfield"] = json!(1);
    daemon.post(INGEST, &request).ok();
    eventually_within(Duration::from_secs(5), "the field to be named", || daemon.log().contains("field").then_some(()));
    for line in daemon.log().lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "not a line of JSON: {line:?}");
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }
}
