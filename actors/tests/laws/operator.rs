//! Laws 18 and 19: what operators may do, and the dry run.

use proptest::prelude::*;
use sattva_actors::{
    channel::{
        auto_end::{Cause, Effect, PhaseName},
        policy::{Policy, Timeouts},
    },
    protocol::{Action, ActionError, Status, StopReason},
};

use crate::{
    cases,
    subject::{Subject, is, says, secs, stops, warnings},
};

/// An empty stream in the middle of a stop, which its streamer may have said it obeys.
fn told_to_stop(by_a_person: bool, acked: bool) -> Subject {
    let mut jazz = Subject::default();
    if by_a_person {
        jazz.say(says(0));
        jazz.operate(Action::Stop { force: false }).1.unwrap();
    } else {
        jazz.keep_saying(&says(0), secs(302));
    }
    let id = jazz.last_command().id;
    if acked {
        jazz.ack(&id, "radio", sattva_actors::protocol::Outcome::Ok);
    }
    jazz
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn law_18_a_pause_holds_until_resume_and_then_arms_in_full(elapsed in 0u64..299, held in 0u64..1000) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(elapsed));
        let (effects, _) = jazz.operate(Action::Pause);
        prop_assert!(effects.contains(&Effect::Cancelled(Cause::OperatorPaused)));
        prop_assert_eq!(stops(&jazz.keep_saying(&says(0), secs(held))), 0);
        jazz.say(says(0));
        jazz.operate(Action::Resume).1.unwrap();
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
    }

    #[test]
    fn law_18_where_nothing_counts_down_a_pause_holds_and_cancels_nothing(n in 1u32..9, again: bool) {
        let mut jazz = Subject::default();
        jazz.say(says(n));
        prop_assert_eq!(jazz.operate(Action::Cancel), (vec![], Ok(())));
        prop_assert_eq!(jazz.operate(Action::Pause), (vec![Effect::Held], Ok(())));
        if again { prop_assert_eq!(jazz.operate(Action::Pause), (vec![], Ok(()))); }
        prop_assert!(jazz.stream.auto_end().is_held());
        prop_assert_eq!(jazz.operate(Action::Resume), (vec![Effect::Released], Ok(())));
        prop_assert!(!jazz.stream.auto_end().is_held());
        prop_assert_eq!(jazz.operate(Action::Resume), (vec![], Ok(())));
    }

    #[test]
    fn law_18_a_pause_is_not_lost_when_one_of_two_reporters_begins_a_new_session(ended_first: bool) {
        let mut jazz = Subject::default();
        jazz.hear("second", &says(0));
        jazz.say(says(0));
        jazz.operate(Action::Pause).1.unwrap();
        if ended_first { jazz.hear("second", &is(Status::Stopped)); }
        jazz.hear("second", &says(0).of("s2"));
        prop_assert!(jazz.stream.auto_end().is_held());
    }

    #[test]
    fn law_18_keep_alive_is_not_armed_again_until_someone_has_joined(quiet in 300u64..2000, by_count: bool) {
        let mut jazz = Subject::default();
        jazz.say(says(0).joins(0));
        jazz.operate(Action::Cancel).1.unwrap();
        prop_assert_eq!(stops(&jazz.keep_saying(&says(0).joins(0), secs(quiet))), 0);
        if by_count { jazz.say(says(1)); }
        let effects = jazz.keep_saying(&says(0).joins(1), secs(305));
        prop_assert_eq!(stops(&effects), 1);
    }

    #[test]
    fn law_18_keep_alive_is_not_ended_by_who_was_there_already(n in 1u32..9, looks in 1usize..9, another: bool) {
        let mut jazz = Subject::default();
        jazz.say(says(n));
        jazz.operate(Action::Cancel).1.unwrap();
        for _ in 0..looks { jazz.say(says(n)); }
        if another { jazz.say(says(n + 1)); }
        let effects = jazz.keep_saying(&says(0), secs(310));
        prop_assert_eq!(stops(&effects), usize::from(another));
    }

    #[test]
    fn law_18_who_may_have_joined_before_the_word_does_not_end_keep_alive(joins in 0u64..9) {
        let mut jazz = Subject::default();
        jazz.say(says(None).joins(joins));
        jazz.operate(Action::Cancel).1.unwrap();
        jazz.say(says(0).joins(joins + 1));
        prop_assert_eq!(jazz.ends_at(), None);
        jazz.say(says(0).joins(joins + 2));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
    }

    #[test]
    fn law_18_beside_a_hidden_count_keep_alive_is_ended_by_more_than_there_were(n in 0u32..3, heard in 0u32..5) {
        let mut jazz = Subject::default();
        jazz.hear("other", &says(0));
        jazz.say(says(n));
        jazz.operate(Action::Cancel).1.unwrap();
        jazz.hear("other", &says(None));
        jazz.say(says(heard));
        jazz.say(says(0));
        jazz.hear("other", &says(0));
        prop_assert_eq!(jazz.ends_at().is_some(), heard > n);
    }

    #[test]
    fn law_18_extend_moves_the_deadline(elapsed in 0u64..299, by in 0u64..100_000) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(elapsed));
        let deadline = jazz.ends_at().unwrap();
        jazz.operate(Action::Extend(secs(by))).1.unwrap();
        prop_assert_eq!(jazz.ends_at(), Some(deadline.plus(secs(by)).max(jazz.now.plus(secs(10)))));
    }

    #[test]
    fn law_18_extending_beyond_all_measure_breaks_nothing(frozen: bool) {
        let mut jazz = Subject::default();
        jazz.say(says(0));
        if frozen { jazz.pass(secs(20)); }
        for _ in 0..3 { jazz.operate(Action::Extend(std::time::Duration::MAX)).1.unwrap(); }
        jazz.say(says(0));
        prop_assert_eq!(stops(&jazz.keep_saying(&says(0), secs(1000))), 0);
    }

    #[test]
    fn law_18_a_stop_is_refused_when_anyone_listens_or_the_count_is_unknown(n in 1u32..9, unknown: bool, paused: bool) {
        let mut jazz = Subject::default();
        let status = if paused { Status::Paused } else { Status::Live };
        let said = crate::subject::Said { status, ..if unknown { says(None) } else { says(n) } };
        jazz.say(said);
        let refused = if unknown { ActionError::CountUnknown } else { ActionError::SomebodyListens };
        prop_assert_eq!(jazz.operate(Action::Stop { force: false }).1, Err(refused));
        prop_assert!(jazz.offered.is_empty());
        jazz.operate(Action::Stop { force: true }).1.unwrap();
        let command = jazz.last_command();
        prop_assert_eq!(command.only_if, None);
        prop_assert_eq!(command.reason, StopReason::Operator);
        jazz.say(says(n));
        prop_assert!(jazz.stream.auto_end().is_stopping(), "a forced stop is not withdrawn by a listener");
    }

    #[test]
    fn law_18_an_empty_stream_is_stopped_at_an_operators_word_paused_or_held_or_switched_off(
        paused: bool, held: bool, off: bool, dry_run: bool,
    ) {
        let mut jazz = Subject::under(Policy { enabled: !off, dry_run, ..Policy::default() });
        jazz.say(if paused { is(Status::Paused) } else { says(0) });
        if held { jazz.operate(Action::Pause).1.unwrap(); }
        jazz.operate(Action::Stop { force: false }).1.unwrap();
        prop_assert!(jazz.stream.auto_end().is_stopping());
        jazz.reload(Policy { timeouts: Timeouts::both(secs(400)), ..jazz.policy.clone() });
        prop_assert!(jazz.stream.auto_end().is_stopping());
        prop_assert_eq!(jazz.offered.len(), 1);
        jazz.say(says(1));
        prop_assert!(!jazz.stream.auto_end().is_stopping(), "a listener withdraws it");
    }

    #[test]
    fn law_18_a_streamers_own_pause_cancels_and_its_return_arms_in_full(elapsed in 0u64..299, inherits: bool) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(elapsed));
        let session = if inherits { jazz.say(is(Status::Stopped)); "s2" } else { "s1" };
        jazz.say(is(Status::Paused).of(session));
        prop_assert_eq!(jazz.ends_at(), None);
        jazz.pass(secs(5));
        jazz.say(says(0).of(session));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
    }

    #[test]
    fn law_19_a_dry_run_says_would_stop_once_per_countdown_and_commands_nothing(quiet in 300u64..2000, again: bool) {
        let mut jazz = Subject::under(Policy { dry_run: true, ..Policy::default() });
        let mut effects = jazz.keep_saying(&says(0), secs(quiet + 5));
        if again {
            jazz.say(says(1));
            effects.extend(jazz.keep_saying(&says(0), secs(quiet + 5)));
        }
        let would = effects.iter().filter(|e| **e == Effect::WouldStop).count();
        prop_assert_eq!(would, if again { 2 } else { 1 });
        prop_assert_eq!(stops(&effects), 0);
        prop_assert_eq!(warnings(&effects).len(), 3 * would);
        prop_assert!(jazz.offered.is_empty());
    }

    #[test]
    fn law_19_going_dry_withdraws_no_countdown_and_another_timeout_no_stop(elapsed in 1u64..290, timeout in 301u64..900) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(elapsed));
        let effects = jazz.reload(Policy { dry_run: true, ..Policy::default() });
        prop_assert!(effects.contains(&Effect::Rescheduled { ends_at: jazz.ends_at().unwrap() }), "{effects:?}");
        jazz.reload(Policy::default());
        while jazz.offered.is_empty() { jazz.keep_saying(&says(0), secs(4)); }
        prop_assert_eq!(jazz.reload(Policy::new(secs(timeout), &[60, 30, 10])), []);
        prop_assert!(jazz.stream.auto_end().is_stopping());
    }

    #[test]
    fn law_19_going_dry_withdraws_what_auto_end_decided(off: bool) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(302));
        let policy = Policy { enabled: !off, dry_run: !off, ..Policy::default() };
        let effects = jazz.reload(policy);
        prop_assert!(effects.contains(&Effect::Withdrawn { generation: 1, cause: Cause::Disabled }), "{effects:?}");
    }

    #[test]
    fn law_19_a_daemon_started_anew_to_decide_nothing_lets_go_of_what_it_had_decided_and_nobody_obeyed(
        off: bool, acked: bool, by_a_person: bool,
    ) {
        let mut jazz = told_to_stop(by_a_person, acked);
        jazz.policy = Policy { enabled: !off, dry_run: !off, ..Policy::default() };
        jazz.restart(secs(5), None);
        prop_assert_eq!(jazz.stream.auto_end().is_stopping(), acked || by_a_person);
    }

    #[test]
    fn law_19_a_stream_whose_source_may_not_be_told_to_stop_is_decided_as_in_a_dry_run(
        quiet in 310u64..2000, beside: bool, restarted: bool,
    ) {
        let mut jazz = Subject::default();
        let mut effects = Vec::new();
        for second in (0..quiet + 600).step_by(4) {
            if restarted && second / 4 == quiet / 4 { jazz.restart(secs(5), None); }
            effects.extend(jazz.say(says(0).untouchable()));
            if beside { effects.extend(jazz.hear("second", &says(0)).0); }
            effects.extend(jazz.pass(secs(4)));
        }
        let would = effects.iter().filter(|e| **e == Effect::WouldStop).count();
        prop_assert_eq!((would, stops(&effects)), (1, 0));
        prop_assert_eq!(warnings(&effects), [60, 30, 10]);
        prop_assert!(jazz.offered.is_empty());
    }

    #[test]
    fn law_19_a_source_that_may_be_told_to_stop_again_is_counted_down_in_full(quiet in 310u64..900, restarted: bool) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0).untouchable(), secs(quiet));
        prop_assert!(jazz.stream.auto_end().would_have_stopped());
        if restarted { jazz.restart(secs(5), None); }
        jazz.say(says(0));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
        let effects = jazz.keep_saying(&says(0), secs(310));
        prop_assert_eq!((warnings(&effects), stops(&effects)), (vec![60, 30, 10], 1));
    }

    #[test]
    fn law_19_a_stop_is_withdrawn_once_its_source_may_not_be_told_to_stop(acked: bool, by_a_person: bool) {
        let mut jazz = told_to_stop(by_a_person, acked);
        let effects = jazz.say(says(0).untouchable());
        let withdrawn = effects.contains(&Effect::Withdrawn { generation: 1, cause: Cause::Disabled });
        prop_assert_eq!(withdrawn, !acked && !by_a_person, "{:?}", effects);
    }

    #[test]
    fn law_19_a_failed_stop_is_not_tried_again_where_the_source_may_not_be_told_to_stop(wait in 0u64..300) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(310));
        jazz.ack(&jazz.last_command().id.clone(), "radio", sattva_actors::protocol::Outcome::Error);
        jazz.keep_saying(&says(0), secs(wait));
        let effects = jazz.keep_saying(&says(0).untouchable(), secs(2000));
        prop_assert_eq!((stops(&effects), jazz.offered.len()), (0, 1));
        prop_assert_eq!(jazz.phase(), PhaseName::StopFailed);
    }

    #[test]
    fn law_18_who_had_joined_before_a_second_reporters_first_word_does_not_end_keep_alive(joins in 1u64..99) {
        let mut jazz = Subject::default();
        jazz.say(says(0).joins(3));
        jazz.operate(Action::Cancel).1.unwrap();
        jazz.say(says(0).joins(3));
        jazz.hear("second", &says(0).joins(joins));
        jazz.say(says(0).joins(3));
        prop_assert_eq!(jazz.ends_at(), None);
        jazz.hear("second", &says(0).joins(joins + 1));
        prop_assert!(jazz.ends_at().is_some());
    }
}
