//! A channel panics: its place is taken by one made from its record. Here a log that cannot be written
//! makes it panic, for no message can.

use std::{cell::Cell, rc::Rc};

use sattva_actors::protocol::{Action, Operate};
use tokio::sync::oneshot;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use crate::stage::{Stage, Story, Streamer, millis, secs, story};

/// A log that panics at one line.
#[derive(Clone, Copy)]
struct Saboteur(&'static str);

/// What a channel writes after it has answered an operator, and when it first sees its stream.
const ACTED: Saboteur = Saboteur("an operator acted");
const SEEN: Saboteur = Saboteur("stream seen");

impl Visit for Saboteur {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let line = format!("{value:?}");
        assert!(field.name() != "message" || line != self.0, "this panic belongs to the story");
    }
}

impl Subscriber for Saboteur {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Makes a channel panic while it answers an operator, who wants what is so already. No other action is in its way.
pub async fn panics(stage: &Stage, channel: &str, action: Action) {
    let _log = tracing::subscriber::set_default(ACTED);
    let (reply, answer) = oneshot::channel();
    let channel = sattva_actors::identity::ChannelId::new(channel).unwrap();
    stage.house.supervisor.send(Operate { channel, action, by: None, reply }).await.unwrap();
    assert!(answer.await.is_err(), "the channel was to panic");
}

#[test]
fn a_channel_that_panics_is_made_anew_and_its_countdown_goes_on() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let (jazz, rock) = (Streamer::new("radio-1", "jazz"), Streamer::new("radio-2", "rock"));
        let reporting = jazz.keeps_reporting(stage);
        let _rock = rock.keeps_reporting(stage);
        stage.until(secs(101)).await;
        drop(reporting);
        panics(stage, "jazz", Action::Resume).await;
        // What it saved with its last breath gets to the disk.
        stage.pass(millis(100)).await;
        stage.disk.hold_up_reading();
        let answer = jazz.reports(stage).await;
        assert!(answer.busy, "a report that nobody took in must be sent again: {answer:?}");
        stage.disk.holds_something_up().await;
        let answer = jazz.reports(stage).await;
        assert!(answer.busy, "a report while the record is being read must not begin the channel anew: {answer:?}");
        stage.disk.let_go();
        let _jazz = jazz.keeps_reporting(stage);
        stage.pass(secs(6)).await;
        assert_eq!(stage.metric("sattva_channel_restarts_total"), 1.0);
        let ((at, _), (other, _)) = tokio::join!(jazz.is_told_to_stop(stage), rock.is_told_to_stop(stage));
        assert!(at >= secs(300) && at <= secs(302), "stopped at {at:?}");
        assert!(other >= secs(300) && other <= secs(302), "the other one was stopped at {other:?}");
        assert_eq!(viewer.heard_of("jazz").iter().filter(|line| line.contains("stopping")).count(), 1);
    });
}

#[test]
fn a_dead_channel_that_nobody_reports_for_is_found_when_its_evidence_expires() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        radio.says(stage, 0).await;
        panics(stage, "jazz", Action::Resume).await;
        assert!(stage.inspect("jazz").await.is_none());
        stage.pass(secs(17)).await;
        assert_eq!(stage.metric("sattva_channel_restarts_total"), 1.0);
        assert_eq!(stage.auto_end("jazz").await, "frozen 300");
    });
}

#[test]
fn a_stop_that_was_delivered_before_the_panic_keeps_its_id_after_it() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let reporting = radio.keeps_reporting(stage);
        let (_, command) = radio.is_told_to_stop(stage).await;
        drop(reporting);
        panics(stage, "jazz", Action::Resume).await;
        assert!(radio.reports(stage).await.busy);
        let _reporting = radio.keeps_reporting(stage);
        let (_, again) = radio.is_told_to_stop(stage).await;
        assert_eq!(again.id, command.id);
    });
}

#[test]
fn a_report_that_killed_its_channel_is_not_answered_as_taken_in() {
    let log = tracing::subscriber::set_default(SEEN);
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let answer = radio.reports(stage).await;
        assert!(answer.busy, "it must be sent again: {answer:?}");
        drop(log);
        while radio.reports(stage).await.busy {
            stage.pass(millis(5)).await;
        }
        assert_eq!(stage.auto_end("jazz").await, "counting 300");
    });
}

#[test]
fn channels_that_keep_dying_end_the_daemon_with_a_code_of_its_own() {
    let mut story = Story::new();
    let died = Rc::new(Cell::new(0));
    story.live(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        while died.get() < 101 {
            // Busy while a new one is being made.
            while radio.reports(stage).await.busy {
                stage.pass(millis(5)).await;
            }
            panics(stage, "jazz", Action::Resume).await;
            died.set(died.get() + 1);
        }
        assert!(radio.reports(stage).await.busy);
        stage.pass(secs(1)).await;
    });
    assert_eq!(story.exit_code, 70);
}
