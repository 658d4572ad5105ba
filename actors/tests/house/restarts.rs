//! kill -9 in the middle of a countdown, and a new house from what is on disk.

use sattva_actors::protocol::{Action, Outcome};

use crate::stage::{Story, Streamer, secs};

#[test]
fn a_countdown_of_a_source_with_joins_goes_on_through_the_restart() {
    let mut story = Story::new();
    let radio = Streamer::new("radio-1", "jazz");
    story.live(async |stage| {
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(100)).await;
    });
    story.nobody_home_for(secs(60));
    story.live(async |stage| {
        assert!(stage.auto_end("jazz").await.starts_with("frozen"), "nothing is believed before it is reported anew");
        assert_eq!(radio.asks(stage, secs(5)).await, []);
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(166)).await;
        assert_eq!(stage.auto_end("jazz").await, "counting 134");
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(300) && at <= secs(302), "stopped at {at:?}");
    });
}

#[test]
fn a_countdown_of_a_source_without_joins_stands_still_through_the_restart() {
    let mut story = Story::new();
    let radio = Streamer::without_joins("radio-1", "jazz");
    story.live(async |stage| {
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(103)).await;
    });
    story.nobody_home_for(secs(1000));
    story.live(async |stage| {
        let _reporting = radio.keeps_reporting(stage);
        let (at, _) = radio.is_told_to_stop(stage).await;
        // 200 s were left at the last zero, which was told at 100 s.
        assert!(at >= secs(1103 + 200) && at <= secs(1103 + 202), "stopped at {at:?}");
    });
}

#[test]
fn someone_who_came_while_the_daemon_was_down_gives_the_stream_its_whole_time() {
    let mut story = Story::new();
    let radio = Streamer::new("radio-1", "jazz");
    story.live(async |stage| {
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(290)).await;
    });
    story.nobody_home_for(secs(60));
    radio.counts(1);
    radio.counts(0);
    story.live(async |stage| {
        let _reporting = radio.keeps_reporting(stage);
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(650) && at <= secs(652), "stopped at {at:?}");
    });
}

#[test]
fn a_deadline_that_passed_while_the_daemon_was_down_is_warned_of_once_more() {
    let mut story = Story::new();
    let radio = Streamer::new("radio-1", "jazz");
    story.live(async |stage| {
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(295)).await;
    });
    story.nobody_home_for(secs(3600));
    story.live(async |stage| {
        let viewer = stage.viewer().await;
        let _reporting = radio.keeps_reporting(stage);
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(3905) && at <= secs(3907), "stopped at {at:?}");
        assert_eq!(viewer.hears("jazz", "warning: 10 s").await, secs(3895));
    });
}

#[test]
fn a_stop_on_disk_is_offered_again_under_its_id_once_the_stream_is_said_to_be_empty() {
    let mut story = Story::new();
    let radio = Streamer::new("radio-1", "jazz");
    let first = story.live(async |stage| {
        let _reporting = radio.keeps_reporting(stage);
        radio.is_told_to_stop(stage).await.1
    });
    story.nobody_home_for(secs(3));
    story.live(async |stage| {
        assert_eq!(radio.asks(stage, secs(5)).await, [], "nobody has said yet that it is still empty");
        let _reporting = radio.keeps_reporting(stage);
        let (at, again) = radio.is_told_to_stop(stage).await;
        assert!(at <= secs(309), "{at:?}");
        assert_eq!((again.id.as_str(), again.valid_until), (first.id.as_str(), first.valid_until));
        radio.acknowledges(&again, Outcome::Ok);
        radio.stops(stage).await;
        assert_eq!(stage.disk.journal("jazz").last().unwrap(), "ended");
    });
}

#[test]
fn a_stop_that_was_never_written_is_decided_anew_after_the_restart() {
    let mut story = Story::new();
    let radio = Streamer::new("radio-1", "jazz");
    story.live(async |stage| {
        stage.disk.hold_up("stopping");
        let _reporting = radio.keeps_reporting(stage);
        stage.disk.holds_something_up().await;
        // Killed before the write came through.
        stage.disk.fail(true);
        stage.disk.let_go();
    });
    story.disk.fail(false);
    story.nobody_home_for(secs(1));
    story.live(async |stage| {
        let _reporting = radio.keeps_reporting(stage);
        let began = stage.time();
        let (at, command) = radio.is_told_to_stop(stage).await;
        assert!(at >= began + secs(10) && at <= began + secs(12), "began at {began:?}, stopped at {at:?}");
        assert!(command.id.contains("/g1.f2-"), "{}", command.id);
    });
}

#[test]
fn a_daemon_that_is_killed_again_and_again_still_keeps_the_deadline() {
    let mut story = Story::new();
    let radio = Streamer::new("radio-1", "jazz");
    for _ in 0..12 {
        story.live(async |stage| {
            let _reporting = radio.keeps_reporting(stage);
            stage.pass(secs(22)).await;
        });
        story.nobody_home_for(secs(1));
    }
    // At 276 s.
    story.live(async |stage| {
        let _reporting = radio.keeps_reporting(stage);
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(300) && at <= secs(302), "stopped at {at:?}");
    });
}

#[test]
fn a_daemon_that_is_killed_again_and_again_credits_a_source_without_joins_what_it_saw() {
    let mut story = Story::new();
    let radio = Streamer::without_joins("radio-1", "jazz");
    for _ in 0..12 {
        story.live(async |stage| {
            let _reporting = radio.keeps_reporting(stage);
            stage.pass(secs(22)).await;
        });
        story.nobody_home_for(secs(8));
    }
    // Each time the zeros of 20 s were seen: 240 s in all.
    story.live(async |stage| {
        let _reporting = radio.keeps_reporting(stage);
        stage.pass(secs(1)).await;
        assert_eq!(stage.auto_end("jazz").await, "counting 59");
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(420) && at <= secs(422), "stopped at {at:?}");
    });
}

#[test]
fn a_reboot_carries_the_countdown_over_by_the_wall_clock() {
    let mut story = Story::new();
    let radio = Streamer::new("radio-1", "jazz");
    story.live(async |stage| {
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(100)).await;
    });
    story.nobody_home_for(secs(120));
    story.reboot();
    story.live(async |stage| {
        let _reporting = radio.keeps_reporting(stage);
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(300) && at <= secs(302), "stopped at {at:?}");
    });
}

#[test]
fn an_operators_pause_survives_the_restart() {
    let mut story = Story::new();
    let radio = Streamer::new("radio-1", "jazz");
    story.live(async |stage| {
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(10)).await;
        stage.operate("jazz", Action::Pause).await.unwrap();
    });
    story.live(async |stage| {
        let _reporting = radio.keeps_reporting(stage);
        assert_eq!(radio.asks(stage, secs(4000)).await, []);
        stage.operate("jazz", Action::Resume).await.unwrap();
        assert_eq!(stage.auto_end("jazz").await, "counting 300");
    });
}
