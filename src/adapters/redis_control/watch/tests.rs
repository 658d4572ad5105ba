//! What a streamer's words in Redis are taken for.

use super::*;

const SECOND: i64 = 1000;

fn watch() -> Watch {
    Watch::new(Scope {
        name: "main".into(),
        channel_prefix: String::new(),
        update_interval: Duration::from_secs(10),
        settle: Duration::ZERO,
        stop: true,
    })
}

fn at(seconds: u64) -> Now {
    Now { at: Timestamp::from_secs(seconds), wall: WallTime::from_millis(1_800_000_000_000 + seconds as i64 * SECOND) }
}

fn found(id: &str, status: &str, listeners: &str, updated: &str) -> Found {
    let raw = format!(r#"{{"status":"{status}","updated_at":"{updated}","listeners_count":{listeners}}}"#);
    Found { id: id.into(), raw: Ok(raw.into()), queue: Some(2) }
}

/// Each report of a look: its state, its count, its session, and the second of its count.
fn looked(watch: &mut Watch, second: u64, all: Vec<Found>) -> Vec<(ReportStatus, Option<u32>, String, u64)> {
    let looked = watch.on_look(at(second), all, |_| false);
    let told = looked.reports.into_iter().map(|(_, _, dated, report)| {
        let Identity::Numbered { session, .. } = report.identity else { unreachable!() };
        (report.status, report.listeners, session.to_string(), dated.since(Timestamp::ZERO).as_secs())
    });
    told.collect()
}

#[test]
fn what_was_there_before_we_looked_may_be_of_any_age_and_is_unknown() {
    let mut watch = watch();
    let first = looked(&mut watch, 100, vec![found("a", "playing", "0", "t1")]);
    assert_eq!((first[0].0, first[0].1), (ReportStatus::Live, None));
    // The same words again are no news, whatever their clock says.
    assert_eq!(looked(&mut watch, 102, vec![found("a", "playing", "0", "t1")])[0].1, None);
    let news = looked(&mut watch, 104, vec![found("a", "playing", "0", "t2")]);
    assert_eq!((news[0].1, news[0].3), (Some(0), 102));
}

#[test]
fn a_status_is_as_old_as_the_look_that_did_not_find_it_and_grows_old_while_it_stands() {
    let mut watch = watch();
    looked(&mut watch, 0, vec![found("a", "playing", "1", "t0")]);
    assert_eq!(looked(&mut watch, 2, vec![found("a", "playing", "0", "t1")])[0].3, 0);
    for second in [4, 40, 400] {
        let again = looked(&mut watch, second, vec![found("a", "playing", "0", "t1")]);
        assert_eq!((again[0].1, again[0].3), (Some(0), 0), "{second}");
    }
}

#[test]
fn a_channel_that_begins_while_we_look_is_known_with_its_second_status() {
    let mut watch = watch();
    looked(&mut watch, 0, vec![]);
    assert_eq!(looked(&mut watch, 2, vec![found("a", "starting", "0", "t1")])[0].1, None);
    assert_eq!(looked(&mut watch, 4, vec![found("a", "playing", "0", "t2")])[0].1, Some(0));
}

#[test]
fn a_life_ends_with_stopped_is_said_to_have_ended_a_few_times_and_the_next_is_another() {
    let mut watch = watch();
    let life = |told: &[(ReportStatus, Option<u32>, String, u64)]| told[0].2.clone();
    let first = life(&looked(&mut watch, 0, vec![found("a", "playing", "1", "t0")]));
    let ends: Vec<_> =
        (1..6).map(|second| looked(&mut watch, second, vec![found("a", "stopped", "0", "t1")])).collect();
    let said: Vec<usize> = ends.iter().map(Vec::len).collect();
    assert_eq!(said, [1, 1, 1, 0, 0]);
    assert!(ends[..3].iter().all(|told| told[0].0 == ReportStatus::Stopped && life(told) == first));
    let next = looked(&mut watch, 9, vec![found("a", "playing", "0", "t0")]);
    assert!(next[0].2 != first, "{next:?}");
}

#[test]
fn one_that_starts_again_as_soon_as_its_end_was_said_is_another_life() {
    let mut watch = watch();
    let first = looked(&mut watch, 0, vec![found("a", "playing", "1", "t0")]);
    looked(&mut watch, 1, vec![found("a", "stopped", "0", "t1")]);
    let again = looked(&mut watch, 2, vec![found("a", "playing", "1", "t2")]);
    assert_ne!(again[0].2, first[0].2);
}

#[test]
fn of_one_that_we_are_ending_nothing_is_said_while_it_is_stopped_and_one_that_returns_is_the_same() {
    let mut watch = watch();
    let first = looked(&mut watch, 0, vec![found("a", "playing", "1", "t0")]);
    assert!(watch.on_look(at(1), vec![found("a", "stopped", "0", "t1")], |_| true).reports.is_empty());
    let again = looked(&mut watch, 2, vec![found("a", "playing", "0", "t2")]);
    assert_eq!((again[0].2.as_str(), again[0].1), (first[0].2.as_str(), Some(0)));
}

#[test]
fn a_key_that_is_gone_says_nothing() {
    let mut watch = watch();
    looked(&mut watch, 0, vec![found("a", "playing", "0", "t0")]);
    assert!(looked(&mut watch, 2, vec![]).is_empty());
}

#[test]
fn after_a_restart_a_life_goes_on_and_its_first_count_is_unknown() {
    let mut watch = watch();
    watch.restore(vec![KnownSession {
        channel: ChannelId::new("a").unwrap(),
        source: SourceId::new("redis_control:main/a").unwrap(),
        session: "t0@1".into(),
        started_at: None,
        seq: u64::MAX / 2,
    }]);
    let first = looked(&mut watch, 5, vec![found("a", "playing", "0", "t9")]);
    assert_eq!((first[0].1, first[0].2.as_str()), (None, "t0@1"));
    let (_, _, _, report) = watch.on_look(at(7), vec![found("a", "stopped", "0", "t10")], |_| false).reports.remove(0);
    assert!(matches!(report.identity, Identity::Numbered { seq, .. } if seq > u64::MAX / 2));
}

#[test]
fn pauses_and_gaps_are_told_as_such() {
    let mut watch = watch();
    looked(&mut watch, 0, vec![found("a", "playing", "0", "t0")]);
    for (status, told) in [
        ("starting", ReportStatus::Live),
        ("running", ReportStatus::Live),
        ("paused", ReportStatus::Paused),
        ("stopping", ReportStatus::Live),
        ("restarting", ReportStatus::Idle),
        ("error", ReportStatus::Idle),
    ] {
        assert_eq!(looked(&mut watch, 1, vec![found("a", status, "0", status)])[0].0, told, "{status}");
    }
}

#[test]
fn nobody_counts_only_when_it_has_settled_and_a_listener_at_once() {
    let mut watch = watch();
    watch.scope.settle = Duration::from_secs(4);
    let counts: Vec<_> = ["1", "1", "0", "0", "0", "2", "0"]
        .iter()
        .enumerate()
        .map(|(n, count)| looked(&mut watch, n as u64 * 2, vec![found("a", "playing", count, &n.to_string())])[0].1)
        .collect();
    assert_eq!(counts, [None, Some(1), Some(1), Some(1), Some(0), Some(2), Some(2)]);
}

#[test]
fn what_cannot_be_understood_is_named_once_and_spoils_nothing_else() {
    let mut watch = watch();
    let rubbish = || Found { id: "b".into(), raw: Ok(b"\x00\xff".to_vec()), queue: None };
    let name = || found("a b/c", "playing", "0", "t0");
    let looked = watch.on_look(at(0), vec![found("a", "playing", "0", "t0"), rubbish(), name()], |_| false);
    assert_eq!((looked.reports.len(), looked.odd.len()), (1, 2));
    assert!(watch.on_look(at(1), vec![rubbish(), name()], |_| false).odd.is_empty());
}
