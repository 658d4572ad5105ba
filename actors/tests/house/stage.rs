//! One house in virtual time: its disk, the streamers that report to it, the operators and viewers around
//! it. Everything is on one thread; time goes by only while nobody has anything to do.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    rc::Rc,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use actix::System;
use bytes::Bytes;
use prometheus::Registry;
use sattva_actors::{
    broker::{
        audience::Line,
        run::Run,
        shard::{Entrance, Shard},
        subscriptions::Filter,
    },
    channel::{cell::Cells, journal::Decision, policy::Policy},
    chronicle::{Chronicle, Entry, Happening},
    clock::{BootId, Clock, Timestamp, WallTime},
    house::{self, Foundations, House, HouseMetrics},
    identity::{ChannelId, SourceId},
    protocol::{
        Ack, Action, ActionError, ApplyRules, Batch, BatchAnswer, Collect, Describe, Dismiss, Forget, Identity,
        Inspect, Inspection, Operate, Operation, Outcome, Report, Rulebook, Status, StopCommand, Subscribe, Tally,
    },
    session::{deflate::Encoding, outbox::Overflow},
    stats::{LatestSample, Rhythm},
    store::{Committed, Group, Store, StoreError, StoreHealth, memory::MemoryStore},
    stream_control::CommandsWaiting,
    wire::{StreamState, Track},
};
use serde_json::Value;
use tokio::{
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::Instant,
};

/// Wall time when every story begins.
const WALL0: WallTime = WallTime::from_millis(1_800_000_000_000);
/// What a gate is closed to when it is not a decision.
const READING: &str = "reading a record";
/// How often a streamer reports unless the story says otherwise.
pub const EVERY: Duration = Duration::from_secs(5);
/// Virtual time after which nothing that is waited for will come.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

// ---- the disk ----

/// Memory that survives the house, fails when told to, and can hold a commit up. It is slower than all else, so that
/// a story that is told again goes as it did.
#[derive(Clone, Default)]
pub struct Disk {
    pub kept: MemoryStore,
    gate: Arc<Gate>,
    rest: Arc<Rest>,
}

/// Whether nobody in the house has anything to do.
#[derive(Default)]
struct Rest {
    now: Mutex<Now>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Now {
    #[default]
    Busy,
    Resting,
    /// The house is no more.
    Over,
}

impl Rest {
    fn set(&self, now: Now) {
        let mut was = self.now.lock().unwrap();
        if *was != Now::Over {
            *was = now;
        }
        self.changed.notify_all();
    }

    /// What had not come about when the house ended has not come about at all.
    fn wait(&self) -> Result<(), StoreError> {
        let now = self.now.lock().unwrap();
        let now = *self.changed.wait_while(now, |now| *now == Now::Busy).unwrap();
        if now == Now::Over { Err(StoreError::Failed("killed".to_owned())) } else { Ok(()) }
    }
}

/// Ends a house's rest, however the house ends.
struct Last(Arc<Rest>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.set(Now::Over);
    }
}

#[derive(Default)]
struct Gate {
    /// A commit that holds this decision waits, or whoever reads a record.
    closed_to: Mutex<Option<&'static str>>,
    opened: Condvar,
    somebody_waits: Notify,
}

impl Disk {
    pub fn fail(&self, fails: bool) {
        self.kept.fail(fails);
    }

    /// Holds the next commit up that has such a decision in it.
    pub fn hold_up(&self, event: &'static str) {
        *self.gate.closed_to.lock().unwrap() = Some(event);
    }

    /// Holds the next reading of a record up.
    pub fn hold_up_reading(&self) {
        self.hold_up(READING);
    }

    /// Until something is held up. No time goes by until it is let go.
    pub async fn holds_something_up(&self) {
        in_time("something that is held up", self.gate.somebody_waits.notified()).await;
    }

    pub fn let_go(&self) {
        *self.gate.closed_to.lock().unwrap() = None;
        self.gate.opened.notify_all();
    }

    /// The events in a channel's journal.
    pub fn journal(&self, channel: &str) -> Vec<String> {
        self.kept.decisions(channel).into_iter().map(|decision| decision.event).collect()
    }
}

impl Gate {
    fn pass(&self, is_me: impl Fn(&str) -> bool) {
        let mut closed_to = self.closed_to.lock().unwrap();
        if closed_to.is_some_and(is_me) {
            self.somebody_waits.notify_one();
            while closed_to.is_some() {
                closed_to = self.opened.wait(closed_to).unwrap();
            }
        }
    }
}

impl Store for Disk {
    fn commit(&mut self, group: &Group) -> Result<Committed, StoreError> {
        self.gate.pass(|event| group.decisions.iter().any(|(_, decision)| decision.event == event));
        self.rest.wait()?;
        self.kept.commit(group)
    }

    fn record(&mut self, channel: &ChannelId) -> Result<Option<Vec<u8>>, StoreError> {
        self.gate.pass(|what| what == READING);
        self.rest.wait()?;
        self.kept.record(channel)
    }

    fn journal(&mut self, channel: &ChannelId) -> Result<Vec<Decision>, StoreError> {
        self.kept.journal(channel)
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        self.kept.reopen()
    }
}

// ---- the story and its houses ----

/// What outlives a house: its disk, its rules, time.
pub struct Story {
    pub disk: Disk,
    pub rules: Rulebook,
    boots: u128,
    past: Duration,
    wall_clock_set_by: &'static AtomicI64,
    /// With which code the last house ended the process, if it did.
    pub exit_code: i32,
}

/// A house that lives, and everything a story can reach of it.
pub struct Stage {
    pub house: House,
    pub clock: Clock,
    pub disk: Disk,
    pub health: Arc<StoreHealth>,
    pub cells: Arc<Cells>,
    /// What is written for whoever keeps the history.
    pub chronicle: Arc<Chronicle>,
    /// How often the watchdog was fed.
    pub fed: Arc<AtomicUsize>,
    registry: Registry,
    born: Instant,
    past: Duration,
    entrance: Entrance<Screen>,
    viewers: Cell<u64>,
}

/// Runs a story that needs one house only.
pub fn story<T>(tell: impl AsyncFnOnce(&Stage) -> T) -> T {
    Story::new().live(tell)
}

impl Story {
    pub fn new() -> Self {
        Self::under(Rulebook::default())
    }

    pub fn under(rules: Rulebook) -> Self {
        let wall_clock_set_by = Box::leak(Box::new(AtomicI64::new(0)));
        Self { disk: Disk::default(), rules, boots: 1, past: Duration::ZERO, wall_clock_set_by, exit_code: 0 }
    }

    /// The machine is started anew as well.
    pub fn reboot(&mut self) {
        self.boots += 1;
    }

    /// Time without a house.
    pub fn nobody_home_for(&mut self, time: Duration) {
        self.past += time;
    }

    /// One life of the daemon: a house built from what is on disk, until the end of `tell`, which is as
    /// sudden as kill -9.
    pub fn live<T>(&mut self, tell: impl AsyncFnOnce(&Stage) -> T) -> T {
        let rest = Arc::<Rest>::default();
        self.disk.rest = Arc::clone(&rest);
        let (begins, ends) = (Arc::clone(&rest), Arc::clone(&rest));
        let paused = || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.on_thread_park(move || begins.set(Now::Resting)).on_thread_unpark(move || ends.set(Now::Busy));
            runtime.enable_all().start_paused(true).build().unwrap()
        };
        let system = System::with_tokio_rt(paused);
        let last = Last(rest);
        let told = system.block_on(async {
            let stage = self.build();
            let told = tell(&stage).await;
            self.past = stage.time();
            told
        });
        drop(last);
        System::current().stop_with_code(0);
        // The first code counts: 0 unless the house had ended the process itself.
        self.exit_code = system.run_with_code().unwrap();
        told
    }

    fn build(&self) -> Stage {
        let born = Instant::now();
        let clock = Clock::Runtime { wall0: WALL0, mono0: born - self.past, set_by: self.wall_clock_set_by };
        let registry = Registry::new();
        let (health, cells) = (Arc::<StoreHealth>::default(), Arc::<Cells>::default());
        let chronicle = Arc::<Chronicle>::default();
        chronicle.open();
        let metrics = HouseMetrics::register(&registry).unwrap();
        let entrance = Shard::open(clock, metrics.broker.clone());
        let fed = Arc::<AtomicUsize>::default();
        let house = house::build(Foundations {
            clock,
            boot: BootId::from_u128(self.boots),
            rules: Arc::new(self.rules.clone()),
            store: Box::new(self.disk.clone()),
            loaded: self.disk.kept.load(),
            // The host is looked at once: it has nothing to do with any story.
            rhythm: Rhythm { sample: PATIENCE, broadcast: secs(5) },
            cells: Arc::clone(&cells),
            chronicle: Arc::clone(&chronicle),
            traces: Default::default(),
            metrics,
            health: Arc::clone(&health),
            sample: LatestSample::default(),
            commands_waiting: CommandsWaiting::default(),
            fleet: None,
            elsewhere: Arc::default(),
            watchdog: Some(Box::new({
                let fed = Arc::clone(&fed);
                move || {
                    fed.fetch_add(1, Relaxed);
                }
            })),
        });
        let disk = self.disk.clone();
        let viewers = Cell::new(0);
        Stage { house, clock, disk, health, cells, chronicle, fed, registry, born, past: self.past, entrance, viewers }
    }
}

impl Stage {
    /// Time since the story began.
    pub fn time(&self) -> Duration {
        self.past + self.born.elapsed()
    }

    pub async fn until(&self, time: Duration) {
        let left = time.checked_sub(self.time());
        let left = left.unwrap_or_else(|| panic!("{time:?} is over: it is {:?}", self.time()));
        tokio::time::sleep(left).await;
    }

    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// The process stands still: no timer fires meanwhile, and all are late afterwards.
    pub async fn stalls(&self, time: Duration) {
        tokio::time::advance(time).await;
    }

    /// Somebody sets the wall clock by so many milliseconds.
    pub fn sets_the_wall_clock_by(&self, millis: i64) {
        if let Clock::Runtime { set_by, .. } = self.clock {
            set_by.fetch_add(millis, Relaxed);
        }
    }

    /// The time by a clock that nobody sets.
    pub fn elsewhere(&self) -> WallTime {
        let here = self.clock.now().wall.as_millis();
        let Clock::Runtime { set_by, .. } = self.clock else { return WallTime::from_millis(here) };
        WallTime::from_millis(here - set_by.load(Relaxed))
    }

    // ---- operators ----

    pub async fn operate(&self, channel: &str, action: Action) -> Result<Operation, ActionError> {
        self.tries(channel, action).await.expect("an operator's answer")
    }

    /// Nothing where the channel broke before it could answer.
    pub async fn tries(&self, channel: &str, action: Action) -> Option<Result<Operation, ActionError>> {
        let (reply, answer) = oneshot::channel();
        self.house.supervisor.send(Operate { channel: id(channel), action, by: None, reply }).await.unwrap();
        in_time("an operator's answer", answer).await.ok()
    }

    pub async fn forget(&self, channel: &str, source: Option<&str>) -> Result<(), ActionError> {
        let (reply, answer) = oneshot::channel();
        let forget = Forget { channel: id(channel), source: source.map(str::to_owned), reply };
        self.house.supervisor.send(forget).await.unwrap();
        in_time("an operator's answer", answer).await.unwrap()
    }

    pub async fn apply(&self, rules: Rulebook) {
        self.house.supervisor.send(ApplyRules(Arc::new(rules))).await.unwrap();
    }

    // ---- what is known ----

    pub async fn streams(&self) -> Vec<StreamState> {
        let (reply, answer) = oneshot::channel();
        self.house.supervisor.send(Describe { reply }).await.unwrap();
        in_time("the state of all streams", answer).await.unwrap()
    }

    pub async fn inspect(&self, channel: &str) -> Option<Box<Inspection>> {
        let (reply, answer) = oneshot::channel();
        self.house.supervisor.send(Inspect { channel: id(channel), reply }).await.unwrap();
        in_time("the state of a stream", answer).await.unwrap()
    }

    /// Phase and seconds left, rounded up, such as "counting 240".
    pub async fn auto_end(&self, channel: &str) -> String {
        let state = self.inspect(channel).await.unwrap().state.auto_end;
        let phase = serde_json::to_value(state.phase).unwrap();
        let left = state.remaining_seconds.map(|left| format!(" {}", left.ceil())).unwrap_or_default();
        format!("{}{left}", phase.as_str().unwrap())
    }

    /// What was written of all streams since it was last asked for, such as "300 jazz: auto-end stopping".
    pub fn written(&self) -> Vec<String> {
        let (entries, lost) = self.chronicle.fetch();
        assert_eq!(lost, 0);
        let line = |entry: Entry| {
            let second = (entry.at.as_millis() - WALL0.as_millis()) / 1000;
            let what = match entry.what {
                Happening::Started => "started".to_owned(),
                Happening::Stopped => "stopped".to_owned(),
                Happening::Track { track, listeners, resumed } => {
                    let plays = if resumed { "is found to play" } else { "plays" };
                    let title = track.map_or_else(|| "nothing".to_owned(), |track| track.title.to_string());
                    format!(
                        "{plays} {title} to {}",
                        listeners.map_or_else(|| "?".to_owned(), |known| known.to_string())
                    )
                }
                Happening::AutoEnd { event, .. } => format!("auto-end {}", event.as_str()),
            };
            format!("{second} {}: {what}", entry.channel)
        };
        entries.into_iter().map(line).collect()
    }

    /// The sum of a metric over its labels.
    pub fn metric(&self, name: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap_or_else(|| panic!("no metric {name}"));
        let one =
            |metric: &prometheus::proto::Metric| metric.get_counter().get_value() + metric.get_gauge().get_value();
        family.get_metric().iter().map(one).sum()
    }

    /// Somebody who watches everything.
    pub async fn viewer(&self) -> Viewer {
        self.viewer_of(Filter::default()).await
    }

    pub async fn viewer_of(&self, filter: Filter) -> Viewer {
        let seen = Rc::<Seen>::default();
        let screen = Screen { seen: Rc::clone(&seen), born: self.born, past: self.past };
        self.viewers.set(self.viewers.get() + 1);
        let session = self.viewers.get();
        self.entrance.enter(session, Encoding::Plain, filter.clone(), screen);
        let shard = self.entrance.handle.clone();
        let subscribe = Subscribe { session, encoding: Encoding::Plain, filter, shard };
        self.house.broker.send(subscribe).await.unwrap();
        Viewer(seen)
    }
}

fn id(channel: &str) -> ChannelId {
    ChannelId::new(channel).unwrap()
}

async fn in_time<T>(what: &str, awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, awaited).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Rules with one timeout and one set of warnings for everybody.
pub fn rules(timeout: u64, warnings: &[u64]) -> Rulebook {
    Rulebook { policy: Policy::new(secs(timeout), warnings).into(), ..Rulebook::default() }
}

// ---- streamers ----

/// One source of one channel, as it would describe itself now.
pub struct Streamer {
    pub source: SourceId,
    pub channel: ChannelId,
    pub session: RefCell<String>,
    pub status: Cell<Status>,
    pub listeners: Cell<Option<u32>>,
    /// `None` for a source that does not count who ever joined.
    pub joins: Cell<Option<u64>>,
    pub queue_size: Cell<Option<u32>>,
    pub track: RefCell<Option<Arc<Track>>>,
    pub every: Cell<Duration>,
    /// When it counts, by a clock of its own; `None` for one that does not say.
    pub observed_at: Cell<Option<WallTime>>,
    seq: Cell<u64>,
    acks: RefCell<Vec<Ack>>,
}

/// A streamer that reports by itself, until this is dropped.
pub struct Reporting(JoinHandle<()>);

impl Drop for Reporting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Streamer {
    pub fn new(source: &str, channel: &str) -> Rc<Self> {
        Rc::new(Self {
            source: SourceId::new(source).unwrap(),
            channel: id(channel),
            session: RefCell::new("s1".to_owned()),
            status: Cell::new(Status::Live),
            listeners: Cell::new(Some(0)),
            joins: Cell::new(Some(0)),
            queue_size: Cell::new(None),
            observed_at: Cell::new(None),
            track: RefCell::default(),
            every: Cell::new(EVERY),
            seq: Cell::new(0),
            acks: RefCell::default(),
        })
    }

    pub fn without_joins(source: &str, channel: &str) -> Rc<Self> {
        let streamer = Self::new(source, channel);
        streamer.joins.set(None);
        streamer
    }

    /// A new life of its stream.
    pub fn begins_anew(&self, session: &str) {
        *self.session.borrow_mut() = session.to_owned();
        self.status.set(Status::Live);
        self.listeners.set(Some(0));
        self.joins.set(self.joins.get().map(|_| 0));
    }

    /// This is what it plays now.
    pub fn plays(&self, title: &str) {
        let track = serde_json::json!({ "title": title });
        *self.track.borrow_mut() = Some(Arc::new(serde_json::from_value(track).unwrap()));
    }

    /// So many listen now; whoever is new has joined.
    pub fn counts(&self, listeners: u32) {
        let joined = listeners.saturating_sub(self.listeners.get().unwrap_or(0));
        self.joins.set(self.joins.get().map(|joins| joins + u64::from(joined)));
        self.listeners.set(Some(listeners));
    }

    pub fn report(&self) -> (ChannelId, Report) {
        self.seq.set(self.seq.get() + 1);
        let session = self.session.borrow().as_str().into();
        let report = Report {
            identity: Identity::Numbered { session, started_at: None, seq: self.seq.get() },
            status: self.status.get(),
            listeners: self.listeners.get(),
            joins: self.joins.get(),
            queue_size: self.queue_size.get(),
            queue_ops: None,
            track: self.track.borrow().clone(),
            observed_at: self.observed_at.get(),
            interval: self.every.get(),
            can_stop: true,
        };
        (self.channel.clone(), report)
    }

    /// Sends a report and does not wait for its answer.
    pub fn sends(&self, stage: &Stage) -> oneshot::Receiver<BatchAnswer> {
        let (tally, answer) = Tally::new();
        let reports = vec![self.report()];
        let (source, received) = (self.source.clone(), stage.clock.now().at);
        let batch = Batch { source, received, reports, acks: self.acks.take(), tally };
        stage.house.supervisor.try_send(batch).unwrap();
        answer
    }

    /// Reports, and answers when it has been taken in and is on disk.
    pub async fn reports(&self, stage: &Stage) -> BatchAnswer {
        in_time("the answer to a report", self.sends(stage)).await.unwrap()
    }

    /// Reports that so many listen now. Answers with the moment it said so: the disk takes its time.
    pub async fn says(&self, stage: &Stage, listeners: u32) -> Duration {
        self.counts(listeners);
        let said = stage.time();
        let answer = self.reports(stage).await;
        assert_eq!((answer.accepted, answer.busy, answer.refused), (1, false, 0), "{}", self.source);
        said
    }

    /// Reports in its rhythm, from now on and by itself.
    pub fn keeps_reporting(self: &Rc<Self>, stage: &Stage) -> Reporting {
        let (streamer, house, clock) = (Rc::clone(self), stage.house.clone(), stage.clock);
        Reporting(tokio::task::spawn_local(async move {
            let mut next = Instant::now();
            loop {
                let (tally, answer) = Tally::new();
                let (source, received) = (streamer.source.clone(), clock.now().at);
                let (reports, acks) = (vec![streamer.report()], streamer.acks.take());
                house.supervisor.try_send(Batch { source, received, reports, acks, tally }).unwrap();
                in_time("the answer to a report", answer).await.unwrap();
                next += streamer.every.get();
                tokio::time::sleep_until(next).await;
            }
        }))
    }

    /// Asks for commands, and waits that long for one.
    pub async fn asks(&self, stage: &Stage, wait: Duration) -> Vec<StopCommand> {
        let (reply, commands) = oneshot::channel();
        stage.house.control.send(Collect { source: self.source.clone(), only: None, wait, reply }).await.unwrap();
        in_time("commands", commands).await.unwrap()
    }

    /// Waits for a stop, and says when it came.
    pub async fn is_told_to_stop(&self, stage: &Stage) -> (Duration, StopCommand) {
        let command = self.asks(stage, PATIENCE / 2).await.pop().expect("a stop");
        assert_eq!(command.channel, self.channel);
        assert_eq!(command.session, self.session.borrow().as_str());
        (stage.time(), command)
    }

    /// What became of a command, told with the next report.
    pub fn acknowledges(&self, command: &StopCommand, outcome: Outcome) {
        self.acks.borrow_mut().push(Ack { id: command.id.clone(), outcome, detail: None });
    }

    /// Its stream is over.
    pub async fn stops(&self, stage: &Stage) -> Duration {
        self.status.set(Status::Stopped);
        self.says(stage, 0).await
    }
}

// ---- viewers ----

/// Who watches `/ws/stats`, without the socket.
pub struct Viewer(Rc<Seen>);

#[derive(Default)]
struct Seen {
    messages: RefCell<Vec<Heard>>,
    news: Notify,
}

#[derive(Clone, Debug)]
pub struct Heard {
    pub at: Duration,
    pub message: Value,
}

#[derive(Clone)]
struct Screen {
    seen: Rc<Seen>,
    born: Instant,
    past: Duration,
}

/// The payload of the first text frame of a run, and what follows it.
fn first_frame(run: &[u8]) -> (&[u8], &[u8]) {
    let (length, header) = match run[1] {
        126 => (u64::from(u16::from_be_bytes([run[2], run[3]])), 4),
        127 => (u64::from_be_bytes(run[2..10].try_into().unwrap()), 10),
        short => (u64::from(short), 2),
    };
    run[header..].split_at(length as usize)
}

impl Screen {
    fn show(&self, mut frames: &[u8]) {
        while !frames.is_empty() {
            let (payload, rest) = first_frame(frames);
            let message = serde_json::from_slice(payload).unwrap();
            self.seen.messages.borrow_mut().push(Heard { at: self.past + self.born.elapsed(), message });
            frames = rest;
        }
        self.seen.news.notify_waiters();
    }
}

impl Line for Screen {
    fn send(&self, run: &Run) -> Result<(), Overflow> {
        self.show(run.together());
        Ok(())
    }

    fn send_snapshot(&self, frame: Bytes, since: Bytes) -> Result<(), Overflow> {
        self.show(&frame);
        self.show(&since);
        Ok(())
    }

    fn is_stalled(&self, _: Timestamp) -> bool {
        false
    }

    fn dismiss(&self, _: Dismiss) {}
}

impl Heard {
    pub fn is(&self, kind: &str) -> bool {
        self.message["type"] == kind
    }

    /// What the message says in a few words.
    fn in_short(&self) -> String {
        let data = &self.message["data"];
        let word = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        match self.message["type"].as_str().unwrap() {
            "stream_update" => format!("{} with {}", word("event"), data["listeners"]),
            "auto_end" => format!("auto-end {}: {}", word("event"), word("reason")),
            "auto_end_warning" => format!("warning: {} s", data["seconds_remaining"]),
            other => other.to_owned(),
        }
    }
}

impl Viewer {
    pub fn heard(&self) -> Vec<Heard> {
        self.0.messages.borrow().clone()
    }

    /// Everything heard of a channel, each with its second: "240 warning: 60 s".
    pub fn heard_of(&self, channel: &str) -> Vec<String> {
        let of_channel = |heard: &&Heard| heard.message["data"]["channel_id"] == channel;
        // Commits are a few milliseconds apart; what a story tells is not.
        let tenths = |at: Duration| (at.as_millis() / 100) as f64 / 10.0;
        let line = |heard: &Heard| format!("{} {}", tenths(heard.at), heard.in_short());
        self.0.messages.borrow().iter().filter(of_channel).map(line).collect()
    }

    /// When a channel's message came that says this, waiting for it if it has not come yet.
    pub async fn hears(&self, channel: &str, words: &str) -> Duration {
        let fits = |heard: &&Heard| heard.message["data"]["channel_id"] == channel && heard.in_short() == words;
        self.first(&format!("{channel}: {words}"), |heard| fits(&heard)).await.at
    }

    pub async fn first(&self, what: &str, fits: impl Fn(&Heard) -> bool) -> Heard {
        let found = async {
            loop {
                let news = self.0.news.notified();
                if let Some(found) = self.0.messages.borrow().iter().find(|heard| fits(heard)) {
                    return found.clone();
                }
                news.await;
            }
        };
        in_time(what, found).await
    }
}
