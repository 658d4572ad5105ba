//! Streams of which nothing is known for a while: nothing is stopped in doubt.

use std::collections::HashSet;

use sattva_actors::protocol::{ActionError, Outcome};

use crate::stage::{Streamer, secs, story};

#[test]
fn silence_freezes_the_countdown_within_a_second_of_its_expiry() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        let reporting = radio.keeps_reporting(stage);
        stage.until(secs(102)).await;
        drop(reporting);
        // The last report came at 100 s and is believed for 15 s.
        let frozen = viewer.hears("jazz", "auto-end frozen: unknown").await;
        assert!(frozen >= secs(115) && frozen <= secs(116), "frozen at {frozen:?}");
        assert_eq!(stage.auto_end("jazz").await, "frozen 200");

        stage.until(secs(1000)).await;
        assert_eq!(stage.auto_end("jazz").await, "frozen 200");
        let _reporting = radio.keeps_reporting(stage);
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(1200) && at <= secs(1202), "stopped at {at:?}");
        assert_eq!(
            viewer.heard_of("jazz")[4..],
            [
                "1000 auto-end unfrozen: known",
                "1000 listeners_changed with 0",
                "1140 warning: 60 s",
                "1170 warning: 30 s",
                "1190 warning: 10 s",
                "1200 auto-end stopping: never_joined",
            ]
        );
    });
}

#[test]
fn an_overdue_countdown_waits_for_a_zero_however_long_that_takes() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let reporting = radio.keeps_reporting(stage);
        stage.until(secs(292)).await;
        drop(reporting);
        // The last report came at 290 s: at the deadline it is older than one interval.
        assert_eq!(radio.asks(stage, secs(600)).await, []);
        let _reporting = radio.keeps_reporting(stage);
        let back = stage.time();
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= back + secs(10) && at <= back + secs(12), "back at {back:?}, stopped at {at:?}");
    });
}

#[test]
fn a_stream_silent_for_an_hour_is_lost_and_never_stopped() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        radio.says(stage, 0).await;
        stage.until(secs(3600)).await;
        assert_eq!(stage.cells.totals().active_streams, 1);
        stage.until(secs(3620)).await;
        let totals = stage.cells.totals();
        assert_eq!((totals.active_streams, totals.lost_streams), (0, 1));
        stage.until(secs(4_000)).await;
        assert_eq!(radio.asks(stage, secs(0)).await, []);
        radio.says(stage, 1).await;
        assert_eq!(stage.cells.totals().active_streams, 1);
        let heard = viewer.heard_of("jazz");
        assert_eq!(heard[heard.len() - 2..], ["4000 auto-end cancelled: listener", "4000 resumed with 1"]);
    });
}

#[test]
fn two_reporters_are_summed_and_each_gets_a_command_of_its_own() {
    story(async |stage| {
        let (one, two) = (Streamer::new("radio-1", "jazz"), Streamer::new("radio-2", "jazz"));
        two.counts(3);
        let reporting = [one.keeps_reporting(stage), two.keeps_reporting(stage)];
        one.counts(2);
        stage.until(secs(6)).await;
        assert_eq!(stage.inspect("jazz").await.unwrap().state.listeners, 5);
        one.counts(0);
        assert_eq!(one.asks(stage, secs(900)).await, [], "the other one is heard");
        let left = two.says(stage, 0).await;
        let ((at, first), (_, second)) = tokio::join!(one.is_told_to_stop(stage), two.is_told_to_stop(stage));
        assert!(at >= left + secs(300) && at <= left + secs(302), "left at {left:?}, stopped at {at:?}");
        assert_ne!(first.id, second.id);
        // One obeys; only when both are gone is the stop confirmed.
        drop(reporting);
        one.acknowledges(&first, Outcome::Ok);
        one.stops(stage).await;
        assert_eq!(stage.auto_end("jazz").await, "stopping");
        two.acknowledges(&second, Outcome::Ok);
        two.stops(stage).await;
        assert_eq!(stage.disk.journal("jazz").last().unwrap(), "ended");
    });
}

#[test]
fn one_silent_reporter_of_two_leaves_the_count_unknown_until_it_is_forgotten() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let (one, two) = (Streamer::new("radio-1", "jazz"), Streamer::new("radio-2", "jazz"));
        let _reporting = one.keeps_reporting(stage);
        let silent = two.keeps_reporting(stage);
        stage.until(secs(102)).await;
        drop(silent);
        let frozen = viewer.hears("jazz", "auto-end frozen: unknown").await;
        assert!(frozen >= secs(115) && frozen <= secs(116), "frozen at {frozen:?}");
        assert_eq!(one.asks(stage, secs(2000)).await, []);
        let inspection = stage.inspect("jazz").await.unwrap();
        assert!(inspection.why.contains("radio-2 last reported"), "{}", inspection.why);
        let believed: HashSet<_> = inspection.reporters.iter().map(|r| (r.source.as_str(), r.believed)).collect();
        assert_eq!(believed, HashSet::from([("radio-1", true), ("radio-2", false)]));

        assert_eq!(stage.forget("jazz", Some("radio-3")).await, Err(ActionError::NoSuchSource));
        stage.forget("jazz", Some("radio-2")).await.unwrap();
        let forgotten = stage.time();
        assert_eq!(stage.auto_end("jazz").await, "counting 200");
        let (at, _) = one.is_told_to_stop(stage).await;
        assert!(at >= forgotten + secs(200) && at <= forgotten + secs(202), "{forgotten:?}, then {at:?}");
        assert_eq!(two.asks(stage, secs(0)).await, []);
    });
}

#[test]
fn a_listener_known_of_beside_a_silent_reporter_cancels() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let (one, two) = (Streamer::new("radio-1", "jazz"), Streamer::new("radio-2", "jazz"));
        let _reporting = one.keeps_reporting(stage);
        two.says(stage, 0).await;
        viewer.hears("jazz", "auto-end frozen: unknown").await;
        one.says(stage, 1).await;
        assert_eq!(stage.auto_end("jazz").await, "watching");
    });
}

#[test]
fn a_reporter_that_says_its_stream_is_over_leaves_the_sum() {
    story(async |stage| {
        let (one, two) = (Streamer::new("radio-1", "jazz"), Streamer::new("radio-2", "jazz"));
        two.counts(4);
        let _reporting = one.keeps_reporting(stage);
        two.says(stage, 4).await;
        two.stops(stage).await;
        assert_eq!(stage.auto_end("jazz").await, "counting 300");
    });
}

#[test]
fn a_count_that_is_hidden_is_unknown_and_not_zero() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(102)).await;
        radio.listeners.set(None);
        radio.reports(stage).await;
        assert_eq!(stage.auto_end("jazz").await, "frozen 200");
        assert_eq!(radio.asks(stage, secs(1000)).await, []);
    });
}
