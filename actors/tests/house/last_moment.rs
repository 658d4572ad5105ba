//! Somebody comes when it is almost too late, or too late for the decision but not for the stream.

use std::rc::Rc;

use crate::stage::{Stage, Streamer, Viewer, secs, story};

/// No command comes for as long as one could be valid.
async fn is_not_stopped(stage: &Stage, radio: &Streamer) {
    assert_eq!(radio.asks(stage, secs(90)).await, []);
}

/// An empty stream whose stop has been decided and is being written.
async fn decided_and_not_yet_written(stage: &Stage) -> (Rc<Streamer>, Viewer) {
    let viewer = stage.viewer().await;
    let radio = Streamer::new("radio-1", "jazz");
    stage.disk.hold_up("stopping");
    let reporting = radio.keeps_reporting(stage);
    stage.disk.holds_something_up().await;
    drop(reporting);
    (radio, viewer)
}

#[test]
fn a_listener_in_the_last_second_cancels_the_countdown() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        let reporting = radio.keeps_reporting(stage);
        stage.until(secs(299)).await;
        radio.says(stage, 1).await;
        is_not_stopped(stage, &radio).await;
        assert_eq!(viewer.heard_of("jazz")[5..], ["299 auto-end cancelled: listener", "299 listeners_changed with 1"]);
        // The listener leaves: the whole time from the beginning.
        let left = radio.says(stage, 0).await;
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= left + secs(300) && at <= left + secs(302), "left at {left:?}, stopped at {at:?}");
        drop(reporting);
    });
}

#[test]
fn a_listener_between_the_decision_and_its_write_withdraws_the_stop() {
    story(async |stage| {
        let (radio, viewer) = decided_and_not_yet_written(stage).await;
        radio.counts(1);
        let answer = radio.sends(stage);
        viewer.hears("jazz", "auto-end cancelled: listener").await;
        stage.disk.let_go();
        assert_eq!(answer.await.unwrap().accepted, 1);
        let _reporting = radio.keeps_reporting(stage);
        is_not_stopped(stage, &radio).await;
        assert_eq!(stage.inspect("jazz").await.unwrap().commands[0].state, "withdrawn");
        assert_eq!(stage.disk.journal("jazz")[4..], ["stopping", "cancelled"]);
    });
}

#[test]
fn one_who_came_and_went_between_the_decision_and_its_write_withdraws_the_stop() {
    story(async |stage| {
        let (radio, viewer) = decided_and_not_yet_written(stage).await;
        radio.counts(1);
        radio.counts(0);
        let answer = radio.sends(stage);
        viewer.hears("jazz", "auto-end cancelled: came_and_went").await;
        stage.disk.let_go();
        answer.await.unwrap();
        let _reporting = radio.keeps_reporting(stage);
        is_not_stopped(stage, &radio).await;
        let (at, command) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(600) && at <= secs(602), "stopped at {at:?}");
        assert_eq!(command.only_if.unwrap().joins, Some(1));
    });
}

#[test]
fn a_pause_between_the_decision_and_its_write_withdraws_the_stop() {
    story(async |stage| {
        let (radio, viewer) = decided_and_not_yet_written(stage).await;
        radio.status.set(sattva_actors::protocol::Status::Paused);
        let answer = radio.sends(stage);
        viewer.hears("jazz", "auto-end cancelled: stream_paused").await;
        stage.disk.let_go();
        answer.await.unwrap();
        let _reporting = radio.keeps_reporting(stage);
        is_not_stopped(stage, &radio).await;
    });
}

#[test]
fn a_listener_between_the_write_and_the_collection_takes_the_command_back() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        viewer.hears("jazz", "auto-end stopping: never_joined").await;
        // Five seconds until the next report; the stop is on disk and waits to be collected.
        stage.pass(secs(4)).await;
        assert_eq!(stage.inspect("jazz").await.unwrap().commands[0].state, "pending");
        radio.says(stage, 1).await;
        assert_eq!(radio.asks(stage, secs(0)).await, [], "the answer to the report that tells of a listener");
        is_not_stopped(stage, &radio).await;
        assert_eq!(stage.inspect("jazz").await.unwrap().commands[0].state, "withdrawn");
    });
}

#[test]
fn a_listener_after_the_delivery_withdraws_it_and_no_redelivery_follows() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        radio.is_told_to_stop(stage).await;
        stage.pass(secs(1)).await;
        radio.says(stage, 1).await;
        is_not_stopped(stage, &radio).await;
    });
}
