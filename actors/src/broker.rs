//! Broker: encodes each live message once and hands the same bytes to every session that wants it.

pub mod encoded;
pub mod held;
pub mod subscriptions;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::Ordering::{Acquire, Relaxed},
    },
    time::Duration,
};

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, WrapFuture, fut::ActorFutureExt};
use bytes::{Bytes, BytesMut};
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use tokio::sync::oneshot;

use self::{
    encoded::{Encoded, Encoder},
    held::{Held, Live},
    subscriptions::Filter,
};
use crate::{
    clock::{Clock, WallTime},
    identity::ChannelId,
    protocol::{Deliver, Describe, Dismiss, Publication, Publish, Refine, Replaces, Subscribe, Unsubscribe},
    session::deflate::Encoding,
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

/// One for each encoding and type of message.
type ByEncoding<T> = [[T; MessageType::ALL.len()]; Encoding::ALL.len()];

#[derive(Clone, Debug)]
pub struct BrokerMetrics {
    messages: ByEncoding<IntCounter>,
    bytes: ByEncoding<IntCounter>,
    connections: IntGauge,
    lost: IntCounter,
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
        registry.register(Box::new(messages.clone()))?;
        registry.register(Box::new(bytes.clone()))?;
        registry.register(Box::new(connections.clone()))?;
        registry.register(Box::new(lost.clone()))?;
        let each = |vector: &IntCounterVec| {
            Encoding::ALL.map(|encoding| {
                MessageType::ALL.map(|kind| vector.with_label_values(&[kind.as_str(), encoding.as_str()]))
            })
        };
        Ok(Self { messages: each(&messages), bytes: each(&bytes), connections, lost })
    }

    fn count(&self, encoding: Encoding, kind: MessageType, messages: u64, bytes: u64) {
        self.messages[encoding as usize][kind as usize].inc_by(messages);
        self.bytes[encoding as usize][kind as usize].inc_by(bytes);
    }
}

struct Session {
    encoding: Encoding,
    filter: Filter,
    deliver: Recipient<Deliver>,
    dismiss: Recipient<Dismiss>,
    /// It has had a snapshot: nothing may be kept from it any more.
    begun: bool,
    /// It waits for a snapshot, behind which comes everything from this position on.
    owed: Option<u64>,
}

/// What has happened since a snapshot was asked for, as it follows that snapshot.
struct Since {
    frames: Bytes,
    /// Messages and bytes in it.
    figures: ByEncoding<(u64, u64)>,
}

/// Ends every session; answers when they have been told.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct CloseAll {
    pub reply: oneshot::Sender<usize>,
}

pub struct Broker {
    clock: Clock,
    describe: Recipient<Describe>,
    attention: Arc<Attention>,
    metrics: BrokerMetrics,
    encoder: Encoder,
    sessions: HashMap<u64, Session>,
    /// The newest statistics, for sessions that join.
    latest_stats: Option<Live>,
    /// A snapshot is being gathered; sessions that came later need the next one.
    gathering: bool,
    next_round: BTreeSet<u64>,
    held: Held,
}

impl Broker {
    pub fn new(clock: Clock, describe: Recipient<Describe>, attention: Arc<Attention>, metrics: BrokerMetrics) -> Self {
        Self {
            clock,
            describe,
            attention,
            metrics,
            encoder: Encoder::default(),
            sessions: HashMap::new(),
            latest_stats: None,
            gathering: false,
            next_round: BTreeSet::new(),
            held: Held::new(HELD_MAX),
        }
    }

    fn fan_out(&mut self, message: Live) {
        let mut slow = Vec::new();
        for (id, session) in &self.sessions {
            if session.owed.is_some() || !session.filter.wants(message.kind, message.channel.as_ref()) {
                continue;
            }
            let (frame, encoding) = message.frames.of(session.encoding);
            self.metrics.count(encoding, message.kind, 1, frame.len() as u64);
            let live = Deliver::Live { frame: frame.clone(), replaces: message.replaces.clone() };
            if session.deliver.try_send(live).is_err() {
                slow.push(*id);
            }
        }
        for id in slow {
            self.dismiss(id);
        }
        if self.gathering || !self.next_round.is_empty() {
            self.held.push(message);
        }
    }

    /// The session does not keep up, or has ended without a word.
    fn dismiss(&mut self, id: u64) {
        if let Some(session) = self.sessions.remove(&id) {
            // An address of its own, and so a place of its own in a full mailbox.
            let _ = session.dismiss.try_send(Dismiss::TooSlow);
            self.count_sessions();
        }
    }

    fn count_sessions(&self) {
        self.attention.sessions.store(self.sessions.len(), Relaxed);
        self.metrics.connections.set(self.sessions.len() as i64);
    }

    fn encode<T: serde::Serialize>(&mut self, kind: MessageType, at: WallTime, data: &T) -> Encoded {
        let deflate = self.sessions.values().any(|session| session.encoding == Encoding::Deflate);
        self.encoder.encode(&wire::Message { kind, timestamp: at, data }, deflate)
    }

    fn want_snapshot(&mut self, ctx: &mut Context<Self>, session: u64) {
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.owed.get_or_insert(self.held.end());
            self.next_round.insert(session);
            self.gather(ctx);
        }
    }

    /// One snapshot serves everybody who joined before it was asked for.
    fn gather(&mut self, ctx: &mut Context<Self>) {
        if self.gathering {
            return;
        }
        let mut round = std::mem::take(&mut self.next_round);
        round.retain(|id| self.sessions.contains_key(id));
        let now = self.held.end();
        for id in &round {
            let Some(session) = self.sessions.get_mut(id) else { continue };
            // Before its first snapshot a session has not begun, and what was before is nothing to it.
            session.owed = session.owed.filter(|_| session.begun).or(Some(now));
        }
        self.held.forget_before(self.sessions.values().filter_map(|s| s.owed).min().unwrap_or(now));
        if round.is_empty() {
            return;
        }
        self.gathering = true;
        let (reply, answer) = oneshot::channel();
        let asked = self.describe.try_send(Describe { reply }).is_ok();
        let gathered = async move {
            if !asked {
                return None;
            }
            tokio::time::timeout(SNAPSHOT_PATIENCE, answer).await.ok()?.ok()
        };
        ctx.spawn(gathered.into_actor(self).map(move |streams, broker, ctx| {
            broker.gathering = false;
            match streams {
                Some(streams) => {
                    broker.send_snapshot(round, streams);
                    broker.gather(ctx);
                }
                None => {
                    tracing::warn!("a snapshot could not be gathered in time; trying again");
                    broker.next_round.extend(round);
                    ctx.run_later(SNAPSHOT_AGAIN, Self::gather);
                }
            }
        }));
    }

    /// Sessions that want the same share the same bytes.
    fn send_snapshot(&mut self, round: BTreeSet<u64>, mut streams: Vec<StreamState>) {
        streams.sort_by(|a, b| a.channel_id.cmp(&b.channel_id));
        let at = self.clock.now().wall;
        let whole = Snapshot { streams };
        let deflate = round.iter().filter_map(|id| self.sessions.get(id)).any(|s| s.encoding == Encoding::Deflate);
        let mut snapshots: HashMap<Option<BTreeSet<ChannelId>>, Encoded> = HashMap::new();
        let mut followers: HashMap<(Filter, u64, Encoding), Option<Since>> = HashMap::new();
        for id in round {
            let Some(session) = self.sessions.get(&id) else { continue };
            let Some(owed) = session.owed else { continue };
            let filter = &session.filter;
            let agreed = session.encoding;
            let since =
                followers.entry((filter.clone(), owed, agreed)).or_insert_with(|| self.since(filter, owed, agreed));
            let Some(since) = since else {
                if session.begun {
                    self.dismiss(id);
                } else {
                    // It may as well begin with the next snapshot.
                    self.next_round.insert(id);
                }
                continue;
            };
            let frames = snapshots.entry(filter.channels.clone()).or_insert_with(|| {
                let mut encode = |data: &Snapshot| {
                    self.encoder.encode(&wire::Message { kind: MessageType::Snapshot, timestamp: at, data }, deflate)
                };
                match &filter.channels {
                    None => encode(&whole),
                    Some(_) => {
                        let wanted = whole.streams.iter().filter(|s| filter.wants_channel(&s.channel_id));
                        encode(&Snapshot { streams: wanted.cloned().collect() })
                    }
                }
            });
            let (frame, encoding) = frames.of(agreed);
            self.metrics.count(encoding, MessageType::Snapshot, 1, frame.len() as u64);
            for encoding in Encoding::ALL {
                for kind in MessageType::ALL {
                    let (messages, bytes) = since.figures[encoding as usize][kind as usize];
                    self.metrics.count(encoding, kind, messages, bytes);
                }
            }
            let snapshot = Deliver::Snapshot { frame: frame.clone(), since: since.frames.clone() };
            if session.deliver.try_send(snapshot).is_err() {
                self.dismiss(id);
            } else if let Some(session) = self.sessions.get_mut(&id) {
                (session.owed, session.begun) = (None, true);
            }
        }
    }

    /// The newest statistics and everything else that has happened; `None` if that was too much to keep.
    fn since(&self, filter: &Filter, position: u64, agreed: Encoding) -> Option<Since> {
        let mut frames = BytesMut::new();
        let mut figures = ByEncoding::default();
        let happened = self.held.since(position)?.filter(|message| message.kind != MessageType::Stats);
        for message in self.latest_stats.iter().chain(happened) {
            if filter.wants(message.kind, message.channel.as_ref()) {
                let (frame, encoding) = message.frames.of(agreed);
                frames.extend_from_slice(frame);
                let (messages, bytes) = &mut figures[encoding as usize][message.kind as usize];
                *messages += 1;
                *bytes += frame.len() as u64;
            }
        }
        Some(Since { frames: frames.freeze(), figures })
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
            tracing::warn!("more changes at once than can be sent one by one: everybody gets a new snapshot");
            let everybody: Vec<u64> = self.sessions.keys().copied().collect();
            for session in everybody {
                self.want_snapshot(ctx, session);
            }
        }
        if self.sessions.is_empty() && !matches!(publication, Publication::Stats(_)) {
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
        let message = Live { kind, channel: channel.cloned(), replaces, frames };
        if kind == MessageType::Stats {
            self.latest_stats = Some(message.clone());
        }
        self.fan_out(message);
    }
}

impl Handler<Subscribe> for Broker {
    type Result = ();

    fn handle(&mut self, s: Subscribe, ctx: &mut Self::Context) {
        let session = Session {
            encoding: s.encoding,
            filter: s.filter,
            deliver: s.deliver,
            dismiss: s.dismiss,
            begun: false,
            owed: None,
        };
        self.sessions.insert(s.session, session);
        self.count_sessions();
        self.want_snapshot(ctx, s.session);
    }
}

impl Handler<Refine> for Broker {
    type Result = ();

    fn handle(&mut self, refine: Refine, ctx: &mut Self::Context) {
        if let Some(session) = self.sessions.get_mut(&refine.session) {
            session.filter = refine.filter;
            if refine.snapshot {
                self.want_snapshot(ctx, refine.session);
            }
        }
    }
}

impl Handler<Unsubscribe> for Broker {
    type Result = ();

    fn handle(&mut self, unsubscribe: Unsubscribe, _: &mut Self::Context) {
        if self.sessions.remove(&unsubscribe.session).is_some() {
            self.count_sessions();
        }
    }
}

impl Handler<CloseAll> for Broker {
    type Result = ();

    fn handle(&mut self, close: CloseAll, _: &mut Self::Context) {
        let told = self.sessions.values().filter(|s| s.dismiss.try_send(Dismiss::ShuttingDown).is_ok()).count();
        let _ = close.reply.send(told);
    }
}

#[cfg(test)]
mod tests;
