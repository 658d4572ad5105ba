//! A stream that nobody hears, from its first report to its end.

use sattva_actors::{
    channel::policy::{Policy, Timeouts},
    identity::{ChannelId, SourceId},
    protocol::{Batch, BatchAnswer, OnlyIf, Outcome, Report, Rulebook, Status, StopReason, Tally},
};

use crate::stage::{Stage, Story, Streamer, millis, secs, story};

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

#[test]
fn the_time_runs_anew_in_full_from_the_moment_the_last_listener_leaves() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        radio.counts(2);
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(1000)).await;
        radio.says(stage, 1).await;
        stage.until(secs(1234)).await;
        let left = radio.says(stage, 0).await;
        let (at, command) = radio.is_told_to_stop(stage).await;
        assert!(at >= left + secs(300) && at <= left + secs(302), "left at {left:?}, stopped at {at:?}");
        assert_eq!(command.only_if, Some(OnlyIf { listeners_at_most: 0, joins: Some(2) }));
    });
}

#[test]
fn a_stream_nobody_joined_may_have_a_time_of_its_own() {
    let timeouts = Timeouts { all_left: secs(300).into(), never_joined: secs(900).into() };
    let rules = Rulebook { policy: Policy { timeouts, ..Policy::default() }.into(), ..Rulebook::default() };
    Story::under(rules).live(async |stage| {
        let (jazz, rock) = (Streamer::new("radio-1", "jazz"), Streamer::new("radio-2", "rock"));
        let _reporting = [jazz.keeps_reporting(stage), rock.keeps_reporting(stage)];
        stage.until(secs(100)).await;
        rock.says(stage, 1).await;
        let left = rock.says(stage, 0).await;
        let ((first, _), (second, _)) = tokio::join!(rock.is_told_to_stop(stage), jazz.is_told_to_stop(stage));
        assert!(first >= left + secs(300) && first <= left + secs(302), "rock was stopped at {first:?}");
        assert!(second >= secs(900) && second <= secs(902), "jazz was stopped at {second:?}");
    });
}

#[test]
fn a_gap_between_tracks_changes_nothing_and_a_pause_begins_it_anew() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(50)).await;
        radio.status.set(Status::Idle);
        stage.until(secs(101)).await;
        assert_eq!(stage.auto_end("jazz").await, "counting 199");
        radio.status.set(Status::Paused);
        assert_eq!(radio.asks(stage, secs(1000)).await, []);
        assert_eq!(stage.auto_end("jazz").await, "watching");
        radio.status.set(Status::Live);
        let resumed = radio.says(stage, 0).await;
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= resumed + secs(300) && at <= resumed + secs(302), "back at {resumed:?}, stopped at {at:?}");
    });
}

#[test]
fn a_source_that_crashes_in_a_loop_is_still_an_empty_stream() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let mut life = 0;
        // Dies without a word after 17 s, and comes back 20 s later under a new session.
        while stage.time() < secs(295) {
            life += 1;
            radio.begins_anew(&format!("life-{life}"));
            let reporting = radio.keeps_reporting(stage);
            stage.pass(secs(17)).await;
            drop(reporting);
            stage.pass(secs(20)).await;
        }
        radio.begins_anew("the-last-life");
        let back = stage.time();
        let _reporting = radio.keeps_reporting(stage);
        let (at, _) = radio.is_told_to_stop(stage).await;
        assert!(at >= secs(300) && at <= back + secs(12), "back at {back:?}, stopped at {at:?}");
    });
}

#[test]
fn an_ended_stream_is_shown_for_a_minute_and_leaves_the_house_when_its_time_has_come() {
    let mut story = Story::under(Rulebook { forget_ended_after: secs(600), ..Rulebook::default() });
    story.live(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        radio.says(stage, 1).await;
        radio.stops(stage).await;
        let over = stage.time();
        stage.until(over + secs(59)).await;
        assert_eq!(stage.streams().await.len(), 1);
        stage.until(over + secs(61)).await;
        assert!(stage.streams().await.is_empty());
        assert!(stage.inspect("jazz").await.is_some());
        stage.until(over + secs(601)).await;
        assert!(stage.inspect("jazz").await.is_none());
        assert_eq!((stage.disk.kept.load().records.len(), stage.disk.journal("jazz").len()), (0, 0));
    });
}

#[test]
fn a_stream_that_returns_in_the_moment_it_would_be_forgotten_is_not_lost() {
    let mut story = Story::under(Rulebook { forget_ended_after: secs(600), ..Rulebook::default() });
    story.live(async |stage| {
        // The streamer comes back just before, in and just after that moment.
        for (n, late) in [595, 599, 600, 601, 605, 610].into_iter().enumerate() {
            let radio = Streamer::new("radio-1", &format!("jazz-{n}"));
            radio.says(stage, 1).await;
            let over = radio.stops(stage).await;
            stage.until(over + secs(599) + millis(late + 400)).await;
            radio.begins_anew("s2");
            // Whoever is told to send it again does so.
            while radio.reports(stage).await.busy {
                stage.pass(millis(1)).await;
            }
            let _reporting = radio.keeps_reporting(stage);
            stage.pass(secs(2)).await;
            assert_eq!(stage.auto_end(radio.channel.as_str()).await, "counting 298");
            assert_eq!(stage.disk.kept.load().records.len(), n + 1, "its record must not be erased");
        }
    });
}

/// Sends reports of several streamers of one source in one batch.
async fn in_one_batch(stage: &Stage, reports: Vec<(ChannelId, Report)>) -> BatchAnswer {
    let (tally, answer) = Tally::new();
    let (source, received) = (SourceId::new("radio-1").unwrap(), stage.clock.now().at);
    stage.house.supervisor.send(Batch { source, received, reports, acks: Vec::new(), tally }).await.unwrap();
    answer.await.unwrap()
}

#[test]
fn a_report_behind_the_one_that_ends_its_channel_is_to_be_sent_again() {
    let mut story = Story::under(Rulebook { forget_ended_after: secs(0), ..Rulebook::default() });
    story.live(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        radio.says(stage, 0).await;
        radio.status.set(Status::Stopped);
        let last = radio.report();
        radio.begins_anew("s2");
        let answer = in_one_batch(stage, vec![last, radio.report()]).await;
        assert!((answer.accepted, answer.busy) == (1, true), "{answer:?}");
        while radio.reports(stage).await.busy {
            stage.pass(millis(5)).await;
        }
        assert_eq!(stage.auto_end("jazz").await, "counting 300");
    });
}

#[test]
fn any_number_of_channels_may_leave_while_they_are_reported_anew_and_none_counts_as_dead() {
    let mut story = Story::under(Rulebook { forget_ended_after: secs(0), ..Rulebook::default() });
    story.live(async |stage| {
        let radios: Vec<_> = (0..200).map(|n| Streamer::new("radio-1", &format!("c{n}"))).collect();
        in_one_batch(stage, radios.iter().map(|radio| radio.report()).collect()).await;
        radios.iter().for_each(|radio| radio.status.set(Status::Stopped));
        let last = radios.iter().map(|radio| radio.report()).collect();
        radios.iter().for_each(|radio| radio.begins_anew("s2"));
        let first = radios.iter().map(|radio| radio.report()).collect();
        let (ended, began) = tokio::join!(in_one_batch(stage, last), in_one_batch(stage, first));
        assert_eq!(ended.accepted, 200);
        assert!(began.busy || began.accepted == 200, "{began:?}");
        in_one_batch(stage, radios.iter().map(|radio| radio.report()).collect()).await;
        stage.pass(secs(1)).await;
        assert_eq!((stage.streams().await.len(), stage.metric("sattva_channel_restarts_total")), (200, 0.0));
    });
}
