//! The watchdog is fed while everybody a stop depends on is there, and only then.

use std::sync::atomic::Ordering::Relaxed;

use crate::stage::{Stage, Streamer, secs, story};

/// Time that goes by although something is held up; how often the watchdog was fed in it.
async fn a_minute_goes_by(stage: &Stage) -> usize {
    let before = stage.fed.load(Relaxed);
    for _ in 0..60 {
        tokio::time::advance(secs(1)).await;
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    stage.fed.load(Relaxed) - before
}

#[test]
fn it_is_fed_once_a_second_and_a_store_that_fails_changes_nothing() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(100)).await;
        assert!((99..=101).contains(&stage.fed.load(Relaxed)), "{:?}", stage.fed);
        stage.disk.fail(true);
        stage.until(secs(400)).await;
        assert!((399..=401).contains(&stage.fed.load(Relaxed)), "{:?}", stage.fed);
    });
}

#[test]
fn it_goes_hungry_when_one_visit_to_the_store_does_not_end() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        stage.disk.hold_up("stopping");
        let _reporting = radio.keeps_reporting(stage);
        stage.disk.holds_something_up().await;
        // A disk may be slow.
        assert!(a_minute_goes_by(stage).await >= 58);
        a_minute_goes_by(stage).await;
        assert_eq!(a_minute_goes_by(stage).await, 0);
        stage.disk.let_go();
        stage.pass(secs(10)).await;
        assert!(a_minute_goes_by(stage).await >= 58);
    });
}
