//! The story: a stream is live, listeners come and go, it is warned of, saved or ended, and whatever happens
//! to the daemon on the way, nobody who listens is cut off.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{
    daemon::{Daemon, Plan},
    live::Live,
    patience::{eventually_within, let_pass},
    stage::{Return, Stage},
};

/// How long a stream must be without listeners.
pub const TIMEOUT: Duration = Duration::from_secs(6);
const WARNINGS: [u64; 3] = [4, 2, 1];
/// What a warning may be early or late for: seconds are counted whole, and machines are busy.
const SLACK: Duration = Duration::from_millis(1500);
/// A source that comes back is watched for ten seconds after each of two kills, twelve apart.
const LONG: Duration = Duration::from_secs(55);

/// Every story, told with one stage.
macro_rules! stories {
    ($stage:ty) => {
        #[test]
        fn listeners_come_and_go_and_the_unheard_stream_is_warned_of_ended_and_seen_gone() {
            $crate::story::to_the_end(<$stage as $crate::stage::Stage>::open());
        }

        #[test]
        fn a_listener_who_comes_in_time_saves_the_stream() {
            $crate::story::saved(<$stage as $crate::stage::Stage>::open());
        }

        #[test]
        fn a_streamer_that_comes_back_again_and_again_is_reported_and_its_listeners_are_safe() {
            $crate::story::back_again(<$stage as $crate::stage::Stage>::open());
        }

        #[test]
        fn a_daemon_killed_beside_a_listener_and_in_the_countdown_still_ends_the_stream_and_not_early() {
            $crate::story::killed(<$stage as $crate::stage::Stage>::open());
        }
    };
}

/// A stage and the daemon that watches it.
pub struct Scene<S: Stage> {
    pub stage: S,
    pub daemon: Daemon,
    pub live: Live,
}

impl<S: Stage> Scene<S> {
    pub fn begin(mut stage: S) -> Self {
        let (timeout, own) = (TIMEOUT.as_secs(), stage.config());
        let config = format!("[auto_end]\ntimeout = {timeout}\nwarnings = {WARNINGS:?}\n\n{own}");
        let plan = stage.files().into_iter().fold(Plan::new(&config), |plan, (name, text)| plan.file(name, text));
        let daemon = plan.start();
        stage.meet(daemon.address());
        let live = daemon.live("");
        Self { stage, daemon, live }
    }

    pub fn stream(&self) -> Option<Value> {
        let answer = self.daemon.get(&format!("/api/v1/streams/{}", self.stage.channel()));
        (answer.status == 200).then(|| answer.json())
    }

    pub fn counts(&self, listeners: u64) {
        let what = format!("{listeners} listeners");
        eventually_within(LONG, &what, || {
            let stream = self.stream()?;
            (stream["listeners_known"] == true && stream["listeners"] == listeners).then_some(())
        });
    }

    fn until(&mut self, event: &str) -> Value {
        self.live.until_auto_end(event)
    }

    /// Waits for an event that takes longer than anything else does.
    pub fn until_at_last(&mut self, event: &str) -> Value {
        let began = Instant::now();
        while began.elapsed() < LONG {
            match self.live.next_within(Duration::from_secs(1)) {
                Some(Ok(message)) if message["type"] == "auto_end" && message["data"]["event"] == event => {
                    return message;
                }
                Some(Err(farewell)) => panic!("{farewell:?} while waiting for {event}"),
                _ => {}
            }
        }
        panic!("waited in vain for {event}: {}", self.explained());
    }

    pub fn explained(&self) -> Value {
        self.daemon.explain(self.stage.channel())
    }

    pub fn is_gone(&mut self) {
        let Self { stage, .. } = self;
        eventually_within(LONG, "the stream to be gone", || (!stage.is_live()).then_some(()));
    }

    /// For that long everybody stays connected and the stream goes on.
    pub fn goes_on(&mut self, time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            assert!(self.stage.is_live(), "the stream was ended beside a listener: {}", self.explained());
            assert!(self.stage.everyone_is_connected(), "a listener was cut off: {}", self.explained());
            let_pass(Duration::from_millis(100));
        }
    }

    fn dies_and_comes_back(&mut self) {
        self.daemon.kill_hard_and_start_again();
        self.stage.meet(self.daemon.address());
        self.live = self.daemon.live("");
    }
}

pub fn to_the_end(stage: impl Stage) {
    let mut scene = Scene::begin(stage);
    scene.stage.publish();
    scene.counts(0);
    scene.stage.join();
    scene.counts(1);
    scene.stage.join();
    scene.counts(2);
    scene.stage.leave();
    scene.counts(1);
    scene.stage.leave();
    let left = Instant::now();
    let started = scene.live.until("the countdown since the last one left", |m| {
        m["type"] == "auto_end" && m["data"]["event"] == "started" && m["data"]["reason"] == "all_left"
    });
    assert_eq!(started["data"]["channel_id"], scene.stage.channel());
    let armed = Instant::now();
    for seconds in WARNINGS {
        let warning = scene.live.until_type("auto_end_warning");
        assert_eq!(warning["data"]["seconds_remaining"], seconds, "{warning}");
        let (due, came) = (TIMEOUT - Duration::from_secs(seconds), armed.elapsed());
        assert!(came + SLACK >= due && came <= due + SLACK, "the warning at {seconds} s came after {came:?}");
    }
    scene.until("stopping");
    assert!(left.elapsed() >= TIMEOUT, "stopped early, after {:?}", left.elapsed());
    scene.is_gone();
    let gone = left.elapsed();
    scene.until_at_last("ended");
    println!("gone {gone:?} after the last one left, confirmed after {:?}", left.elapsed());
    assert!(!scene.stage.is_live());
}

pub fn saved(stage: impl Stage) {
    let mut scene = Scene::begin(stage);
    scene.stage.publish();
    scene.live.until_type("auto_end_warning");
    scene.stage.join();
    scene.until("cancelled");
    scene.counts(1);
    scene.goes_on(TIMEOUT + Duration::from_secs(3));
    assert_eq!(scene.daemon.phase(scene.stage.channel()), "watching");
}

pub fn back_again<S: Stage>(stage: S) {
    let mut scene = Scene::begin(stage);
    scene.stage.publish_again_and_again();
    scene.until("stopping");
    match S::RETURN {
        Return::AsItself => {
            let failed = scene.until_at_last("stop_failed");
            let why = failed["data"]["reason"].to_string() + &scene.explained().to_string();
            assert!(why.contains("source reconnected"), "{why}");
        }
        Return::AsAnother => {
            scene.until_at_last("ended");
            let first = scene.explained()["commands"][0]["session"].clone();
            // It is counted down in full again, and stopped again under a command of its own.
            let again = scene.until_at_last("started");
            assert_eq!(again["data"]["remaining_seconds"], TIMEOUT.as_secs(), "{again}");
            scene.until_at_last("stopping");
            assert_ne!(scene.explained()["commands"][0]["session"], first);
            scene.until_at_last("ended");
        }
    }
    // Whoever joins what came back is safe.
    let Scene { stage, .. } = &mut scene;
    eventually_within(LONG, "the stream to be back", || stage.is_live().then_some(()));
    scene.stage.join();
    scene.goes_on(Duration::from_secs(4));
    let expected = if S::RETURN == Return::AsItself { "stop_failed" } else { "watching" };
    assert_eq!(scene.daemon.phase(scene.stage.channel()), expected);
}

pub fn killed(stage: impl Stage) {
    let mut scene = Scene::begin(stage);
    scene.stage.publish();
    scene.stage.join();
    scene.counts(1);
    scene.dies_and_comes_back();
    scene.goes_on(TIMEOUT + Duration::from_secs(1));
    scene.counts(1);
    let session = scene.stream().unwrap()["session"].clone();
    scene.stage.leave();
    let left = Instant::now();
    scene.live.until_type("auto_end_warning");
    scene.dies_and_comes_back();
    scene.until_at_last("stopping");
    assert!(left.elapsed() >= TIMEOUT, "stopped early, after {:?}", left.elapsed());
    assert_eq!(scene.stream().unwrap()["session"], session, "the same stream got another session");
    scene.is_gone();
    scene.until_at_last("ended");
}
