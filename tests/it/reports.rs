//! `GET /api/v1/reports` and `GET /api/v1/history/events`: what the daemon makes of what it was told.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    patience::{eventually_within, let_pass},
};

/// Samples are taken, and events fetched, every 5 s.
const SAMPLED_WITHIN: Duration = Duration::from_secs(20);

/// One channel's session, as far as its story has gone.
struct Session<'a> {
    daemon: &'a Daemon,
    channel: &'a str,
    seq: u64,
}

impl Session<'_> {
    fn reports(&mut self, state: &str, listeners: u32, track: &str) -> Value {
        self.seq += 1;
        let report = json!({
            "channel_id": self.channel, "session": "morning", "seq": self.seq, "state": state,
            "listeners": listeners, "joins": listeners, "track": { "title": track, "artist": "Miles Davis" },
        });
        let body = json!({ "source": "radio-1", "reports": [report] });
        self.daemon.post("/api/v1/ingest", &body).ok()
    }
}

/// Nothing while the history is being opened.
fn report(daemon: &Daemon, query: &str) -> Option<Value> {
    let answer = daemon.get(&format!("/api/v1/reports{query}"));
    (answer.status == 200).then(|| answer.json())
}

fn events(daemon: &Daemon, channel: &str) -> Vec<Value> {
    let answer = daemon.json(&format!("/api/v1/history/events?channel_id={channel}"));
    assert_eq!(answer["left_out"], 0);
    answer["events"].as_array().unwrap().clone()
}

#[test]
fn what_a_channel_was_is_in_its_report_and_what_happened_in_its_events() {
    let daemon = Daemon::start("");
    let mut jazz = Session { daemon: &daemon, channel: "jazz", seq: 0 };
    jazz.reports("live", 3, "So What");
    jazz.reports("live", 5, "Blue in Green");
    let report = eventually_within(SAMPLED_WITHIN, "two samples of jazz and its tracks", || {
        jazz.reports("live", 5, "Blue in Green");
        let_pass(Duration::from_millis(200));
        let report = report(&daemon, "")?;
        let jazz = report["rows"].as_array().unwrap().iter().find(|row| row["channel_id"] == "jazz")?;
        let heard = jazz["known_minutes"].as_f64().unwrap() > 0.1 && jazz["sessions"] == 1;
        heard.then_some(report)
    });
    let row = &report["rows"][0];
    assert_eq!(row["peak"], 5.0);
    let (known, heard) = (row["known_minutes"].as_f64().unwrap(), row["listener_minutes"].as_f64().unwrap());
    // The first sample may have been taken while three listened; all are told to a hundredth.
    assert!(heard > 3.0 * known && heard < 5.0 * known + 0.05, "{row}");
    assert_eq!((&row["minutes_without_listeners"], &row["auto_ends"]), (&json!(0.0), &json!(0)));
    assert_eq!((&report["total"]["sessions"], &report["total"]["peak"]), (&json!(1), &json!(5.0)));

    let told: Vec<_> =
        events(&daemon, "jazz").iter().map(|event| (event["event"].clone(), event["listeners"].clone())).collect();
    let expected =
        [(json!("started"), Value::Null), (json!("track_changed"), json!(3)), (json!("track_changed"), json!(5))];
    assert_eq!(told, expected);
    let tracks = daemon.json("/api/v1/reports?by=track&channel_id=jazz");
    let rows: Vec<_> =
        tracks["rows"].as_array().unwrap().iter().map(|row| (&row["title"], &row["plays"], &row["gained"])).collect();
    assert_eq!(rows, [(&json!("Blue in Green"), &json!(1), &json!(0)), (&json!("So What"), &json!(1), &json!(2))]);
    assert_eq!(
        daemon.json("/api/v1/reports?channel_id=rock")["rows"],
        json!([]),
        "of what nobody reported nothing is made up"
    );
}

#[test]
fn a_stream_that_auto_end_stops_is_counted_and_what_it_was_spared() {
    let daemon = Daemon::start("[auto_end]\ntimeout = 2\nnever_joined_timeout = 2\nwarnings = [1]\n");
    let mut lonely = Session { daemon: &daemon, channel: "lonely", seq: 0 };
    let mut is_over = false;
    let report = eventually_within(Duration::from_secs(40), "the report of a stop", || {
        if !is_over {
            let answer = lonely.reports("live", 0, "Nobody");
            if answer["commands"].as_array().is_some_and(|commands| !commands.is_empty()) {
                lonely.reports("stopped", 0, "Nobody");
                is_over = true;
            }
        }
        let_pass(Duration::from_millis(200));
        let report = report(&daemon, "?channel_id=lonely&by=day")?;
        (report["total"]["minutes_saved"].as_f64()? > 0.0).then_some(report)
    });
    assert_eq!(report["total"]["auto_ends"], 1);
    let told: Vec<_> = events(&daemon, "lonely").iter().map(|event| event["event"].clone()).collect();
    for event in ["started", "stopping", "ended", "stopped"] {
        assert!(told.contains(&json!(event)), "{event} is not among {told:?}");
    }
}

#[test]
fn a_report_is_a_table_for_a_spreadsheet_where_that_is_asked_for() {
    let daemon = Daemon::start("");
    let csv = eventually_within(SAMPLED_WITHIN, "a sample of -1001234567890", || {
        daemon.post("/api/v1/streams/-1001234567890/listeners", &json!({ "listeners_count": 3 })).ok();
        let_pass(Duration::from_millis(200));
        let answer = daemon.get("/api/v1/reports?format=csv");
        (answer.status == 200 && answer.text.contains("-100")).then_some(answer)
    });
    assert!(csv.content_type.starts_with("text/csv"), "{}", csv.content_type);
    let lines: Vec<_> = csv.text.split_terminator("\r\n").collect();
    let columns = lines[0].split(',').count();
    assert_eq!(lines.len(), 3, "{}", csv.text);
    assert!(lines[0].starts_with("channel_id,listener_minutes,average,peak,"));
    assert!(lines[1].starts_with("-1001234567890,"), "{}", lines[1]);
    assert!(lines[2].starts_with(','), "the total has no name: {}", lines[2]);
    assert!(lines.iter().all(|line| line.split(',').count() == columns));
}

#[test]
fn a_report_that_makes_no_sense_is_refused_with_the_reason() {
    let daemon = Daemon::start("");
    for (path, code, field) in [
        ("reports?by=hour", "bad_query", Value::Null),
        ("reports?by=track", "bad_query", json!("channel_id")),
        ("reports?format=pdf", "bad_query", Value::Null),
        ("reports?channel_id=a%20b", "bad_channel_id", json!("channel_id")),
        ("reports?from=yesterday", "bad_time", json!("from")),
        ("reports?from=2999-01-01T00:00:00Z&to=2999-01-02T00:00:00Z", "bad_time", json!("from")),
        ("history/events", "bad_query", Value::Null),
        ("history/events?channel_id=jazz&from=9&to=8", "bad_time", json!("from")),
    ] {
        let problem = daemon.get(&format!("/api/v1/{path}")).problem(400, code);
        assert_eq!(problem["field"], field, "{path}");
    }
}
