//! New rules for countdowns that run: they follow, and nobody is ended unwarned.

use sattva_actors::{
    channel::{auto_end::PhaseName, policy::Policy},
    protocol::Rulebook,
    wire::Why,
};

use crate::stage::{Streamer, rules, secs, story};

fn dry_run() -> Rulebook {
    let dry = Policy { dry_run: true, ..Policy::default() };
    Rulebook { policy: dry.into(), ..Rulebook::default() }
}

#[test]
fn a_shorter_timeout_ends_it_sooner_after_a_whole_last_warning() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(200)).await;
        stage.apply(rules(60, &[60, 30, 10])).await;
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(210) && at <= secs(212), "stopped at {at:?}");
        assert_eq!(
            viewer.heard_of("jazz")[2..],
            ["200 auto-end extended: reloaded", "200 warning: 10 s", "210 auto-end stopping: never_joined"]
        );
    });
}

#[test]
fn a_longer_timeout_gives_it_more_time_and_warns_of_the_new_end() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(295)).await;
        stage.apply(rules(600, &[60, 30, 10])).await;
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(600) && at <= secs(602), "stopped at {at:?}");
        assert_eq!(
            viewer.heard_of("jazz")[5..],
            [
                "295 auto-end extended: reloaded",
                "540 warning: 60 s",
                "570 warning: 30 s",
                "590 warning: 10 s",
                "600 auto-end stopping: never_joined"
            ]
        );
    });
}

#[test]
fn other_warnings_apply_to_a_countdown_that_runs() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(100)).await;
        stage.apply(rules(300, &[120, 20])).await;
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(300) && at <= secs(302), "stopped at {at:?}");
        assert_eq!(
            viewer.heard_of("jazz")[2..],
            ["180 warning: 120 s", "280 warning: 20 s", "300 auto-end stopping: never_joined"]
        );
    });
}

#[test]
fn one_channel_may_have_rules_of_its_own() {
    story(async |stage| {
        let (jazz, rock) = (Streamer::new("radio-1", "jazz"), Streamer::new("radio-2", "rock"));
        let _reporting = [jazz.keeps_reporting(stage), rock.keeps_reporting(stage)];
        stage.until(secs(10)).await;
        let own = [("rock".to_owned(), Policy::new(secs(120), &[10]).into())];
        stage.apply(Rulebook { per_channel: own.into(), ..Rulebook::default() }).await;
        let ((first, _), (second, _)) = tokio::join!(rock.is_told_to_stop(stage), jazz.is_told_to_stop(stage));
        assert!(first >= secs(120) && first <= secs(122), "rock was stopped at {first:?}");
        assert!(second >= secs(300) && second <= secs(302), "jazz was stopped at {second:?}");
    });
}

#[test]
fn switched_off_nothing_counts_and_switched_on_again_it_counts_in_full() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(290)).await;
        let off = Policy { enabled: false, ..Policy::default() };
        stage.apply(Rulebook { policy: off.into(), ..Rulebook::default() }).await;
        assert_eq!(radio.asks(stage, secs(1000)).await, []);
        assert_eq!(stage.auto_end("jazz").await, "off");
        stage.apply(Rulebook::default()).await;
        let on = stage.time();
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= on + secs(300) && at <= on + secs(302), "on at {on:?}, stopped at {at:?}");
    });
}

#[test]
fn a_dry_run_that_becomes_earnest_counts_in_full() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        stage.apply(dry_run()).await;
        let _reporting = radio.keeps_reporting(stage);
        assert_eq!(radio.asks(stage, secs(1000)).await, []);
        let would = viewer.heard_of("jazz").into_iter().filter(|line| line.contains("would_stop")).count();
        assert_eq!(would, 1);
        assert_eq!(stage.inspect("jazz").await.unwrap().state.auto_end.reason, Some(Why::WouldStop));
        stage.apply(Rulebook::default()).await;
        let earnest = stage.time();
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= earnest + secs(300) && at <= earnest + secs(302), "earnest at {earnest:?}, stopped at {at:?}");
    });
}

#[test]
fn whoever_watches_a_countdown_is_told_at_once_that_it_will_end_nothing() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(100)).await;
        stage.apply(dry_run()).await;
        stage.pass(secs(1)).await;
        let last = viewer.heard_of("jazz").into_iter().rfind(|line| line.contains("auto-end")).unwrap_or_default();
        assert!(last.contains("extended") && last.contains("reloaded"), "{last}");
        let auto_end = stage.inspect("jazz").await.unwrap().state.auto_end;
        assert!(auto_end.dry_run && auto_end.phase == PhaseName::Counting, "{auto_end:?}");
    });
}

#[test]
fn a_retired_source_leaves_every_sum() {
    story(async |stage| {
        let (one, two) = (Streamer::new("radio-1", "jazz"), Streamer::new("radio-2", "jazz"));
        let _reporting = one.keeps_reporting(stage);
        two.says(stage, 0).await;
        stage.until(secs(100)).await;
        assert!(stage.auto_end("jazz").await.starts_with("frozen"));
        stage.apply(Rulebook { retired_sources: vec!["radio-2".to_owned()], ..Rulebook::default() }).await;
        stage.pass(secs(1)).await;
        assert!(stage.auto_end("jazz").await.starts_with("counting"));
    });
}
