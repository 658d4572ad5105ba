//! kill -9 at any instant loses no countdown and ends no stream early.

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    patience::{PATIENCE, eventually, let_pass},
    streamer::Streamer,
};

/// One stream of the kill loop, as its streamer sees it.
struct Story {
    streamer: Streamer,
    timeout: Duration,
    /// Before the first report that the daemon may have taken for an empty stream.
    empty_since: Option<Instant>,
    stopped: Option<(Instant, String)>,
}

impl Story {
    /// Reports once, whether the daemon lives or not.
    fn report(&mut self, daemon: &Daemon, listeners: u64) {
        if listeners > 0 {
            self.empty_since = None;
        } else {
            self.empty_since.get_or_insert_with(Instant::now);
        }
        let request = self.streamer.request(listeners).to_string();
        let Ok(answer) = daemon.try_post("/api/v1/ingest", &request) else { return };
        for command in answer.ok()["commands"].as_array().unwrap() {
            self.hear(command);
        }
    }

    fn hear(&mut self, command: &Value) {
        let id = command["id"].as_str().unwrap().to_owned();
        let channel = &self.streamer.channel;
        let since = self.empty_since.unwrap_or_else(|| panic!("{channel} has a listener and was told to stop"));
        assert!(since.elapsed() >= self.timeout, "{channel} was stopped early, after {:?}", since.elapsed());
        match &self.stopped {
            None => self.stopped = Some((Instant::now(), id)),
            Some((_, before)) => assert_eq!(*before, id, "one session of {channel} was stopped twice"),
        }
    }
}

#[test]
fn killed_again_and_again_no_stream_ends_early_and_every_empty_one_ends() {
    const ROUNDS: usize = 12;
    let seed = std::process::id();
    let mut random = StdRng::seed_from_u64(seed.into());
    eprintln!("the seed of this run is {seed}");
    // Deadlines lie at every part of the rounds: kills hit countdowns, warnings, decisions, deliveries.
    let timeouts: Vec<u64> = (0..12).map(|n| 3 + n).collect();
    let mut config = "[auto_end]\ntimeout = 3\nwarnings = [2, 1]\n".to_owned();
    timeouts.iter().for_each(|t| config += &format!("[channels.empty-{t}]\ntimeout = {t}\n"));
    let mut daemon = Daemon::start(&config);
    let story = |channel: &str, timeout: u64| Story {
        streamer: Streamer::new(&format!("of-{channel}"), channel).every(2.0),
        timeout: Duration::from_secs(timeout),
        empty_since: None,
        stopped: None,
    };
    let mut empty: Vec<Story> = timeouts.iter().map(|t| story(&format!("empty-{t}"), *t)).collect();
    let (mut heard, mut flapping, mut held) = (story("heard", 3), story("flapping", 3), story("held", 3));
    held.report(&daemon, 0);
    daemon.operate("held", "auto-end/pause", &json!({})).ok();

    for round in 0..ROUNDS {
        let kill_at = Instant::now() + Duration::from_millis(random.random_range(100..1300));
        while Instant::now() < kill_at {
            for story in &mut empty {
                story.report(&daemon, 0);
            }
            heard.report(&daemon, 1);
            // Somebody comes and goes all the time, sometimes while the daemon is away.
            flapping.report(&daemon, u64::from(round % 2 == 0));
            held.report(&daemon, 0);
            let_pass(Duration::from_millis(random.random_range(10..150)));
        }
        daemon.kill_hard();
        if random.random() {
            // What is said to a dead daemon is not heard, and must not be needed.
            flapping.report(&daemon, u64::from(round % 2 == 1));
        }
        daemon.start_again();
    }

    let since = Instant::now();
    while empty.iter().any(|story| story.stopped.is_none()) {
        assert!(since.elapsed() < PATIENCE, "seed {seed}: these countdowns were lost: {:?}", unstopped(&empty));
        empty.iter_mut().for_each(|story| story.report(&daemon, 0));
        heard.report(&daemon, 1);
        held.report(&daemon, 0);
        let_pass(Duration::from_millis(100));
    }
    assert!(heard.stopped.is_none() && held.stopped.is_none());
    assert_eq!(daemon.phase("held"), "paused", "the hold was lost");
    assert_eq!(daemon.phase("heard"), "watching");
    // A countdown that began before the first kill kept its time: it was not begun anew each round.
    let longest = empty.last().unwrap();
    let took = longest.stopped.as_ref().unwrap().0.duration_since(longest.empty_since.unwrap());
    assert!(took < longest.timeout * 2 + Duration::from_secs(5), "it took {took:?}");
    // The journal is whole.
    let decisions = daemon.explain("empty-14")["decisions"].as_array().unwrap().clone();
    assert_eq!(decisions[0]["event"], "started");
    let numbers: Vec<u64> = decisions.iter().map(|d| d["seq"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert!(decisions.iter().any(|d| d["event"] == "stopping"), "{decisions:?}");
}

fn unstopped(stories: &[Story]) -> Vec<&str> {
    stories.iter().filter(|s| s.stopped.is_none()).map(|s| s.streamer.channel.as_str()).collect()
}

#[test]
fn a_stop_decided_but_not_delivered_survives_under_its_id() {
    let mut daemon = Daemon::start("[auto_end]\ntimeout = 2\nwarnings = [1]\n");
    let mut live = daemon.live("?types=auto_end");
    let mut jazz = Streamer::new("radio-1", "jazz").every(5.0);
    // Silent from here on: nobody collects the command.
    jazz.hears(&daemon, 0);
    live.until_auto_end("stopping");
    // The journal is read after the stop has been written.
    let decided = daemon.explain("jazz")["commands"][0].clone();
    daemon.kill_hard_and_start_again();
    assert_eq!(jazz.asks(&daemon, 0), [] as [Value; 0], "nobody has said yet that it is still empty");
    let command = eventually("the stop", || jazz.hears(&daemon, 0).pop());
    assert_eq!(command["id"], decided["id"]);
    jazz.acknowledges(&command, "ok");
    jazz.stops(&daemon);
    let ended = |d: &Value| d["event"] == "ended";
    eventually("the end", || daemon.explain("jazz")["decisions"].as_array().unwrap().iter().any(ended).then_some(()));
}

#[test]
fn a_stop_is_withdrawn_when_somebody_came_while_the_daemon_was_dead() {
    let mut daemon = Daemon::start("[auto_end]\ntimeout = 2\nwarnings = [1]\n");
    let mut live = daemon.live("?types=auto_end");
    let mut jazz = Streamer::new("radio-1", "jazz").every(5.0);
    jazz.hears(&daemon, 0);
    live.until_auto_end("stopping");
    // The journal is read after the stop has been written.
    assert_eq!(daemon.explain("jazz")["commands"][0]["state"], "pending");
    daemon.kill_hard();
    // Came and went: the count is zero again, and only `joins` tells.
    jazz.joins = Some(1);
    daemon.start_again();
    let until = Instant::now() + Duration::from_millis(1500);
    while Instant::now() < until {
        assert_eq!(jazz.hears(&daemon, 0), [] as [Value; 0], "stopped although somebody had joined");
        let_pass(Duration::from_millis(100));
    }
    assert_eq!(daemon.explain("jazz")["commands"][0]["state"], "withdrawn");
}

#[test]
fn a_delivered_stop_is_delivered_again_under_its_id_after_a_kill() {
    let mut daemon = Daemon::start("[auto_end]\ntimeout = 2\nwarnings = [1]\n");
    let mut jazz = Streamer::new("radio-1", "jazz").every(2.0);
    let first = eventually("the stop", || jazz.hears(&daemon, 0).pop());
    daemon.kill_hard_and_start_again();
    let again = eventually("the stop again", || jazz.hears(&daemon, 0).pop());
    assert_eq!(first["id"], again["id"]);
    // Obeyed: the end is seen by the new process.
    jazz.acknowledges(&again, "ok");
    jazz.stops(&daemon);
    assert_eq!(daemon.explain("jazz")["commands"][0]["state"], "confirmed");
    daemon.kill_hard_and_start_again();
    let mut next = Streamer::new("radio-1", "jazz").session("s2");
    assert_eq!(next.hears(&daemon, 0), [] as [Value; 0], "a settled stop must not meet the next session");
    let remaining = daemon.stream("jazz")["auto_end"]["remaining_seconds"].as_f64().unwrap();
    assert!(remaining > 1.0, "a stream we stopped leaves its deadline to nobody: {remaining}");
}

#[test]
fn time_while_the_daemon_was_down_counts_only_where_joins_prove_that_nobody_came() {
    let mut daemon = Daemon::start("[auto_end]\ntimeout = 30\nwarnings = [1]\n");
    let mut counted = Streamer::new("radio-1", "counted");
    let mut uncounted = Streamer::new("radio-1", "uncounted").without_joins();
    counted.hears(&daemon, 0);
    uncounted.hears(&daemon, 0);
    daemon.kill_hard();
    let down = Instant::now();
    let_pass(Duration::from_secs(3));
    daemon.start_again();
    let down = down.elapsed().as_secs_f64();
    for channel in ["counted", "uncounted"] {
        assert_eq!(daemon.phase(channel), "frozen");
    }
    counted.hears(&daemon, 0);
    uncounted.hears(&daemon, 0);
    let left = |channel: &str| daemon.stream(channel)["auto_end"]["remaining_seconds"].as_f64().unwrap();
    assert!(left("counted") <= 30.0 - down, "{} s left after {down} s", left("counted"));
    assert!(left("uncounted") > 30.0 - down, "{} s left after {down} s", left("uncounted"));
}

#[test]
fn a_report_that_was_answered_survives_a_kill() {
    let mut daemon = Daemon::start("");
    for round in 1..=5_u64 {
        // What must survive is on disk before the answer: a session, and what an operator wants.
        let mut stream = Streamer::new("radio-1", "jazz").session(&format!("s{round}"));
        stream.hears(&daemon, 0);
        daemon.operate("jazz", "auto-end/cancel", &json!({})).ok();
        daemon.kill_hard_and_start_again();
        assert_eq!(daemon.stream("jazz")["session"], format!("s{round}"));
        stream.hears(&daemon, 0);
        let why = daemon.explain("jazz")["why"].as_str().unwrap().to_owned();
        assert!(why.contains("keeps it alive"), "round {round}: {why}");
    }
}
