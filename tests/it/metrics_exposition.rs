//! `/metrics`: the seed's names and labels, zeros from the start, and series that come and go.

use std::{collections::BTreeSet, process::Command};

use serde_json::json;

use crate::{daemon::Daemon, patience::eventually, streamer::Streamer};

fn set(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|s| (*s).to_owned()).collect()
}

#[test]
fn the_seeds_metrics_have_their_types_and_stand_at_zero_from_the_start() {
    let daemon = Daemon::start("");
    let first = daemon.get("/metrics");
    assert!(first.content_type.starts_with("text/plain; version=0.0.4"), "{}", first.content_type);
    let figures = daemon.figures();
    for (metric, kind) in [
        ("sattva_http_requests_total", "counter"),
        ("sattva_http_request_duration_seconds", "histogram"),
        ("sattva_active_streams", "gauge"),
        ("sattva_stream_listeners", "gauge"),
        ("sattva_queue_size", "gauge"),
        ("sattva_queue_operations_total", "counter"),
        ("sattva_auto_end_events_total", "counter"),
        ("sattva_websocket_connections", "gauge"),
    ] {
        assert_eq!(figures.type_of(metric), Some(kind), "{metric}");
    }
    for gauge in ["sattva_active_streams", "sattva_websocket_connections"] {
        assert_eq!(figures.of(gauge), 0.0, "{gauge}");
    }
    let operations = figures.labels_of("sattva_queue_operations_total", "operation");
    assert_eq!(operations, set(&["add", "remove", "move", "clear", "skip", "priority_add"]));
    let events = figures.labels_of("sattva_auto_end_events_total", "event");
    for event in ["started", "cancelled", "extended", "frozen", "stopping", "would_stop", "ended", "stop_failed"] {
        assert!(events.contains(event), "no {event} in {events:?}");
    }
    for metric in ["sattva_queue_operations_total", "sattva_auto_end_events_total", "sattva_stop_commands_total"] {
        let series = figures.series_of(metric);
        assert!(!series.is_empty() && series.iter().all(|(_, value)| *value == 0.0), "{series:?}");
    }
    assert!(figures.series_of("sattva_stream_listeners").is_empty());
    assert_eq!(figures.of(&format!("sattva_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))), 1.0);
    assert!(figures.of("process_resident_memory_bytes") > 0.0);
}

#[test]
fn the_endpoint_is_the_route_and_an_unknown_path_is_other() {
    let daemon = Daemon::start("");
    Streamer::new("radio-1", "jazz").hears(&daemon, 1);
    daemon.get("/api/v1/streams/jazz");
    daemon.get("/api/v1/streams/rock");
    for n in 0..50 {
        assert_eq!(daemon.get(&format!("/random/{n}")).status, 404);
    }
    daemon.post("/api/v1/streams/jazz/auto-end/pause", &json!({}));
    daemon.get("/metrics");
    let figures = daemon.figures();
    let of = |method: &str, endpoint: &str, status: u16| {
        figures.get(&format!(
            "sattva_http_requests_total{{endpoint=\"{endpoint}\",method=\"{method}\",status=\"{status}\"}}"
        ))
    };
    assert_eq!(of("GET", "/api/v1/streams/{channel_id}", 200), Some(1.0));
    assert_eq!(of("GET", "/api/v1/streams/{channel_id}", 404), Some(1.0));
    assert_eq!(of("POST", "/api/v1/ingest", 200), Some(1.0));
    assert_eq!(of("POST", "/api/v1/streams/{channel_id}/auto-end/{action}", 200), Some(1.0));
    assert_eq!(of("GET", "other", 404), Some(50.0));
    assert_eq!(of("GET", "/metrics", 200), Some(1.0));
    let endpoints = figures.labels_of("sattva_http_requests_total", "endpoint");
    assert!(endpoints.iter().all(|endpoint| !endpoint.contains("random")), "{endpoints:?}");
    let count = "sattva_http_request_duration_seconds_count{endpoint=\"/api/v1/streams/{channel_id}\",method=\"GET\"}";
    assert_eq!(figures.of(count), 2.0);
}

#[test]
fn a_stream_has_its_series_and_they_read_zero_when_it_has_ended() {
    let daemon = Daemon::start("");
    let mut jazz = Streamer::new("radio-1", "-1001234567890");
    let mut request = jazz.request(15);
    request["reports"][0]["queue_size"] = 5.into();
    daemon.post("/api/v1/ingest", &request).ok();
    let (listeners, queue) =
        ("sattva_stream_listeners{channel_id=\"-1001234567890\"}", "sattva_queue_size{channel_id=\"-1001234567890\"}");
    let figures = daemon.figures();
    assert_eq!((figures.of(listeners), figures.of(queue)), (15.0, 5.0));
    assert_eq!(figures.of("sattva_active_streams"), 1.0);
    jazz.stops(&daemon);
    let figures = daemon.figures();
    assert_eq!((figures.of(listeners), figures.of(queue)), (0.0, 0.0));
    assert_eq!(figures.of("sattva_active_streams"), 0.0);
}

#[test]
fn an_unknown_count_has_no_series_but_the_stream_still_counts_as_active() {
    let daemon = Daemon::start("");
    let mut hidden = Streamer::new("radio-1", "hidden").request(0);
    hidden["reports"][0]["listeners"] = json!(null);
    daemon.post("/api/v1/ingest", &hidden).ok();
    // Known for a moment, then silent.
    Streamer::new("radio-1", "silent").every(0.3).hears(&daemon, 7);
    eventually("the silent stream's series to go", || {
        let figures = daemon.figures();
        figures.series_of("sattva_stream_listeners").is_empty().then_some(())
    });
    let figures = daemon.figures();
    assert_eq!(figures.of("sattva_active_streams"), 2.0);
    assert_eq!(figures.of("sattva_unknown_streams"), 2.0);
    assert_eq!(figures.of("sattva_total_listeners"), 0.0);
}

#[test]
fn channels_past_the_limit_are_summed_under_other() {
    let daemon = Daemon::start("[metrics]\nmax_channels = 2\n");
    let reports: Vec<_> = (1..=5).map(|n| Streamer::new("radio-1", &format!("c{n}")).snapshot(10)).collect();
    daemon.post("/api/v1/ingest", &json!({ "source": "radio-1", "reports": reports })).ok();
    let figures = daemon.figures();
    assert_eq!(figures.series_of("sattva_stream_listeners").len(), 3);
    assert_eq!(figures.of("sattva_stream_listeners{channel_id=\"other\"}"), 30.0);
    let sum: f64 = figures.series_of("sattva_stream_listeners").iter().map(|(_, value)| value).sum();
    assert_eq!(sum, 50.0);
    assert_eq!(figures.of("sattva_active_streams"), 5.0);
}

#[test]
fn queue_operations_are_the_differences_of_a_sessions_totals() {
    let daemon = Daemon::start("");
    let mut jazz = Streamer::new("radio-1", "jazz");
    let mut tell = |operations: serde_json::Value| {
        let mut request = jazz.request(1);
        request["reports"][0]["queue_ops"] = operations;
        daemon.post("/api/v1/ingest", &request).ok();
    };
    tell(json!({ "add": 10, "skip": 1 }));
    tell(json!({ "add": 12, "skip": 1, "priority_add": 3 }));
    // A total that went down says nothing; it is not taken back.
    tell(json!({ "add": 5, "skip": 2, "priority_add": 3 }));
    let figures = daemon.figures();
    let of = |operation: &str| figures.of(&format!("sattva_queue_operations_total{{operation=\"{operation}\"}}"));
    assert_eq!((of("add"), of("skip"), of("priority_add"), of("clear")), (12.0, 2.0, 3.0, 0.0));
}

#[test]
fn open_sessions_are_counted_and_closed_ones_are_not() {
    let daemon = Daemon::start("");
    let mut sessions: Vec<_> = (0..3).map(|_| daemon.live("")).collect();
    sessions.iter_mut().for_each(|live| drop(live.next().unwrap()));
    assert_eq!(daemon.figures().of("sattva_websocket_connections"), 3.0);
    sessions.pop();
    eventually("the closed session to be counted out", || {
        (daemon.figures().of("sattva_websocket_connections") == 2.0).then_some(())
    });
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let daemon = Daemon::start("");
    let mut jazz = Streamer::new("radio-1", "jazz");
    jazz.hears(&daemon, 0);
    let _live = daemon.live("");
    daemon.get("/nowhere");
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(path.path(), daemon.figures().0).unwrap();
    let checked = Command::new("promtool").args(["check", "metrics"]).stdin(path.reopen().unwrap()).output();
    let Ok(checked) = checked else {
        eprintln!("skipped: promtool is not installed (it is part of the package prometheus)");
        return;
    };
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.trim().is_empty(), "{}: {said}", checked.status);
}
