//! Law 20: every decision is journalled with its evidence, and the state is said in one sentence, whatever happens.

use std::rc::Rc;

use proptest::prelude::*;
use sattva_actors::protocol::{Action, Outcome, Status};

use crate::stage::{Heard, Stage, Streamer, Viewer, millis, secs, story};

/// Decisions a channel's journal keeps; stories here are shorter.
const KEPT: usize = 100;

#[derive(Clone, Debug)]
enum Step {
    /// Both report as they are, for so many seconds.
    Time(u64),
    Listeners(usize, u32),
    /// Its count is hidden from here on.
    Hides(usize),
    Silence(u64),
    Session(usize),
    Act(Action),
    Obeys(Outcome),
}

fn step() -> impl Strategy<Value = Step> {
    let source = 0..2usize;
    prop_oneof![
        6 => (1u64..120).prop_map(Step::Time),
        4 => Just(Step::Time(310)),
        3 => (source.clone(), 0u32..3).prop_map(|(s, n)| Step::Listeners(s, n)),
        6 => source.clone().prop_map(|s| Step::Listeners(s, 0)),
        1 => source.clone().prop_map(Step::Hides),
        1 => (1u64..90).prop_map(Step::Silence),
        1 => source.prop_map(Step::Session),
        1 => prop_oneof![
            Just(Action::Pause), Just(Action::Resume), Just(Action::Cancel),
            (1u64..200).prop_map(|n| Action::Extend(secs(n))), any::<bool>().prop_map(|force| Action::Stop { force }),
        ].prop_map(Step::Act),
        3 => prop_oneof![Just(Outcome::Ok), Just(Outcome::Refused), Just(Outcome::Error)].prop_map(Step::Obeys),
    ]
}

/// What was told of the channel that is a decision.
fn decisions_told(viewer: &Viewer) -> Vec<String> {
    let word = |heard: &Heard| heard.message["data"]["event"].as_str().map(str::to_owned);
    let told = viewer.heard().into_iter().filter(|heard| heard.message["data"]["channel_id"] == "jazz");
    told.filter_map(|heard| match heard.message["type"].as_str() {
        Some("auto_end_warning") => Some("warning".to_owned()),
        Some("auto_end") => word(&heard),
        _ => None,
    })
    .collect()
}

async fn play(stage: &Stage, steps: &[Step]) {
    let viewer = stage.viewer().await;
    let radios = [Streamer::new("radio-0", "jazz"), Streamer::new("radio-1", "jazz")];
    let mut sessions = 0;
    for step in steps {
        match step {
            Step::Time(seconds) => {
                for _ in 0..seconds.div_ceil(5) {
                    report(stage, &radios).await;
                    stage.pass(secs(5)).await;
                }
            }
            Step::Listeners(s, listeners) => radios[*s].counts(*listeners),
            Step::Hides(s) => radios[*s].listeners.set(None),
            Step::Silence(seconds) => stage.pass(secs(*seconds)).await,
            Step::Session(s) => {
                sessions += 1;
                radios[*s].begins_anew(&format!("again-{sessions}"));
                radios[*s].counts(0);
                radios[*s].status.set(Status::Live);
            }
            // Of what is not possible nothing is decided.
            Step::Act(action) => drop(stage.operate("jazz", *action).await),
            Step::Obeys(outcome) => {
                for radio in &radios {
                    for command in radio.asks(stage, millis(0)).await {
                        radio.acknowledges(&command, *outcome);
                    }
                }
            }
        }
        if let Some(inspection) = stage.inspect("jazz").await {
            let why = &inspection.why;
            let sentences = why.matches(". ").count();
            assert!(why.len() > 10 && sentences == 0, "the state in one sentence: {why:?}");
        }
    }
    stage.pass(secs(2)).await;
    let told = decisions_told(&viewer);
    let kept = stage.disk.kept.decisions("jazz");
    assert!(kept.len() < KEPT, "this story is too long to be compared");
    let journal: Vec<&str> = kept.iter().map(|decision| decision.event.as_str()).collect();
    assert_eq!(journal, told, "what everybody is told is journalled, in the same order, and nothing else");
    assert!(kept.windows(2).all(|pair| pair[0].seq < pair[1].seq), "each has its own number");
    for decision in &kept {
        assert!(!decision.because.is_empty(), "{decision:?}");
        let needs_a_zero = matches!(decision.event.as_str(), "started" | "warning" | "unfrozen" | "would_stop");
        if needs_a_zero {
            assert_eq!(decision.listeners, Some(0), "decided on a known zero: {decision:?}");
            assert!(decision.evidence_age_seconds.is_some_and(|age| age <= 15.0), "and how old it was: {decision:?}");
            assert!(
                decision.session.is_some() && decision.joins.is_some(),
                "of which session, and its joins: {decision:?}"
            );
        }
        if decision.event == "frozen" {
            assert_eq!(decision.listeners, None, "it froze because nothing was known: {decision:?}");
        }
    }
}

async fn report(stage: &Stage, radios: &[Rc<Streamer>]) {
    for radio in radios {
        radio.reports(stage).await;
    }
}

proptest! {
    #![proptest_config(proptest::test_runner::Config {
        cases: 20,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(20),
        ..proptest::test_runner::Config::default()
    })]

    #[test]
    fn every_decision_is_journalled_with_its_evidence_and_the_state_is_said_in_one_sentence(
        steps in proptest::collection::vec(step(), 5..40)
    ) {
        story(async |stage| play(stage, &steps).await);
    }
}
