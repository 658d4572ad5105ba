//! Broker: encodes each live message once and sends it to every thread that has sessions, where its
//! shard hands the same bytes to all who want them.

pub mod audience;
mod burst;
pub mod encoded;
pub mod held;
pub mod run;
pub mod shard;
pub mod subscriptions;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::Ordering::{Acquire, Relaxed, Release},
    },
    time::Duration,
};

use actix::{
    Actor, AsyncContext, Context, Handler, Message, Recipient, WrapFuture, fut::ActorFutureExt, prelude::SendError,
};
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use self::{
    burst::Burst,
    encoded::{Encoded, Encoder},
    held::{Held, Live},
    run::{Figures, Run},
    shard::ShardHandle,
    subscriptions::Filter,
};
use crate::{
    clock::{Clock, WallTime},
    fleet::{Heard, Tell, letter::Told},
    identity::ChannelId,
    protocol::{
        Announcement, Deliver, Describe, Dismiss, Publication, Publish, Refine, RegisterHook, Replaces, Subscribe,
        Unsubscribe,
    },
    session::{deflate::Encoding, frame},
    vitals::SignOfLife,
    wire::{self, MessageType, Snapshot, StreamEvent, StreamState},
    world::Attention,
};

/// Publications that may wait; past it everybody gets a new snapshot instead.
pub const MAILBOX: usize = 262_144;
/// Messages kept while snapshots are gathered: those of more than 20 000 streams that begin at once.
const HELD_MAX: usize = 65_536;
/// How long a snapshot may take before it is asked for again, and how soon it then is.
const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(10);
const SNAPSHOT_AGAIN: Duration = Duration::from_millis(100);
/// A round of snapshots asks every channel, and its bytes live while the slowest client takes them: after one
/// there is a rest of a few times its length, within these bounds.
const REST: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));
const REST_TIMES: u32 = 4;
/// Bytes of snapshots encoded in one go, for whoever wants something of its own; the others get the next round.
const ENCODED_MAX: usize = 4 << 20;

/// One for each encoding and type of message.
type ByEncoding<T> = [[T; MessageType::ALL.len()]; Encoding::ALL.len()];

#[derive(Clone, Debug)]
pub struct BrokerMetrics {
    messages: ByEncoding<IntCounter>,
    bytes: ByEncoding<IntCounter>,
    connections: IntGauge,
    lost: IntCounter,
    unannounced: IntCounter,
}

impl BrokerMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let labels = &["type", "encoding"];
        let messages = IntCounterVec::new(
            Opts::new("sattva_websocket_messages_sent_total", "Messages handed to sessions, by type and encoding."),
            labels,
        )?;
        let bytes = IntCounterVec::new(
            Opts::new("sattva_websocket_sent_bytes_total", "Bytes handed to sessions, by type and encoding."),
            labels,
        )?;
        let connections = IntGauge::new("sattva_websocket_connections", "Open WebSocket sessions.")?;
        let lost = IntCounter::new("sattva_websocket_resyncs_total", "Times everybody had to get a new snapshot.")?;
        let unannounced =
            IntCounter::new("sattva_webhook_missed_total", "Events a webhook was too far behind to be told of.")?;
        registry.register(Box::new(unannounced.clone()))?;
        registry.register(Box::new(messages.clone()))?;
        registry.register(Box::new(bytes.clone()))?;
        registry.register(Box::new(connections.clone()))?;
        registry.register(Box::new(lost.clone()))?;
        let each = |vector: &IntCounterVec| {
            Encoding::ALL.map(|encoding| {
                MessageType::ALL.map(|kind| vector.with_label_values(&[kind.as_str(), encoding.as_str()]))
            })
        };
        Ok(Self { messages: each(&messages), bytes: each(&bytes), connections, lost, unannounced })
    }

    /// A message that one session alone got, plain.
    pub fn count_one(&self, kind: MessageType, bytes: usize) {
        self.messages[Encoding::Plain as usize][kind as usize].inc();
        self.bytes[Encoding::Plain as usize][kind as usize].inc_by(bytes as u64);
    }

    /// Each of so many sessions got these.
    fn count(&self, figures: &Figures, sessions: u64) {
        for encoding in Encoding::ALL {
            for kind in MessageType::ALL {
                let (messages, bytes) = figures[encoding as usize][kind as usize];
                if messages > 0 {
                    self.messages[encoding as usize][kind as usize].inc_by(messages * sessions);
                    self.bytes[encoding as usize][kind as usize].inc_by(bytes * sessions);
                }
            }
        }
    }
}

struct Session {
    shard: u64,
    encoding: Encoding,
    filter: Filter,
    /// It has had a snapshot: nothing may be kept from it any more.
    begun: bool,
    /// It waits for a snapshot, behind which comes everything from this position on.
    owed: Option<u64>,
    /// It is among those of the next round.
    queued: bool,
}

/// What the snapshots are at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    None,
    /// Sessions that come now need the next one.
    Gathering,
    Resting,
}

/// A thread with sessions.
struct Shard {
    handle: ShardHandle,
    sessions: usize,
}

/// Something that is live has been missed: everybody gets a new snapshot.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Resync;

/// The daemon has others beside it: they are told of what is live here, and whoever asks what all channels look like
/// asks them too.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RegisterFleet {
    pub tell: Recipient<Tell>,
    pub describe: Recipient<Describe>,
}

/// Ends every session; answers when they have been told.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct CloseAll {
    /// Whoever comes later is told to go too.
    pub for_good: bool,
    pub reply: oneshot::Sender<usize>,
}

/// The mailbox, the Broker's or a shard's, has been emptied of what was in it.
#[derive(Message)]
#[rtype(result = "()")]
struct Flush;

pub struct Broker {
    clock: Clock,
    describe: Recipient<Describe>,
    /// Other daemons, which may have sessions too.
    fleet: Option<Recipient<Tell>>,
    attention: Arc<Attention>,
    metrics: BrokerMetrics,
    encoder: Encoder,
    sessions: HashMap<u64, Session>,
    shards: HashMap<u64, Shard>,
    /// Sessions that have agreed to permessage-deflate.
    deflating: usize,
    outgoing: Burst,
    /// The newest statistics, for sessions that join.
    latest_stats: Option<Arc<Live>>,
    round: Round,
    /// In the order they came.
    next_round: Vec<u64>,
    held: Held,
    encoded_max: usize,
    /// Who is told of every warning and auto-end event.
    hooks: Vec<(String, Recipient<Announcement>)>,
    /// Everybody has been told to go; whoever comes now is told too.
    closing: bool,
}

impl Broker {
    pub fn new(clock: Clock, describe: Recipient<Describe>, attention: Arc<Attention>, metrics: BrokerMetrics) -> Self {
        Self {
            clock,
            describe,
            fleet: None,
            attention,
            metrics,
            encoder: Encoder::default(),
            sessions: HashMap::new(),
            shards: HashMap::new(),
            deflating: 0,
            outgoing: Burst::default(),
            latest_stats: None,
            round: Round::None,
            next_round: Vec::new(),
            held: Held::new(HELD_MAX),
            encoded_max: ENCODED_MAX,
            hooks: Vec::new(),
            closing: false,
        }
    }

    fn fan_out(&mut self, ctx: &mut Context<Self>, message: Arc<Live>) {
        if self.outgoing.is_empty() {
            // Handled when what is in the mailbox now has been: a burst leaves as one, whoever runs meanwhile.
            ctx.notify(Flush);
        }
        self.outgoing.extend(std::slice::from_ref(&message));
        if self.outgoing.is_full() {
            self.flush();
        }
        if self.round == Round::Gathering || !self.next_round.is_empty() {
            self.held.push(message);
        }
    }

    /// One message to each thread.
    fn flush(&mut self) {
        if self.outgoing.is_empty() {
            return;
        }
        let together: Arc<[Arc<Live>]> = self.outgoing.take().into();
        let shards: Vec<u64> = self.shards.keys().copied().collect();
        for shard in shards {
            self.send(shard, Deliver::Live(Arc::clone(&together)));
        }
    }

    /// Behind everything that was live before.
    fn tell(&mut self, shard: u64, deliver: Deliver) {
        self.flush();
        self.send(shard, deliver);
    }

    /// A thread that has fallen so far behind that it takes no more has lost something: its sessions go.
    fn send(&mut self, shard: u64, deliver: Deliver) {
        let Some(entry) = self.shards.get(&shard) else { return };
        let Err(error) = entry.handle.deliver.try_send(deliver) else { return };
        if matches!(error, SendError::Full(_)) {
            entry.handle.has_lost.store(true, Release);
        }
        let gone: Vec<u64> = self.sessions.iter().filter(|(_, s)| s.shard == shard).map(|(id, _)| *id).collect();
        for id in gone {
            self.forget(id);
        }
    }

    /// The session has lost something.
    fn dismiss(&mut self, id: u64) {
        if let Some(session) = self.sessions.get(&id) {
            self.tell(session.shard, Deliver::Dismiss { session: id, why: Dismiss::TooSlow });
            self.forget(id);
        }
    }

    fn forget(&mut self, id: u64) {
        let Some(session) = self.sessions.remove(&id) else { return };
        self.deflating -= usize::from(session.encoding == Encoding::Deflate);
        if let Some(shard) = self.shards.get_mut(&session.shard) {
            shard.sessions -= 1;
            if shard.sessions == 0 {
                self.shards.remove(&session.shard);
            }
        }
        self.count_sessions();
    }

    fn count_sessions(&self) {
        self.attention.sessions.store(self.sessions.len(), Relaxed);
        self.metrics.connections.set(self.sessions.len() as i64);
    }

    fn encode<T: serde::Serialize>(&mut self, kind: MessageType, at: WallTime, data: &T) -> Encoded {
        self.encoder.encode(&wire::Message { kind, timestamp: at, data }, self.deflating > 0)
    }

    fn announce<T: serde::Serialize>(&self, kind: MessageType, at: WallTime, channel: &ChannelId, data: &T) {
        if self.hooks.is_empty() {
            return;
        }
        let message = wire::Message { kind, timestamp: at, data };
        // It is made of names, numbers and texts.
        let Ok(body) = serde_json::to_vec(&message) else { return };
        let announcement = Announcement { kind, channel: channel.clone(), body: body.into() };
        for (name, hook) in &self.hooks {
            if hook.try_send(announcement.clone()).is_err() {
                self.metrics.unannounced.inc();
                tracing::error!(hook = %name, channel_id = %channel, "a hook is so far behind that it misses an event");
            }
        }
    }

    /// The same bytes for the sessions of other daemons. Where they are lost, their numbers tell.
    fn tell_neighbours(&self, message: &Live) {
        let Some(fleet) = &self.fleet else { return };
        let text = std::str::from_utf8(frame::payload(&message.frames.plain)).unwrap_or_default();
        let Ok(body) = RawValue::from_string(text.to_owned()) else { return };
        let told =
            Told { kind: message.kind, channel: message.channel.clone(), replaces: message.replaces.clone(), body };
        if fleet.try_send(Tell(told)).is_err() {
            self.attention.untold.store(true, Relaxed);
        }
    }

    fn resync(&mut self, ctx: &mut Context<Self>) {
        let everybody: Vec<u64> = self.sessions.keys().copied().collect();
        for session in everybody {
            self.want_snapshot(ctx, session);
        }
    }

    fn want_snapshot(&mut self, ctx: &mut Context<Self>, id: u64) {
        self.owe(id);
        self.queue(id);
        self.gather(ctx);
    }

    /// From here on the session gets nothing but a snapshot, and what happens until then behind it.
    fn owe(&mut self, id: u64) {
        if let Some(session) = self.sessions.get_mut(&id).filter(|session| session.owed.is_none()) {
            session.owed = Some(self.held.end());
            let shard = session.shard;
            self.tell(shard, Deliver::Refine { session: id, filter: None, waits: true });
        }
    }

    /// One snapshot serves everybody who joined before it was asked for.
    fn gather(&mut self, ctx: &mut Context<Self>) {
        if self.round != Round::None {
            return;
        }
        let mut round = std::mem::take(&mut self.next_round);
        round.retain(|id| self.sessions.contains_key(id));
        let now = self.held.end();
        for id in &round {
            let Some(session) = self.sessions.get_mut(id) else { continue };
            session.queued = false;
            if !session.begun {
                // What was before its first snapshot is nothing to it.
                session.owed = Some(now);
            }
            self.owe(*id);
        }
        self.held.forget_before(self.sessions.values().filter_map(|s| s.owed).min().unwrap_or(now));
        if round.is_empty() {
            return;
        }
        self.round = Round::Gathering;
        let began = self.clock.now().at;
        let (reply, answer) = oneshot::channel();
        let asked = self.describe.try_send(Describe { reply }).is_ok();
        let gathered = async move {
            if !asked {
                return None;
            }
            tokio::time::timeout(SNAPSHOT_PATIENCE, answer).await.ok()?.ok()
        };
        ctx.spawn(gathered.into_actor(self).map(move |streams, broker, ctx| {
            let rest = match streams {
                Some(streams) => {
                    broker.send_snapshot(round, streams);
                    (broker.clock.now().at.since(began) * REST_TIMES).clamp(REST.0, REST.1)
                }
                None => {
                    tracing::warn!("a snapshot could not be gathered in time; trying again");
                    round.into_iter().for_each(|id| broker.queue(id));
                    SNAPSHOT_AGAIN
                }
            };
            broker.round = Round::Resting;
            ctx.run_later(rest, |broker, ctx| {
                broker.round = Round::None;
                broker.gather(ctx);
            });
        }));
    }

    fn queue(&mut self, id: u64) {
        if let Some(session) = self.sessions.get_mut(&id).filter(|session| !session.queued) {
            session.queued = true;
            self.next_round.push(id);
        }
    }

    /// Sessions that want the same share the same bytes.
    fn send_snapshot(&mut self, round: Vec<u64>, mut streams: Vec<StreamState>) {
        streams.sort_by(|a, b| a.channel_id.cmp(&b.channel_id));
        let at = self.clock.now().wall;
        let whole = Snapshot { streams };
        let deflate = self.deflating > 0;
        let mut encoded = 0;
        let mut snapshots: HashMap<Option<BTreeSet<ChannelId>>, Encoded> = HashMap::new();
        let mut followers: HashMap<(Filter, u64, Encoding), Option<Run>> = HashMap::new();
        // Who came while this one was gathered stands behind those who are left over.
        let later = std::mem::take(&mut self.next_round);
        for id in round {
            let Some(session) = self.sessions.get(&id) else { continue };
            let Some(owed) = session.owed else { continue };
            let (filter, agreed, shard) = (&session.filter, session.encoding, session.shard);
            let since =
                followers.entry((filter.clone(), owed, agreed)).or_insert_with(|| self.since(filter, owed, agreed));
            let Some(since) = since else {
                if session.begun {
                    self.dismiss(id);
                } else {
                    // It may as well begin with the next snapshot.
                    self.queue(id);
                }
                continue;
            };
            if encoded > self.encoded_max && !snapshots.contains_key(&filter.channels) {
                self.queue(id);
                continue;
            }
            let frames = snapshots.entry(filter.channels.clone()).or_insert_with(|| {
                let mut encode = |data: &Snapshot| {
                    self.encoder.encode(&wire::Message { kind: MessageType::Snapshot, timestamp: at, data }, deflate)
                };
                let frames = match &filter.channels {
                    None => encode(&whole),
                    Some(_) => {
                        let wanted = whole.streams.iter().filter(|s| filter.wants_channel(&s.channel_id));
                        encode(&Snapshot { streams: wanted.cloned().collect() })
                    }
                };
                encoded += frames.plain.len();
                frames
            });
            let (frame, encoding) = frames.of(agreed);
            let mut figures = since.figures;
            figures[encoding as usize][MessageType::Snapshot as usize] = (1, frame.len() as u64);
            self.metrics.count(&figures, 1);
            let snapshot = Deliver::Snapshot { session: id, frame: frame.clone(), since: since.together().clone() };
            self.tell(shard, snapshot);
            if let Some(session) = self.sessions.get_mut(&id) {
                (session.owed, session.begun) = (None, true);
            }
        }
        self.next_round.extend(later);
    }

    /// The newest statistics and everything else that has happened; `None` if that was too much to keep.
    fn since(&self, filter: &Filter, position: u64, agreed: Encoding) -> Option<Run> {
        let happened = self.held.since(position)?.filter(|message| message.kind != MessageType::Stats);
        Some(Run::of(self.latest_stats.iter().chain(happened), filter, agreed))
    }
}

impl Actor for Broker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Publish> for Broker {
    type Result = ();

    fn handle(&mut self, Publish { at, publication, queued: _ }: Publish, ctx: &mut Self::Context) {
        if self.attention.overflowed.swap(false, Acquire) {
            self.metrics.lost.inc();
            let missed = self.attention.unannounced.swap(0, Relaxed);
            self.metrics.unannounced.inc_by(missed * self.hooks.len() as u64);
            tracing::warn!("more changes at once than can be sent one by one: everybody gets a new snapshot");
            self.resync(ctx);
        }
        match &publication {
            Publication::Warning(warning) => {
                self.announce(MessageType::AutoEndWarning, at, &warning.channel_id, warning);
            }
            Publication::AutoEnd(change) => self.announce(MessageType::AutoEnd, at, &change.channel_id, change),
            Publication::Update(_) | Publication::Stats(_) => {}
        }
        let neighbours = self.fleet.is_some() && self.attention.neighbours.load(Relaxed);
        if self.sessions.is_empty() && !neighbours && !matches!(publication, Publication::Stats(_)) {
            return;
        }
        let (kind, channel, replaces, frames) = match &publication {
            Publication::Stats(stats) => {
                (MessageType::Stats, None, Some(Replaces::Stats), self.encode(MessageType::Stats, at, stats))
            }
            Publication::Update(update) => {
                let channel = &update.channel_id;
                let replaces = match update.event {
                    StreamEvent::ListenersChanged => Some(Replaces::Listeners(channel.clone())),
                    StreamEvent::QueueChanged => Some(Replaces::Queue(channel.clone())),
                    _ => None,
                };
                let frames = self.encode(MessageType::StreamUpdate, at, update);
                (MessageType::StreamUpdate, Some(channel), replaces, frames)
            }
            Publication::Warning(warning) => {
                let frames = self.encode(MessageType::AutoEndWarning, at, warning);
                (MessageType::AutoEndWarning, Some(&warning.channel_id), None, frames)
            }
            Publication::AutoEnd(change) => {
                let frames = self.encode(MessageType::AutoEnd, at, change);
                (MessageType::AutoEnd, Some(&change.channel_id), None, frames)
            }
        };
        let message = Arc::new(Live { kind, channel: channel.cloned(), replaces, frames });
        if kind == MessageType::Stats {
            // Each daemon tells its own sessions.
            self.latest_stats = Some(Arc::clone(&message));
        } else if neighbours {
            self.tell_neighbours(&message);
        }
        self.fan_out(ctx, message);
    }
}

impl Handler<Heard> for Broker {
    type Result = ();

    fn handle(&mut self, Heard(live): Heard, ctx: &mut Self::Context) {
        if self.sessions.is_empty() {
            return;
        }
        for told in live {
            let frames = self.encoder.encode(&told.body, self.deflating > 0);
            let Told { kind, channel, replaces, .. } = told;
            self.fan_out(ctx, Arc::new(Live { kind, channel, replaces, frames }));
        }
    }
}

impl Handler<Resync> for Broker {
    type Result = ();

    fn handle(&mut self, _: Resync, ctx: &mut Self::Context) {
        self.resync(ctx);
    }
}

impl Handler<RegisterFleet> for Broker {
    type Result = ();

    fn handle(&mut self, fleet: RegisterFleet, _: &mut Self::Context) {
        self.describe = fleet.describe;
        self.fleet = Some(fleet.tell);
    }
}

impl Handler<RegisterHook> for Broker {
    type Result = ();

    fn handle(&mut self, RegisterHook { name, hook }: RegisterHook, _: &mut Self::Context) {
        self.hooks.retain(|(other, _)| *other != name);
        self.hooks.extend(hook.map(|hook| (name, hook)));
        self.attention.hooks.store(self.hooks.len(), Relaxed);
    }
}

impl Handler<SignOfLife> for Broker {
    type Result = ();

    fn handle(&mut self, sign: SignOfLife, _: &mut Self::Context) {
        sign.give();
    }
}

impl Handler<Flush> for Broker {
    type Result = ();

    fn handle(&mut self, _: Flush, _: &mut Self::Context) {
        self.flush();
    }
}

impl Handler<Subscribe> for Broker {
    type Result = ();

    fn handle(&mut self, s: Subscribe, ctx: &mut Self::Context) {
        if self.closing {
            // Its shard has told everybody before it came.
            let go = Deliver::Dismiss { session: s.session, why: Dismiss::ShuttingDown };
            let _ = s.shard.deliver.try_send(go);
            return;
        }
        let number = s.shard.number;
        let shard = self.shards.entry(number).or_insert_with(|| Shard { handle: s.shard, sessions: 0 });
        shard.sessions += 1;
        self.deflating += usize::from(s.encoding == Encoding::Deflate);
        let session = Session {
            shard: number,
            encoding: s.encoding,
            filter: s.filter,
            begun: false,
            owed: Some(self.held.end()),
            queued: false,
        };
        self.sessions.insert(s.session, session);
        self.count_sessions();
        self.want_snapshot(ctx, s.session);
    }
}

impl Handler<Refine> for Broker {
    type Result = ();

    fn handle(&mut self, refine: Refine, ctx: &mut Self::Context) {
        let Refine { session: id, filter, snapshot } = refine;
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.filter = filter.clone();
        let shard = session.shard;
        self.tell(shard, Deliver::Refine { session: id, filter: Some(filter), waits: false });
        if snapshot {
            self.want_snapshot(ctx, id);
        }
    }
}

impl Handler<Unsubscribe> for Broker {
    type Result = ();

    fn handle(&mut self, unsubscribe: Unsubscribe, _: &mut Self::Context) {
        self.forget(unsubscribe.session);
    }
}

impl Handler<CloseAll> for Broker {
    type Result = ();

    fn handle(&mut self, close: CloseAll, _: &mut Self::Context) {
        self.closing |= close.for_good;
        self.flush();
        let everybody = Deliver::DismissEverybody(Dismiss::ShuttingDown);
        let told = self.shards.values().filter(|s| s.handle.deliver.try_send(everybody.clone()).is_ok());
        let _ = close.reply.send(told.map(|shard| shard.sessions).sum());
    }
}

#[cfg(test)]
mod tests;
