//! Bodies of reports: of many streams, as CloudEvents, and the simplest one.

use std::time::Duration;

use sattva_actors::{
    identity::SOURCE_ID_MAX,
    protocol::{Identity, Report},
};
use sattva_monitor::http::{
    ingest::{
        cloud_events,
        request::{Checked, IngestRequest, LISTENERS_MAX, Unknown},
        simple,
    },
    problem::Problem,
};
use serde::de::IgnoredAny;
use serde_json::Value;

const EVERY: Duration = Duration::from_secs(5);
/// What is said of a body, however large it is.
const DETAIL_MAX: usize = 4096;
const COUNTER_MAX: u64 = 1 << 53;

pub fn hold(body: &[u8]) {
    let text: Option<Value> = serde_json::from_slice(body).ok();

    let taken =
        IngestRequest::read(body).and_then(|(request, unknown)| request.check(EVERY).map(|checked| (checked, unknown)));
    match taken {
        Ok((checked, unknown)) => {
            is_bounded(&checked, &unknown, body);
            if let Some(text) = &text {
                assert_eq!(text["source"], checked.source.as_str());
                says_the_same(&checked, text["reports"].as_array().map_or(&[], Vec::as_slice));
                assert_eq!(checked.acks.len(), text["acks"].as_array().map_or(0, Vec::len));
            }
        }
        Err(problem) => names_where(&problem, body),
    }

    let taken = cloud_events::read(body)
        .and_then(|(request, unknown)| cloud_events::check(request, EVERY).map(|checked| (checked, unknown)));
    match taken {
        Ok((checked, unknown)) => {
            is_bounded(&checked, &unknown, body);
            if let Some(Value::Array(events)) = &text {
                assert!(events.iter().all(|event| event["source"] == checked.source.as_str()));
                says_the_same(&checked, &events.iter().map(|event| event["data"].clone()).collect::<Vec<_>>());
            }
        }
        Err(problem) => names_where(&problem, body),
    }

    match simple::read(body, EVERY) {
        Ok((report, unknown)) => {
            are_short(&unknown);
            may_be(&report);
            if let Some(text) = &text {
                assert_eq!(text["listeners_count"].as_u64(), report.listeners.map(u64::from));
            }
        }
        Err(problem) => names_where(&problem, body),
    }
}

fn is_bounded(checked: &Checked, unknown: &Unknown, body: &[u8]) {
    let Checked { source, reports, acks } = checked;
    assert!((1..=SOURCE_ID_MAX).contains(&source.as_str().len()));
    assert!(reports.len() + acks.len() <= body.len() / 2, "more reports than the text has room for");
    reports.iter().for_each(|(_, report)| may_be(report));
    are_short(unknown);
}

fn may_be(report: &Report) {
    assert!(report.listeners.is_none_or(|listeners| listeners <= LISTENERS_MAX));
    assert!(report.joins.is_none_or(|joins| joins <= COUNTER_MAX));
    assert!((Duration::from_millis(100)..=Duration::from_secs(3600)).contains(&report.interval));
    if let Identity::Numbered { session, seq, .. } = &report.identity {
        assert!(!session.is_empty() && *seq <= COUNTER_MAX);
    }
}

fn are_short(unknown: &Unknown) {
    assert!(unknown.len() <= 16 && unknown.iter().all(|name| name.chars().count() <= 64));
}

/// No listener is lost on the way, and none is made up.
fn says_the_same(checked: &Checked, reports: &[Value]) {
    assert_eq!(checked.reports.len(), reports.len());
    for ((channel, report), text) in checked.reports.iter().zip(reports) {
        assert!(text.is_object());
        let id = &text["channel_id"];
        assert_eq!(id.as_str().map_or_else(|| id.to_string(), str::to_owned), channel.as_str());
        assert_eq!(text["listeners"].as_u64(), report.listeners.map(u64::from));
        assert_eq!(text["joins"].as_u64(), report.joins);
        assert_eq!(text["queue_size"].as_u64(), report.queue_size.map(u64::from));
        let Identity::Numbered { session, seq, .. } = &report.identity else { panic!("a report without a session") };
        assert_eq!((text["session"].as_str(), text["seq"].as_u64()), (Some(session.as_str()), Some(*seq)));
        let title = report.track.as_ref().map(|track| &*track.title);
        assert_eq!(text["track"]["title"].as_str(), title);
    }
}

/// What is wrong is told by its field, and in few words.
fn names_where(problem: &Problem, body: &[u8]) {
    let told = serde_json::to_value(problem).expect("a problem is JSON");
    let (code, detail) = (problem.code, told["detail"].as_str().unwrap_or_default());
    let is_json = serde_json::from_slice::<IgnoredAny>(body).is_ok();
    assert_eq!(code == "not_json", !is_json, "{detail}");
    assert!(detail.len() <= DETAIL_MAX, "{} bytes of detail", detail.len());
    match code {
        "not_json" => {}
        "bad_report" | "bad_source" | "too_large" => {
            let names_it = told["field"].as_str().is_some_and(|field| !field.is_empty());
            assert!(names_it || detail.starts_with("the body"), "{detail}");
        }
        other => panic!("a problem of another kind: {other}"),
    }
}
