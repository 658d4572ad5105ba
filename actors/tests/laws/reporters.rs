//! What is kept of each reporter: its session, what it counts beside listeners, and what sums are made of them.

use std::{collections::HashSet, sync::Arc};

use sattva_actors::{
    channel::{
        auto_end::Joins,
        evidence::{Accepted, Evidences, Progress, Verdict},
    },
    clock::{Now, Timestamp, WallTime},
    identity::SourceId,
    protocol::{Identity, QueueOps, Report, Status},
    wire::Track,
};

use crate::subject::{INTERVAL, secs};

/// One second after the other; what was counted at `ZERO` counts as never reported.
fn at(second: u64) -> Now {
    Now { at: Timestamp::from_secs(second), wall: WallTime::from_millis(1_000_000 + 1000 * second as i64) }
}

fn source(name: &str) -> SourceId {
    SourceId::new(name).unwrap()
}

fn simple() -> Report {
    Report {
        identity: Identity::Simple,
        status: Status::Live,
        listeners: Some(0),
        joins: None,
        queue_size: None,
        queue_ops: None,
        track: None,
        observed_at: None,
        interval: INTERVAL,
        can_stop: true,
    }
}

fn of(session: &str, seq: u64) -> Report {
    let identity = Identity::Numbered { session: session.into(), started_at: None, seq };
    Report { identity, ..simple() }
}

fn hear(evidences: &mut Evidences, name: &str, report: &Report, second: u64) -> Option<Accepted> {
    match evidences.accept(&source(name), report, at(second), at(second).at) {
        Verdict::Accepted(accepted) => Some(accepted),
        Verdict::Duplicate => None,
    }
}

fn progress(accepted: Option<Accepted>) -> Option<Progress> {
    accepted.map(|accepted| accepted.session)
}

#[test]
fn simple_reports_are_of_one_session_until_the_stream_ends_and_then_of_a_newer_one() {
    let mut evidences = Evidences::default();
    assert_eq!(progress(hear(&mut evidences, "radio", &simple(), 1)), Some(Progress::Began));
    assert_eq!(progress(hear(&mut evidences, "radio", &simple(), 2)), Some(Progress::Continued));
    assert_eq!(evidences.0[0].session, "simple-1001000");
    assert_eq!(evidences.0[0].seq, 2);
    let end = Report { status: Status::Stopped, ..simple() };
    let ended = Progress::Ended { seen_at: at(3).at, unheard: true };
    assert_eq!(progress(hear(&mut evidences, "radio", &end, 3)), Some(ended));
    // The wall clock was set back meanwhile.
    let back = Now { wall: WallTime::from_millis(5), ..at(4) };
    let again = evidences.accept(&source("radio"), &simple(), back, back.at);
    assert!(matches!(again, Verdict::Accepted(Accepted { session: Progress::Began, .. })), "{again:?}");
    assert_eq!(evidences.0[0].session, "simple-1001001");
    assert_eq!(evidences.0[0].started_at, Some(WallTime::from_millis(1_001_001)));
}

#[test]
fn queue_operations_are_those_since_the_report_before_and_a_sessions_first_count_in_full() {
    let mut evidences = Evidences::default();
    let mut told = |session: &str, seq, total: Option<u64>| {
        let queue_ops = total.map(|total| Box::new(QueueOps([total; 6])));
        let accepted = hear(&mut evidences, "radio", &Report { queue_ops, ..of(session, seq) }, seq).unwrap();
        accepted.queue_ops.0[0]
    };
    assert_eq!(told("s1", 1, Some(3)), 3);
    assert_eq!(told("s1", 2, Some(5)), 2);
    assert_eq!(told("s1", 3, None), 0);
    assert_eq!(told("s1", 4, Some(9)), 4);
    assert_eq!(told("s2", 5, None), 0);
    assert_eq!(told("s2", 6, Some(7)), 0, "nobody knows since when");
    assert_eq!(told("s2", 7, Some(8)), 1);
}

#[test]
fn a_stopped_session_that_goes_on_begins_anew_and_one_that_never_ran_ends_nothing() {
    let mut evidences = Evidences::default();
    let stopped = |seq| Report { status: Status::Stopped, ..of("s1", seq) };
    assert_eq!(progress(hear(&mut evidences, "radio", &stopped(1), 1)), Some(Progress::NeverRan));
    assert_eq!(progress(hear(&mut evidences, "radio", &stopped(2), 2)), Some(Progress::Continued));
    let rises = Report { joins: Some(2), ..of("s1", 3) };
    let accepted = hear(&mut evidences, "radio", &rises, 3).unwrap();
    assert_eq!((accepted.session, accepted.joins), (Progress::Began, Joins::AtFirst));
    let ends_at_once = Report { status: Status::Stopped, ..of("s2", 1) };
    let ended = Progress::Ended { seen_at: at(3).at, unheard: true };
    assert_eq!(progress(hear(&mut evidences, "radio", &ends_at_once, 9)), Some(ended));
}

#[test]
fn the_last_sixteen_superseded_sessions_never_return() {
    let mut evidences = Evidences::default();
    for n in 0..=16 {
        assert!(hear(&mut evidences, "radio", &of(&format!("s{n}"), 1), n + 1).is_some(), "{n}");
    }
    for n in 0..16 {
        assert!(hear(&mut evidences, "radio", &of(&format!("s{n}"), 100), 100).is_none(), "{n}");
    }
    assert!(hear(&mut evidences, "radio", &of("s17", 1), 101).is_some());
    assert!(hear(&mut evidences, "radio", &of("s1", 100), 102).is_none());
    assert!(hear(&mut evidences, "radio", &of("s0", 100), 103).is_some(), "more are not kept");
}

#[test]
fn a_superseded_session_is_stored_as_the_same_number_by_every_version() {
    let mut evidences = Evidences::default();
    hear(&mut evidences, "radio", &of("foobar", 1), 1);
    hear(&mut evidences, "radio", &of("s2", 1), 2);
    // FNV-1a, as it is published.
    assert_eq!(serde_json::to_value(&evidences).unwrap()[0]["past"][0], 0x8594_4171_f739_67e8_u64);
}

#[test]
fn a_queue_that_is_told_is_in_the_sum_while_it_can_be_believed() {
    let mut evidences = Evidences::default();
    let queue = |queue_size| Report { queue_size, ..of("s1", 1) };
    hear(&mut evidences, "untold", &queue(None), 10);
    assert_eq!(evidences.queue_size(at(11).at, at(1).at), None);
    hear(&mut evidences, "first", &queue(Some(3)), 10);
    assert_eq!(evidences.queue_size(at(11).at, at(1).at), Some(3));
    hear(&mut evidences, "second", &queue(Some(4)), 13);
    assert_eq!(evidences.queue_size(at(24).at, at(1).at), Some(7));
    assert_eq!(evidences.queue_size(at(25).at, at(1).at), None, "the first is out of date");
    assert_eq!(evidences.queue_size(at(14).at, at(11).at), None, "the first is in doubt");
}

#[test]
fn what_was_last_heard_is_summed_whether_or_not_it_can_be_believed() {
    let mut evidences = Evidences::default();
    assert_eq!((evidences.last_known(), evidences.oldest(), evidences.expires_at()), (0, None, None));
    for (name, second, listeners) in [("first", 10, Some(2)), ("second", 12, Some(3)), ("hidden", 14, None)] {
        hear(&mut evidences, name, &Report { listeners, ..of("s1", 1) }, second);
    }
    hear(&mut evidences, "over", &Report { status: Status::Stopped, listeners: Some(9), ..of("s1", 1) }, 2);
    assert_eq!(evidences.last_known(), 5);
    assert_eq!(evidences.oldest(), Some(at(10).at));
    assert_eq!(evidences.expires_at(), Some(at(25).at));
}

#[test]
fn joins_are_summed_where_every_reporter_counts_them() {
    let mut evidences = Evidences::default();
    assert_eq!(evidences.joins(), None);
    let joins = |seq, joins| Report { joins, ..of("s1", seq) };
    hear(&mut evidences, "first", &joins(1, Some(2)), 1);
    hear(&mut evidences, "second", &joins(1, Some(3)), 1);
    assert_eq!(evidences.joins(), Some(5));
    hear(&mut evidences, "second", &joins(2, Some(1)), 2);
    assert_eq!(evidences.joins(), None, "a counter that went down is none");
    hear(&mut evidences, "second", &joins(3, Some(4)), 3);
    assert_eq!(evidences.joins(), Some(6));
    hear(&mut evidences, "third", &joins(1, None), 3);
    assert_eq!(evidences.joins(), None);
}

#[test]
fn the_track_is_the_one_last_told_and_one_told_again_is_kept_once() {
    let mut evidences = Evidences::default();
    let track = |title: &str| Some(Arc::new(Track { title: title.into(), ..Track::default() }));
    assert_eq!(evidences.track(), None);
    hear(&mut evidences, "radio", &Report { track: track("a"), ..of("s1", 1) }, 1);
    let first = evidences.track().unwrap().clone();
    hear(&mut evidences, "radio", &Report { track: track("a"), ..of("s1", 2) }, 2);
    assert!(Arc::ptr_eq(evidences.track().unwrap(), &first));
    hear(&mut evidences, "radio", &Report { track: track("b"), ..of("s1", 3) }, 3);
    assert_eq!(evidences.track(), track("b").as_ref());
    hear(&mut evidences, "radio", &of("s1", 4), 4);
    assert_eq!(evidences.track(), None);
}

#[test]
fn a_name_that_many_channels_bear_is_kept_once() {
    let mut names = HashSet::new();
    let channels = [1, 2].map(|second| {
        let mut evidences = Evidences::default();
        hear(&mut evidences, "icecast", &of("s1", 1), second);
        evidences.share_names(&mut names);
        evidences.0[0].source.as_str().as_ptr()
    });
    assert_eq!(names.len(), 1);
    assert_eq!(channels[0], channels[1]);
}

#[test]
fn forgetting_tells_whether_the_reporter_was_in_the_sum() {
    let mut evidences = Evidences::default();
    hear(&mut evidences, "lives", &of("s1", 1), 1);
    hear(&mut evidences, "over", &Report { status: Status::Stopped, ..of("s1", 1) }, 1);
    assert_eq!(evidences.forget("nobody"), None);
    assert_eq!(evidences.forget("over"), Some(false));
    assert_eq!(evidences.forget("lives"), Some(true));
    assert!(evidences.is_over());
    assert_eq!(evidences.0.len(), 0);
}

#[test]
fn one_who_was_heard_of_only_before_a_restart_was_not_unheard() {
    let mut evidences = Evidences::default();
    hear(&mut evidences, "radio", &of("s1", 1), 1);
    evidences.0[0].at = Timestamp::ZERO;
    let replaced = Progress::Replaced { seen_at: Timestamp::ZERO, unheard: false };
    assert_eq!(progress(hear(&mut evidences, "radio", &of("s2", 1), 400)), Some(replaced));
    let unheard = Progress::Replaced { seen_at: at(400).at, unheard: true };
    assert_eq!(progress(hear(&mut evidences, "radio", &of("s3", 1), secs(401).as_secs())), Some(unheard));
}

#[test]
fn a_first_report_tells_of_somebody_only_where_it_has_counted_one() {
    for (joins, expected) in [(None, Joins::Unknown), (Some(0), Joins::Unknown), (Some(1), Joins::AtFirst)] {
        let accepted = hear(&mut Evidences::default(), "radio", &Report { joins, ..of("s1", 1) }, 1).unwrap();
        assert_eq!(accepted.joins, expected, "{joins:?}");
    }
}

#[test]
fn only_a_counter_that_is_told_again_as_it_was_says_that_nobody_came() {
    let mut evidences = Evidences::default();
    let mut heard = Vec::new();
    for (seq, joins) in [None, Some(2), Some(2), Some(3), Some(1), Some(3), None].into_iter().enumerate() {
        let report = Report { joins, ..of("s1", seq as u64 + 1) };
        heard.push(hear(&mut evidences, "radio", &report, 1).unwrap().joins);
    }
    use Joins::{Rose, Unchanged, Unknown};
    assert_eq!(heard, [Unknown, Unknown, Unchanged, Rose, Unknown, Unchanged, Unknown]);
}
