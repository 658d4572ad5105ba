//! A stream that nobody hears, from its first report to its end.

use sattva_actors::protocol::{OnlyIf, Outcome, StopReason};

use crate::stage::{Streamer, secs, story};

#[test]
fn nobody_ever_joins_and_the_stream_is_warned_of_stopped_and_seen_gone() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        let reporting = radio.keeps_reporting(stage);
        let (at, command) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(300), "stopped early, after {at:?}");
        assert!(at <= secs(302), "stopped late, after {at:?}");
        assert_eq!(command.reason, StopReason::NoListeners);
        assert_eq!(command.only_if, Some(OnlyIf { listeners_at_most: 0, joins: Some(0) }));
        assert_eq!(command.valid_until.since(command.decided_at), secs(60));

        drop(reporting);
        radio.acknowledges(&command, Outcome::Ok);
        radio.stops(stage).await;
        assert_eq!(
            viewer.heard_of("jazz"),
            [
                "0 started with 0",
                "0 auto-end started: never_joined",
                "240 warning: 60 s",
                "270 warning: 30 s",
                "290 warning: 10 s",
                "300 auto-end stopping: never_joined",
                "300 auto-end ended: confirmed",
                "300 stopped with 0",
            ]
        );
        let whole = ["started", "warning", "warning", "warning", "stopping", "ended"];
        assert_eq!(stage.disk.journal("jazz"), whole);
        assert_eq!(radio.asks(stage, secs(120)).await, [], "a settled stop is not delivered again");
    });
}
