//! A streamer as the contract describes it: full snapshots in, commands back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    daemon::{Answer, Daemon},
    patience::{eventually, let_pass},
};

/// One session of one source on one channel.
#[derive(Clone, Debug)]
pub struct Streamer {
    pub source: String,
    pub channel: String,
    pub session: String,
    pub seq: u64,
    pub state: &'static str,
    /// Everyone who ever joined; `None` for a source that does not count them.
    pub joins: Option<u64>,
    listeners: u64,
    pub interval_seconds: f64,
    pub acks: Vec<Value>,
}

impl Streamer {
    pub fn new(source: &str, channel: &str) -> Self {
        Self {
            source: source.to_owned(),
            channel: channel.to_owned(),
            session: "s1".to_owned(),
            seq: 0,
            state: "live",
            joins: Some(0),
            listeners: 0,
            interval_seconds: 5.0,
            acks: Vec::new(),
        }
    }

    pub fn session(mut self, session: &str) -> Self {
        self.session = session.to_owned();
        self
    }

    /// Its rhythm: evidence is believed for three of these, and a stop wants a zero newer than one.
    pub fn every(mut self, seconds: f64) -> Self {
        self.interval_seconds = seconds;
        self
    }

    pub fn without_joins(mut self) -> Self {
        self.joins = None;
        self
    }

    /// The next snapshot.
    pub fn snapshot(&mut self, listeners: u64) -> Value {
        self.seq += 1;
        if let Some(joins) = self.joins.as_mut() {
            *joins += listeners.saturating_sub(self.listeners);
        }
        self.listeners = listeners;
        json!({
            "channel_id": self.channel, "session": self.session, "seq": self.seq, "state": self.state,
            "listeners": listeners, "joins": self.joins, "interval_seconds": self.interval_seconds,
        })
    }

    /// A request with the next snapshot and the acknowledgements that wait.
    pub fn request(&mut self, listeners: u64) -> Value {
        let report = self.snapshot(listeners);
        json!({ "source": self.source, "reports": [report], "acks": std::mem::take(&mut self.acks) })
    }

    /// Sends the next snapshot.
    pub fn reports(&mut self, daemon: &Daemon, listeners: u64) -> Answer {
        let request = self.request(listeners);
        daemon.post("/api/v1/ingest", &request)
    }

    /// Reports that nobody listens until something has come of it.
    pub fn hears_nobody_until(&mut self, daemon: &Daemon, done: impl Fn() -> bool) {
        eventually("the end of a countdown", || {
            self.hears(daemon, 0);
            let_pass(Duration::from_millis(200));
            done().then_some(())
        });
    }

    /// Sends the next snapshot and answers with the commands that came back.
    #[track_caller]
    pub fn hears(&mut self, daemon: &Daemon, listeners: u64) -> Vec<Value> {
        let answer = self.reports(daemon, listeners).ok();
        assert_eq!(answer["accepted"], 1, "{answer}");
        answer["commands"].as_array().unwrap().clone()
    }

    /// Asks for commands, and waits for one if there is none.
    pub fn asks(&self, daemon: &Daemon, wait_seconds: u64) -> Vec<Value> {
        let answer =
            daemon.post("/api/v1/ingest", &json!({ "source": self.source, "wait_seconds": wait_seconds })).ok();
        answer["commands"].as_array().unwrap().clone()
    }

    /// Says what became of a command, with the next request.
    pub fn acknowledges(&mut self, command: &Value, outcome: &str) {
        self.acks.push(json!({ "id": command["id"], "outcome": outcome, "detail": "the test says so" }));
    }

    /// Its stream is over.
    pub fn stops(&mut self, daemon: &Daemon) -> Value {
        self.state = "stopped";
        self.reports(daemon, 0).ok()
    }
}
