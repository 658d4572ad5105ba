use std::time::Duration;

use proptest::prelude::*;
use sattva_actors::{
    identity::{ChannelId, SourceId},
    protocol::{OnlyIf, StopReason},
};

use super::*;

const SESSION: &str = "/live@1";

fn at(millis: u64) -> Timestamp {
    Timestamp::from_micros(1_000_000_000 + millis * 1000)
}

fn command() -> StopCommand {
    StopCommand {
        id: "live/g1.f1.r0//live@1".into(),
        channel: ChannelId::new("live").unwrap(),
        source: SourceId::new("icecast:studio/live").unwrap(),
        session: SESSION.into(),
        reason: StopReason::NoListeners,
        only_if: Some(OnlyIf { listeners_at_most: 0, joins: None }),
        decided_at: at(0),
        valid_until: at(60_000),
    }
}

fn forced() -> StopCommand {
    StopCommand { only_if: None, ..command() }
}

/// The mount as its first connection (1), its second (2)… with so many listeners.
fn seen(connection: &'static str, listeners: u32) -> Option<Sighting<'static>> {
    Some(Sighting { session: SESSION, connection, listeners: Some(listeners), counted: Some(listeners) })
}

/// One stop, told as a story in milliseconds.
struct Story {
    stop: Stop,
    now: u64,
}

impl Story {
    fn begin(command: StopCommand) -> Self {
        Self { stop: Stop::new(command, at(0)), now: 0 }
    }

    /// A good poll, sent and answered at this moment.
    fn poll(&mut self, millis: u64, seen: Option<Sighting<'_>>) -> Step {
        self.now = millis;
        self.stop.on_poll(at(millis), at(millis), seen)
    }

    fn killed(&mut self) -> Step {
        self.now += 5;
        self.stop.on_killed(at(self.now), Killed::Perhaps)
    }

    /// Polls every half second that all show the same; the first answer that is not `Wait`.
    fn polls(&mut self, until: u64, seen: Option<Sighting<'_>>) -> (u64, Step) {
        let mut millis = self.now;
        while millis < until {
            millis += 500;
            let step = self.poll(millis, seen);
            if step != Step::Wait {
                return (millis, step);
            }
        }
        (millis, Step::Wait)
    }
}

fn outcome(step: &Step) -> (Outcome, &str, bool) {
    match step {
        Step::Settle(v) => (v.outcome, v.detail.as_deref().unwrap_or(""), v.gone),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unheard_source_is_killed_and_gone_when_it_stays_away_for_ten_seconds() {
    let mut story = Story::begin(command());
    assert_eq!(story.poll(10, seen("1", 0)), Step::Kill);
    assert_eq!(story.killed(), Step::Wait);
    assert_eq!(story.poll(500, seen("1", 0)), Step::Wait);
    let (when, step) = story.polls(60_000, None);
    assert_eq!(outcome(&step), (Outcome::Ok, "", true));
    assert!((10_000..11_000).contains(&when), "{when}");
}

#[test]
fn one_look_after_ten_blind_seconds_is_not_enough() {
    let mut story = Story::begin(command());
    story.poll(10, seen("1", 0));
    story.killed();
    assert_eq!(story.stop.on_bad_poll(at(5000)), Step::Wait);
    assert_eq!(story.poll(12_000, None), Step::Wait);
    assert_eq!(outcome(&story.poll(12_500, None)).0, Outcome::Ok);
}

#[test]
fn a_source_somebody_hears_is_not_killed() {
    let mut story = Story::begin(command());
    assert_eq!(outcome(&story.poll(10, seen("1", 1))), (Outcome::Refused, "1 listening", false));
}

#[test]
fn an_unknown_count_is_a_listener() {
    let unknown = Some(Sighting { session: SESSION, connection: "1", listeners: None, counted: None });
    assert_eq!(outcome(&Story::begin(command()).poll(10, unknown)).0, Outcome::Refused);
    let mut story = Story::begin(command());
    story.poll(10, seen("1", 0));
    story.killed();
    let back = Some(Sighting { session: SESSION, connection: "2", listeners: None, counted: None });
    assert_eq!(outcome(&story.poll(2000, back)), (Outcome::Error, "source reconnected", false));
}

#[test]
fn a_condition_that_cannot_be_checked_is_not_met() {
    let counted = StopCommand { only_if: Some(OnlyIf { listeners_at_most: 0, joins: Some(0) }), ..command() };
    assert_eq!(outcome(&Story::begin(counted).poll(10, seen("1", 0))).0, Outcome::Refused);
}

#[test]
fn another_session_is_not_killed_even_by_force() {
    let other = Some(Sighting { session: "/live@2", connection: "2", listeners: Some(0), counted: Some(0) });
    assert_eq!(outcome(&Story::begin(command()).poll(10, other)).0, Outcome::Refused);
    assert_eq!(outcome(&Story::begin(forced()).poll(10, other)).0, Outcome::Refused);
}

#[test]
fn only_a_poll_sent_after_the_command_counts() {
    let mut story = Story::begin(command());
    let before = Timestamp::from_micros(at(0).as_micros() - 1);
    assert_eq!(story.stop.on_poll(before, at(300), seen("1", 0)), Step::Wait);
    assert_eq!(story.poll(310, seen("1", 0)), Step::Kill);
}

#[test]
fn an_answer_that_took_longer_than_a_second_kills_nothing_and_is_looked_at_again() {
    let mut story = Story::begin(command());
    assert_eq!(story.stop.on_poll(at(10), at(1011), seen("1", 0)), Step::Wait);
    assert_eq!(story.stop.next_look(at(10)), Some(at(510)));
    // Somebody has joined meanwhile.
    assert_eq!(outcome(&story.poll(1020, seen("1", 1))), (Outcome::Refused, "1 listening", false));
    let mut story = Story::begin(command());
    assert_eq!(story.stop.on_poll(at(10), at(1010), seen("1", 0)), Step::Kill);
}

#[test]
fn an_answer_that_took_long_still_tells_of_a_listener() {
    let mut story = Story::begin(command());
    assert_eq!(outcome(&story.stop.on_poll(at(10), at(9000), seen("1", 1))).0, Outcome::Refused);
}

#[test]
fn a_source_that_is_back_unheard_is_killed_once_more_when_the_command_still_stands() {
    let mut story = Story::begin(command());
    story.poll(10, seen("1", 0));
    story.killed();
    assert_eq!(story.poll(1000, None), Step::Wait);
    assert_eq!(story.polls(4500, seen("2", 0)).1, Step::Wait);
    story.stop.on_delivery(at(5000));
    assert_eq!(story.poll(5010, seen("2", 0)), Step::Kill);
    story.killed();
    let (when, step) = story.polls(60_000, None);
    assert_eq!(outcome(&step), (Outcome::Ok, "", true));
    assert!(when >= 15_000, "{when}");
}

#[test]
fn a_source_that_is_back_again_has_reconnected() {
    let mut story = Story::begin(command());
    story.poll(10, seen("1", 0));
    story.killed();
    story.poll(1500, seen("2", 0));
    story.stop.on_delivery(at(2000));
    assert_eq!(story.poll(2010, seen("2", 0)), Step::Kill);
    story.killed();
    assert_eq!(story.poll(2500, seen("2", 0)), Step::Wait);
    assert_eq!(story.poll(3000, None), Step::Wait);
    assert_eq!(outcome(&story.poll(4000, seen("3", 0))), (Outcome::Error, "source reconnected", false));
}

#[test]
fn a_source_that_is_back_and_heard_is_left_alone() {
    let mut story = Story::begin(command());
    story.poll(10, seen("1", 0));
    story.killed();
    assert_eq!(outcome(&story.poll(1500, seen("2", 1))), (Outcome::Error, "source reconnected", false));
    let mut story = Story::begin(command());
    story.poll(10, seen("1", 0));
    story.killed();
    story.poll(1500, seen("2", 0));
    assert_eq!(outcome(&story.poll(1900, seen("2", 1))).1, "source reconnected");
    let mut story = Story::begin(command());
    story.poll(10, seen("1", 0));
    story.killed();
    story.poll(1500, seen("2", 0));
    story.stop.on_delivery(at(2000));
    assert_eq!(outcome(&story.poll(2010, seen("2", 1))).1, "source reconnected");
}

#[test]
fn a_command_that_is_delivered_no_more_kills_no_more() {
    let mut story = Story::begin(command());
    story.poll(10, seen("1", 0));
    story.killed();
    story.poll(1500, seen("2", 0));
    let (when, step) = story.polls(60_000, seen("2", 0));
    assert_eq!(outcome(&step).1, "source reconnected");
    assert!((13_000..15_000).contains(&when), "{when}");
}

#[test]
fn a_command_taken_back_before_the_kill_leaves_nothing_to_do() {
    let mut story = Story::begin(command());
    assert_eq!(story.stop.on_retract(), Retracted::Over);
}

#[test]
fn a_command_taken_back_after_a_kill_is_watched_until_the_source_is_gone() {
    let mut story = Story::begin(command());
    story.poll(10, seen("1", 0));
    assert_eq!(story.stop.on_retract(), Retracted::Watches);
    story.killed();
    let (_, step) = story.polls(60_000, None);
    assert_eq!(outcome(&step), (Outcome::Ok, "", true));
}

#[test]
fn a_command_taken_back_after_a_kill_kills_no_second_time() {
    let killed = || {
        let mut story = Story::begin(command());
        story.poll(10, seen("1", 0));
        story.killed();
        assert_eq!(story.poll(1000, None), Step::Wait);
        story
    };
    let mut while_it_is_away = killed();
    while_it_is_away.stop.on_retract();
    let mut once_it_is_back = killed();
    once_it_is_back.poll(2000, seen("2", 0));
    once_it_is_back.stop.on_retract();
    let mut about_to_kill_again = killed();
    about_to_kill_again.poll(2000, seen("2", 0));
    about_to_kill_again.stop.on_delivery(at(2100));
    about_to_kill_again.stop.on_retract();
    for mut story in [while_it_is_away, once_it_is_back, about_to_kill_again] {
        assert_eq!(story.polls(60_000, seen("2", 0)), (60_000, Step::GiveUp));
    }
    // Where somebody listens there is nothing to wait for.
    let mut heard = killed();
    heard.stop.on_retract();
    assert_eq!(outcome(&heard.polls(60_000, seen("2", 1)).1).1, "source reconnected");
}

#[test]
fn a_command_taken_back_while_the_source_is_away_and_delivered_again_much_later_kills_what_came_back() {
    let mut story = Story::begin(command());
    story.poll(10, seen("1", 0));
    story.killed();
    story.poll(1000, None);
    story.stop.on_retract();
    assert_eq!(story.poll(2000, seen("2", 0)), Step::Wait, "it is back");
    // The counts of other sources, killed too, were in doubt for that long.
    assert_eq!(story.polls(20_000, seen("2", 0)).1, Step::Wait);
    story.stop.on_delivery(at(20_000));
    assert_eq!(story.poll(20_010, seen("2", 0)), Step::Kill);
}

#[test]
fn deliveries_during_a_stop_start_nothing_twice() {
    let mut story = Story::begin(command());
    story.stop.on_delivery(at(5));
    assert_eq!(story.poll(10, seen("1", 0)), Step::Kill);
    story.stop.on_delivery(at(12));
    assert_eq!(story.poll(13, seen("1", 0)), Step::Wait);
    story.killed();
    story.stop.on_delivery(at(2000));
    assert_eq!(story.poll(2001, seen("1", 0)), Step::Wait);
}

#[test]
fn a_server_that_does_not_end_the_source_is_an_error() {
    let mut story = Story::begin(command());
    story.poll(10, seen("1", 0));
    story.killed();
    assert_eq!(story.polls(4000, seen("1", 0)).1, Step::Wait);
    story.stop.on_delivery(at(5000));
    assert_eq!(story.poll(5010, seen("1", 0)), Step::Kill);
    story.killed();
    assert_eq!(outcome(&story.polls(20_000, seen("1", 0)).1).1, "the server does not end the source");
}

#[test]
fn a_daemon_that_may_not_kill_says_so() {
    let mut story = Story::begin(command());
    story.poll(10, seen("1", 0));
    let step = story.stop.on_killed(at(20), Killed::Denied("no".into()));
    assert_eq!(outcome(&step), (Outcome::Error, "no", false));
}

#[test]
fn a_bad_look_before_the_kill_leaves_it_to_the_next_delivery() {
    let mut story = Story::begin(command());
    assert_eq!(story.stop.on_bad_poll(at(10)), Step::GiveUp);
}

#[test]
fn nothing_is_done_past_the_commands_validity() {
    let mut story = Story::begin(command());
    assert_eq!(story.poll(60_000, seen("1", 0)), Step::GiveUp);
    let mut story = Story::begin(command());
    story.poll(59_990, seen("1", 0));
    story.killed();
    assert_eq!(story.poll(60_001, None), Step::GiveUp);
}

#[test]
fn a_source_that_went_by_itself_is_not_killed() {
    let mut story = Story::begin(command());
    assert_eq!(story.poll(10, None), Step::Wait);
    assert_eq!(outcome(&story.stop.on_gone()).0, Outcome::Ok);
}

#[test]
fn an_operators_forced_stop_asks_for_nobody() {
    let mut story = Story::begin(forced());
    assert_eq!(story.poll(10, seen("1", 5)), Step::Kill);
    story.killed();
    // Who has come back with listeners is not what the operator wanted ended.
    assert_eq!(outcome(&story.poll(1500, seen("2", 5))), (Outcome::Error, "source reconnected", false));
}

#[test]
fn what_comes_back_unheard_is_killed_once_more_though_nobody_has_not_settled() {
    for command in [command(), forced()] {
        let mut story = Story::begin(command);
        assert_eq!(story.poll(10, seen("1", 0)), Step::Kill);
        story.killed();
        let back = |counted| Some(Sighting { session: SESSION, connection: "2", listeners: None, counted });
        assert_eq!(story.poll(1500, back(Some(0))), Step::Wait);
        story.stop.on_delivery(at(2000));
        assert_eq!(story.poll(2010, back(Some(0))), Step::Kill);
    }
}

#[test]
fn a_server_that_takes_too_long_to_say_who_listens_is_named_as_the_reason() {
    let mut story = Story::begin(command());
    for second in 2..30 {
        let step = story.stop.on_poll(at(second * 1000 - 1500), at(second * 1000), seen("1", 0));
        assert_eq!(step, Step::Wait, "{second}");
    }
    let step = story.stop.on_poll(at(29_000), at(30_500), seen("1", 0));
    assert!(outcome(&step).1.contains("1.5 s"), "{step:?}");
    assert_eq!(outcome(&step).0, Outcome::Error);
}

proptest! {
    /// Whatever the server shows: a kill follows only a fresh look at nobody, while the command
    /// stands, twice at most; and `gone` only ten seconds after the last kill.
    #[test]
    fn no_server_makes_a_wrong_kill(
        events in proptest::collection::vec((1u64..3000, 0u8..6, 0usize..4, proptest::option::of(0u32..2), 0u64..2500), 1..80)
    ) {
        let mut stop = Stop::new(command(), at(0));
        let (mut now, mut kills, mut last_kill, mut retracted) = (0u64, 0, 0u64, false);
        for (passed, kind, start, listeners, ago) in events {
            now += passed;
            let step = match kind {
                0 => stop.on_bad_poll(at(now)),
                1 => { stop.on_delivery(at(now)); retracted = false; Step::Wait }
                2 => stop.on_killed(at(now), Killed::Perhaps),
                3 if start == 0 => {
                    retracted = true;
                    prop_assert_eq!(stop.on_retract() == Retracted::Watches, kills > 0);
                    if kills == 0 { return Ok(()); }
                    Step::Wait
                }
                _ => {
                    let sent = now.saturating_sub(ago);
                    let seen = (start > 0).then(|| Sighting { session: SESSION, connection: ["", "1", "2", "3"][start], listeners, counted: listeners });
                    let step = stop.on_poll(at(sent), at(now), seen);
                    if step == Step::Kill {
                        prop_assert_eq!(seen.unwrap().listeners, Some(0));
                        prop_assert!(now < 60_000 && now - sent <= 1000 && !retracted);
                        kills += 1;
                        last_kill = now;
                        prop_assert!(kills <= 2);
                    }
                    step
                }
            };
            match step {
                Step::GiveUp => return Ok(()),
                Step::Settle(verdict) => {
                    if verdict.gone {
                        prop_assert!(kills > 0 && now - last_kill >= RECONNECT_WINDOW.as_millis() as u64);
                    }
                    prop_assert!(verdict.outcome != Outcome::Refused || kills == 0);
                    return Ok(());
                }
                Step::Wait | Step::Kill => {}
            }
        }
    }
}

#[test]
fn it_looks_at_once_and_then_twice_a_second() {
    let mut story = Story::begin(command());
    assert_eq!(story.stop.next_look(Timestamp::from_micros(5)), Some(at(0)));
    assert_eq!(story.stop.next_look(at(0)), Some(at(500)));
    story.poll(10, seen("1", 0));
    assert_eq!(story.stop.next_look(at(10)), None);
    story.killed();
    assert_eq!(story.stop.next_look(at(10)), Some(at(10).plus(Duration::from_millis(500))));
}
