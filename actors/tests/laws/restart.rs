//! Laws 8 and 11 across restarts: what time counts, and by which clock.

use std::time::Duration;

use proptest::prelude::*;
use sattva_actors::{channel::policy::Policy, protocol::Status};

use crate::{
    cases,
    subject::{Subject, is, says, secs, stops, warnings},
};

/// A stop is on disk, but the process died before anyone was offered it; the next one knows that it reached nobody.
fn decided_and_offered_to_nobody(down: Duration) -> Subject {
    let mut jazz = Subject::default();
    jazz.keep_saying(&says(0), secs(299));
    jazz.say(says(0));
    let mut copy = jazz.clone();
    copy.pass(secs(2));
    jazz.disk = copy.disk;
    jazz.restart(down, None);
    jazz.wake();
    jazz
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn law_9_a_countdown_that_stood_still_is_warned_of_anew_after_a_restart_and_not_put_off_by_an_old_boots_clock(
        reboots: bool, left in 1u64..60,
    ) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(300 - left));
        jazz.say(says(None));
        // The old boot's clock is a day ahead of the new one's.
        if reboots { jazz.reboot(secs(5), secs(60), 0, None) } else { jazz.restart(secs(5), None) }
        let back = jazz.now;
        let effects = jazz.keep_saying(&says(0), secs(100));
        prop_assert!(warnings(&effects).ends_with(&[10]), "{effects:?}");
        prop_assert_eq!(stops(&effects), 1);
        prop_assert!(jazz.offered[0].0.since(back) <= secs(75), "{:?}", jazz.offered[0].0.since(back));
    }

    #[test]
    fn law_8_time_while_the_daemon_was_down_counts_if_joins_is_unchanged(
        elapsed in 1u64..58, down in 0u64..400, joins in 0u64..9,
    ) {
        let elapsed = elapsed * 5;
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0).joins(joins), secs(elapsed));
        jazz.restart(secs(down), None);
        prop_assert_eq!(stops(&jazz.pass(secs(3))), 0);
        jazz.say(says(0).joins(joins));
        let left = secs(300).saturating_sub(secs(elapsed + down + 3));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(left.max(secs(10)))));
    }

    #[test]
    fn law_8_without_joins_the_time_while_the_daemon_was_down_stood_still(elapsed in 1u64..56, down in 0u64..4000) {
        let elapsed = elapsed * 5;
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(elapsed));
        jazz.restart(secs(down), Some(jazz.now));
        jazz.say(says(0));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300 - elapsed))));
    }

    #[test]
    fn law_8_one_reporter_without_joins_is_enough_for_time_to_stand_still(down in 1u64..4000, second_first: bool) {
        let mut jazz = Subject::default();
        jazz.hear("second", &says(0));
        jazz.say(says(0).joins(3));
        jazz.restart(secs(down), None);
        if second_first { jazz.hear("second", &says(0)); }
        jazz.say(says(0).joins(3));
        if !second_first { jazz.hear("second", &says(0)); }
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
    }

    #[test]
    fn law_8_someone_who_came_while_the_daemon_was_down_arms_anew(down in 1u64..400, more in 1u64..5) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0).joins(2), secs(100));
        jazz.restart(secs(down), None);
        jazz.say(says(0).joins(2 + more));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
    }

    #[test]
    fn law_6_a_timeout_changed_while_the_daemon_was_down_holds_after_it(elapsed in 1u64..50, timeout in 260u64..900) {
        let elapsed = elapsed * 5;
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(elapsed));
        jazz.policy = Policy::new(secs(timeout), &[60, 30, 10]);
        jazz.restart(secs(10), Some(jazz.now));
        jazz.say(says(0));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(timeout - elapsed))));
    }

    #[test]
    fn law_8_a_kill_credits_no_more_than_the_last_certain_zero(elapsed in 1u64..55, certain in 0u64..6) {
        let elapsed = elapsed * 5;
        let mut jazz = Subject::default();
        let armed = jazz.now;
        jazz.keep_saying(&says(0), secs(elapsed));
        let pulse = jazz.now.minus(secs(certain)).max(armed);
        jazz.restart(secs(30), Some(pulse));
        jazz.say(says(0));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300) - pulse.since(armed))));
    }

    #[test]
    fn law_8_a_reboot_too_keeps_what_was_left_when_the_zero_was_last_certain(
        elapsed in 1u64..58, down in 0u64..100_000, uptime in 1u64..100_000,
    ) {
        let elapsed = elapsed * 5;
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(elapsed));
        jazz.reboot(secs(down), secs(uptime), 0, Some(jazz.now));
        jazz.say(says(0));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs((300 - elapsed).max(10)))));
    }

    #[test]
    fn law_11_across_boots_the_wall_clock_rules_and_what_is_left_stays_within_the_timeout(
        elapsed in 1u64..58, down in 0u64..100_000, uptime in 1u64..100_000, step in -100_000i64..100_000,
    ) {
        let elapsed = elapsed * 5;
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0).joins(1), secs(elapsed));
        jazz.reboot(secs(down), secs(uptime), step * 1000, None);
        jazz.say(says(0).joins(1));
        let seen = i64::try_from(elapsed + down).unwrap() + step;
        let left = (300 - seen).clamp(10, 300) as u64;
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(left))));
    }

    #[test]
    fn law_11_a_wall_clock_set_back_lengthens_no_stop_and_no_wait(step in 1i64..1_000_000, failed: bool) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(302));
        if failed { jazz.pass(secs(61)); }
        let decided = jazz.last_command();
        jazz.reboot(secs(1), secs(50_000), -step * 1000, None);
        jazz.say(says(0));
        if failed {
            jazz.keep_saying(&says(0), secs(330));
            prop_assert!(jazz.offered.len() > 1, "the retry waits at most five minutes");
        } else if step == 1 {
            let again = jazz.last_command();
            prop_assert_eq!(&again.id, &decided.id);
            prop_assert!(again.valid_until <= jazz.now.plus(secs(60)));
        } else {
            // How old the stop is cannot be told.
            jazz.keep_saying(&says(0), secs(59));
            prop_assert!(jazz.offered[1..].iter().all(|(_, again)| again.id != decided.id), "{:?}", jazz.offered);
        }
    }

    #[test]
    fn law_13_a_stop_from_before_a_reboot_is_delivered_as_long_as_the_wall_clock_says_that_it_is_valid(
        down in 0u64..200, uptime in 1u64..200, step in -100i64..100,
    ) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(302));
        let decided = jazz.last_command();
        let lived = jazz.now.since(decided.decided_at).as_secs() as i64;
        jazz.reboot(secs(down), secs(uptime), step * 1000, None);
        let risen = jazz.now;
        jazz.keep_saying(&says(0), secs(100));
        let away = down as i64 + step;
        for (at, again) in &jazz.offered[1..] {
            if again.id == decided.id {
                prop_assert!(away >= 0, "{again:?}");
                prop_assert!(lived + away + at.since(risen).as_secs() as i64 <= 60, "{again:?} at {at:?}");
            }
        }
    }

    #[test]
    fn law_8_a_source_that_is_forgotten_unheard_has_not_said_that_nobody_came_while_the_daemon_was_down(down in 1u64..4000) {
        let mut jazz = Subject::default();
        jazz.hear("second", &says(0).joins(1));
        jazz.say(says(0).joins(3));
        jazz.restart(secs(down), None);
        jazz.forget("second");
        jazz.say(says(0).joins(3));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
    }

    #[test]
    fn law_16_on_another_machine_a_countdown_goes_on_with_what_was_left_whatever_the_clocks_there_say(
        elapsed in 1u64..58, after in 0u64..600, uptime in 1u64..100_000, step in -100_000i64..100_000, joins: bool,
    ) {
        let elapsed = elapsed * 5;
        let report = || if joins { says(0).joins(4) } else { says(0) };
        let mut jazz = Subject::default();
        jazz.keep_saying(&report(), secs(elapsed));
        jazz.taken_over(secs(after), secs(uptime), step * 1000);
        prop_assert_eq!(stops(&jazz.pass(secs(3))), 0);
        jazz.say(report());
        let left = secs((300 - elapsed).max(10));
        let waited = if joins { secs(3) } else { secs(0) };
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus((left - waited).max(secs(10)))));
    }

    #[test]
    fn law_16_a_stop_that_another_machine_takes_over_keeps_its_id_and_lasts_no_longer(
        after in 0u64..50, uptime in 1000u64..100_000, step in -1_000_000i64..1_000_000,
    ) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0).joins(5), secs(302));
        let first = jazz.last_command();
        let lived = jazz.now.since(first.decided_at);
        jazz.taken_over(secs(after), secs(uptime), step * 1000);
        let taken = jazz.now;
        jazz.say(says(0).joins(5));
        for (_, again) in jazz.offered.iter().skip(1) {
            if again.id == first.id {
                prop_assert!(again.valid_until <= taken.plus(secs(60) - lived));
            }
        }
        if step == 0 {
            prop_assert_eq!(&jazz.last_command().id, &first.id);
        }
    }

    #[test]
    fn law_10_after_a_restart_the_last_warning_is_sent_again_and_goes_by_in_full(down in 0u64..1000) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0).joins(0), secs(295));
        jazz.restart(secs(down), None);
        let back = jazz.now;
        let effects = jazz.keep_saying(&says(0).joins(0), secs(20));
        prop_assert_eq!(warnings(&effects), [10]);
        prop_assert_eq!(jazz.offered[0].0, back.plus(secs(10)));
    }

    #[test]
    fn law_12_nothing_is_inherited_from_a_session_whose_end_fell_into_the_dark(uptime in 1u64..59, down in 1u64..999) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(100));
        jazz.reboot(secs(down), secs(uptime), 0, None);
        jazz.say(says(0).of("s2"));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
    }

    #[test]
    fn law_7_switched_off_by_a_restart_and_on_again_by_a_reload_it_counts_from_the_beginning(
        elapsed in 1u64..290, off in 0u64..1000, frozen: bool,
    ) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0).joins(0), secs(elapsed));
        if frozen { jazz.say(says(None).joins(0)); }
        jazz.policy.enabled = false;
        jazz.restart(secs(1), None);
        jazz.keep_saying(&says(0).joins(0), secs(off));
        jazz.reload(Policy::default());
        jazz.say(says(0).joins(0));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
    }

    #[test]
    fn law_13_a_kill_between_decision_and_delivery_keeps_the_id(down in 0u64..55) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0).joins(5), secs(302));
        let first = jazz.last_command();
        jazz.restart(secs(down), None);
        jazz.pass(secs(1));
        prop_assert_eq!(jazz.offered.len(), 1, "not before every reporter has said zero anew");
        jazz.say(says(0).joins(5));
        prop_assert_eq!(jazz.offered.len(), 2);
        prop_assert_eq!(jazz.last_command(), first);
    }

    #[test]
    fn law_15_a_stop_that_reached_nobody_while_the_daemon_was_down_is_decided_anew_at_once(down in 61u64..100_000) {
        let mut jazz = decided_and_offered_to_nobody(secs(down));
        let back = jazz.now;
        let effects = jazz.keep_saying(&says(0), secs(20));
        prop_assert_eq!(stops(&effects), 1);
        prop_assert!(jazz.offered.last().unwrap().0.since(back) <= secs(12));
    }

    #[test]
    fn law_15_and_so_it_is_where_the_host_was_started_anew_meanwhile(down in 61u64..1000, uptime in 1u64..100_000) {
        let mut jazz = decided_and_offered_to_nobody(secs(down));
        // Nobody reports before the host goes down.
        jazz.reboot(secs(down), secs(uptime), 0, None);
        let back = jazz.now;
        let effects = jazz.keep_saying(&says(0), secs(20));
        prop_assert_eq!(stops(&effects), 1);
        prop_assert!(jazz.offered.last().unwrap().0.since(back) <= secs(12));
    }

    #[test]
    fn law_19_a_dry_runs_end_does_not_outlive_the_dry_run(down in 0u64..100) {
        let mut jazz = Subject::under(Policy { dry_run: true, ..Policy::default() });
        jazz.keep_saying(&says(0), secs(310));
        jazz.policy.dry_run = false;
        jazz.restart(secs(down), None);
        let effects = jazz.keep_saying(&says(0), secs(310));
        prop_assert_eq!(stops(&effects), 1);
    }

    #[test]
    fn law_8_what_one_reporter_could_not_vouch_for_stays_so_across_another_restart(down in 20u64..4000) {
        let mut jazz = Subject::default();
        jazz.hear("second", &says(0).joins(1));
        jazz.say(says(0).joins(3));
        jazz.restart(secs(down), None);
        jazz.hear("second", &says(0));
        jazz.restart(secs(1), None);
        jazz.hear("second", &says(0).joins(1));
        jazz.say(says(0).joins(3));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
    }

    #[test]
    fn law_15_a_listener_heard_after_the_answer_is_not_forgotten_in_a_restart(before: bool) {
        let mut jazz = Subject::under(Policy::new(secs(600), &[30, 10]));
        if before { jazz.say(says(1)); }
        jazz.until_it_has_answered();
        let id = jazz.last_command().id;
        jazz.say(says(1));
        jazz.restart(secs(1), None);
        let left = jazz.now;
        jazz.keep_saying(&says(0), secs(1000));
        let again = jazz.offered.iter().find(|(_, command)| command.id != id).expect("it is tried again").0;
        prop_assert!(again.since(left) >= secs(600), "{:?} after the last listener left", again.since(left));
    }

    #[test]
    fn law_18_a_hold_survives_restarts_and_ends_with_the_session(restarts in 1usize..4, ended: bool) {
        let mut jazz = Subject::default();
        jazz.say(says(0));
        jazz.operate(sattva_actors::protocol::Action::Pause).1.unwrap();
        for _ in 0..restarts { jazz.restart(secs(10), None); }
        prop_assert_eq!(stops(&jazz.keep_saying(&says(0), secs(700))), 0);
        if ended {
            jazz.say(is(Status::Stopped));
            let effects = jazz.keep_saying(&says(0).of("s2"), secs(310));
            prop_assert_eq!(stops(&effects), 1);
        }
    }

    #[test]
    fn law_18_what_ends_keep_alive_survives_restarts(joins: bool) {
        let mut jazz = Subject::default();
        jazz.say(says(0));
        jazz.operate(sattva_actors::protocol::Action::Cancel).1.unwrap();
        let someone = if joins { says(1).joins(1) } else { says(1) };
        jazz.say(someone);
        jazz.restart(secs(10), None);
        let effects = jazz.keep_saying(&says(0), secs(310));
        prop_assert_eq!(stops(&effects), 1);
    }
}
