//! Laws 1 to 5: what is known, for how long, and when it is not.

use std::time::Duration;

use proptest::prelude::*;
use sattva_actors::{
    channel::auto_end::{Cause, Effect},
    protocol::Status,
};

use crate::{
    cases,
    subject::{Said, Subject, is, says, secs, stops},
};

fn known(subject: &mut Subject) -> Option<u32> {
    use sattva_actors::channel::auto_end::{Audience, Effects};
    subject
        .input(|stream, m| {
            let count = match stream.audience(m) {
                Audience::Known { listeners, .. } => Some(listeners),
                Audience::Unknown => None,
            };
            (Effects::new(), false, count)
        })
        .1
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn law_1_a_count_that_is_left_out_never_arms_and_never_ends_anything(rounds in 1u32..200, idle: bool) {
        let mut jazz = Subject::default();
        let hidden = Said { status: if idle { Status::Idle } else { Status::Live }, ..says(None) };
        for _ in 0..rounds {
            prop_assert!(jazz.say(hidden.clone()).is_empty());
            prop_assert!(jazz.pass(secs(5)).is_empty());
            prop_assert_eq!(known(&mut jazz), None);
        }
    }

    #[test]
    fn law_1_joins_that_went_down_are_not_vouched_for_in_a_stop(high in 2u64..100, low in 0u64..2) {
        let mut jazz = Subject::default();
        jazz.say(says(0).joins(high));
        jazz.keep_saying(&says(0).joins(low), secs(305));
        prop_assert_eq!(jazz.last_command().only_if.unwrap().joins, None);
    }

    #[test]
    fn law_1_joins_that_are_left_out_are_not_vouched_for_in_a_stop(high in 0u64..100) {
        let mut jazz = Subject::default();
        jazz.say(says(0).joins(high));
        jazz.keep_saying(&says(0), secs(305));
        prop_assert_eq!(jazz.last_command().only_if.unwrap().joins, None);
    }

    #[test]
    fn law_2_evidence_is_believed_for_three_intervals_of_its_count_and_not_a_microsecond_more(
        interval_ms in 1_000u64..60_000, age_us in 0u64..30_000_000, n in 0u32..5,
    ) {
        let (interval, age) = (Duration::from_millis(interval_ms), Duration::from_micros(age_us));
        let mut jazz = Subject::default();
        jazz.sleep(secs(60));
        jazz.say(says(n).every(interval).aged(age));
        let left = (interval * 3).saturating_sub(age);
        if left.is_zero() {
            prop_assert_eq!(known(&mut jazz), None);
        } else {
            jazz.sleep(left - Duration::from_micros(1));
            prop_assert_eq!(known(&mut jazz), Some(n));
            jazz.sleep(Duration::from_micros(1));
            prop_assert_eq!(known(&mut jazz), None);
        }
    }

    #[test]
    fn law_2_an_older_count_that_comes_later_is_as_old_as_it_is(age in 16u64..50) {
        let mut jazz = Subject::default();
        jazz.sleep(secs(60));
        jazz.say(says(0));
        jazz.say(says(0).aged(secs(age)));
        prop_assert_eq!(known(&mut jazz), None);
    }

    #[test]
    fn law_2_a_duplicate_or_an_older_report_changes_and_refreshes_nothing(
        seq in 2u64..100, back in 0u64..100, wait in 0u64..15, listeners in proptest::option::of(0u32..3),
    ) {
        let mut jazz = Subject::default();
        jazz.say(says(0).seq(seq));
        jazz.sleep(secs(wait));
        let before = jazz.clone();
        let duplicate = Said { listeners, ..says(0).seq(seq.saturating_sub(back)) };
        let (effects, reaction) = jazz.hear("radio", &duplicate);
        prop_assert!(effects.is_empty() && !reaction.accepted);
        prop_assert_eq!(jazz.stream.evidences(), before.stream.evidences());
        prop_assert_eq!(jazz.stream.auto_end(), before.stream.auto_end());
    }

    #[test]
    fn law_2_expired_evidence_freezes_though_the_next_report_comes_before_anyone_looks(gap in 15u64..16) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(100));
        jazz.sleep(secs(gap));
        jazz.say(says(0));
        // 200 s were left at the last zero.
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(200))));
    }

    #[test]
    fn law_3_the_sum_is_unknown_while_one_reporter_is(counts in proptest::collection::vec(proptest::option::of(0u32..4), 1..4)) {
        let mut jazz = Subject::default();
        for (i, count) in counts.iter().enumerate() {
            jazz.hear(&format!("radio-{i}"), &says(*count));
        }
        let sum = counts.iter().copied().try_fold(0, |sum, n| Some(sum + n?));
        prop_assert_eq!(known(&mut jazz), sum);
    }

    #[test]
    fn law_3_a_silent_reporter_leaves_only_by_its_own_end_or_by_forget(silent in 15u64..4000, by_end: bool) {
        let mut jazz = Subject::default();
        jazz.hear("away", &says(0));
        let effects = jazz.keep_saying(&says(0), secs(silent));
        prop_assert_eq!(stops(&effects), 0);
        prop_assert_eq!(known(&mut jazz), None);
        jazz.say(says(0));
        if by_end { jazz.hear("away", &is(Status::Stopped)); } else { jazz.forget("away"); }
        prop_assert_eq!(known(&mut jazz), Some(0));
        prop_assert_eq!(stops(&jazz.keep_saying(&says(0), secs(310))), 1);
    }

    #[test]
    fn law_4_a_listener_counts_at_once_though_another_reporter_hides_its_count(
        n in 1u32..9, elapsed in 0u64..299, hidden_first: bool,
    ) {
        let mut jazz = Subject::default();
        jazz.hear("other", &says(0).every(secs(400)));
        jazz.keep_saying(&says(0), secs(elapsed));
        if hidden_first { jazz.hear("other", &says(None).every(secs(400))); }
        jazz.say(says(n));
        if !hidden_first { jazz.hear("other", &says(None).every(secs(400))); }
        jazz.say(says(0));
        jazz.hear("other", &says(0).every(secs(400)));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))), "the last one left just now");
    }

    #[test]
    fn law_4_a_listener_told_of_too_late_to_be_believed_still_counts(age in 15u64..60) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(200));
        let effects = jazz.say(says(1).aged(secs(age)));
        prop_assert!(effects.contains(&Effect::Cancelled(Cause::Listener)));
        jazz.say(says(0));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
    }

    #[test]
    fn law_5_after_a_doubt_nothing_is_known_until_reported_anew(elapsed in 0u64..299, by_source: bool) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(elapsed));
        if by_source {
            jazz.doubt("rad");
        } else {
            jazz.sleep(Duration::from_millis(1));
            jazz.trusted_since = jazz.now;
            jazz.wake();
        }
        prop_assert_eq!(known(&mut jazz), None);
        prop_assert!(jazz.ends_at().is_none());
        prop_assert_eq!(stops(&jazz.pass(secs(1000))), 0);
        jazz.say(says(0));
        prop_assert_eq!(known(&mut jazz), Some(0));
    }

    #[test]
    fn law_5_a_reload_of_the_policy_decides_nothing_on_evidence_in_doubt(shorter in 1u64..100) {
        let policy = sattva_actors::channel::policy::Policy::new(secs(300), &[]);
        let mut jazz = Subject { policy, ..Subject::default() };
        jazz.keep_saying(&says(0), secs(200));
        jazz.sleep(secs(3));
        jazz.trusted_since = jazz.now;
        let effects = jazz.reload(sattva_actors::channel::policy::Policy::new(secs(shorter), &[]));
        prop_assert_eq!(stops(&effects), 0);
    }
}
