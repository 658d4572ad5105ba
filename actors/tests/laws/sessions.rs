//! Laws 12 and 17: what a session inherits, and which one is the newer.

use proptest::prelude::*;
use sattva_actors::{
    channel::{
        auto_end::{Effect, Reason},
        policy::Policy,
    },
    protocol::Status,
};

use crate::{
    cases,
    subject::{Said, Subject, is, says, secs, stops},
};

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn law_12_a_session_within_a_minute_of_an_unheard_one_inherits_its_deadline(
        elapsed in 1u64..290, gap in 0u64..120, said_so: bool,
    ) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(elapsed));
        if said_so { jazz.say(is(Status::Stopped)); }
        let seen = if said_so { jazz.now } else { jazz.stream.evidence_at().unwrap() };
        let deadline = if said_so { jazz.now.plus(secs(300 - elapsed)) } else { jazz.ends_at().unwrap() };
        jazz.pass(secs(gap));
        jazz.say(says(0).of("s2"));
        let whole = jazz.now.plus(secs(300));
        let expected = if jazz.now.since(seen) <= secs(60) { deadline.max(jazz.now.plus(secs(10))) } else { whole };
        prop_assert_eq!(jazz.ends_at(), Some(expected));
    }

    #[test]
    fn law_12_a_session_that_hides_its_count_at_first_goes_on_from_where_the_one_before_was_seen_last(
        elapsed in 1u64..290, gap in 0u64..120, hidden in 0u64..1000,
    ) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(elapsed));
        let seen = jazz.stream.evidence_at().unwrap();
        let left = jazz.ends_at().unwrap().since(seen);
        jazz.pass(secs(gap));
        jazz.say(says(None).of("s2"));
        let within = jazz.now.since(seen) <= secs(60);
        jazz.keep_saying(&says(None).of("s2"), secs(hidden));
        prop_assert_eq!(jazz.ends_at(), None);
        jazz.say(says(0).of("s2"));
        let expected = if within { left.max(secs(10)) } else { secs(300) };
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(expected)));
    }

    #[test]
    fn law_12_a_stop_that_could_not_be_written_is_due_in_a_session_that_follows_within_a_minute(
        gap in 0u64..120, hidden: bool,
    ) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(299));
        jazz.say(says(0));
        jazz.disk_works = false;
        jazz.pass(secs(2));
        jazz.disk_works = true;
        if hidden { jazz.say(says(None)); }
        let seen = jazz.stream.evidence_at().unwrap();
        jazz.pass(secs(gap));
        jazz.say(says(0).of("s2"));
        let expected = if !hidden && jazz.now.since(seen) <= secs(60) { 10 } else { 300 };
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(expected))));
    }

    #[test]
    fn law_12_a_heard_session_leaves_nothing(gap in 0u64..60, how in 0usize..5) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0).joins(0), secs(100));
        match how {
            0 => drop(jazz.say(says(1).joins(1))),
            // The last thing it says is that somebody came.
            1 => drop(jazz.say(is(Status::Stopped).joins(1))),
            2 => drop(jazz.say(Said { listeners: Some(2), ..is(Status::Stopped) })),
            3 => drop(jazz.say(says(None))),
            _ => drop(jazz.say(is(Status::Paused).joins(0))),
        }
        jazz.say(is(Status::Stopped));
        jazz.pass(secs(gap));
        jazz.say(says(0).of("s2").joins(0));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
    }

    #[test]
    fn law_12_a_session_that_was_never_armed_passes_on_what_it_was_left_if_it_was_unheard_too(
        gap in 0u64..120, hidden: bool, said_so: bool,
    ) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(100));
        let deadline = jazz.ends_at().unwrap();
        // Its one count comes too late to be believed, or not at all.
        jazz.say(if hidden { says(None) } else { says(0).aged(secs(20)) }.of("s2"));
        prop_assert_eq!(jazz.ends_at(), None);
        if said_so { jazz.say(is(Status::Stopped).of("s2")); }
        let seen = if said_so { jazz.now } else { jazz.now.minus(secs(20)) };
        jazz.pass(secs(gap));
        jazz.say(says(0).of("s3"));
        let whole = jazz.now.plus(secs(300));
        let inherits = !hidden && jazz.now.since(seen) <= secs(60);
        prop_assert_eq!(jazz.ends_at(), Some(if inherits { deadline } else { whole }));
    }

    #[test]
    fn law_12_what_a_session_leaves_follows_a_timeout_that_changes_meanwhile(timeout in 120u64..900) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(100));
        jazz.say(is(Status::Stopped));
        jazz.reload(Policy::new(secs(timeout), &[60, 30, 10]));
        jazz.say(says(0).of("s2"));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(timeout - 100))));
    }

    #[test]
    fn law_12_a_session_someone_joined_before_its_first_report_inherits_nothing(joins in 1u64..9) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0).joins(0), secs(100));
        let effects = jazz.say(says(0).of("s2").joins(joins));
        let ends_at = jazz.now.plus(secs(300));
        prop_assert!(effects.contains(&Effect::Started { ends_at, reason: Reason::AllLeft }), "{effects:?}");
    }

    #[test]
    fn law_12_our_own_stop_leaves_nothing(gap in 0u64..60, acked: bool) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(302));
        if acked { let id = jazz.last_command().id; jazz.ack(&id, "radio", sattva_actors::protocol::Outcome::Ok); }
        jazz.say(is(Status::Stopped));
        jazz.pass(secs(gap));
        jazz.say(says(0).of("s2"));
        prop_assert_eq!(jazz.ends_at(), Some(jazz.now.plus(secs(300))));
    }

    #[test]
    fn law_12_what_a_new_session_replaces_is_closed_before_its_own_countdown_starts(how in 0usize..3) {
        let mut jazz = Subject::default();
        jazz.keep_saying(&says(0), secs(if how == 0 { 100 } else { 302 }));
        if how == 2 { let id = jazz.last_command().id; jazz.ack(&id, "radio", sattva_actors::protocol::Outcome::Ok); }
        let effects = jazz.say(says(0).of("s2"));
        prop_assert_eq!(effects.iter().map(Effect::closes).collect::<Vec<_>>(), [true, false], "{:?}", effects);
    }

    #[test]
    fn law_12_a_crash_looping_source_is_ended_on_time(life in 1u64..20, gap in 0u64..55) {
        let mut jazz = Subject::default();
        let began = jazz.now;
        let mut n = 0;
        while jazz.offered.is_empty() && n < 500 {
            n += 1;
            jazz.keep_saying(&says(0).of(&format!("s{n}")), secs(life));
            if jazz.offered.is_empty() {
                jazz.say(is(Status::Stopped).of(&format!("s{n}")));
                jazz.pass(secs(gap));
            }
        }
        // Each life must be long enough for the last warning; else it is never ended but gone by itself.
        if life > 10 {
            prop_assert!(!jazz.offered.is_empty());
            prop_assert!(jazz.offered[0].0 >= began.plus(secs(300)));
            prop_assert!(jazz.offered[0].0 <= began.plus(secs(300 + gap + 12 + life)));
        }
    }

    #[test]
    fn law_17_sessions_are_ordered_by_their_start(a in 0i64..1000, b in 0i64..1000) {
        let mut jazz = Subject::default();
        jazz.say(says(0).of("a").started(a));
        let (_, reaction) = jazz.hear("radio", &says(1).of("b").started(b));
        prop_assert_eq!(reaction.accepted, b >= a);
    }

    #[test]
    fn law_17_of_two_sessions_of_one_start_the_later_to_arrive_is_the_newer(start in 0i64..1000) {
        let mut jazz = Subject::default();
        jazz.say(says(0).of("a").started(start));
        prop_assert!(jazz.hear("radio", &says(1).of("b").started(start)).1.accepted);
        prop_assert!(!jazz.hear("radio", &says(1).of("a").started(start)).1.accepted);
    }

    #[test]
    fn law_17_a_superseded_session_never_returns_across_restarts_too(
        starts in proptest::collection::vec(proptest::option::of(0i64..50), 2..9),
        returns in 0usize..8, restart: bool, claims in proptest::option::of(0i64..1000),
    ) {
        let mut jazz = Subject::default();
        let mut current = None;
        let mut superseded: Vec<usize> = Vec::new();
        for (i, started_at) in starts.iter().enumerate() {
            let said = Said { started_at: *started_at, ..says(1).of(&format!("session-{i}")) };
            if jazz.hear("radio", &said).1.accepted {
                superseded.extend(current.replace(i));
            }
        }
        if restart { jazz.restart(secs(100), None); }
        if let Some(old) = superseded.get(returns) {
            for started_at in [starts[*old], claims] {
                let said = Said { started_at, ..says(0).of(&format!("session-{old}")) };
                prop_assert!(!jazz.hear("radio", &said).1.accepted);
            }
        }
    }

    #[test]
    fn law_17_a_superseded_sessions_zeros_end_nothing(rounds in 1u32..100) {
        let mut jazz = Subject::default();
        jazz.say(says(0).of("old"));
        jazz.say(says(1).of("new"));
        for _ in 0..rounds {
            prop_assert_eq!(stops(&jazz.say(says(0).of("old"))), 0);
            prop_assert_eq!(stops(&jazz.say(says(1).of("new"))), 0);
            prop_assert_eq!(stops(&jazz.pass(secs(5))), 0);
        }
    }
}
