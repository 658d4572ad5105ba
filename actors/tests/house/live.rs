//! What a viewer is told, in which order and how often.

use std::time::Duration;

use sattva_actors::{broker::subscriptions::Filter, protocol::Status};

use crate::stage::{Heard, Stage, Streamer, Viewer, millis, secs, story};

/// When a channel's messages of one kind came, and how many listened then.
fn updates(viewer: &Viewer, event: &str, field: &str) -> Vec<(Duration, u64)> {
    let heard = viewer.heard();
    let fits = |heard: &&Heard| heard.is("stream_update") && heard.message["data"]["event"] == event;
    heard.iter().filter(fits).map(|heard| (heard.at, heard.message["data"][field].as_u64().unwrap())).collect()
}

/// No more than four of them in any second.
#[track_caller]
fn are_paced(updates: &[(Duration, u64)]) {
    for window in updates.windows(5) {
        assert!(window[4].0 - window[0].0 >= secs(1), "five within a second: {window:?}");
    }
}

/// The streams of a viewer's snapshots, as channels with their listeners.
fn snapshots(viewer: &Viewer) -> Vec<Vec<(String, u64)>> {
    let heard = viewer.heard();
    let streams = |heard: &Heard| {
        let streams = heard.message["data"]["streams"].as_array().unwrap();
        let one =
            |s: &serde_json::Value| (s["channel_id"].as_str().unwrap().to_owned(), s["listeners"].as_u64().unwrap());
        streams.iter().map(one).collect()
    };
    heard.iter().filter(|heard| heard.is("snapshot")).map(streams).collect()
}

/// Says a new number of listeners every 10 ms and does not wait to be answered.
async fn restless(stage: &Stage, radio: &Streamer, time: Duration) -> u32 {
    let until = stage.time() + time;
    let mut listeners = 0;
    while stage.time() < until {
        listeners += 1;
        radio.counts(listeners);
        drop(radio.sends(stage));
        stage.pass(millis(10)).await;
    }
    listeners
}

#[test]
fn a_snapshot_comes_first_and_every_change_after_it_is_told() {
    story(async |stage| {
        let (jazz, rock) = (Streamer::new("radio-1", "jazz"), Streamer::new("radio-2", "rock"));
        jazz.says(stage, 2).await;
        let viewer = stage.viewer().await;
        // At this very moment, before the snapshot has been gathered.
        drop(rock.sends(stage));
        rock.says(stage, 1).await;
        stage.pass(millis(300)).await;
        let heard = viewer.heard();
        assert!(heard[0].is("snapshot"), "{heard:?}");
        assert_eq!(snapshots(&viewer).len(), 1);
        let known = snapshots(&viewer).remove(0);
        assert_eq!(known[0], ("jazz".to_owned(), 2));
        // Whether the snapshot had it or not, the last word on each stream is the truth.
        let told = updates(&viewer, "listeners_changed", "listeners");
        assert!(known.contains(&("rock".to_owned(), 1)) || told.last().unwrap().1 == 1, "{known:?} {told:?}");
    });
}

#[test]
fn of_a_stream_that_begins_it_is_told_who_reports_it_and_since_when() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let jazz = Streamer::new("radio-1", "jazz");
        jazz.says(stage, 2).await;
        jazz.says(stage, 3).await;
        stage.pass(millis(300)).await;
        let heard = viewer.heard();
        let of = |event: &str| {
            let told = heard.iter().find(|heard| heard.message["data"]["event"] == event).unwrap();
            ["sources", "session", "started_at"].map(|field| told.message["data"][field].clone())
        };
        let state = serde_json::to_value(stage.inspect("jazz").await.unwrap().state).unwrap();
        assert_eq!(of("started"), ["sources", "session", "started_at"].map(|field| state[field].clone()));
        assert_eq!(of("started")[0], serde_json::json!(["radio-1"]));
        assert!(of("started")[1].is_string() && of("started")[2].is_string());
        assert!(of("listeners_changed").iter().all(serde_json::Value::is_null));
    });
}

#[test]
fn viewers_who_come_at_any_moment_miss_nothing_between_their_snapshot_and_the_live_ones() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let changes = restless(stage, &radio, millis(2500));
        let come = async {
            let mut viewers = Vec::new();
            for _ in 0..40 {
                viewers.push(stage.viewer().await);
                stage.pass(millis(61)).await;
            }
            viewers
        };
        let (last, viewers) = tokio::join!(changes, come);
        stage.pass(secs(1)).await;
        for viewer in viewers {
            assert!(viewer.heard()[0].is("snapshot"));
            let mut known = snapshots(&viewer)[0].iter().map(|(_, listeners)| *listeners).next().unwrap_or(0);
            for (at, listeners) in updates(&viewer, "listeners_changed", "listeners") {
                assert!(listeners >= known, "{listeners} after {known} at {at:?}: an older message came later");
                known = listeners;
            }
            assert_eq!(known, u64::from(last), "the last one was lost");
        }
    });
}

#[test]
fn listener_changes_come_at_most_four_a_second_and_the_last_is_never_lost() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        let last = restless(stage, &radio, secs(10)).await;
        let ended = stage.time();
        stage.pass(secs(1)).await;
        let told = updates(&viewer, "listeners_changed", "listeners");
        are_paced(&told);
        assert!(told.len() >= 39, "only {} in ten seconds", told.len());
        let (at, listeners) = *told.last().unwrap();
        assert_eq!(listeners, u64::from(last));
        assert!(at <= ended + millis(250), "told at {at:?}");
    });
}

#[test]
fn queue_changes_come_at_most_four_a_second_and_the_last_is_never_lost() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        radio.counts(1);
        for size in 1..=500 {
            radio.queue_size.set(Some(size));
            drop(radio.sends(stage));
            stage.pass(millis(10)).await;
        }
        stage.pass(secs(1)).await;
        let told = updates(&viewer, "queue_changed", "queue_size");
        are_paced(&told);
        assert_eq!(told.last().unwrap().1, 500);
    });
}

#[test]
fn one_restless_stream_does_not_slow_another_ones_changes() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let (jazz, rock) = (Streamer::new("radio-1", "jazz"), Streamer::new("radio-2", "rock"));
        rock.says(stage, 0).await;
        let quiet = async {
            stage.pass(millis(1234)).await;
            rock.says(stage, 9).await
        };
        let (_, said) = tokio::join!(restless(stage, &jazz, secs(3)), quiet);
        assert_eq!(viewer.hears("rock", "listeners_changed with 9").await, said);
    });
}

#[test]
fn a_pause_and_an_end_are_told_at_once_however_restless_the_stream() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        restless(stage, &radio, millis(515)).await;
        radio.status.set(Status::Paused);
        let paused = stage.time();
        radio.reports(stage).await;
        stage.pass(millis(10)).await;
        radio.status.set(Status::Stopped);
        radio.counts(0);
        let stopped = stage.time();
        radio.reports(stage).await;
        stage.pass(secs(1)).await;
        let at = |event: &str| updates(&viewer, event, "listeners")[0].0;
        assert_eq!((at("paused"), at("stopped")), (paused, stopped));
        let last = viewer.heard().into_iter().rev().find(|heard| heard.is("stream_update")).unwrap();
        assert_eq!(last.message["data"]["event"], "stopped", "nothing is told of a stream after its end");
    });
}

#[test]
fn a_filter_narrows_what_comes_and_never_drops_the_snapshot() {
    story(async |stage| {
        let (jazz, rock) = (Streamer::new("radio-1", "jazz"), Streamer::new("radio-2", "rock"));
        jazz.says(stage, 1).await;
        rock.says(stage, 1).await;
        let filter = Filter::parse(Some(["jazz"]), Some(["auto_end"])).unwrap();
        let viewer = stage.viewer_of(filter).await;
        jazz.says(stage, 0).await;
        rock.says(stage, 0).await;
        stage.pass(secs(12)).await;
        let heard: Vec<_> = viewer.heard();
        assert_eq!(snapshots(&viewer), [[("jazz".to_owned(), 1)]]);
        assert!(heard[1..].iter().all(|heard| heard.is("auto_end")), "{heard:?}");
        assert_eq!(viewer.heard_of("jazz"), ["0 auto-end started: all_left"]);
    });
}

#[test]
fn statistics_follow_the_snapshot_and_then_come_every_five_seconds() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        radio.counts(3);
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(60)).await;
        let viewer = stage.viewer().await;
        stage.until(secs(121)).await;
        let heard = viewer.heard();
        assert!(heard[0].is("snapshot") && heard[1].is("stats"), "{heard:?}");
        assert_eq!((heard[0].at, heard[1].at), (secs(60), secs(60)));
        let stats: Vec<&Heard> = heard.iter().filter(|heard| heard.is("stats")).collect();
        // The newest one with the snapshot; then one each 5 s, from 60.5 s on.
        assert_eq!(stats.len(), 1 + 13);
        assert!(stats[1..].windows(2).all(|pair| pair[1].at - pair[0].at == secs(5)), "{stats:?}");
        let data = &stats[5].message["data"];
        assert_eq!((data["active_streams"].as_u64(), data["total_listeners"].as_u64()), (Some(1), Some(3)));
    });
}

#[test]
fn a_session_that_takes_the_place_of_another_is_an_end_and_a_start_in_the_order_of_the_story() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        radio.says(stage, 0).await;
        let viewer = stage.viewer().await;
        stage.pass(secs(2)).await;
        radio.begins_anew("s2");
        radio.says(stage, 0).await;
        stage.pass(secs(1)).await;
        let told = viewer.heard_of("jazz");
        let expected = [
            "2 auto-end cancelled: new_session",
            "2 stopped with 0",
            "2 started with 0",
            "2 auto-end started: never_joined",
        ];
        assert_eq!(told, expected);
        let last = viewer.heard().into_iter().rfind(|heard| heard.message["data"]["event"] == "stopped").unwrap();
        assert_eq!(last.message["data"]["state"], "stopped");
    });
}

#[test]
fn a_session_that_begins_beside_another_is_no_end_of_the_stream() {
    story(async |stage| {
        let (first, second) = (Streamer::new("radio-1", "jazz"), Streamer::new("radio-2", "jazz"));
        first.says(stage, 1).await;
        second.says(stage, 1).await;
        let viewer = stage.viewer().await;
        stage.pass(secs(2)).await;
        second.begins_anew("s2");
        second.says(stage, 1).await;
        stage.pass(secs(1)).await;
        let told = viewer.heard_of("jazz");
        assert!(!told.iter().any(|said| said.contains("stopped")), "{told:?}");
    });
}
