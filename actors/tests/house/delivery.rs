//! How a stop command comes to its streamer: at once, again, and not past its time.

use std::{cell::RefCell, rc::Rc, time::Duration};

use actix::{Actor, Context, Handler};
use sattva_actors::{
    identity::ChannelId,
    protocol::{Action, Batch, Instruction, Outcome, RegisterOutlet, SourcePattern, StopCommand, Tally},
};
use tokio::time::Instant;

use crate::{
    dying_channel::panics,
    stage::{Stage, Story, Streamer, millis, rules, secs, story},
};

/// An adapter that notes what it is told.
#[derive(Default)]
struct Adapter {
    told: Told,
}

type Told = Rc<RefCell<Vec<(Instant, Instruction)>>>;

impl Actor for Adapter {
    type Context = Context<Self>;
}

impl Handler<Instruction> for Adapter {
    type Result = bool;

    fn handle(&mut self, instruction: Instruction, _: &mut Self::Context) -> bool {
        self.told.borrow_mut().push((Instant::now(), instruction));
        true
    }
}

/// What an adapter of all mounts is told, which looks for itself or does not.
async fn adapter(stage: &Stage, looks_first: bool) -> Told {
    let adapter = Adapter::default();
    let told = Rc::clone(&adapter.told);
    let (owner, sources) = ("adapter".into(), SourcePattern::BeginsWith("icecast:".to_owned()));
    let outlet = Some(adapter.start().recipient());
    stage.house.control.send(RegisterOutlet { owner, sources, outlet, looks_first }).await.unwrap();
    told
}

/// "+" for each time it was told to execute, "-" where that was taken back.
fn signs(told: &Told) -> String {
    told.borrow().iter().map(|(_, told)| if matches!(told, Instruction::Execute(_)) { '+' } else { '-' }).collect()
}

/// Collects whatever is delivered to a streamer for so long, with the seconds since the first one.
async fn deliveries(stage: &Stage, radio: &Streamer, time: Duration) -> Vec<(f64, StopCommand)> {
    let until = stage.time() + time;
    let mut delivered: Vec<(Duration, StopCommand)> = Vec::new();
    while let Some(left) = until.checked_sub(stage.time()).filter(|left| !left.is_zero()) {
        let commands = radio.asks(stage, left).await;
        delivered.extend(commands.into_iter().map(|command| (stage.time(), command)));
    }
    let first = delivered.first().map(|(at, _)| *at).unwrap_or_default();
    let tenths = |at: Duration| ((at - first).as_millis() / 100) as f64 / 10.0;
    delivered.into_iter().map(|(at, command)| (tenths(at), command)).collect()
}

/// A streamer whose stop has been decided, and which has not asked for it; it reports no more by itself.
async fn about_to_be_stopped(stage: &Stage, source: &str, channel: &str) -> Rc<Streamer> {
    let radio = Streamer::new(source, channel);
    let _reporting = radio.keeps_reporting(stage);
    stage.pass(millis(300_500)).await;
    assert_eq!(stage.auto_end(channel).await, "stopping");
    radio
}

#[test]
fn a_stop_that_waits_for_its_streamer_is_held_back_while_its_count_is_hidden() {
    story(async |stage| {
        let radio = about_to_be_stopped(stage, "radio-1", "jazz").await;
        radio.listeners.set(None);
        radio.reports(stage).await;
        assert_eq!(radio.asks(stage, secs(5)).await, [], "it may not be told to stop when it hides its count");
        radio.listeners.set(Some(0));
        radio.reports(stage).await;
        assert_eq!(radio.asks(stage, Duration::ZERO).await.len(), 1, "and is told when nobody is there");
        // What it may not have got is not delivered again either.
        radio.listeners.set(None);
        radio.reports(stage).await;
        assert_eq!(radio.asks(stage, secs(3)).await, [], "it is due again after 2 s, but not while it hides its count");
        radio.listeners.set(Some(0));
        radio.reports(stage).await;
        assert_eq!(radio.asks(stage, Duration::ZERO).await.len(), 1);
        // Nor is one told that has fallen silent, until it speaks.
        let rock = about_to_be_stopped(stage, "radio-2", "rock").await;
        stage.pass(secs(20)).await;
        assert_eq!(rock.asks(stage, Duration::ZERO).await, [], "a silent one may have listeners");
        rock.reports(stage).await;
        assert_eq!(rock.asks(stage, Duration::ZERO).await.len(), 1);
    });
}

#[test]
fn a_stop_that_a_channel_offered_before_it_broke_is_held_back_too() {
    story(async |stage| {
        let radio = about_to_be_stopped(stage, "radio-1", "jazz").await;
        panics(stage, "jazz", Action::Resume).await;
        radio.listeners.set(None);
        while radio.reports(stage).await.busy {
            stage.pass(millis(5)).await;
        }
        assert_eq!(radio.asks(stage, secs(5)).await, [], "it may not be told to stop when it hides its count");
        radio.listeners.set(Some(0));
        radio.reports(stage).await;
        assert_eq!(radio.asks(stage, Duration::ZERO).await.len(), 1, "and is told when nobody is there");
    });
}

#[test]
fn a_command_is_delivered_at_0_2_5_10_seconds_and_every_10_after_that_under_one_id() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        stage.until(secs(299)).await;
        let delivered = deliveries(stage, &radio, secs(200)).await;
        let times: Vec<f64> = delivered.iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [0.0, 2.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0]);
        assert!(delivered.iter().all(|(_, command)| command.id == delivered[0].1.id));
        // `ok` followed by nothing, or nothing at all: the stop has failed after its 60 s.
        assert_eq!(stage.disk.journal("jazz").last().unwrap(), "stop_failed");
    });
}

#[test]
fn an_acknowledged_command_is_delivered_no_more() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let reporting = radio.keeps_reporting(stage);
        let (_, command) = radio.is_told_to_stop(stage).await;
        drop(reporting);
        radio.acknowledges(&command, Outcome::Ok);
        radio.says(stage, 0).await;
        let delivered = deliveries(stage, &radio, secs(50)).await;
        assert_eq!(delivered, [], "it said that it obeys");
    });
}

#[test]
fn a_late_collector_gets_it_until_its_validity_ends_and_not_after() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        let decided = viewer.hears("jazz", "auto-end stopping: never_joined").await;
        stage.until(decided + millis(57_000)).await;
        let delivered = deliveries(stage, &radio, secs(30)).await;
        // Redelivered 2 s later; 5 s later it is valid no more.
        let times: Vec<f64> = delivered.iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [0.0, 2.0]);
    });
}

#[test]
fn nobody_collects_within_the_validity_and_nothing_is_delivered_past_it() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        let decided = viewer.hears("jazz", "auto-end stopping: never_joined").await;
        stage.until(decided + secs(60)).await;
        assert_eq!(radio.asks(stage, secs(0)).await, []);
    });
}

#[test]
fn an_adapter_gets_its_commands_by_message_and_redelivered_as_everybody() {
    story(async |stage| {
        let told = adapter(stage, true).await;
        let mount = Streamer::new("icecast:main/live", "jazz");
        let _reporting = mount.keeps_reporting(stage);
        stage.until(secs(400)).await;
        let told = told.borrow();
        let executed = told.iter().filter(|(_, told)| matches!(told, Instruction::Execute(_)));
        let first = told[0].0;
        let times: Vec<u64> = executed.clone().map(|(at, _)| (*at - first).as_millis() as u64 / 1000).collect();
        assert_eq!(times, [0, 2, 5, 10, 20, 30, 40, 50]);
        assert!(executed.clone().all(|(_, again)| *again == told[0].1), "it is the same command");
    });
}

/// A mount whose stop its adapter, of which it is told whether it looks for itself, has been given; it reports no
/// more by itself.
async fn being_stopped(stage: &Stage, looks_first: bool) -> (Rc<Streamer>, Told) {
    let told = adapter(stage, looks_first).await;
    let mount = about_to_be_stopped(stage, "icecast:main/live", "jazz").await;
    assert_eq!(signs(&told), "+");
    (mount, told)
}

#[test]
fn an_adapter_that_hides_a_count_because_it_has_killed_keeps_its_redeliveries() {
    story(async |stage| {
        let (mount, told) = being_stopped(stage, true).await;
        mount.listeners.set(None);
        for _ in 0..12 {
            mount.reports(stage).await;
            stage.pass(secs(4)).await;
        }
        assert_eq!(signs(&told), "+++++++", "at 0, 2, 5, 10, 20, 30 and 40 s");
        let why = stage.inspect("jazz").await.unwrap().why;
        assert!(
            why.contains("only an adapter that sees for itself who listens goes on: icecast:main/live does not say"),
            "{why}"
        );
    });
}

#[test]
fn an_outlet_that_does_not_look_for_itself_gets_nothing_while_the_count_is_hidden() {
    story(async |stage| {
        let (mount, told) = being_stopped(stage, false).await;
        mount.listeners.set(None);
        mount.reports(stage).await;
        stage.pass(secs(10)).await;
        assert_eq!(signs(&told), "+-");
        mount.listeners.set(Some(0));
        mount.reports(stage).await;
        stage.pass(secs(1)).await;
        assert_eq!(signs(&told), "+-+");
    });
}

#[test]
fn an_adapter_that_cannot_see_who_listens_elsewhere_gets_its_stop_back_when_nobody_does() {
    story(async |stage| {
        let told = adapter(stage, true).await;
        let mount = Streamer::new("icecast:main/live", "jazz");
        let telegram = Streamer::new("telegram", "jazz");
        let reporting = (mount.keeps_reporting(stage), telegram.keeps_reporting(stage));
        stage.pass(millis(300_500)).await;
        drop(reporting);
        assert_eq!(signs(&told), "+");
        telegram.listeners.set(None);
        telegram.reports(stage).await;
        mount.reports(stage).await;
        stage.pass(secs(4)).await;
        assert_eq!(signs(&told), "+-", "somebody may listen there");
        let why = stage.inspect("jazz").await.unwrap().why;
        assert!(why.contains("held back until nobody is known to listen: telegram does not say"), "{why}");
        telegram.listeners.set(Some(0));
        telegram.reports(stage).await;
        stage.pass(secs(1)).await;
        assert_eq!(signs(&told), "+-+");
    });
}

#[test]
fn of_two_who_wait_for_one_source_one_gets_the_command() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        let (one, two) = tokio::join!(radio.asks(stage, secs(301)), radio.asks(stage, secs(301)));
        assert_eq!(one.len() + two.len(), 1, "{one:?} {two:?}");
    });
}

#[test]
fn a_refused_command_gives_the_stream_its_whole_time_and_a_new_id() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        let (_, refused) = radio.is_told_to_stop(stage).await;
        radio.acknowledges(&refused, Outcome::Refused);
        let began = radio.says(stage, 0).await;
        let (at, next) = radio.is_told_to_stop(stage).await;
        assert!(at >= began + secs(300) && at <= began + secs(302), "refused at {began:?}, stopped at {at:?}");
        assert_ne!(next.id, refused.id);
    });
}

#[test]
fn an_ok_without_an_end_is_a_failed_stop_and_tried_again_after_five_minutes() {
    story(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        let _reporting = radio.keeps_reporting(stage);
        let (_, first) = radio.is_told_to_stop(stage).await;
        radio.acknowledges(&first, Outcome::Ok);
        let failed = viewer.hears("jazz", "auto-end stop_failed: unconfirmed").await;
        assert!(failed >= secs(360) && failed <= secs(361), "failed at {failed:?}");
        let (at, second) = radio.is_told_to_stop(stage).await;
        assert!(at >= failed + secs(310) && at <= failed + secs(316), "failed at {failed:?}, again at {at:?}");
        assert_ne!(first.id, second.id);
        assert_eq!(viewer.hears("jazz", "auto-end started: stop_failed").await.as_secs(), failed.as_secs() + 300);
    });
}

/// Sources that run many streams each, all of them empty, and begin them at one moment.
async fn burst(stage: &Stage, sources: usize, channels_each: usize) {
    let streamer = |s: usize, c: usize| {
        let streamer = Streamer::new(&format!("radio-{s}"), &format!("c-{s}-{c}"));
        streamer.every.set(secs(10));
        streamer
    };
    let streamers: Vec<Vec<_>> = (0..sources).map(|s| (0..channels_each).map(|c| streamer(s, c)).collect()).collect();
    let report_all = async || {
        for some in streamers.iter().flat_map(|of_source| of_source.chunks(1000)) {
            let (tally, answer) = Tally::new();
            let reports: Vec<(ChannelId, _)> = some.iter().map(|streamer| streamer.report()).collect();
            let (source, received) = (some[0].source.clone(), stage.clock.now().at);
            stage.house.supervisor.send(Batch { source, received, reports, acks: Vec::new(), tally }).await.unwrap();
            assert_eq!(answer.await.unwrap().accepted, some.len() as u32);
        }
    };
    report_all().await;
    stage.until(secs(10)).await;
    report_all().await;
    // All deadlines are here, with a zero that is this very moment's.
    let deadline = secs(20);
    stage.until(deadline).await;
    report_all().await;
    let mut missing = sources * channels_each;
    while missing > 0 {
        for of_source in &streamers {
            missing -= of_source[0].asks(stage, secs(0)).await.len();
        }
        assert!(stage.time() <= deadline + secs(2), "{missing} have no command at {:?}", stage.time());
        stage.pass(millis(10)).await;
    }
    assert!(stage.time() >= deadline);
}

#[test]
fn ten_thousand_deadlines_at_one_moment_all_have_their_commands_within_two_seconds() {
    Story::under(rules(20, &[5])).live(async |stage| burst(stage, 100, 100).await);
}

#[test]
fn one_source_with_ten_thousand_streams_gets_all_their_commands_within_two_seconds() {
    Story::under(rules(20, &[5])).live(async |stage| burst(stage, 1, 10_000).await);
}

#[test]
fn a_source_that_seldom_reports_gets_its_stop_with_the_answer_to_a_report() {
    Story::under(rules(330, &[60, 30, 10])).live(async |stage| {
        let viewer = stage.viewer().await;
        let radio = Streamer::new("radio-1", "jazz");
        radio.every.set(secs(60));
        for minute in 0..6 {
            stage.until(secs(60 * minute)).await;
            assert!(!radio.reports(stage).await.offered);
        }
        stage.until(secs(360)).await;
        assert!(radio.reports(stage).await.offered, "decided on this report, so that its answer carries the stop");
        let commands = radio.asks(stage, secs(0)).await;
        assert_eq!(commands.len(), 1);
        assert_eq!(viewer.heard_of("jazz").last().unwrap(), "360 auto-end stopping: never_joined");
    });
}
