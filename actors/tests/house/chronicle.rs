//! What is written of a stream for its history.

use sattva_actors::protocol::Outcome;

use crate::stage::{Story, Streamer, secs, story};

#[test]
fn what_happens_to_a_stream_is_written_once_and_in_its_order() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        radio.plays("So What");
        radio.counts(2);
        let reporting = radio.keeps_reporting(stage);
        stage.until(secs(98)).await;
        radio.plays("Blue in Green");
        radio.says(stage, 2).await;
        stage.until(secs(198)).await;
        radio.says(stage, 0).await;
        let (_, command) = radio.is_told_to_stop(stage).await;
        drop(reporting);
        radio.acknowledges(&command, Outcome::Ok);
        radio.stops(stage).await;
        assert_eq!(
            stage.written(),
            [
                "0 jazz: started",
                "0 jazz: plays So What to 2",
                "98 jazz: plays Blue in Green to 2",
                "198 jazz: auto-end started",
                "498 jazz: auto-end stopping",
                "498 jazz: auto-end ended",
                "498 jazz: stopped",
            ]
        );
        assert_eq!(stage.written(), [""; 0], "what was fetched is not told again");
    });
}

#[test]
fn a_restart_is_no_start_of_a_stream_and_what_plays_after_it_is_found_to_play() {
    let mut story = Story::new();
    let radio = Streamer::new("radio-1", "jazz");
    radio.plays("So What");
    story.live(async |stage| {
        radio.says(stage, 1).await;
        assert_eq!(stage.written(), ["0 jazz: started", "0 jazz: plays So What to 1"]);
    });
    story.nobody_home_for(secs(60));
    story.live(async |stage| {
        radio.says(stage, 1).await;
        // It is not known from before: another track may have begun meanwhile.
        assert_eq!(stage.written(), ["60 jazz: is found to play So What to 1"]);
        radio.says(stage, 1).await;
        assert_eq!(stage.written(), [""; 0]);
        radio.plays("Blue in Green");
        radio.says(stage, 1).await;
        assert_eq!(stage.written(), ["60 jazz: plays Blue in Green to 1"]);
    });
}
