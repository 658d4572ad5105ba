//! `GET /api/v1/history`: what was measured over time, through a restart.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    patience::{eventually_within, let_pass},
};

/// Samples are taken every 5 s.
const SAMPLED_WITHIN: Duration = Duration::from_secs(12);

fn points(daemon: &Daemon, query: &str) -> Vec<Value> {
    daemon.json(&format!("/api/v1/history?{query}"))["points"].as_array().unwrap().clone()
}

fn known(daemon: &Daemon, query: &str) -> Option<Value> {
    points(daemon, query).into_iter().find(|point| !point[1].is_null())
}

#[test]
fn what_was_heard_is_in_the_history_and_stays_there_through_a_restart() {
    let mut daemon = Daemon::start("");
    let sampled = eventually_within(SAMPLED_WITHIN, "a sample of jazz", || {
        daemon.post("/api/v1/streams/jazz/listeners", &json!({ "listeners_count": 3 })).ok();
        let_pass(Duration::from_millis(200));
        known(&daemon, "metric=listeners&channel_id=jazz")
    });
    assert_eq!(sampled.as_array().unwrap()[1..], [json!(3.0), json!(3.0), json!(3.0)]);
    let all = daemon.json("/api/v1/history?metric=streams");
    assert_eq!(
        (&all["metric"], &all["channel_id"], &all["step_seconds"]),
        (&json!("streams"), &Value::Null, &json!(5))
    );
    assert_eq!(known(&daemon, "metric=streams").unwrap()[3], 1.0);
    // The host is measured on its own beat, whose first may come after the first sample of the streams.
    let memory = eventually_within(SAMPLED_WITHIN, "a sample of the memory", || known(&daemon, "metric=memory"));
    assert!(memory[1].as_f64().unwrap() > 0.0);
    assert_eq!(known(&daemon, "metric=listeners&channel_id=rock"), None, "of what nobody reported nothing is made up");

    let moments = |daemon: &Daemon| -> Vec<String> {
        let known = points(daemon, "metric=streams").into_iter().filter(|point| point[1] == 1.0);
        known.map(|point| point[0].as_str().unwrap().to_owned()).collect()
    };
    let last = moments(&daemon).pop().unwrap();
    daemon.signal(Signal::TERM);
    daemon.wait_for_its_end();
    daemon.start_again();
    let again = eventually_within(SAMPLED_WITHIN, "the history to be open", || {
        (daemon.get("/api/v1/history?metric=listeners&channel_id=jazz").status == 200)
            .then(|| known(&daemon, "metric=listeners&channel_id=jazz").unwrap())
    });
    assert_eq!(again, sampled);
    // Nobody has reported since: it is not known how many listen, which is not that nobody does.
    let later = eventually_within(SAMPLED_WITHIN, "a sample after the restart", || {
        moments(&daemon).pop().filter(|moment| *moment > last)
    });
    let heard = points(&daemon, "metric=listeners").into_iter().find(|point| point[0] == *later).unwrap();
    assert_eq!(heard[1], Value::Null);
}

#[test]
fn a_question_that_makes_no_sense_is_refused_with_the_reason() {
    let daemon = Daemon::start("");
    for (query, code, field) in [
        ("metric=volume", "bad_query", Value::Null),
        ("metric=cpu&channel_id=jazz", "bad_query", json!("channel_id")),
        ("metric=cpu&from=yesterday", "bad_time", json!("from")),
        ("metric=cpu&step=0", "bad_step", json!("step")),
        ("metric=cpu&step=1&from=1700000000", "too_many_points", json!("step")),
    ] {
        let problem = daemon.get(&format!("/api/v1/history?{query}")).problem(400, code);
        assert_eq!(problem["field"], field, "{query}");
    }
}

#[test]
fn a_history_that_cannot_be_written_is_said_so_and_disturbs_nothing_else() {
    let mut daemon = Daemon::start("");
    let file = daemon.state_dir().join("history.redb");
    eventually_within(SAMPLED_WITHIN, "the history to be there", || file.exists().then_some(()));
    daemon.kill_hard();
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    daemon.start_again();
    let ready = eventually_within(SAMPLED_WITHIN, "the history to fail", || {
        let ready = daemon.get("/readyz").json();
        (ready["dependencies"]["history"]["status"] == "failing").then_some(ready)
    });
    assert_eq!(ready["status"], "degraded");
    assert!(ready["dependencies"]["history"]["detail"].as_str().unwrap().contains("history.redb"));
    daemon.get("/api/v1/history?metric=cpu").problem(503, "history_unavailable");
    daemon.post("/api/v1/streams/jazz/listeners", &json!({ "listeners_count": 3 })).ok();
    assert_eq!(daemon.stream("jazz")["listeners"], 3);
}
