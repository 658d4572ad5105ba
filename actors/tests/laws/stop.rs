//! Laws 13 to 16: a stop, its guards, what takes it back and what confirms it.

use std::time::Duration;

use proptest::prelude::*;
use sattva_actors::{
    channel::{
        auto_end::{Cause, Effect, PhaseName},
        policy::Policy,
    },
    protocol::{Action, OnlyIf, Outcome, Status, StopReason},
};

use crate::{
    cases,
    subject::{Subject, is, says, secs, stops, warnings},
};

fn stopping(joins: Option<u64>) -> Subject {
    let mut jazz = Subject::default();
    let zero = zero_with(joins);
    jazz.keep_saying(&zero, secs(302));
    assert_eq!(jazz.offered.len(), 1);
    jazz
}

fn zero_with(joins: Option<u64>) -> crate::subject::Said {
    crate::subject::Said { joins, ..says(0) }
}

/// Told to stop after so many seconds, it has said that it does.
fn answered(timeout: u64) -> Subject {
    let mut jazz = Subject::under(Policy::new(secs(timeout), &[30, 10]));
    jazz.until_it_has_answered();
    jazz
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn law_13_each_reporter_gets_one_command_bound_to_its_session_and_guarded(
        joins in proptest::collection::vec(proptest::option::of(0u64..9), 1..4),
    ) {
        let mut jazz = Subject::default();
        while jazz.offered.is_empty() {
            for (i, joins) in joins.iter().enumerate() {
                let said = zero_with(*joins).of(&format!("session-{i}"));
                jazz.hear(&format!("radio-{i}"), &said);
            }
            jazz.pass(secs(4));
        }
        prop_assert_eq!(jazz.offered.len(), joins.len());
        for (i, joins) in joins.iter().enumerate() {
            let of_source = |c: &&(_, sattva_actors::protocol::StopCommand)| c.1.source.as_str() == format!("radio-{i}");
            let (_, command) = jazz.offered.iter().find(of_source).unwrap();
            prop_assert_eq!(command.session.as_str(), format!("session-{i}"));
            prop_assert_eq!(command.only_if, Some(OnlyIf { listeners_at_most: 0, joins: *joins }));
            prop_assert_eq!(command.valid_until.since(command.decided_at), secs(60));
            prop_assert_eq!(command.reason, StopReason::NoListeners);
            for part in [format!("session-{i}"), "g1".into(), "f1".into()] {
                prop_assert!(command.id.contains(&part), "{} names {part}", command.id);
            }
        }
    }

    #[test]
    fn law_13_a_stop_that_cannot_be_written_is_offered_to_nobody_and_decided_anew_when_it_can(outage in 1u64..3000) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(299));
        jazz.say(says(0));
        jazz.disk_works = false;
        let effects = jazz.pass(secs(2));
        prop_assert!(effects.contains(&Effect::Withdrawn { generation: 1, cause: Cause::NotDurable }), "{effects:?}");
        jazz.may_stop = false;
        prop_assert_eq!(stops(&jazz.keep_saying(&says(0), secs(outage))), 0);
        prop_assert!(jazz.offered.is_empty());
        (jazz.disk_works, jazz.may_stop, jazz.trusted_since) = (true, true, jazz.now.plus(secs(1)));
        jazz.pass(secs(1));
        let back = jazz.now;
        jazz.keep_saying(&says(0), secs(20));
        prop_assert!(jazz.offered[0].0.since(back) <= secs(12));
    }

    #[test]
    fn law_13_a_slow_reporters_stop_is_decided_on_a_report_whose_answer_carries_it(interval in 31u64..299) {
        let mut jazz = Subject::default();
        let zero = says(0).every(secs(interval));
        let began = jazz.now;
        while jazz.offered.is_empty() {
            let reported = jazz.now;
            jazz.say(zero.clone());
            if let Some((offered, _)) = jazz.offered.first() {
                prop_assert_eq!(*offered, reported);
                break;
            }
            jazz.pass(secs(interval));
            prop_assert!(jazz.offered.is_empty(), "nobody would collect it in time");
            prop_assert!(jazz.now.since(began) < secs(300 + 2 * interval), "it is missed");
        }
    }

    #[test]
    fn law_14_a_listener_a_pause_and_a_new_session_withdraw_a_stop(how in 0usize..6, wait in 0u64..4) {
        let mut jazz = stopping(Some(3));
        jazz.pass(secs(wait));
        let effects = match how {
            0 => jazz.say(says(1).joins(4)),
            1 => jazz.say(says(0).joins(4)),
            2 => jazz.say(is(Status::Paused).joins(3)),
            3 => jazz.say(says(0).of("s2").joins(0)),
            4 => jazz.operate(Action::Pause).0,
            _ => jazz.hear("second", &says(0)).0,
        };
        let cause = [Cause::Listener, Cause::CameAndWent, Cause::StreamPaused, Cause::NewSession, Cause::OperatorPaused, Cause::NewSession][how];
        prop_assert!(effects.contains(&Effect::Withdrawn { generation: 1, cause }), "{effects:?}");
        prop_assert!(!jazz.stream.auto_end().is_stopping());
    }

    #[test]
    fn law_14_a_listener_beside_a_silent_reporter_withdraws_a_stop(hidden: bool) {
        let mut jazz = Subject::default();
        while jazz.offered.is_empty() {
            jazz.hear("second", &says(0));
            jazz.say(says(0));
            jazz.pass(secs(4));
        }
        if hidden { jazz.hear("second", &says(None)); } else { jazz.pass(secs(20)); }
        let effects = jazz.say(says(2));
        prop_assert!(effects.contains(&Effect::Withdrawn { generation: 1, cause: Cause::Listener }), "{effects:?}");
    }

    #[test]
    fn law_14_a_stop_whose_only_count_comes_into_doubt_is_taken_back_and_offered_again_at_the_next_zero(
        delivered: bool, hidden: bool, wait in 0u64..20,
    ) {
        let mut jazz = stopping(None);
        let id = jazz.last_command().id;
        if delivered { prop_assert!(jazz.delivers(&id)); }
        if hidden { jazz.say(says(None)); } else { jazz.pass(secs(15)); }
        jazz.pass(secs(wait));
        let taken_back: Vec<_> = jazz.held_back.iter().map(|(_, r)| (r.id.clone(), r.leaves_outlet)).collect();
        // An adapter that has it may be the reason of the doubt: it has killed the source.
        prop_assert_eq!(taken_back, [(id.clone(), delivered)]);
        prop_assert_eq!(jazz.offered.len(), 1);
        jazz.say(says(0));
        prop_assert_eq!(jazz.offered.len(), 2);
        prop_assert_eq!(jazz.last_command().id, id);
    }

    #[test]
    fn law_14_a_stop_beside_a_count_in_doubt_is_taken_back_from_everybody(
        delivered: bool, hidden: bool, both_at_last: bool,
    ) {
        let mut jazz = Subject::default();
        while jazz.offered.is_empty() {
            jazz.hear("second", &says(0));
            jazz.say(says(0));
            jazz.pass(secs(4));
        }
        let of = |jazz: &Subject, source: &str| {
            jazz.offered.iter().find(|(_, command)| command.source.as_str() == source).unwrap().1.id.clone()
        };
        let (first, second) = (of(&jazz, "radio"), of(&jazz, "second"));
        if delivered { for id in [&first, &second] { prop_assert!(jazz.delivers(id)); } }
        jazz.say(says(0));
        if hidden { jazz.hear("second", &says(None)); } else { jazz.pass(secs(12)); }
        if both_at_last { jazz.say(says(None)); }
        let taken_back = |id: &str| {
            let of_id = jazz.held_back.iter().filter(|(_, retract)| retract.id == id);
            of_id.map(|(_, retract)| retract.leaves_outlet).collect::<Vec<_>>()
        };
        prop_assert_eq!(taken_back(&first), [false], "of the other it knows nothing");
        let its_own: &[bool] = match (delivered, both_at_last) {
            (false, _) => &[false],
            (true, false) => &[true],
            (true, true) => &[true, false],
        };
        prop_assert_eq!(taken_back(&second), its_own);
    }

    #[test]
    fn law_14_a_forced_stop_goes_on_in_doubt(hidden: bool) {
        let mut jazz = Subject::default();
        jazz.say(says(3));
        jazz.operate(Action::Stop { force: true }).1.unwrap();
        prop_assert_eq!(jazz.offered.len(), 1);
        if hidden { jazz.say(says(None)); } else { jazz.pass(secs(20)); }
        prop_assert!(jazz.held_back.is_empty());
    }

    #[test]
    fn law_14_a_reporters_new_session_beside_another_withdraws_a_stop(ended_first: bool) {
        let mut jazz = Subject::default();
        while jazz.offered.is_empty() {
            jazz.hear("second", &says(0));
            jazz.say(says(0));
            jazz.pass(secs(4));
        }
        if ended_first { jazz.hear("second", &is(Status::Stopped)); }
        jazz.hear("second", &says(0).of("s2"));
        prop_assert!(!jazz.stream.auto_end().is_stopping());
    }

    #[test]
    fn law_14_a_refusal_that_is_read_when_the_stop_is_over_makes_the_next_zero_count_in_full(restarted: bool, late in 0u64..8) {
        let mut jazz = stopping(None);
        let id = jazz.last_command().id;
        if restarted { jazz.restart(secs(1), None); }
        jazz.pass(secs(62));
        // It may be counting down towards the next stop already.
        if late > 0 { jazz.keep_saying(&says(0), secs(late)); }
        jazz.ack(&id, "radio", Outcome::Refused);
        jazz.say(says(0));
        let ends_at = jazz.ends_at();
        prop_assert_eq!(ends_at, Some(jazz.now.plus(secs(300))));
        // Said again it tells nothing new.
        jazz.keep_saying(&says(0), secs(20));
        jazz.ack(&id, "radio", Outcome::Refused);
        jazz.say(says(0));
        prop_assert_eq!(jazz.ends_at(), ends_at);
    }

    #[test]
    fn law_14_refused_arms_anew_in_full_with_a_new_id(wait in 0u64..4) {
        let mut jazz = stopping(Some(3));
        let first = jazz.last_command();
        jazz.pass(secs(wait));
        let effects = jazz.ack(&first.id, "radio", Outcome::Refused);
        prop_assert!(effects.contains(&Effect::Withdrawn { generation: 1, cause: Cause::Refused }), "{effects:?}");
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
        let effects = jazz.keep_saying(&says(0).joins(3), secs(304));
        prop_assert_eq!(warnings(&effects), [60, 30, 10]);
        prop_assert_ne!(jazz.last_command().id, first.id);
        prop_assert_eq!(jazz.stream.auto_end().generation(), 2);
    }

    #[test]
    fn law_14_another_sources_or_an_old_commands_answer_means_nothing(stranger: bool) {
        let mut jazz = stopping(None);
        let id = jazz.last_command().id;
        let effects = if stranger { jazz.ack(&id, "stranger", Outcome::Refused) } else { jazz.ack("jazz/g0.f1.r0/s1", "radio", Outcome::Refused) };
        prop_assert!(effects.is_empty());
        prop_assert!(jazz.stream.auto_end().is_stopping());
    }

    #[test]
    fn law_15_only_seeing_the_stream_gone_confirms(acked: bool, by_new_session: bool, wait in 0u64..14) {
        let mut jazz = stopping(None);
        let id = jazz.last_command().id;
        if acked {
            prop_assert!(jazz.ack(&id, "radio", Outcome::Ok).is_empty());
        }
        jazz.pass(secs(wait));
        prop_assert!(jazz.stream.auto_end().is_stopping());
        let gone = if by_new_session { says(0).of("s2") } else { is(Status::Stopped) };
        let effects = jazz.say(gone);
        let confirmed = effects.contains(&Effect::Ended { generation: 1 });
        prop_assert_eq!(confirmed, acked || !by_new_session, "{:?}", effects);
    }

    #[test]
    fn law_15_ok_and_silence_has_failed_and_is_tried_again_after_five_minutes_with_a_new_last_warning(
        acked: bool, silent: bool, error: bool,
    ) {
        let mut jazz = stopping(None);
        let decided = jazz.offered[0].0;
        let id = jazz.last_command().id;
        let failed_at = if error {
            jazz.ack(&id, "radio", Outcome::Error);
            jazz.now
        } else {
            if acked { jazz.ack(&id, "radio", Outcome::Ok); }
            let effects = if silent { jazz.pass(secs(62)) } else { jazz.keep_saying(&says(0), secs(62)) };
            let failed = effects.iter().any(|e| matches!(e, Effect::StopFailed { generation: 1, .. }));
            prop_assert!(failed, "{effects:?}");
            decided.plus(secs(60))
        };
        let effects = jazz.keep_saying(&says(0), secs(330));
        prop_assert_eq!(warnings(&effects), [10]);
        let (at, command) = jazz.offered[1].clone();
        prop_assert!(at >= failed_at.plus(secs(310)) && at <= failed_at.plus(secs(320)), "{:?}", at.since(failed_at));
        prop_assert_ne!(command.id, id);
    }

    #[test]
    fn law_15_a_stop_that_fails_again_and_again_is_tried_at_most_every_five_minutes(hours in 1u64..3) {
        let mut jazz = stopping(None);
        jazz.keep_saying(&says(0), secs(hours * 3600));
        let times: Vec<_> = jazz.offered.iter().map(|(at, _)| *at).collect();
        prop_assert!(times.windows(2).all(|w| w[1].since(w[0]) >= secs(300)));
        prop_assert!(times.windows(2).all(|w| w[1].since(w[0]) <= secs(60 + 300 + 10 + 10)));
    }

    #[test]
    fn law_15_an_operators_stop_that_reached_nobody_has_failed_and_an_automatic_one_is_decided_anew(operator: bool) {
        let mut jazz = Subject::default();
        if operator {
            jazz.say(says(0));
            jazz.operate(Action::Stop { force: false }).1.unwrap();
        } else {
            jazz = stopping(None);
        }
        // The daemon dies before anybody has collected it, and the streamer is silent for its whole validity.
        jazz.restart(secs(1), None);
        let effects = jazz.pass(secs(62));
        let failed = effects.iter().any(|e| matches!(e, Effect::StopFailed { generation: 1, .. }));
        let anew = effects.contains(&Effect::Withdrawn { generation: 1, cause: Cause::Undelivered });
        prop_assert_eq!((failed, anew), (operator, !operator), "{:?}", effects);
        if anew {
            // No countdown is left that could stand still: the next zero warns at once.
            let effects = jazz.say(says(None));
            prop_assert!(!effects.iter().any(|e| matches!(e, Effect::Frozen { .. })), "{:?}", effects);
            jazz.say(says(0));
            prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(10))));
        }
    }

    #[test]
    fn law_15_a_zero_arms_again_five_minutes_after_a_failure_and_not_a_microsecond_before(early in 1u64..300_000_000) {
        let mut jazz = stopping(None);
        let id = jazz.last_command().id;
        jazz.ack(&id, "radio", Outcome::Error);
        let early = Duration::from_micros(early);
        jazz.sleep(secs(300) - early);
        jazz.say(says(0));
        prop_assert_eq!(jazz.ends_at(), None);
        jazz.sleep(early);
        jazz.say(says(0));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(10))));
    }

    #[test]
    fn law_15_after_a_listener_a_failed_stop_stays_loud_but_the_next_zero_arms_in_full(wait in 0u64..400) {
        let mut jazz = stopping(None);
        jazz.keep_saying(&says(0), secs(61 + wait));
        jazz.say(says(1));
        jazz.say(says(0));
        prop_assert_eq!(jazz.phase(), PhaseName::StopFailed);
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
        let effects = jazz.keep_saying(&says(0), secs(310));
        prop_assert_eq!(warnings(&effects), [60, 30, 10]);
        prop_assert_eq!(stops(&effects), 1);
    }

    #[test]
    fn law_15_after_a_pause_a_failed_stop_stays_loud_but_the_next_zero_arms_in_full(wait in 0u64..400) {
        let mut jazz = stopping(None);
        jazz.keep_saying(&says(0), secs(61 + wait));
        jazz.say(is(Status::Paused));
        jazz.say(says(0));
        prop_assert_eq!(jazz.phase(), PhaseName::StopFailed);
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
    }

    #[test]
    fn law_15_a_new_session_that_withdraws_the_next_try_has_its_whole_time(wait in 0u64..4) {
        let mut jazz = stopping(None);
        while jazz.offered.len() < 2 {
            jazz.keep_saying(&says(0), secs(4));
        }
        jazz.pass(secs(wait));
        let effects = jazz.hear("second", &says(0)).0;
        prop_assert!(effects.contains(&Effect::Withdrawn { generation: 2, cause: Cause::NewSession }), "{effects:?}");
        prop_assert_eq!(jazz.phase(), PhaseName::StopFailed);
        jazz.say(says(0));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
    }

    #[test]
    fn law_15_a_listener_heard_after_the_answer_is_not_forgotten_when_the_stop_fails(timeout in 60u64..3600) {
        let mut jazz = answered(timeout);
        jazz.say(says(1));
        let left = jazz.now.plus(secs(5));
        jazz.pass(secs(5));
        jazz.keep_saying(&says(0), secs(timeout + 400));
        let (at, _) = jazz.offered.get(1).expect("it is tried again");
        prop_assert!(at.since(left) >= secs(timeout), "{:?} after the last listener left", at.since(left));
    }

    #[test]
    fn law_15_whoever_settles_a_stop_after_the_answer_has_settled_it_when_it_fails(keep_alive: bool, restart: bool, wait in 0u64..50) {
        let mut jazz = answered(600);
        jazz.keep_saying(&says(0), secs(wait));
        jazz.operate(if keep_alive { Action::Cancel } else { Action::Pause }).1.unwrap();
        if restart { jazz.restart(secs(1), None); }
        let effects = jazz.keep_saying(&says(0), secs(64 - wait));
        let cause = if keep_alive { Cause::KeptAlive } else { Cause::OperatorPaused };
        prop_assert!(effects.contains(&Effect::Withdrawn { generation: 1, cause }), "{effects:?}");
        prop_assert_eq!(jazz.phase(), if keep_alive { PhaseName::Watching } else { PhaseName::Paused });
        prop_assert_eq!(jazz.keep_saying(&says(0), secs(1000)), [], "nothing is tried again");
        if keep_alive { jazz.say(says(1)); } else { jazz.operate(Action::Resume).1.unwrap(); }
        jazz.say(says(0));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(600))));
    }

    #[test]
    fn law_15_a_pause_or_another_session_after_the_answer_makes_the_next_zero_count_in_full_when_the_stop_fails(
        pause: bool, restart: bool, wait in 0u64..50,
    ) {
        let mut jazz = answered(600);
        jazz.keep_saying(&says(0), secs(wait));
        if pause { drop(jazz.say(is(Status::Paused))) } else { drop(jazz.hear("second", &says(0))) }
        if restart { jazz.restart(secs(1), None); }
        let settled = jazz.now;
        for _ in 0..400 {
            if !pause { jazz.hear("second", &says(0)); }
            jazz.keep_saying(&says(0), secs(3));
        }
        let (at, _) = jazz.offered.iter().find(|(_, command)| command.id != jazz.offered[0].1.id).expect("it is tried again");
        prop_assert!(at.since(settled) >= secs(600), "{:?} after it was settled", at.since(settled));
    }

    #[test]
    fn law_15_after_an_operators_stop_that_failed_the_next_zero_counts_in_full(force: bool, hidden in 0u64..1000) {
        let mut jazz = Subject::default();
        jazz.say(says(if force { None } else { Some(0) }));
        jazz.operate(Action::Stop { force }).1.unwrap();
        let id = jazz.last_command().id;
        jazz.ack(&id, "radio", Outcome::Error);
        prop_assert!(!jazz.explains().contains("tried again"), "{}", jazz.explains());
        jazz.keep_saying(&says(None), secs(hidden));
        prop_assert_eq!(jazz.phase(), PhaseName::StopFailed);
        jazz.say(says(0));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
    }

    #[test]
    fn law_20_after_a_stop_failed_it_is_said_what_comes_of_it(wait in 0u64..200) {
        let mut jazz = stopping(None);
        jazz.keep_saying(&says(0), secs(64 + wait));
        let failed = "A stop has failed and the stream is still there: ";
        let says_of = |jazz: &Subject, what: &str| {
            let why = jazz.explains();
            prop_assert!(why.starts_with(failed) && why[failed.len()..].starts_with(what), "{why}, not {what}");
            Ok(())
        };
        says_of(&jazz, "It is tried again at a fresh zero, at most every 5 minutes")?;
        while jazz.ends_at().is_none() { jazz.keep_saying(&says(0), secs(4)); }
        says_of(&jazz, "Counting down: an earlier stop failed; it ends in ")?;
        jazz.pass(secs(15));
        jazz.wake();
        says_of(&jazz, "The count is unknown (radio last reported 1")?;
        jazz.say(is(Status::Paused));
        says_of(&jazz, "The streamer itself is paused")?;
        jazz.say(says(2));
        says_of(&jazz, "2 listening, so nothing counts down.")?;
    }

    #[test]
    fn law_20_a_stop_that_is_tried_again_is_said_to_be_under_way_like_any_other(lag in 0u64..5) {
        let mut jazz = stopping(None);
        let began = jazz.now;
        jazz.pass(secs(lag));
        while jazz.offered.len() < 2 {
            jazz.keep_saying(&says(0), secs(5));
            prop_assert!(jazz.now.since(began) < secs(1000), "it is not tried again");
        }
        prop_assert_eq!(jazz.phase(), PhaseName::Stopping);
        prop_assert!(jazz.explains().starts_with("A stop has been decided"), "{}", jazz.explains());
    }

    #[test]
    fn law_15_a_stream_that_goes_after_its_stop_failed_was_ended_by_it_unless_somebody_came(heard: bool, wait in 0u64..200) {
        let mut jazz = stopping(None);
        jazz.pass(secs(62 + wait));
        prop_assert_eq!(jazz.phase(), PhaseName::StopFailed);
        if heard { jazz.say(says(1)); }
        let effects = jazz.say(is(Status::Stopped));
        prop_assert_eq!(effects.contains(&Effect::Ended { generation: 1 }), !heard, "{:?}", effects);
    }

    #[test]
    fn law_15_a_retry_is_not_put_off_by_another_timeout(timeout in 301u64..900, frozen: bool) {
        let mut jazz = stopping(None);
        while jazz.ends_at().is_none() {
            jazz.keep_saying(&says(0), secs(4));
        }
        prop_assert_eq!(jazz.phase(), PhaseName::StopFailed);
        if frozen { jazz.say(says(None)); }
        let left = jazz.stream.auto_end().remaining(jazz.now);
        prop_assert_eq!(jazz.reload(Policy::new(secs(timeout), &[60, 30, 10])), []);
        prop_assert_eq!(jazz.stream.auto_end().remaining(jazz.now), left);
    }

    #[test]
    fn law_10_a_retry_that_stands_still_while_the_warnings_change_is_warned_of_by_the_new_ones(last in 11u64..100) {
        let mut jazz = stopping(None);
        while jazz.ends_at().is_none() {
            jazz.keep_saying(&says(0), secs(4));
        }
        jazz.say(says(None));
        jazz.reload(Policy::new(secs(300), &[200, last]));
        jazz.say(says(0));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(last))));
    }

    #[test]
    fn law_15_a_person_settles_a_failed_stop(pause: bool) {
        let mut jazz = stopping(None);
        jazz.keep_saying(&says(0), secs(70));
        prop_assert_eq!(jazz.phase(), PhaseName::StopFailed);
        jazz.operate(if pause { Action::Pause } else { Action::Cancel }).1.unwrap();
        prop_assert_ne!(jazz.phase(), PhaseName::StopFailed);
    }
}
