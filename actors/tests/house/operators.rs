//! What an operator may do to a stream.

use sattva_actors::{
    protocol::{Action, ActionError, Outcome, StopReason},
    wire::{StreamStatus, Why},
};

use crate::stage::{Story, Streamer, secs, story};

#[test]
fn a_pause_holds_until_it_is_resumed_and_then_the_whole_time_runs() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(298)).await;
        stage.operate("jazz", Action::Pause).await.unwrap();
        assert_eq!(stage.auto_end("jazz").await, "paused");
        assert_eq!(radio.asks(stage, secs(1702)).await, []);
        let resumed = stage.operate("jazz", Action::Resume).await.unwrap();
        assert_eq!(resumed.state.auto_end.remaining_seconds, Some(300.0));
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(2300) && at <= secs(2302), "stopped at {at:?}");
        assert_eq!(
            viewer.heard_of("jazz")[5..8],
            [
                "298 auto-end cancelled: operator_paused",
                "2000 auto-end resumed: operator_resumed",
                "2000 auto-end started: never_joined"
            ]
        );
    });
}

#[test]
fn a_pause_ends_with_its_session() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        radio.says(stage, 0).await;
        stage.operate("jazz", Action::Pause).await.unwrap();
        radio.stops(stage).await;
        radio.begins_anew("s2");
        radio.says(stage, 0).await;
        assert!(stage.auto_end("jazz").await.starts_with("counting"));
    });
}

#[test]
fn an_extension_counts_from_now_where_the_end_has_gone_by_unseen() {
    let mut story = Story::new();
    let radio = Streamer::new("radio-1", "jazz");
    story.live(async |stage| {
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(100)).await;
    });
    story.live(async |stage| {
        radio.listeners.set(None);
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(1000)).await;
        stage.operate("jazz", Action::Extend(secs(100))).await.unwrap();
        // Nobody has joined since: it would have ended at 300 s.
        radio.listeners.set(Some(0));
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(1100) && at <= secs(1102), "stopped at {at:?}");
    });
}

#[test]
fn an_extension_in_the_last_second_moves_the_end_and_warns_again() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(299)).await;
        stage.operate("jazz", Action::Extend(secs(100))).await.unwrap();
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(400) && at <= secs(402), "stopped at {at:?}");
        assert_eq!(
            viewer.heard_of("jazz")[5..],
            [
                "299 auto-end extended: operator_extended",
                "340 warning: 60 s",
                "370 warning: 30 s",
                "390 warning: 10 s",
                "400 auto-end stopping: never_joined"
            ]
        );
    });
}

#[test]
fn kept_alive_it_is_not_armed_again_until_somebody_has_joined() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(250)).await;
        let why = async || stage.inspect("jazz").await.unwrap().state.auto_end.reason;
        stage.operate("jazz", Action::Cancel).await.unwrap();
        assert_eq!(why().await, Some(Why::KeptAlive));
        assert_eq!(radio.asks(stage, secs(5000)).await, []);
        assert_eq!(why().await, Some(Why::KeptAlive), "whoever looks later is told why it does not end");
        radio.says(stage, 1).await;
        assert_eq!(why().await, None);
        let left = radio.says(stage, 0).await;
        assert_eq!(why().await, Some(Why::AllLeft));
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= left + secs(300) && at <= left + secs(302), "left at {left:?}, stopped at {at:?}");
    });
}

#[test]
fn an_operators_stop_needs_an_empty_stream_and_no_countdown() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let reporting = radio.keeps_reporting(stage);
        stage.until(secs(20)).await;
        radio.says(stage, 1).await;
        let refused = stage.operate("jazz", Action::Stop { force: false }).await.map(|_| ());
        assert_eq!(refused, Err(ActionError::SomebodyListens));
        radio.says(stage, 0).await;
        stage.operate("jazz", Action::Stop { force: false }).await.unwrap();
        let again = stage.operate("jazz", Action::Stop { force: false }).await.map(|_| ());
        assert_eq!(again, Err(ActionError::AlreadyStopping));
        let (at, command) = radio.is_told_to_stop(stage).await;
        assert!(at <= secs(21), "stopped at {at:?}");
        assert_eq!((command.reason, command.only_if.unwrap().listeners_at_most), (StopReason::Operator, 0));
        drop(reporting);
        radio.acknowledges(&command, Outcome::Ok);
        radio.stops(stage).await;
        assert_eq!(stage.inspect("jazz").await.unwrap().state.state, StreamStatus::Stopped);
        assert_eq!(stage.operate("jazz", Action::Pause).await.map(|_| ()), Err(ActionError::StreamIsOver));
    });
}

#[test]
fn an_operators_stop_is_refused_while_the_count_is_unknown_unless_it_is_forced() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        radio.says(stage, 7).await;
        stage.until(secs(60)).await;
        let refused = stage.operate("jazz", Action::Stop { force: false }).await.map(|_| ());
        assert_eq!(refused, Err(ActionError::CountUnknown));
        stage.operate("jazz", Action::Stop { force: true }).await.unwrap();
        let (at, command) = radio.is_told_to_stop(stage).await;
        assert!(at <= secs(61), "stopped at {at:?}");
        assert_eq!(command.only_if, None);
        // Somebody listens: that was known to whoever forced it.
        radio.says(stage, 8).await;
        assert_eq!(stage.auto_end("jazz").await, "stopping");
    });
}

#[test]
fn what_does_not_exist_cannot_be_acted_on() {
    story(async |stage| {
        assert_eq!(stage.operate("jazz", Action::Pause).await.map(|_| ()), Err(ActionError::NoSuchChannel));
        assert_eq!(stage.forget("jazz", None).await, Err(ActionError::NoSuchChannel));
        assert!(stage.inspect("jazz").await.is_none());
        let radio = Streamer::new("radio-1", "jazz");
        radio.says(stage, 1).await;
        let refused = stage.operate("jazz", Action::Extend(secs(60))).await.map(|_| ());
        assert_eq!(refused, Err(ActionError::NothingToExtend));
    });
}

#[test]
fn a_forgotten_channel_is_gone_and_its_command_with_it() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        let reporting = radio.keeps_reporting(stage);
        viewer.hears("jazz", "auto-end stopping: never_joined").await;
        stage.pass(secs(1)).await;
        drop(reporting);
        stage.forget("jazz", None).await.unwrap();
        assert_eq!(radio.asks(stage, secs(90)).await, []);
        assert!(stage.streams().await.is_empty());
        assert_eq!(stage.disk.kept.load().records.len(), 0);
        // Its streamer goes on: it begins as a stream nobody has ever seen.
        radio.says(stage, 0).await;
        assert_eq!(stage.auto_end("jazz").await, "counting 300");
        stage.pass(secs(1)).await;
        assert_eq!(stage.disk.journal("jazz"), ["started"]);
    });
}
