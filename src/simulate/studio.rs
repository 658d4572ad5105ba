//! A studio: the streamer of a few channels. It decides what to report and when, and what to answer
//! to commands; whoever owns the connection carries it there and back.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use sattva_actors::{
    clock::WallTime,
    protocol::{Ack, OnlyIf, Outcome, Status},
    wire::Track,
};
use serde::{Deserialize, Serialize};

use super::{
    catalogue,
    channel::Happening,
    world::{Event, Obedience, World},
};

/// Reports in one request; the rest goes with the next one.
const BATCH: usize = 500;
/// Until the daemon says otherwise.
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// After a failure it is tried again this soon, then half as often each time.
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(10);
/// Answers remembered, so that a command delivered twice is answered the same.
const ANSWERS_KEPT: usize = 1000;

#[derive(Serialize)]
struct Request<'a> {
    source: &'a str,
    reports: Vec<ReportOut<'a>>,
    acks: &'a [Ack],
}

#[derive(Serialize)]
struct ReportOut<'a> {
    channel_id: &'a str,
    session: String,
    started_at: String,
    seq: u64,
    state: Status,
    listeners: Option<u32>,
    joins: u64,
    queue_size: u32,
    queue_ops: QueueOpsOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<Track>,
    observed_at: String,
}

#[derive(Serialize)]
struct QueueOpsOut {
    add: u64,
    remove: u64,
    r#move: u64,
    clear: u64,
    skip: u64,
    priority_add: u64,
}

/// What the daemon answers.
#[derive(Debug, Deserialize)]
pub struct Answer {
    pub report_every_seconds: f64,
    #[serde(default)]
    pub commands: Vec<Command>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Command {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub channel_id: String,
    pub session: String,
    pub valid_for_seconds: u64,
    pub only_if: Option<OnlyIf>,
}

/// How far one channel's reports are.
#[derive(Clone, Debug, Default)]
struct Line {
    session: u32,
    seq: u64,
}

#[derive(Debug)]
pub struct Studio {
    name: &'static str,
    /// Tells this run's sessions from those of the one before.
    run: WallTime,
    channels: Vec<usize>,
    lines: Vec<Line>,
    /// Places in `channels` that have something to report.
    due: BTreeSet<usize>,
    in_flight: Vec<usize>,
    acks: Vec<Ack>,
    acks_in_flight: usize,
    answered: VecDeque<Ack>,
    report_every: Duration,
    next_round: Duration,
    retry: Option<(Duration, Duration)>,
}

impl Studio {
    pub fn new(studio: usize, channels: usize, run: WallTime) -> Self {
        let channels: Vec<usize> = (0..channels).filter(|c| catalogue::studio_of(*c) == studio).collect();
        Self {
            name: catalogue::STUDIOS[studio],
            run,
            lines: vec![Line::default(); channels.len()],
            channels,
            due: BTreeSet::new(),
            in_flight: Vec::new(),
            acks: Vec::new(),
            acks_in_flight: 0,
            answered: VecDeque::new(),
            report_every: REPORT_EVERY,
            next_round: Duration::ZERO,
            retry: None,
        }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Takes note of what changed.
    pub fn note(&mut self, event: &Event) {
        if let Ok(place) = self.channels.binary_search(&event.channel) {
            self.due.insert(place);
        }
    }

    fn session_id(&self, number: u32) -> String {
        format!("{:x}-{number}", self.run.as_millis())
    }

    fn wall_of(&self, at: Duration) -> String {
        WallTime::from_millis(self.run.as_millis() + at.as_millis() as i64).to_string()
    }

    /// The next request, if there is anything to say and it may be said now.
    pub fn request(&mut self, world: &World, now: Duration) -> Option<Vec<u8>> {
        if self.retry.is_some_and(|(at, _)| now < at) {
            return None;
        }
        if now >= self.next_round {
            self.next_round = now + self.report_every;
            let on_air = self.channels.iter().enumerate().filter(|(_, c)| world.channel(**c).on_air);
            self.due.extend(on_air.map(|(place, _)| place));
        }
        if self.due.is_empty() && self.acks.is_empty() {
            return None;
        }
        self.in_flight = self.due.iter().copied().take(BATCH).collect();
        for place in &self.in_flight {
            self.due.remove(place);
            let (line, number) = (&mut self.lines[*place], world.channel(self.channels[*place]).session.number);
            if line.session != number {
                *line = Line { session: number, seq: 0 };
            }
            line.seq += 1;
        }
        self.acks_in_flight = self.acks.len();
        let reports = self.in_flight.iter().map(|place| self.report(world, *place, now)).collect();
        serde_json::to_vec(&Request { source: self.name, reports, acks: &self.acks }).ok()
    }

    fn report<'a>(&self, world: &'a World, place: usize, now: Duration) -> ReportOut<'a> {
        let channel = world.channel(self.channels[place]);
        let session = &channel.session;
        let [add, remove, r#move, clear, skip, priority_add] = session.queue_ops.0;
        let track = session.playing.as_ref().map(|(track, since)| {
            let started_at = Some(self.wall_of(*since).into());
            Track { started_at, ..track.clone() }
        });
        ReportOut {
            channel_id: &channel.name,
            session: self.session_id(session.number),
            started_at: self.wall_of(session.began),
            seq: self.lines[place].seq,
            state: channel.status(),
            listeners: channel.listeners(),
            joins: session.joins,
            queue_size: session.queue,
            queue_ops: QueueOpsOut { add, remove, r#move, clear, skip, priority_add },
            track,
            observed_at: self.wall_of(now),
        }
    }

    /// The daemon took the request: what it asks for is done at once. `waited` is how long ago the
    /// request was sent, for a command is valid from no later than its answer.
    pub fn accepted(&mut self, world: &mut World, now: Duration, waited: Duration, answer: Answer) {
        self.retry = None;
        self.in_flight.clear();
        self.acks.drain(..std::mem::take(&mut self.acks_in_flight));
        if answer.report_every_seconds > 0.0 && answer.report_every_seconds.is_finite() {
            self.report_every = Duration::from_secs_f64(answer.report_every_seconds.min(60.0));
        }
        for command in answer.commands {
            let ack = match self.answered.iter().find(|ack| ack.id == command.id) {
                Some(ack) => ack.clone(),
                None => {
                    let ack = self.obey(world, now, waited, command);
                    if self.answered.len() == ANSWERS_KEPT {
                        self.answered.pop_front();
                    }
                    self.answered.push_back(ack.clone());
                    ack
                }
            };
            self.acks.push(ack);
        }
    }

    fn obey(&mut self, world: &mut World, now: Duration, waited: Duration, command: Command) -> Ack {
        let ack =
            |outcome, detail: Option<&str>| Ack { id: command.id.clone(), outcome, detail: detail.map(str::to_owned) };
        if command.kind != "stop" {
            return ack(Outcome::Error, Some("this streamer knows no such command"));
        }
        let Some(place) = self.channels.iter().position(|c| world.channel(*c).name == command.channel_id) else {
            return ack(Outcome::Error, Some("this studio has no such channel"));
        };
        if waited > Duration::from_secs(command.valid_for_seconds) {
            return ack(Outcome::Refused, Some("the command came too late"));
        }
        let channel = self.channels[place];
        let number = world.channel(channel).session.number;
        if command.session != self.session_id(number) {
            return ack(Outcome::Refused, Some("that session is over"));
        }
        match world.obey(now, channel, number, command.only_if) {
            Obedience::Stopped => {
                tracing::info!(channel_id = %command.channel_id, "stopped, as the daemon asked; nobody was there");
                ack(Outcome::Ok, None)
            }
            Obedience::Refused(why) => {
                tracing::info!(channel_id = %command.channel_id, why, "a stop was refused");
                ack(Outcome::Refused, Some(why))
            }
        }
    }

    /// The request did not get through, or was refused: newer snapshots say the same again later.
    pub fn failed(&mut self, now: Duration) -> bool {
        let first = self.retry.is_none();
        let pause = self.retry.map_or(FIRST_RETRY, |(_, pause)| (pause * 2).min(LAST_RETRY));
        self.retry = Some((now + pause, pause));
        self.due.extend(self.in_flight.drain(..));
        self.acks_in_flight = 0;
        first
    }

    /// The end of the story is near: what is due is said now or never.
    pub fn hurry(&mut self) {
        self.retry = None;
        self.next_round = Duration::MAX;
        // A request that was under way may not have arrived.
        self.due.extend(self.in_flight.drain(..));
        self.acks_in_flight = 0;
    }

    pub fn is_cut_off(&self) -> bool {
        self.retry.is_some()
    }
}

/// Whether a step's event is worth a line for the person who watches.
pub const fn is_worth_a_line(what: Happening) -> bool {
    matches!(what, Happening::Began | Happening::Ended)
}

#[cfg(test)]
mod tests;
