//! Broker: encodes each live message once and hands the same bytes to every session that wants it.

pub mod subscriptions;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::Ordering::{Acquire, Relaxed},
    },
    time::Duration,
};

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, WrapFuture, fut::ActorFutureExt};
use bytes::Bytes;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use tokio::sync::oneshot;

use self::subscriptions::Filter;
use crate::{
    clock::Clock,
    identity::ChannelId,
    protocol::{Deliver, Describe, Dismiss, Publication, Publish, Refine, Replaces, Subscribe, Unsubscribe},
    session::frame,
    wire::{self, MessageType, Snapshot, StreamEvent, StreamState},
    world::Attention,
};

/// Publications that may wait; past it everybody gets a new snapshot instead.
pub const MAILBOX: usize = 262_144;
/// Messages held for a session while its snapshot is being gathered.
const HELD_FOR_SNAPSHOT: usize = 4096;
/// How long a snapshot may take before it is asked for again.
const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub struct BrokerMetrics {
    messages: [IntCounter; MessageType::ALL.len()],
    bytes: [IntCounter; MessageType::ALL.len()],
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
        let each =
            |vector: &IntCounterVec| MessageType::ALL.map(|kind| vector.with_label_values(&[kind.as_str(), "plain"]));
        Ok(Self { messages: each(&messages), bytes: each(&bytes), connections, lost })
    }
}

struct Session {
    filter: Filter,
    deliver: Recipient<Deliver>,
    dismiss: Recipient<Dismiss>,
    /// Live messages wait here until the snapshot has gone out.
    awaiting_snapshot: Option<Vec<Deliver>>,
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
    sessions: HashMap<u64, Session>,
    /// The newest statistics, for sessions that join.
    latest_stats: Option<Deliver>,
    /// A snapshot is being gathered; sessions that came later need the next one.
    gathering: bool,
    next_round: Vec<u64>,
}

impl Broker {
    pub fn new(clock: Clock, describe: Recipient<Describe>, attention: Arc<Attention>, metrics: BrokerMetrics) -> Self {
        Self {
            clock,
            describe,
            attention,
            metrics,
            sessions: HashMap::new(),
            latest_stats: None,
            gathering: false,
            next_round: Vec::new(),
        }
    }

    fn give(metrics: &BrokerMetrics, session: &mut Session, message: Deliver) -> bool {
        if let Some(held) = session.awaiting_snapshot.as_mut() {
            if held.len() < HELD_FOR_SNAPSHOT {
                held.push(message);
                return true;
            }
            return false;
        }
        metrics.messages[message.kind as usize].inc();
        metrics.bytes[message.kind as usize].inc_by(message.frame.len() as u64);
        session.deliver.try_send(message).is_ok()
    }

    fn fan_out(&mut self, channel: Option<&ChannelId>, message: &Deliver) {
        let mut gone = Vec::new();
        for (id, session) in &mut self.sessions {
            if session.filter.wants(message.kind, channel) && !Self::give(&self.metrics, session, message.clone()) {
                gone.push(*id);
            }
        }
        for id in gone {
            // Its mailbox is closed or past all bounds: the session has ended or is about to.
            self.drop_session(id);
        }
    }

    fn drop_session(&mut self, id: u64) {
        if self.sessions.remove(&id).is_some() {
            self.count_sessions();
        }
    }

    fn count_sessions(&self) {
        self.attention.sessions.store(self.sessions.len(), Relaxed);
        self.metrics.connections.set(self.sessions.len() as i64);
    }

    fn encode<T: serde::Serialize>(&self, kind: MessageType, at: crate::clock::WallTime, data: &T) -> Bytes {
        frame::text(&wire::Message { kind, timestamp: at, data })
    }

    fn want_snapshot(&mut self, ctx: &mut Context<Self>, session: u64) {
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.awaiting_snapshot.get_or_insert_default();
            self.next_round.push(session);
            self.gather(ctx);
        }
    }

    /// One snapshot serves everybody who joined before it was asked for.
    fn gather(&mut self, ctx: &mut Context<Self>) {
        if self.gathering || self.next_round.is_empty() {
            return;
        }
        self.gathering = true;
        let round = std::mem::take(&mut self.next_round);
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
                Some(streams) => broker.send_snapshot(&round, streams),
                None => {
                    tracing::warn!("a snapshot could not be gathered in time; trying again");
                    ctx.run_later(Duration::from_millis(100), move |broker, ctx| {
                        broker.next_round.extend(round);
                        broker.gather(ctx);
                    });
                    return;
                }
            }
            broker.gather(ctx);
        }));
    }

    fn send_snapshot(&mut self, round: &[u64], mut streams: Vec<StreamState>) {
        streams.sort_by(|a, b| a.channel_id.cmp(&b.channel_id));
        let at = self.clock.now().wall;
        let whole = Snapshot { streams };
        let mut shared = None;
        for id in round {
            let Some(session) = self.sessions.get(id) else { continue };
            let frame = if session.filter.channels.is_none() {
                shared.get_or_insert_with(|| self.encode(MessageType::Snapshot, at, &whole)).clone()
            } else {
                let wanted = whole.streams.iter().filter(|s| session.filter.wants_channel(&s.channel_id));
                self.encode(MessageType::Snapshot, at, &Snapshot { streams: wanted.cloned().collect() })
            };
            let stats = self.latest_stats.clone();
            let Some(session) = self.sessions.get_mut(id) else { continue };
            let held = session.awaiting_snapshot.take().unwrap_or_default();
            let first = Deliver { frame, kind: MessageType::Snapshot, replaces: None };
            let stats = stats.filter(|_| session.filter.wants(MessageType::Stats, None));
            let mut gone = false;
            for message in std::iter::once(first).chain(stats).chain(held) {
                gone |= !Self::give(&self.metrics, session, message);
            }
            if gone {
                self.drop_session(*id);
            }
        }
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
        let (kind, channel, replaces, frame) = match &publication {
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
                let frame = self.encode(MessageType::StreamUpdate, at, update);
                (MessageType::StreamUpdate, Some(channel), replaces, frame)
            }
            Publication::Warning(warning) => {
                let frame = self.encode(MessageType::AutoEndWarning, at, warning);
                (MessageType::AutoEndWarning, Some(&warning.channel_id), None, frame)
            }
            Publication::AutoEnd(change) => {
                let frame = self.encode(MessageType::AutoEnd, at, change);
                (MessageType::AutoEnd, Some(&change.channel_id), None, frame)
            }
        };
        let message = Deliver { frame, kind, replaces };
        if kind == MessageType::Stats {
            self.latest_stats = Some(message.clone());
        }
        self.fan_out(channel, &message);
    }
}

impl Handler<Subscribe> for Broker {
    type Result = ();

    fn handle(&mut self, s: Subscribe, ctx: &mut Self::Context) {
        let session =
            Session { filter: s.filter, deliver: s.deliver, dismiss: s.dismiss, awaiting_snapshot: Some(Vec::new()) };
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
        self.drop_session(unsubscribe.session);
    }
}

impl Handler<CloseAll> for Broker {
    type Result = ();

    fn handle(&mut self, close: CloseAll, _: &mut Self::Context) {
        let told = self.sessions.values().filter(|s| s.dismiss.try_send(Dismiss::ShuttingDown).is_ok()).count();
        let _ = close.reply.send(told);
    }
}
