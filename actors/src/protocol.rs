//! The messages that several rooms share. What one actor alone is told stands beside that actor; ticks and timers are
//! private to it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use actix::{Message, Recipient};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::{
    broker::{held::Live, shard::ShardHandle, subscriptions::Filter},
    channel::{
        auto_end::{PhaseName, Reason},
        journal::Decision,
        policy::Policy,
    },
    clock::{Timestamp, WallTime},
    identity::{ChannelId, SessionId, SourceId},
    mailbox::Queued,
    session::deflate::Encoding,
    store::View,
    territory::Slot,
    wire::{self, MessageType, StreamState, SystemStats, Track},
};

// ---- Reports: streamers and adapters -> Supervisor -> ChannelActor ----

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Status {
    Live,
    Paused,
    Idle,
    Stopped,
}

/// Where a report stands in its source's story.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    Numbered {
        session: SessionId,
        started_at: Option<WallTime>,
        seq: u64,
    },
    /// The simplest report: the daemon keeps session and order.
    Simple,
}

/// Totals per queue operation within one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueOps(pub [u64; QueueOps::NAMES.len()]);

impl QueueOps {
    pub const NAMES: [&'static str; 6] = ["add", "remove", "move", "clear", "skip", "priority_add"];

    /// What was done since `before`; a total that went down says nothing.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut difference = [0; Self::NAMES.len()];
        for (d, (now, then)) in difference.iter_mut().zip(self.0.iter().zip(before.0)) {
            *d = now.saturating_sub(then);
        }
        Self(difference)
    }

    pub fn is_zero(&self) -> bool {
        self.0.iter().all(|n| *n == 0)
    }
}

/// A full snapshot of one stream as its source sees it; what it leaves out is unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub identity: Identity,
    pub status: Status,
    pub listeners: Option<u32>,
    pub joins: Option<u64>,
    pub queue_size: Option<u32>,
    pub queue_ops: Option<Box<QueueOps>>,
    pub track: Option<Arc<Track>>,
    pub observed_at: Option<WallTime>,
    /// The rhythm of the source; evidence is believed for three of these.
    pub interval: Duration,
    /// Whether the source can be told to end the stream. Where one cannot, auto-end decides as in a dry run.
    pub can_stop: bool,
}

/// Reports of one source that came in together, and what it says of earlier commands.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Batch {
    pub source: SourceId,
    pub received: Timestamp,
    pub reports: Vec<(ChannelId, Report)>,
    pub acks: Vec<Ack>,
    pub tally: Arc<Tally>,
}

/// Counts what became of a batch, and answers when the last of its reports has been dealt with and
/// what it changed is on disk: whoever still has something to do holds a clone.
#[derive(Debug)]
pub struct Tally {
    accepted: AtomicU32,
    duplicates: AtomicU32,
    busy: AtomicBool,
    refused: AtomicU32,
    elsewhere: AtomicBool,
    offered: AtomicBool,
    volatile: AtomicBool,
    commands: Mutex<Vec<StopCommand>>,
    reply: Mutex<Option<oneshot::Sender<BatchAnswer>>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchAnswer {
    pub accepted: u32,
    pub duplicates: u32,
    /// Some reports met a full mailbox; sending the batch again is safe.
    pub busy: bool,
    /// Reports of channels that were new while there was no room for more.
    pub refused: u32,
    /// Some reports are of channels that another daemon has.
    pub elsewhere: bool,
    /// A command came of it, which may be collected at once.
    pub offered: bool,
    /// The store fails: what came of it is in memory only.
    pub volatile: bool,
    /// What other daemons, which have some of the channels, command.
    pub commands: Vec<StopCommand>,
}

impl Tally {
    pub fn new() -> (Arc<Self>, oneshot::Receiver<BatchAnswer>) {
        let (reply, answer) = oneshot::channel();
        let tally = Self {
            accepted: AtomicU32::new(0),
            duplicates: AtomicU32::new(0),
            busy: AtomicBool::new(false),
            refused: AtomicU32::new(0),
            elsewhere: AtomicBool::new(false),
            offered: AtomicBool::new(false),
            volatile: AtomicBool::new(false),
            commands: Mutex::default(),
            reply: Mutex::new(Some(reply)),
        };
        (Arc::new(tally), answer)
    }

    pub fn accepted(&self) {
        self.accepted.fetch_add(1, Relaxed);
    }

    pub fn duplicate(&self) {
        self.duplicates.fetch_add(1, Relaxed);
    }

    pub fn busy(&self) {
        self.busy.store(true, Relaxed);
    }

    pub fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub fn elsewhere(&self) {
        self.elsewhere.store(true, Relaxed);
    }

    pub fn offered(&self) {
        self.offered.store(true, Relaxed);
    }

    pub fn volatile(&self) {
        self.volatile.store(true, Relaxed);
    }

    /// Whoever holds the channels has these for the one who reported.
    pub fn commanded(&self, commands: Vec<StopCommand>) {
        self.commands.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(commands);
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let answer = BatchAnswer {
            accepted: self.accepted.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            busy: self.busy.load(Relaxed),
            refused: self.refused.load(Relaxed),
            elsewhere: self.elsewhere.load(Relaxed),
            offered: self.offered.load(Relaxed),
            volatile: self.volatile.load(Relaxed),
            commands: self.commands.get_mut().map(std::mem::take).unwrap_or_default(),
        };
        if let Some(reply) = self.reply.get_mut().ok().and_then(Option::take) {
            // The client may have gone; nobody waits then.
            let _ = reply.send(answer);
        }
    }
}

// ---- Stop commands: ChannelActor -> StreamControl -> streamers and adapters ----

/// Checked by the streamer at the last moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnlyIf {
    pub listeners_at_most: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joins: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StopCommand {
    /// Holds channel, generation, fence, reporter and session; the same at every delivery.
    pub id: String,
    pub channel: ChannelId,
    pub source: SourceId,
    pub session: SessionId,
    pub reason: StopReason,
    pub only_if: Option<OnlyIf>,
    pub decided_at: Timestamp,
    /// No outlet delivers or retries it past this.
    pub valid_until: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    NoListeners,
    Operator,
}

impl StopReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoListeners => "no_listeners",
            Self::Operator => "operator",
        }
    }

    pub const fn of(reason: Reason) -> Self {
        match reason {
            Reason::Operator => Self::Operator,
            Reason::NeverJoined | Reason::AllLeft | Reason::StopFailed => Self::NoListeners,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    pub id: String,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Outcome {
    Ok,
    Refused,
    Error,
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Error => "error",
        }
    }
}

/// A durable command may be delivered.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Offer(pub StopCommand);

/// A command is settled or not wanted now: deliver it no more, unless it is offered again.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Retract {
    pub source: SourceId,
    pub id: String,
    /// An outlet that has it, and looks itself before it obeys, keeps it and gets it again.
    pub leaves_outlet: bool,
}

/// A streamer asks for its commands, and may wait for one.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Collect {
    pub source: SourceId,
    /// Only what concerns this channel: the source's name is shared by streamers that do not know each other.
    pub only: Option<ChannelId>,
    pub wait: Duration,
    pub reply: oneshot::Sender<Vec<StopCommand>>,
}

/// Sources, by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourcePattern {
    Exactly(String),
    BeginsWith(String),
}

impl SourcePattern {
    pub fn matches(&self, source: &SourceId) -> bool {
        match self {
            Self::Exactly(name) => source.as_str() == name,
            Self::BeginsWith(prefix) => source.as_str().starts_with(prefix),
        }
    }

    /// The closer of two patterns that match a source decides: its name, or else the longer beginning.
    pub fn closeness(&self) -> (bool, usize) {
        match self {
            Self::Exactly(name) => (true, name.len()),
            Self::BeginsWith(prefix) => (false, prefix.len()),
        }
    }
}

/// An adapter takes the commands of its sources by message instead of collecting them.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RegisterOutlet {
    /// Who registers: takes back only what is its own.
    pub owner: String,
    pub sources: SourcePattern,
    pub outlet: Option<Recipient<Instruction>>,
    /// It sees for itself who listens at a source before it ends it.
    pub looks_first: bool,
}

/// What an adapter is told of its commands, in the order in which it came about. It answers whether a command has
/// been delivered with that; if not, [`Delivered`] follows when it has.
#[derive(Clone, Debug, PartialEq, Message)]
#[rtype(result = "bool")]
pub enum Instruction {
    /// Comes again while the command stands.
    Execute(StopCommand),
    /// Nothing more may be done for it.
    Retract(Retract),
}

/// A command has been handed to its streamer.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Delivered {
    pub channel: ChannelId,
    pub id: String,
}

// ---- Questions and operator actions: HTTP -> Supervisor -> ChannelActor ----

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Pause,
    Resume,
    Extend(Duration),
    Cancel,
    Stop { force: bool },
}

impl Action {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Extend(_) => "extend",
            Self::Cancel => "cancel",
            Self::Stop { .. } => "stop",
        }
    }
}

/// What an operator gets who asks for the impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    #[error("there is no such channel")]
    NoSuchChannel,
    #[error("the channel has no such source")]
    NoSuchSource,
    #[error("the stream is over")]
    StreamIsOver,
    #[error("no countdown runs, so there is nothing to extend")]
    NothingToExtend,
    #[error("somebody listens; send force: true to stop it all the same")]
    SomebodyListens,
    #[error("the listener count is unknown; send force: true to stop it all the same")]
    CountUnknown,
    #[error("a stop is already under way")]
    AlreadyStopping,
    #[error("the store cannot be written, so no stop can be decided; see /readyz")]
    StoreFailing,
    #[error("it could not be written to Redis, and another daemon may have the channel; ask again, or another daemon")]
    NotKept,
    #[error("the daemon is too busy; try again in a second")]
    Busy,
    #[error("another daemon has this channel")]
    Elsewhere,
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Operate {
    pub channel: ChannelId,
    pub action: Action,
    /// Who asks for it, where that is known: the name of a token.
    pub by: Option<Arc<str>>,
    pub reply: oneshot::Sender<Result<Operation, ActionError>>,
}

/// What an operator's action led to.
#[derive(Clone, Debug, Serialize)]
pub struct Operation {
    #[serde(flatten)]
    pub state: StreamState,
    /// It is on disk and survives the daemon; false only while the store fails.
    pub durable: bool,
}

/// Takes a reporter out of a channel's sum, or the whole channel out of the house.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Forget {
    pub channel: ChannelId,
    pub source: Option<String>,
    pub reply: oneshot::Sender<Result<(), ActionError>>,
}

/// The state of every channel that has not ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Describe {
    pub reply: oneshot::Sender<Vec<StreamState>>,
}

/// Everything about one channel.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Inspect {
    pub channel: ChannelId,
    pub reply: oneshot::Sender<Option<Box<Inspection>>>,
}

#[derive(Clone, Debug)]
pub struct Inspection {
    pub state: StreamState,
    pub policy: Policy,
    /// The state in one sentence.
    pub why: String,
    pub held: bool,
    pub reporters: Vec<ReporterView>,
    pub commands: Vec<CommandView>,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ReporterView {
    #[cfg_attr(test, ts(as = "String"))]
    pub source: SourceId,
    pub session: String,
    pub state: Status,
    pub seq: u64,
    pub listeners: Option<u32>,
    pub joins: Option<u64>,
    pub age_seconds: Option<f64>,
    pub interval_seconds: f64,
    pub believed: bool,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CommandView {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[cfg_attr(test, ts(as = "String"))]
    pub source: SourceId,
    pub session: String,
    pub state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub detail: Option<String>,
    #[serde(serialize_with = "wire::as_text")]
    #[cfg_attr(test, ts(as = "String"))]
    pub decided_at: WallTime,
    #[serde(serialize_with = "wire::as_text")]
    #[cfg_attr(test, ts(as = "String"))]
    pub valid_until: WallTime,
}

/// The sessions a source is believed to run, so that an adapter can report those that are gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct KnownSessions {
    pub source_prefix: String,
    pub reply: oneshot::Sender<Vec<KnownSession>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct KnownSession {
    pub channel: ChannelId,
    pub source: SourceId,
    pub session: SessionId,
    pub started_at: Option<WallTime>,
    pub seq: u64,
}

/// What a reload may change in every channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Rulebook {
    pub policy: Arc<Policy>,
    pub per_channel: std::collections::BTreeMap<String, Arc<Policy>>,
    /// A stream unknown for this long is shown as lost.
    pub lost_after: Duration,
    /// An ended channel is forgotten after this long.
    pub forget_ended_after: Duration,
    /// Registration stops here.
    pub max_channels: usize,
    /// Sources that leave every sum.
    pub retired_sources: Vec<String>,
}

impl Default for Rulebook {
    fn default() -> Self {
        Self {
            policy: Arc::default(),
            per_channel: std::collections::BTreeMap::new(),
            lost_after: Duration::from_secs(3600),
            forget_ended_after: Duration::from_secs(24 * 3600),
            max_channels: 200_000,
            retired_sources: Vec::new(),
        }
    }
}

impl Rulebook {
    pub fn policy_of(&self, channel: &str) -> &Arc<Policy> {
        self.per_channel.get(channel).unwrap_or(&self.policy)
    }
}

#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct ApplyRules(pub Arc<Rulebook>);

/// An adapter was reloaded: what its sources said before is unknown until they say it anew.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Doubt {
    pub source_prefix: String,
}

// ---- Live messages: channels and StatsActor -> Broker -> Shard, one a thread -> SessionActor ----

#[derive(Clone, Debug)]
pub enum Publication {
    Update(wire::StreamUpdate),
    Warning(wire::AutoEndWarning),
    AutoEnd(wire::AutoEndChange),
    Stats(SystemStats),
}

/// A warning or an auto-end event, for programs that are told of each.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Announcement {
    pub kind: MessageType,
    pub channel: ChannelId,
    /// The JSON that sessions get.
    pub body: Bytes,
}

/// Whoever is told of every warning and auto-end event, by name; `None` takes it back.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RegisterHook {
    pub name: String,
    pub hook: Option<Recipient<Announcement>>,
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Publish {
    pub at: WallTime,
    pub publication: Publication,
    pub queued: Queued,
}

/// What may stand in for an older message that still waits for a slow client.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replaces {
    Stats,
    Listeners(ChannelId),
    Queue(ChannelId),
}

/// From the Broker to a thread's sessions, in the order in which it counts.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub enum Deliver {
    /// To everybody who wants it and does not wait for a snapshot; what came together, in its order.
    Live(Arc<[Arc<Live>]>),
    /// A session wants something else, if so, and may have to wait for a snapshot from here on.
    Refine {
        session: u64,
        filter: Option<Filter>,
        waits: bool,
    },
    /// The state of everything the session wants, and all that has happened since: any number of frames.
    Snapshot {
        session: u64,
        frame: Bytes,
        since: Bytes,
    },
    Dismiss {
        session: u64,
        why: Dismiss,
    },
    DismissEverybody(Dismiss),
}

/// The hub ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Dismiss {
    /// Close 1001.
    ShuttingDown,
    /// It does not keep up: close 1013.
    TooSlow,
}

/// A session that has entered its thread's audience waits for its first snapshot.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Subscribe {
    pub session: u64,
    pub encoding: Encoding,
    pub filter: Filter,
    pub shard: ShardHandle,
}

/// A session changes what it wants, and may need a snapshot of that.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Refine {
    pub session: u64,
    pub filter: Filter,
    pub snapshot: bool,
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Unsubscribe {
    pub session: u64,
}

// ---- The store: channels -> StoreActor ----

/// Writes a channel's record and journal; answers are held back until it is on disk.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Save {
    pub channel: ChannelId,
    /// The fence under which the channel lives: what an earlier life of it wants kept is refused.
    pub tenure: u64,
    /// The encoded record; `None` leaves it as it is.
    pub record: Option<Vec<u8>>,
    pub decisions: Vec<Decision>,
    /// What other programs may read of it; `None` where the store shows nothing.
    pub view: Option<View>,
    /// Who waits for the answer to the reports that caused this.
    pub tally: Option<Arc<Tally>>,
    /// A stop that may only be offered once it is on disk. The tally goes with it, so that the answer can
    /// carry the command.
    pub stop: Option<(u32, Recipient<Durable>)>,
    pub queued: Queued,
}

/// A stop's record is on disk, or could not be written.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Durable {
    pub generation: u32,
    pub written: bool,
    /// Who waits for the answer to the report that led to the stop.
    pub tally: Option<Arc<Tally>>,
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Erase {
    pub channel: ChannelId,
    pub tenure: u64,
}

/// Proof of life: all countdowns on disk were certain of their zero until `certain_until`.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Pulse {
    pub certain_until: Timestamp,
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ReadJournal {
    pub channel: ChannelId,
    pub reply: oneshot::Sender<Result<Vec<Decision>, String>>,
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ReadRecord {
    pub channel: ChannelId,
    pub reply: oneshot::Sender<Result<Option<Vec<u8>>, String>>,
}

/// The channels of these slots have left: another daemon may have them as soon as everything is written.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct GiveBack(pub Vec<Slot>);

/// Everything written is on disk, or cannot be; then the store is closed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Flush {
    pub reply: oneshot::Sender<()>,
}

/// A phase for gauges kept outside the channel.
pub const fn phase_code(phase: PhaseName) -> u8 {
    match phase {
        PhaseName::Off => 0,
        PhaseName::Watching => 1,
        PhaseName::Counting => 2,
        PhaseName::Frozen => 3,
        PhaseName::Paused => 4,
        PhaseName::Stopping => 5,
        PhaseName::StopFailed => 6,
    }
}
