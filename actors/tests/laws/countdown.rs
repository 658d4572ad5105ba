//! Laws 6 to 10: what arms, cancels and freezes a countdown, its warnings and its end.

use std::time::Duration;

use proptest::prelude::*;
use sattva_actors::{
    channel::{
        auto_end::{Cause, Effect, PhaseName, Reason},
        policy::{Policy, Timeouts},
    },
    protocol::Status,
};

use crate::{
    cases,
    subject::{Said, Subject, is, says, secs, stops, warnings},
};

fn deadline_after(jazz: &Subject, time: Duration) {
    assert_eq!(jazz.ends_at(), Some(jazz.now.plus(time)));
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn law_6_a_known_zero_arms_for_the_whole_timeout(timeout in 1u64..5000, idle: bool, heard: bool) {
        let mut jazz = Subject::under(Policy::new(secs(timeout), &[60, 30, 10]));
        let reason = if heard { Reason::AllLeft } else { Reason::NeverJoined };
        if heard { jazz.say(says(2)); }
        let effects = jazz.say(Said { status: if idle { Status::Idle } else { Status::Live }, ..says(0) });
        let ends_at = jazz.now.plus(secs(timeout));
        prop_assert_eq!(&effects[0], &Effect::Started { ends_at, reason });
    }

    #[test]
    fn law_6_repeated_zeros_do_not_move_the_deadline(zeros in proptest::collection::vec(1u64..14_000, 1..20)) {
        let mut jazz = Subject::default();
        jazz.say(says(0).joins(4));
        let deadline = jazz.ends_at();
        for wait in zeros {
            jazz.pass(Duration::from_millis(wait));
            jazz.say(says(0).joins(4));
            prop_assert!(jazz.ends_at() == deadline);
        }
    }

    #[test]
    fn law_6_someone_who_came_and_went_arms_anew_in_full(before in 0u64..9, more in 1u64..9, elapsed in 1u64..299) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0).joins(before), secs(elapsed));
        let effects = jazz.say(says(0).joins(before + more));
        prop_assert!(effects.contains(&Effect::Cancelled(Cause::CameAndWent)));
        deadline_after(&jazz, secs(300));
    }

    #[test]
    fn law_6_someone_who_came_in_while_the_counter_was_unusable_arms_anew(elapsed in 1u64..250, hidden in 1u64..9) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0).joins(3), secs(elapsed));
        for _ in 0..hidden { jazz.say(says(0)); }
        jazz.say(says(0).joins(4));
        deadline_after(&jazz, secs(300));
    }

    #[test]
    fn law_6_a_reporter_that_joins_in_with_joins_of_its_own_arms_anew(joins in 1u64..9, elapsed in 1u64..299) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0).joins(0), secs(elapsed));
        jazz.hear("second", &says(0).joins(joins));
        deadline_after(&jazz, secs(300));
    }

    #[test]
    fn law_7_a_listener_a_pause_and_the_end_each_cancel(elapsed in 0u64..299, how in 0usize..3) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(elapsed));
        let (said, cause) = [
            (says(1), Cause::Listener),
            (is(Status::Paused), Cause::StreamPaused),
            (is(Status::Stopped), Cause::StreamEnded),
        ][how].clone();
        let effects = jazz.say(said);
        prop_assert!(effects.contains(&Effect::Cancelled(cause)), "{effects:?}");
        prop_assert_eq!(jazz.ends_at(), None);
        prop_assert_eq!(stops(&jazz.pass(secs(1000))), 0);
    }

    #[test]
    fn law_7_where_nothing_counts_down_nothing_is_cancelled(n in 1u32..9, how in 0usize..3, failed: bool) {
        let mut jazz = Subject::default();
        if failed {
            jazz.keep_saying(&says(0), secs(302));
            jazz.pass(secs(61));
        }
        let effects = jazz.say(says(n));
        prop_assert!(effects.is_empty(), "{effects:?}");
        let effects = jazz.say([says(n), is(Status::Paused), is(Status::Stopped)][how].clone());
        prop_assert!(effects.is_empty(), "{effects:?}");
    }

    #[test]
    fn law_7_idle_between_tracks_changes_nothing(elapsed in 0u64..299) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(elapsed));
        let deadline = jazz.ends_at();
        prop_assert_eq!(stops(&jazz.say(is(Status::Idle))), 0);
        prop_assert_eq!(jazz.ends_at(), deadline);
    }

    #[test]
    fn law_8_unknown_keeps_the_seconds_left_at_the_last_zero(
        known in 1u64..58, unknown in 0u64..10_000, hidden: bool,
    ) {
        let known = known * 5;
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(known));
        if hidden { jazz.say(says(None)); }
        let effects = jazz.pass(secs(unknown + 15));
        prop_assert_eq!(stops(&effects), 0);
        jazz.say(says(0));
        deadline_after(&jazz, secs(300 - known).max(secs(if known > 290 { 10 } else { 0 })));
    }

    #[test]
    fn law_8_an_operators_extension_outlives_a_freeze(by in 1u64..10_000, unknown in 15u64..1000) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(100));
        jazz.operate(sattva_actors::protocol::Action::Extend(secs(by))).1.unwrap();
        jazz.pass(secs(unknown));
        jazz.say(says(0));
        deadline_after(&jazz, secs(200 + by));
    }

    #[test]
    fn law_8_what_is_shown_of_a_countdown_is_what_it_will_do(elapsed in 1u64..50) {
        let elapsed = elapsed * 5;
        let mut jazz = Subject::default();
        jazz.say(says(2));
        let armed = jazz.now;
        jazz.keep_saying(&says(0), secs(elapsed));
        jazz.operate(sattva_actors::protocol::Action::Extend(secs(50))).1.unwrap();
        let shown = |jazz: &Subject| {
            let it = jazz.stream.auto_end();
            let times = (it.remaining(jazz.now), it.began_at(&jazz.policy), it.zero_at());
            (jazz.phase(), it.countdown_reason(), times, it.is_overdue())
        };
        let (left, reason) = (Some(secs(350 - elapsed)), Some(Reason::AllLeft));
        let times = (left, Some(armed), Some(jazz.now));
        prop_assert_eq!(shown(&jazz), (PhaseName::Counting, reason, times, false));
        jazz.say(says(None));
        prop_assert_eq!(shown(&jazz), (PhaseName::Frozen, reason, (left, None, None), false));
        jazz.say(says(1));
        prop_assert_eq!(shown(&jazz), (PhaseName::Watching, None, (None, None, None), false));
        jazz.reload(Policy { enabled: false, ..Policy::default() });
        prop_assert_eq!(jazz.phase(), PhaseName::Off);
        jazz.operate(sattva_actors::protocol::Action::Pause).1.unwrap();
        prop_assert_eq!(jazz.phase(), PhaseName::Paused);
    }

    #[test]
    fn law_10_a_countdown_without_a_fresh_zero_at_its_end_is_overdue_and_waits_for_one(late in 0u64..90) {
        let mut jazz = Subject::default();
        jazz.say(says(0).every(secs(200)));
        jazz.pass(secs(300 + late));
        prop_assert!(jazz.stream.auto_end().is_overdue() && !jazz.stream.auto_end().would_have_stopped());
        prop_assert_eq!(jazz.stream.next_timeout(&jazz.policy), None);
        prop_assert_eq!(stops(&jazz.say(says(0).every(secs(200)))), 1);
        prop_assert!(!jazz.stream.auto_end().is_overdue());
    }

    #[test]
    fn law_9_the_warnings_come_at_their_seconds(timeout in 1u64..2000, list in proptest::collection::btree_set(1u64..900, 0..5)) {
        let list: Vec<u64> = list.into_iter().collect();
        let mut jazz = Subject::under(Policy::new(secs(timeout), &list));
        let armed = jazz.now;
        jazz.keep_saying(&says(0), secs(timeout + 5));
        let sent: Vec<(u64, u32)> = jazz.told.iter().filter_map(|(at, e)| match e {
            Effect::Warn { seconds, .. } => Some((at.since(armed).as_secs(), *seconds)),
            _ => None,
        }).collect();
        let due: Vec<(u64, u32)> =
            list.iter().rev().filter(|w| **w < timeout).map(|w| (timeout - w, *w as u32)).collect();
        prop_assert_eq!(sent, due);
    }

    #[test]
    fn law_9_a_late_timer_sends_only_the_tightest_warning_that_is_still_true(late in 240u64..400) {
        let mut jazz = Subject::default();
        jazz.say(says(0).every(secs(500)));
        jazz.sleep(secs(late));
        let sent = warnings(&jazz.wake());
        let left = 300u64.saturating_sub(late);
        let expected = left.max(10);
        prop_assert_eq!(sent, vec![expected as u32]);
    }

    #[test]
    fn law_9_extending_sends_the_warnings_again(by in 51u64..500) {
        let mut jazz = Subject::default();
        prop_assert_eq!(warnings(&jazz.keep_saying(&says(0), secs(290))), [60, 30, 10]);
        jazz.operate(sattva_actors::protocol::Action::Extend(secs(by))).1.unwrap();
        let effects = jazz.keep_saying(&says(0), secs(by + 15));
        prop_assert_eq!(warnings(&effects), [60, 30, 10]);
        prop_assert_eq!(stops(&effects), 1);
    }

    #[test]
    fn law_9_a_countdown_extended_to_the_moment_of_a_warning_is_warned_of_by_it(warning in prop::sample::select(vec![30u64, 60])) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(280));
        let left = jazz.ends_at().unwrap().since(jazz.now);
        let (mut effects, done) = jazz.operate(sattva_actors::protocol::Action::Extend(secs(warning) - left));
        done.unwrap();
        effects.extend(jazz.keep_saying(&says(0), secs(2)));
        prop_assert_eq!(warnings(&effects), [warning as u32]);
    }

    #[test]
    fn law_9_extending_sends_no_warning_again_whose_moment_has_passed(by in 0u64..60) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(290));
        let (mut effects, _) = jazz.operate(sattva_actors::protocol::Action::Extend(secs(by)));
        effects.extend(jazz.keep_saying(&says(0), secs(10 + by + 5)));
        let ahead: Vec<u32> = [60, 30, 10].into_iter().filter(|warning| u64::from(*warning) <= 10 + by).collect();
        prop_assert_eq!(warnings(&effects), ahead);
    }

    #[test]
    fn law_10_a_stop_comes_at_its_deadline_not_a_microsecond_early_and_at_most_two_seconds_late(
        timeout in 1u64..900, jitter_ms in 0u64..2_000,
    ) {
        let mut jazz = Subject::under(Policy::new(secs(timeout), &[60, 30, 10]));
        let deadline = jazz.now.plus(secs(timeout));
        let mut said = false;
        while !said {
            said = stops(&jazz.say(says(0))) > 0;
            said |= stops(&jazz.pass(Duration::from_millis(5_000 + jitter_ms))) > 0;
        }
        let (at, command) = jazz.offered[0].clone();
        prop_assert!(at >= deadline && at.since(deadline) <= secs(2), "{:?} late", at.since(deadline));
        prop_assert_eq!(command.decided_at, at);
    }

    #[test]
    fn law_10_no_stop_without_a_zero_newer_than_one_interval_from_every_reporter(stale in 5u64..15) {
        let mut jazz = Subject::default();
        jazz.hear("second", &says(0).every(secs(400)));
        jazz.keep_saying(&says(0), secs(300) - secs(stale) + secs(1));
        let until = jazz.now;
        jazz.pass(secs(14));
        let fresh = |at: sattva_actors::clock::Timestamp| at.since(until) < secs(5);
        prop_assert!(jazz.offered.iter().all(|(at, _)| fresh(*at)));
    }

    #[test]
    fn law_10_the_last_warnings_time_goes_by_in_full_however_late_it_was_sent(late in 291u64..355) {
        let mut jazz = Subject::default();
        let zero = says(0).every(secs(30));
        jazz.keep_saying(&zero, secs(270));
        jazz.sleep(secs(late - 270));
        prop_assert_eq!(warnings(&jazz.wake()), [10]);
        let warned = jazz.now;
        jazz.pass(secs(5));
        jazz.say(zero);
        jazz.pass(secs(20));
        prop_assert_eq!(jazz.offered[0].0, warned.plus(secs(10)));
    }

    #[test]
    fn law_6_a_stream_nobody_ever_joined_may_have_a_timeout_of_its_own(
        never_joined in 11u64..1000, all_left in 11u64..1000, other in 11u64..1000,
    ) {
        let timeouts = Timeouts { never_joined: secs(never_joined).into(), all_left: secs(all_left).into() };
        let mut jazz = Subject::under(Policy { timeouts, ..Policy::new(secs(300), &[10]) });
        jazz.say(says(0));
        deadline_after(&jazz, secs(never_joined));
        jazz.say(says(1));
        jazz.say(says(0));
        deadline_after(&jazz, secs(all_left));
        let timeouts = Timeouts { never_joined: secs(other).into(), ..timeouts };
        jazz.reload(Policy { timeouts, ..jazz.policy.clone() });
        deadline_after(&jazz, secs(all_left));
    }

    #[test]
    fn law_6_a_countdown_follows_a_timeout_that_is_changed(elapsed in 1u64..50, timeout in 61u64..900, frozen: bool) {
        let elapsed = elapsed * 5;
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(elapsed));
        if frozen { jazz.say(says(None)); }
        let effects = jazz.reload(Policy::new(secs(timeout), &[60, 30, 10]));
        let ends_at = jazz.now.plus(secs(timeout.saturating_sub(elapsed).max(10)));
        let moved = effects.contains(&Effect::Rescheduled { ends_at });
        prop_assert_eq!(moved, !frozen && timeout != 300, "{:?}", effects);
        if frozen { jazz.say(says(0)); }
        prop_assert_eq!(jazz.ends_at(), Some(ends_at));
    }

    #[test]
    fn law_10_a_reload_that_changes_nothing_for_a_countdown_neither_moves_it_nor_warns_again(
        left in 1u64..29, other in 310u64..900,
    ) {
        let mut jazz = Subject::default();
        jazz.say(says(1));
        jazz.keep_saying(&says(0).every(secs(1)), secs(300 - left));
        let deadline = jazz.ends_at();
        let timeouts = Timeouts { never_joined: secs(other).into(), ..jazz.policy.timeouts };
        prop_assert_eq!(jazz.reload(Policy { timeouts, ..jazz.policy.clone() }), []);
        prop_assert_eq!(jazz.ends_at(), deadline);
    }

    #[test]
    fn law_10_a_reload_to_a_longer_last_warning_sends_it_and_lets_it_go_by(left in 1u64..9, longer in 11u64..60) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0).every(secs(1)), secs(300 - left));
        let effects = jazz.reload(Policy::new(secs(300), &[longer]));
        prop_assert_eq!(warnings(&effects), [longer as u32]);
        deadline_after(&jazz, secs(longer));
    }

    #[test]
    fn law_10_a_reload_ends_nobody_unwarned(
        elapsed in 1u64..299, timeout in 1u64..600, list in proptest::collection::vec(1u64..300, 0..4),
    ) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(elapsed));
        let policy = Policy::new(secs(timeout), &list);
        let last = policy.last_warning(Reason::AllLeft);
        jazz.reload(policy);
        let reloaded = jazz.now;
        jazz.keep_saying(&says(0), secs(700));
        let stopped = jazz.offered[0].0;
        let warned = jazz.told.iter().rev().find(|(at, e)| matches!(e, Effect::Warn { .. }) && *at < stopped);
        let warned = warned.map(|(at, _)| *at);
        prop_assert!(stopped >= reloaded);
        if let Some(last) = last {
            prop_assert!(stopped.since(warned.unwrap()) >= last);
            prop_assert!(stopped.since(reloaded) >= last);
        }
    }
}
