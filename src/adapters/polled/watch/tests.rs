use proptest::prelude::*;

use std::sync::Arc;

use sattva_actors::wire::Track;

use super::*;

const START: &str = "2026-11-24T00:00:00+0000";
const LATER: &str = "2026-11-24T00:01:00+0000";

fn at(secs: u64) -> Now {
    Now { at: Timestamp::from_secs(1000 + secs), wall: WallTime::from_millis(1_900_000_000_000 + secs as i64 * 1000) }
}

fn watch() -> Watch {
    Watch::new(Scope {
        kind: "icecast",
        server: "studio".into(),
        channel_prefix: String::new(),
        interval: Duration::from_secs(5),
        settle: Duration::ZERO,
        stop: true,
    })
}

fn mount(name: &str, start: &str, listeners: Option<u32>) -> Broadcast {
    let started_at = WallTime::parse_rfc3339(&start.replace("+0000", "Z"));
    Broadcast { name: name.into(), connection: start.into(), started_at, listeners, track: None }
}

fn live(listeners: u32) -> Vec<Broadcast> {
    vec![mount("/live", START, Some(listeners))]
}

fn place(mount: &str) -> Place {
    (names::source("icecast", "studio", mount).unwrap(), names::channel("", mount).unwrap())
}

fn session_of(report: &Report) -> (String, Option<WallTime>, u64) {
    match &report.identity {
        Identity::Numbered { session, started_at, seq } => (session.to_string(), *started_at, *seq),
        Identity::Simple => panic!("an adapter's reports are numbered"),
    }
}

/// Each report of a poll as `channel status listeners session`.
fn told(seen: &Seen) -> Vec<String> {
    let line = |((_, channel), report): &Addressed| {
        let count = report.listeners.map_or("?".to_owned(), |n| n.to_string());
        format!("{channel} {:?} {count} {}", report.status, session_of(report).0)
    };
    seen.reports.iter().map(line).collect()
}

fn poll(watch: &mut Watch, secs: u64, mounts: &[Broadcast]) -> Seen {
    watch.on_poll(at(secs), mounts, |_| false)
}

#[test]
fn each_live_mount_is_reported_with_its_count() {
    let mut watch = watch();
    let mut mounts = live(2);
    mounts.push(mount("/night.ogg", LATER, None));
    let seen = poll(&mut watch, 0, &mounts);
    let expected = [format!("live Live 2 /live@{START}"), format!("night.ogg Live ? /night.ogg@{LATER}")];
    assert_eq!(told(&seen), expected);
    let ((source, _), report) = &seen.reports[0];
    assert_eq!(source.as_str(), "icecast:studio/live");
    assert_eq!(session_of(report).1, WallTime::parse_rfc3339("2026-11-24T00:00:00Z"));
    assert_eq!((report.joins, report.interval), (None, Duration::from_secs(5)));
}

#[test]
fn numbers_rise_even_when_the_wall_clock_is_set_back() {
    let mut watch = watch();
    let first = session_of(&poll(&mut watch, 3600, &live(0)).reports[0].1).2;
    let back = Now { at: at(3605).at, wall: WallTime::from_millis(5) };
    let second = session_of(&watch.on_poll(back, &live(0), |_| false).reports[0].1).2;
    assert!(second > first);
}

#[test]
fn numbers_go_on_after_a_restart_of_the_daemon() {
    let mut watch = watch();
    let (source, channel) = place("/live");
    let session = names::session("/live", START);
    watch.restore(vec![KnownSession { channel, source, session, started_at: None, seq: u64::MAX / 2 }]);
    let seen = poll(&mut watch, 0, &live(0));
    assert_eq!(told(&seen), [format!("live Live 0 /live@{START}")]);
    assert_eq!(session_of(&seen.reports[0].1).2, u64::MAX / 2 + 1);
}

#[test]
fn a_mount_is_gone_after_two_good_polls_without_it() {
    let mut watch = watch();
    poll(&mut watch, 0, &live(1));
    let first = poll(&mut watch, 5, &[]);
    assert!(first.reports.is_empty() && first.gone.is_empty());
    assert_eq!(watch.sighting(&place("/live")), None);
    let second = poll(&mut watch, 10, &[]);
    assert_eq!(told(&second), [format!("live Stopped ? /live@{START}")]);
    assert_eq!(second.gone, [place("/live")]);
}

#[test]
fn two_looks_in_quick_succession_are_not_two_polls_without_it() {
    let mut watch = watch();
    poll(&mut watch, 0, &live(1));
    assert!(poll(&mut watch, 5, &[]).gone.is_empty());
    assert!(poll(&mut watch, 6, &[]).gone.is_empty());
    assert!(poll(&mut watch, 7, &live(1)).gone.is_empty());
    assert!(poll(&mut watch, 9, &[]).gone.is_empty());
    assert_eq!(poll(&mut watch, 14, &[]).gone.len(), 1);
}

#[test]
fn the_end_of_a_stream_is_told_three_times_and_then_no_more() {
    let mut watch = watch();
    poll(&mut watch, 0, &live(1));
    let told: Vec<usize> = (1..8).map(|i| poll(&mut watch, i * 5, &[]).reports.len()).collect();
    assert_eq!(told, [0, 1, 1, 1, 0, 0, 0]);
}

#[test]
fn a_mount_that_vanished_while_the_daemon_was_away_is_told_to_be_over() {
    let mut watch = watch();
    let (source, channel) = place("/live");
    let session = names::session("/live", START);
    watch.restore(vec![KnownSession { channel, source, session, started_at: None, seq: 7 }]);
    assert!(poll(&mut watch, 0, &[]).reports.is_empty());
    assert_eq!(told(&poll(&mut watch, 5, &[])), [format!("live Stopped ? /live@{START}")]);
}

#[test]
fn a_new_connection_is_a_new_session() {
    let mut watch = watch();
    poll(&mut watch, 0, &live(1));
    let seen = poll(&mut watch, 65, &[mount("/live", LATER, Some(0))]);
    assert_eq!(told(&seen), [format!("live Live 0 /live@{LATER}")]);
}

#[test]
fn a_session_that_seems_to_have_begun_before_the_last_one_claims_no_start() {
    let mut watch = watch();
    poll(&mut watch, 0, &[mount("/live", LATER, Some(0))]);
    let seen = poll(&mut watch, 65, &live(0));
    assert_eq!(session_of(&seen.reports[0].1).1, None);
}

#[test]
fn what_reconnects_while_a_stop_is_under_way_keeps_its_session() {
    let mut watch = watch();
    poll(&mut watch, 0, &live(0));
    let stopping = |_: &Place| true;
    for secs in [5, 10, 15] {
        let seen = watch.on_poll(at(secs), &[], stopping);
        assert!(seen.reports.is_empty() && seen.gone.is_empty());
    }
    let seen = watch.on_poll(at(16), &[mount("/live", LATER, Some(3))], stopping);
    assert_eq!(told(&seen), [format!("live Live 3 /live@{START}")]);
    assert_eq!(watch.sighting(&place("/live")).map(|s| s.connection), Some(LATER));
    // The stop is over, the connection is still the same one.
    assert_eq!(told(&poll(&mut watch, 20, &[mount("/live", LATER, Some(0))])), [format!("live Live 0 /live@{START}")]);
    // Another one, not after a kill of ours, is another session.
    let third = "2026-11-24T00:02:00+0000";
    assert_eq!(told(&poll(&mut watch, 25, &[mount("/live", third, Some(0))])), [format!("live Live 0 /live@{third}")]);
}

#[test]
fn a_source_that_a_stop_has_ended_is_told_to_be_over_at_once() {
    let mut watch = watch();
    poll(&mut watch, 0, &live(0));
    watch.on_poll(at(5), &[], |_| true);
    let (_, report) = watch.end(&place("/live"), at(15)).unwrap();
    assert_eq!((report.status, session_of(&report).0), (Status::Stopped, format!("/live@{START}")));
    let again = poll(&mut watch, 20, &[mount("/live", LATER, Some(0))]);
    assert_eq!(told(&again), [format!("live Live 0 /live@{LATER}")]);
}

#[test]
fn of_two_mounts_with_one_channel_the_first_keeps_it_and_the_second_is_named_once() {
    let mut watch = watch();
    poll(&mut watch, 0, &[mount("/a b", START, Some(1))]);
    let both = [mount("/a*b", START, Some(0)), mount("/a b", START, Some(1))];
    let seen = poll(&mut watch, 5, &both);
    assert_eq!(told(&seen), [format!("a-b Live 1 /a%20b@{START}")]);
    assert_eq!(seen.unwatchable.len(), 1);
    assert!(seen.unwatchable[0].1.contains("a-b"), "{:?}", seen.unwatchable);
    assert!(poll(&mut watch, 10, &both).unwatchable.is_empty());
}

#[test]
fn after_a_change_of_the_prefix_the_old_channel_is_left_and_the_new_one_reported() {
    let mut watch = watch();
    watch.scope.channel_prefix = "new:".into();
    let (source, channel) = place("/live");
    let session = names::session("/live", START);
    watch.restore(vec![KnownSession { channel, source, session, started_at: None, seq: 7 }]);
    assert_eq!(told(&poll(&mut watch, 0, &live(1))), [format!("new:live Live 1 /live@{START}")]);
    let second = poll(&mut watch, 5, &live(1));
    let expected = [format!("new:live Live 1 /live@{START}"), format!("live Stopped ? /live@{START}")];
    assert_eq!(told(&second), expected);
}

#[test]
fn a_track_is_reported_as_it_is_shown() {
    let track = Some(Arc::new(Track { title: "T".into(), ..Track::default() }));
    let seen = poll(&mut watch(), 0, &[Broadcast { track: track.clone(), ..mount("/live", START, Some(0)) }]);
    assert_eq!(seen.reports[0].1.track, track);
}

#[test]
fn of_two_streams_with_one_name_the_first_is_reported_and_the_second_named() {
    let mut watch = watch();
    let seen = poll(&mut watch, 0, &[mount("/live", START, Some(2)), mount("/live", LATER, Some(0))]);
    assert_eq!(told(&seen), [format!("live Live 2 /live@{START}")]);
    assert!(seen.unwatchable[0].1.contains("same name"), "{:?}", seen.unwatchable);
}

#[test]
fn a_count_settles_towards_zero_for_the_report_and_for_a_stop_alike() {
    let mut watch = watch();
    watch.scope.settle = Duration::from_secs(10);
    poll(&mut watch, 0, &live(2));
    let counted = |watch: &mut Watch, secs| {
        let told = poll(watch, secs, &live(0)).reports[0].1.listeners;
        assert_eq!(watch.sighting(&place("/live")).unwrap().listeners, told);
        told
    };
    assert_eq!([5, 10, 15].map(|secs| counted(&mut watch, secs)), [Some(2), Some(2), Some(0)]);
    // The listeners of the connection before are not those of this one.
    assert_eq!(poll(&mut watch, 20, &[mount("/live", LATER, Some(0))]).reports[0].1.listeners, None);
}

proptest! {
    /// Whatever the polls show: a count is reported as it was seen or not at all, numbers rise within a
    /// session, and a stream that is shown is never told to be over.
    #[test]
    fn no_history_of_polls_makes_a_wrong_report(
        polls in proptest::collection::vec((1u64..8, proptest::collection::vec((0u8..3, 0u8..3, any::<Option<u8>>()), 0..4), any::<bool>()), 1..60)
    ) {
        let mut watch = watch();
        let mut secs = 0;
        let mut numbers: BTreeMap<(Place, String), u64> = BTreeMap::new();
        for (passed, shown, stopping) in polls {
            secs += passed;
            let mut mounts: Vec<Broadcast> = Vec::new();
            for (name, start, listeners) in shown {
                let name = format!("/m{name}");
                if mounts.iter().all(|m| m.name != name) {
                    mounts.push(mount(&name, &format!("2026-11-24T00:0{start}:00+0000"), listeners.map(u32::from)));
                }
            }
            let seen = watch.on_poll(at(secs), &mounts, |_| stopping);
            for (place, report) in &seen.reports {
                let name = place.1.as_str();
                let shown = mounts.iter().find(|m| m.name[1..] == *name);
                match report.status {
                    Status::Stopped => prop_assert!(shown.is_none()),
                    _ => prop_assert_eq!(report.listeners, shown.unwrap().listeners),
                }
                let (session, _, seq) = session_of(report);
                if let Some(before) = numbers.insert((place.clone(), session), seq) {
                    prop_assert!(seq > before);
                }
            }
            let live = seen.reports.iter().filter(|(_, r)| r.status == Status::Live).count();
            prop_assert_eq!(live, mounts.len());
        }
    }
}
