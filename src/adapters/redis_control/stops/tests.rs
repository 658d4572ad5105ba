//! When a stop is published, and what its outcome is.

use std::time::Duration;

use sattva_actors::{
    clock::{Now, WallTime},
    identity::{ChannelId, SourceId},
    protocol::{OnlyIf, StopReason},
};

use super::{
    super::watch::{Found, Scope},
    *,
};

fn status(status: &str, listeners: &str, updated: &str) -> Vec<u8> {
    format!(r#"{{"status":"{status}","updated_at":"{updated}","listeners_count":{listeners}}}"#).into()
}

fn look(watch: &mut Watch, second: u64, raw: Vec<u8>) {
    let wall = WallTime::from_millis(1_800_000_000_000 + second as i64 * 1000);
    let found = vec![Found { id: "a".into(), raw: Ok(raw), queue: None }];
    // As the adapter does while a stop is under way.
    watch.on_look(Now { at: Timestamp::from_secs(second), wall }, found, |_| true);
}

/// A channel that has been playing to nobody since second 2.
fn empty() -> Watch {
    let mut watch = Watch::new(Scope {
        name: "main".into(),
        channel_prefix: String::new(),
        update_interval: Duration::from_secs(10),
        settle: Duration::ZERO,
        stop: true,
    });
    look(&mut watch, 0, status("playing", "1", "t0"));
    look(&mut watch, 2, status("playing", "0", "t1"));
    watch
}

fn source() -> SourceId {
    SourceId::new("redis_control:main/a").unwrap()
}

fn command(watch: &Watch, id: &str) -> StopCommand {
    StopCommand {
        id: id.into(),
        channel: ChannelId::new("a").unwrap(),
        source: source(),
        session: watch.sighting(&source()).unwrap().session.into(),
        reason: StopReason::NoListeners,
        only_if: Some(OnlyIf { listeners_at_most: 0, joins: None }),
        decided_at: Timestamp::from_secs(3),
        valid_until: Timestamp::from_secs(63),
    }
}

fn judge(raw: Option<Vec<u8>>) -> Verdict {
    let watch = empty();
    let mut stops = Stops::default();
    assert!(stops.on_command(Timestamp::from_secs(3), command(&watch, "1")));
    stops.judge(Timestamp::from_secs(3), "1", raw.as_deref(), &watch)
}

fn outcome(verdict: &Verdict) -> Option<Outcome> {
    if let Verdict::Answer(ack) = verdict { Some(ack.outcome) } else { None }
}

#[test]
fn only_a_status_that_says_nobody_listens_lets_it_be_published() {
    assert_eq!(judge(Some(status("playing", "0", "t1"))), Verdict::Publish);
    assert_eq!(judge(Some(status("playing", "0", "t2"))), Verdict::Publish);
    assert_eq!(outcome(&judge(Some(status("playing", "1", "t2")))), Some(Outcome::Refused));
    for unknown in [Some(status("playing", "null", "t2")), Some(b"rubbish".to_vec()), None] {
        assert_eq!(judge(unknown), Verdict::Wait);
    }
    assert_eq!(outcome(&judge(Some(status("stopped", "0", "t2")))), Some(Outcome::Ok));
}

#[test]
fn a_zero_that_has_stood_for_too_long_stops_nothing() {
    let watch = empty();
    let mut stops = Stops::default();
    let mut command = command(&watch, "1");
    command.valid_until = Timestamp::from_secs(1000);
    stops.on_command(Timestamp::from_secs(3), command);
    let raw = status("playing", "0", "t1");
    assert_eq!(stops.judge(Timestamp::from_secs(10), "1", Some(&raw), &watch), Verdict::Publish);
    assert_eq!(stops.judge(Timestamp::from_secs(11), "1", Some(&raw), &watch), Verdict::Wait);
}

#[test]
fn a_stop_of_another_life_or_past_its_time_is_dropped() {
    let watch = empty();
    let mut stops = Stops::default();
    let raw = status("playing", "0", "t1");
    let other = StopCommand { session: "another".into(), ..command(&watch, "1") };
    stops.on_command(Timestamp::from_secs(3), other);
    assert_eq!(stops.judge(Timestamp::from_secs(3), "1", Some(&raw), &watch), Verdict::Drop);
    stops.on_command(Timestamp::from_secs(3), command(&watch, "2"));
    assert_eq!(stops.judge(Timestamp::from_secs(63), "2", Some(&raw), &watch), Verdict::Drop);
    assert!(!stops.on_command(Timestamp::from_secs(63), command(&watch, "3")));
}

#[test]
fn an_operators_forced_stop_asks_nobody() {
    let watch = empty();
    let mut stops = Stops::default();
    stops.on_command(Timestamp::from_secs(3), StopCommand { only_if: None, ..command(&watch, "1") });
    let raw = status("playing", "7", "t2");
    assert_eq!(stops.judge(Timestamp::from_secs(3), "1", Some(&raw), &watch), Verdict::Publish);
}

#[test]
fn what_nobody_heard_is_published_again_at_a_new_status_and_what_was_heard_never() {
    let watch = empty();
    let mut stops = Stops::default();
    let raw = status("playing", "0", "t1");
    let now = Timestamp::from_secs(5);
    stops.on_command(now, command(&watch, "1"));
    stops.on_unheard("1", &raw);
    // The streamer may be starting: while it says nothing new, nobody knows who has come.
    assert_eq!(stops.judge(now, "1", Some(&raw), &watch), Verdict::Wait);
    let news = status("playing", "0", "t2");
    assert_eq!(stops.judge(now, "1", Some(&news), &watch), Verdict::Publish);
    stops.on_published("1", &news);
    // The same command comes again: a second stop might end what somebody has just begun.
    assert!(stops.on_command(now, command(&watch, "1")));
    for raw in [news, status("playing", "0", "t3")] {
        assert_eq!(stops.judge(now, "1", Some(&raw), &watch), Verdict::Wait);
    }
}

#[test]
fn while_another_daemon_may_decide_nothing_is_published_and_what_was_heard_not_once_more() {
    let watch = empty();
    let mut stops = Stops::default();
    let (raw, news) = (status("playing", "0", "t1"), status("playing", "0", "t2"));
    let now = Timestamp::from_secs(5);
    stops.on_command(now, command(&watch, "1"));
    stops.retract_all();
    assert_eq!(stops.judge(now, "1", Some(&raw), &watch), Verdict::Drop);
    stops.on_command(now, command(&watch, "1"));
    assert_eq!(stops.judge(now, "1", Some(&raw), &watch), Verdict::Publish);
    stops.on_published("1", &raw);
    stops.retract_all();
    assert_eq!(stops.judge(now, "1", Some(&news), &watch), Verdict::Wait);
}

#[test]
fn by_force_too_only_one_that_comes_back_to_nobody_is_stopped_once_more() {
    let mut watch = empty();
    let mut stops = Stops::default();
    stops.on_command(Timestamp::from_secs(3), StopCommand { only_if: None, ..command(&watch, "1") });
    stops.on_published("1", &status("playing", "7", "t1"));
    look(&mut watch, 4, status("stopped", "0", "t2"));
    stops.on_look(Timestamp::from_secs(4), &watch);
    for (count, verdict) in [("3", Verdict::Wait), ("null", Verdict::Wait), ("0", Verdict::Publish)] {
        let back = status("playing", count, "t3");
        assert_eq!(stops.judge(Timestamp::from_secs(5), "1", Some(&back), &watch), verdict, "{count}");
    }
    look(&mut watch, 6, status("playing", "3", "t3"));
    assert_eq!(outcomes(&stops.on_look(Timestamp::from_secs(6), &watch))[0].0, Outcome::Error);
}

/// A stop that has been published while nobody listened.
fn published(watch: &Watch) -> Stops {
    let mut stops = Stops::default();
    stops.on_command(Timestamp::from_secs(3), command(watch, "1"));
    assert!(stops.on_look(Timestamp::from_secs(3), watch).is_empty());
    stops.on_published("1", &status("playing", "0", "t1"));
    stops
}

fn outcomes(due: &[Due]) -> Vec<(Outcome, String)> {
    let outcome = |due: &Due| {
        if let Due::Answer(_, ack) = due { Some((ack.outcome, ack.detail.clone().unwrap())) } else { None }
    };
    due.iter().filter_map(outcome).collect()
}

#[test]
fn one_that_stops_and_stays_away_for_ten_seconds_has_ended() {
    let mut watch = empty();
    let mut stops = published(&watch);
    assert!(stops.is_ending(&source()));
    look(&mut watch, 4, status("stopped", "0", "t2"));
    for second in 4..14 {
        assert_eq!(stops.on_look(Timestamp::from_secs(second), &watch), [], "{second}");
    }
    let due = stops.on_look(Timestamp::from_secs(14), &watch);
    assert_eq!(outcomes(&due)[0].0, Outcome::Ok);
    assert!(stops.command("1").is_none() && !stops.is_ending(&source()));
}

#[test]
fn one_that_says_error_has_not_ended_and_one_that_plays_on_is_waited_for() {
    for (word, expected) in [("error", Some(Outcome::Error)), ("playing", None), ("stopping", None)] {
        let mut watch = empty();
        let mut stops = published(&watch);
        look(&mut watch, 4, status(word, "0", "t2"));
        let due = stops.on_look(Timestamp::from_secs(4), &watch);
        assert_eq!(outcomes(&due).first().map(|(outcome, _)| *outcome), expected, "{word}");
        assert_eq!(stops.command("1").is_some(), expected.is_none());
    }
}

#[test]
fn one_that_starts_again_by_itself_is_stopped_once_more_and_then_reported() {
    let mut watch = empty();
    let mut stops = published(&watch);
    for (second, updated) in [(4, "t2"), (8, "t4")] {
        look(&mut watch, second, status("stopped", "0", updated));
        assert_eq!(stops.on_look(Timestamp::from_secs(second), &watch), []);
        let again = status("playing", "0", &format!("{updated}+"));
        look(&mut watch, second + 2, again.clone());
        let due = stops.on_look(Timestamp::from_secs(second + 2), &watch);
        if second == 4 {
            assert_eq!(due, [Due::Again("1".into())]);
            assert_eq!(stops.judge(Timestamp::from_secs(6), "1", Some(&again), &watch), Verdict::Publish);
            stops.on_published("1", &again);
        } else {
            assert_eq!(outcomes(&due), [(Outcome::Error, "source reconnected".to_owned())]);
        }
    }
}

#[test]
fn one_that_starts_again_and_has_a_listener_is_left_alone_and_reported() {
    let mut watch = empty();
    let mut stops = published(&watch);
    look(&mut watch, 4, status("stopped", "0", "t2"));
    stops.on_look(Timestamp::from_secs(4), &watch);
    look(&mut watch, 5, status("playing", "1", "t3"));
    let due = stops.on_look(Timestamp::from_secs(5), &watch);
    assert_eq!(outcomes(&due), [(Outcome::Error, "source reconnected, and somebody listens".to_owned())]);
}

#[test]
fn what_was_heard_or_may_be_is_not_published_once_more_though_it_was_taken_back_and_came_again() {
    for heard_by_then in [true, false] {
        let (watch, now, raw) = (empty(), Timestamp::from_secs(3), status("playing", "0", "t1"));
        let mut stops = Stops::default();
        stops.on_command(now, command(&watch, "1"));
        assert_eq!(stops.judge(now, "1", Some(&raw), &watch), Verdict::Publish);
        if heard_by_then {
            stops.on_published("1", &raw);
        }
        stops.on_retract("1");
        assert!(stops.on_command(now, command(&watch, "1")));
        assert_eq!(stops.judge(now, "1", Some(&raw), &watch), Verdict::Wait);
        stops.on_published("1", &raw);
        assert_eq!(stops.judge(now, "1", Some(&raw), &watch), Verdict::Wait);
        assert!(stops.is_ending(&source()));
    }
}

#[test]
fn what_was_taken_back_while_it_was_published_in_vain_is_forgotten_or_tried_again_if_it_stands_again() {
    for stands_again in [true, false] {
        let (watch, now, raw) = (empty(), Timestamp::from_secs(3), status("playing", "0", "t1"));
        let mut stops = Stops::default();
        stops.on_command(now, command(&watch, "1"));
        assert_eq!(stops.judge(now, "1", Some(&raw), &watch), Verdict::Publish);
        stops.on_retract("1");
        if stands_again {
            stops.on_command(now, command(&watch, "1"));
        }
        stops.on_unpublished("1");
        let expected = if stands_again { Verdict::Publish } else { Verdict::Drop };
        assert_eq!(stops.judge(now, "1", Some(&raw), &watch), expected);
    }
}

#[test]
fn one_that_comes_back_by_itself_is_left_alone_while_the_command_is_taken_back() {
    let mut watch = empty();
    let mut stops = published(&watch);
    look(&mut watch, 4, status("stopped", "0", "t2"));
    stops.on_look(Timestamp::from_secs(4), &watch);
    stops.on_retract("1");
    let again = status("playing", "0", "t3");
    look(&mut watch, 6, again.clone());
    stops.on_look(Timestamp::from_secs(6), &watch);
    assert_eq!(stops.judge(Timestamp::from_secs(6), "1", Some(&again), &watch), Verdict::Wait);
    assert!(stops.on_command(Timestamp::from_secs(7), command(&watch, "1")));
    assert_eq!(stops.judge(Timestamp::from_secs(7), "1", Some(&again), &watch), Verdict::Publish);
}

#[test]
fn what_is_taken_back_is_forgotten() {
    let watch = empty();
    let mut stops = Stops::default();
    stops.on_command(Timestamp::from_secs(3), command(&watch, "1"));
    stops.on_retract("1");
    assert_eq!(stops.judge(Timestamp::from_secs(3), "1", Some(&status("playing", "0", "t1")), &watch), Verdict::Drop);
}
