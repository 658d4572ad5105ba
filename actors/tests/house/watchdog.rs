//! The watchdog is fed while everybody a stop depends on is there, and only then.

use std::{future::pending, sync::atomic::Ordering::Relaxed};

use actix::{ActorContext, Addr, AsyncContext, Handler, Message, fut::wrap_future};
use sattva_actors::{
    broker::Broker, store::StoreActor, stream_control::StreamControl, supervisor::Supervisor, vitals::SILENT_AFTER,
};

use crate::stage::{Stage, Streamer, secs, story};

/// What an actor with a defect would do.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
enum Defect {
    /// It waits for something that never comes.
    Stuck,
    /// It is gone, as after a panic.
    Gone,
}

macro_rules! with_defects {
    ($($actor:ty),*) => {$(
        impl Handler<Defect> for $actor {
            type Result = ();

            fn handle(&mut self, defect: Defect, ctx: &mut Self::Context) {
                match defect {
                    Defect::Stuck => ctx.wait(wrap_future(pending())),
                    Defect::Gone => ctx.stop(),
                }
            }
        }
    )*};
}

with_defects!(Broker, StreamControl, StoreActor, Supervisor);

/// Goes by although something is held up; answers how often the watchdog was fed.
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

#[track_caller]
fn goes_hungry<A>(actor: impl Fn(&Stage) -> Addr<A>)
where
    A: Handler<Defect> + actix::Actor<Context = actix::Context<A>>,
{
    for defect in [Defect::Stuck, Defect::Gone] {
        story(async |stage| {
            stage.until(secs(100)).await;
            actor(stage).send(defect).await.unwrap();
            let before = stage.fed.load(Relaxed);
            stage.pass(secs(60)).await;
            let fed = stage.fed.load(Relaxed) - before;
            assert!(fed <= SILENT_AFTER.as_secs() as usize, "{defect:?}, and fed {fed} times in the next minute");
        });
    }
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
fn it_goes_hungry_when_the_broker_is_stuck_or_gone() {
    goes_hungry(|stage| stage.house.broker.clone());
}

#[test]
fn it_goes_hungry_when_nobody_brings_commands_to_streamers() {
    goes_hungry(|stage| stage.house.control.clone());
}

#[test]
fn it_goes_hungry_when_the_store_takes_no_messages() {
    goes_hungry(|stage| stage.house.store.clone());
}

#[test]
fn it_goes_hungry_when_the_supervisor_is_stuck_or_gone() {
    goes_hungry(|stage| stage.house.supervisor.clone());
}

#[test]
fn a_disk_that_hangs_for_minutes_does_not_end_the_daemon_but_one_that_never_answers_does() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        stage.disk.hold_up("stopping");
        let _reporting = radio.keeps_reporting(stage);
        stage.disk.holds_something_up().await;
        for minute in 1..=5 {
            let fed = a_minute_goes_by(stage).await;
            assert!(fed >= 58, "fed {fed} times in minute {minute}");
        }
        a_minute_goes_by(stage).await;
        assert_eq!(a_minute_goes_by(stage).await, 0);
        stage.disk.let_go();
        stage.pass(secs(10)).await;
        assert!(a_minute_goes_by(stage).await >= 58);
    });
}

#[test]
fn a_disk_that_hangs_is_said_to_fail_and_nothing_is_stopped_by_what_was_known_before() {
    story(async |stage| {
        let radio = Streamer::new("radio-1", "jazz");
        stage.disk.hold_up("stopping");
        let reporting = radio.keeps_reporting(stage);
        stage.disk.holds_something_up().await;
        assert_eq!(stage.health.failure(), None);
        a_minute_goes_by(stage).await;
        assert_eq!(stage.health.failure().as_deref(), Some("the store failed: it has not answered for 10 s"));
        assert_eq!(stage.metric("sattva_store_failing"), 1.0);

        // Nobody reports any more, and the stop that was decided a minute ago gets to the disk.
        drop(reporting);
        stage.disk.let_go();
        assert_eq!(radio.asks(stage, secs(60)).await, []);
        assert_eq!(stage.health.failure(), None);
        assert_eq!(stage.metric("sattva_store_failing"), 0.0);

        let _reporting = radio.keeps_reporting(stage);
        radio.is_told_to_stop(stage).await;
    });
}
