//! The store fails and works again: nothing is stopped meanwhile, nothing is forgotten.

use sattva_actors::protocol::{Action, ActionError, Flush};
use tokio::sync::oneshot;

use crate::stage::{Stage, Streamer, secs, story};

#[test]
fn while_the_disk_fails_at_the_deadline_nothing_is_stopped_and_it_recovers_by_itself() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(298)).await;
        stage.disk.fail(true);
        assert_eq!(radio.asks(stage, secs(302)).await, []);
        assert_eq!(stage.health.failure().as_deref(), Some("the store failed: told to fail"));
        assert_eq!(stage.metric("sattva_store_failing"), 1.0);
        let why = stage.inspect("jazz").await.unwrap().why;
        assert!(why.contains("the store cannot be written"), "{why}");

        // At 600 s.
        stage.disk.fail(false);
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert_eq!(stage.health.failure(), None);
        // What was known before is not believed: a zero must have been told since.
        assert!(at >= secs(605) && at <= secs(601 + 5 + 12), "works again since 600 s, stopped at {at:?}");
    });
}

#[test]
fn a_stop_that_could_not_be_written_was_never_offered_and_is_decided_anew_after_a_new_last_warning() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        stage.disk.hold_up("stopping");
        let _reporting = radio.keeps_reporting(stage);
        stage.disk.holds_something_up().await;
        stage.disk.fail(true);
        stage.disk.let_go();
        assert_eq!(radio.asks(stage, secs(300)).await, []);
        stage.disk.fail(false);
        let (at, command) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(605) && at <= secs(601 + 5 + 12), "works again since 600 s, stopped at {at:?}");
        assert!(command.id.contains("/g2."), "a new generation: {}", command.id);
        assert_eq!(
            viewer.heard_of("jazz")[5..9],
            [
                "300 auto-end stopping: never_joined",
                "300 auto-end cancelled: not_durable",
                "305 auto-end started: never_joined",
                "305 warning: 10 s",
            ]
        );
    });
}

#[test]
fn whoever_ends_while_the_disk_fails_waits_until_it_takes_what_is_to_be_kept() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        radio.says(stage, 0).await;
        stage.pass(secs(3)).await;
        stage.disk.fail(true);
        radio.says(stage, 2).await;
        let (reply, mut flushed) = oneshot::channel();
        stage.house.store.send(Flush { reply }).await.unwrap();
        stage.pass(secs(5)).await;
        assert!(flushed.try_recv().is_err(), "it is not kept yet");
        stage.disk.fail(false);
        flushed.await.unwrap();
        assert!(stage.time() <= secs(10), "{:?}", stage.time());
        assert_eq!(stage.disk.journal("jazz"), ["started", "cancelled"]);
    });
}

#[test]
fn reports_are_answered_and_shown_while_the_disk_fails_and_what_was_decided_is_journalled_later() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        stage.disk.fail(true);
        radio.says(stage, 0).await;
        viewer.hears("jazz", "auto-end started: never_joined").await;
        stage.pass(secs(3)).await;
        let before = stage.time();
        radio.says(stage, 2).await;
        assert_eq!(stage.time(), before, "an answer must not wait for a disk that fails");
        assert_eq!(stage.inspect("jazz").await.unwrap().state.listeners, 2);
        assert_eq!(stage.disk.journal("jazz"), [""; 0]);
        stage.disk.fail(false);
        stage.pass(secs(2)).await;
        assert_eq!(stage.disk.journal("jazz"), ["started", "cancelled"]);
        assert_eq!(stage.metric("sattva_store_failing"), 0.0);
    });
}

#[test]
fn a_disk_that_fails_off_and_on_never_ends_a_stream_that_is_heard() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        radio.counts(1);
        let _reporting = radio.keeps_reporting(stage);
        for round in 0..200 {
            stage.disk.fail(round % 2 == 0);
            assert_eq!(radio.asks(stage, secs(7)).await, []);
        }
        assert_eq!(stage.disk.journal("jazz"), [""; 0]);
    });
}

#[test]
fn an_operator_is_answered_while_the_disk_fails() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(10)).await;
        stage.disk.fail(true);
        stage.pass(secs(3)).await;
        assert!(!stage.operate("jazz", Action::Pause).await.unwrap().durable);
        let refused = stage.operate("jazz", Action::Stop { force: true }).await.map(|_| ());
        assert_eq!(refused, Err(ActionError::StoreFailing));
        assert_eq!(stage.auto_end("jazz").await, "paused");
        stage.disk.fail(false);
        stage.pass(secs(2)).await;
        assert_eq!(stage.disk.journal("jazz").last().unwrap(), "cancelled");
    });
}

async fn holds_nothing_once_it_works(stage: &Stage) {
    stage.disk.fail(false);
    stage.pass(secs(3)).await;
    assert_eq!(stage.disk.kept.load().records.len(), 0);
    assert_eq!(stage.disk.journal("jazz"), [""; 0]);
}

#[test]
fn a_channel_forgotten_while_the_disk_fails_leaves_nothing_on_it() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        radio.says(stage, 0).await;
        stage.disk.fail(true);
        stage.pass(secs(3)).await;
        // A decision that waits to be written.
        radio.says(stage, 1).await;
        stage.pass(secs(3)).await;
        stage.forget("jazz", None).await.unwrap();
        stage.pass(secs(3)).await;
        holds_nothing_once_it_works(stage).await;
    });
}

#[test]
fn a_channel_forgotten_in_the_middle_of_a_failing_commit_leaves_nothing_on_the_disk() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        stage.disk.hold_up("started");
        let answer = radio.sends(stage);
        stage.disk.holds_something_up().await;
        // The commit that holds its first decision is on its way, and will fail.
        stage.forget("jazz", None).await.unwrap();
        stage.disk.fail(true);
        stage.disk.let_go();
        answer.await.unwrap();
        stage.pass(secs(3)).await;
        holds_nothing_once_it_works(stage).await;
    });
}

#[test]
fn a_channel_forgotten_and_begun_anew_while_the_disk_fails_has_none_of_its_old_journal() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        for _ in 0..5 {
            radio.says(stage, 0).await;
            radio.says(stage, 1).await;
        }
        assert_eq!(stage.disk.journal("jazz").len(), 10);
        stage.disk.fail(true);
        stage.pass(secs(3)).await;
        stage.forget("jazz", None).await.unwrap();
        radio.says(stage, 0).await;
        stage.disk.fail(false);
        stage.pass(secs(3)).await;
        // Frozen, because nothing is believed after the recovery before it is reported anew.
        assert_eq!(stage.disk.journal("jazz"), ["started", "frozen"]);
    });
}
