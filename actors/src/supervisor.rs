//! Supervisor: one ChannelActor per stream. It brings each report to its channel, replaces a channel
//! that died with one made from the stored record, and wakes those whose time has come.

mod alarm_clock;
mod children;

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix::{
    Actor, AsyncContext, Context, Handler, Recipient, StreamHandler, WrapFuture, fut::ActorFutureExt,
    prelude::SendError,
};
use prometheus::{IntCounter, Registry};
use smallvec::{SmallVec, smallvec};
use tokio::sync::oneshot;

use self::{
    alarm_clock::{AlarmClock, Ring},
    children::{Child, Children},
};
use crate::{
    channel::{
        Acked, Ask, ChannelActor, CommandDelivered, DoubtSource, ForgetSource, Gather, Leave, Mail, Operated, Reports,
        Retired, RulesChanged, SaveAnew, Wake,
        stop::{Fence, Stop},
        stream::{Absence, Stream},
    },
    clock::{Now, Stamp, Timestamp},
    fleet::Holds,
    identity::{ChannelId, SourceId},
    mailbox::deliver,
    protocol::{
        ActionError, ApplyRules, Batch, Delivered, Describe, Doubt, Erase, Forget, GiveBack, Inspect, KnownSessions,
        Operate, Pulse, ReadRecord,
    },
    source_clock::SourceClock,
    store::{Handover, StoreHealth},
    territory::{Slot, Territory},
    vitals::Vitals,
    world::World,
};

/// Batches and questions that may wait.
pub const MAILBOX: usize = 16_384;
/// How often the alarms are swept and the proof of life is written.
const PULSE_EVERY: Duration = Duration::from_secs(1);
/// Dead channels replaced within one window; more is a defect that a new process may cure.
const RESTARTS_MAX: u32 = 100;
const RESTART_WINDOW: Duration = Duration::from_secs(60);
/// A channel whose mailbox was full is woken again after this.
const WAKE_AGAIN: Duration = Duration::from_millis(10);
/// A channel that has been woken has set its next alarm by then, or it is looked whether it lives.
const WOKEN_WITHIN: Duration = Duration::from_secs(1);
/// Questions to channels whose mailbox was full are repeated this often, this many times.
const ASK_AGAIN: Duration = Duration::from_millis(10);
const ASK_TRIES: u32 = 100;
/// Sources whose clocks are remembered.
const SOURCES_MAX: usize = 100_000;
/// The exit code of a daemon that is to be started anew, as sysexits' EX_SOFTWARE.
pub const EXIT_BROKEN: i32 = 70;

#[derive(Clone, Debug)]
pub struct SupervisorMetrics {
    restarts: IntCounter,
    refused: IntCounter,
    stalls: IntCounter,
    clock_anomalies: IntCounter,
}

impl SupervisorMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        Ok(Self {
            restarts: counter("sattva_channel_restarts_total", "Channels that died and were made anew.")?,
            refused: counter("sattva_reports_refused_total", "Reports that met a full mailbox or a full house.")?,
            stalls: counter("sattva_stalls_total", "Times the daemon stood still for more than 2 s.")?,
            clock_anomalies: counter("sattva_clock_anomalies_total", "Times wall clock and boot clock disagreed.")?,
        })
    }
}

/// Where one channel's reports stand in a batch, and when their counts were taken.
type Own = SmallVec<[(u32, Timestamp); 1]>;

pub struct Supervisor {
    world: Rc<World>,
    metrics: SupervisorMetrics,
    children: Children,
    sources: HashMap<SourceId, SourceClock>,
    /// Arrivals are told to the sources' clocks from here on by the boot clock, which nobody sets.
    started: Now,
    next_number: u64,
    batch: u64,
    restarts: (Timestamp, u32),
    known_trust: Timestamp,
    /// Stalls and clock anomalies that have been told of.
    known_doubts: (u64, u64),
    /// Channels that died or are being forgotten: whoever reports one must wait until that is over.
    between_lives: HashSet<ChannelId>,
    /// Slots that are to change hands, in their order; the first of them is doing so.
    handovers: VecDeque<Handover>,
    records: Recipient<ReadRecord>,
    erasures: Recipient<Erase>,
    pulses: Recipient<Pulse>,
    returns: Recipient<GiveBack>,
    /// Brings the letters of these slots.
    fleet: Option<Recipient<Holds>>,
    health: Arc<StoreHealth>,
    /// Fed once per pulse while every actor it is about gives signs of life.
    watchdog: Option<(Vitals, Box<dyn Fn()>)>,
}

/// The store's mailboxes the supervisor may use.
pub struct StoreOutlets {
    pub records: Recipient<ReadRecord>,
    pub erasures: Recipient<Erase>,
    pub pulses: Recipient<Pulse>,
    pub returns: Recipient<GiveBack>,
    /// Told how many slots of a shared store are held.
    pub health: Arc<StoreHealth>,
}

impl Supervisor {
    pub fn new(world: Rc<World>, metrics: SupervisorMetrics, store: StoreOutlets) -> Self {
        let known_trust = world.continuity.trusted_since();
        let started = world.clock.now();
        Self {
            world,
            metrics,
            children: Children::default(),
            sources: HashMap::new(),
            started,
            next_number: 0,
            batch: 0,
            restarts: (Timestamp::ZERO, 0),
            known_trust,
            known_doubts: (0, 0),
            between_lives: HashSet::new(),
            handovers: VecDeque::new(),
            records: store.records,
            erasures: store.erasures,
            pulses: store.pulses,
            returns: store.returns,
            fleet: None,
            health: store.health,
            watchdog: None,
        }
    }

    #[must_use]
    pub fn with_watchdog(mut self, watchdog: Option<(Vitals, Box<dyn Fn()>)>) -> Self {
        self.watchdog = watchdog;
        self
    }

    /// Where there are other daemons: whoever brings what they write.
    #[must_use]
    pub fn with_fleet(mut self, fleet: Option<Recipient<Holds>>) -> Self {
        self.fleet = fleet;
        self
    }

    /// Tells everybody whose channels are here.
    fn territory_changed(&self, ctx: &mut Context<Self>) {
        let territory = self.world.territory.borrow();
        self.health.set_territory(&territory);
        if let (Some(fleet), Territory::Slots(slots)) = (&self.fleet, &*territory) {
            deliver(ctx, fleet, Holds(slots.keys().copied().collect()));
        }
    }

    /// Starts the channels the store remembers; answers how many.
    pub fn restore(&mut self, records: Vec<(ChannelId, Vec<u8>)>, pulse: Option<(Stamp, Timestamp)>) -> usize {
        self.children.reserve(records.len());
        let now = self.world.clock.now();
        let mut names = HashSet::new();
        for (id, record) in records {
            self.start_from(id, &record, pulse, now, &mut names);
        }
        self.children.len()
    }

    fn start_from(
        &mut self,
        id: ChannelId,
        record: &[u8],
        pulse: Option<(Stamp, Timestamp)>,
        now: Now,
        names: &mut HashSet<SourceId>,
    ) {
        let here = self.world.stamp(now);
        let rules = Rc::clone(&self.world);
        let rules = rules.rules.borrow();
        let policy = rules.policy_of(id.as_str());
        let absence = if self.world.territory.borrow().is_shared() { Absence::StoodStill } else { Absence::WallClock };
        match Stream::restore(id.clone(), record, pulse, here, absence, policy) {
            Ok(mut restored) => {
                restored.stream.share_names(names);
                if self.start(restored.stream, restored.pinned_zero).is_none() {
                    tracing::warn!(channel_id = %id, "a stored channel is another daemon's by now and is left to it");
                }
            }
            Err(error) => {
                tracing::error!(channel_id = %id, %error, "a stored channel cannot be read; it starts anew with its next report");
            }
        }
    }

    /// Its place; `None` for a channel that another daemon has.
    fn start(&mut self, stream: Stream, pinned_zero: Option<Timestamp>) -> Option<usize> {
        let id = stream.id.clone();
        let start = self.tenure_of(id.as_str())?;
        let place = self.world.cells.add(id.clone());
        let slot = place.slot();
        let number = self.next_number;
        self.next_number += 1;
        let fence = Fence { start, life: number };
        let addr = ChannelActor::new(stream, pinned_zero, Rc::clone(&self.world), fence, place).start();
        self.children.insert(slot, Child { id, addr, number, mark: (0, 0) });
        Some(slot)
    }

    fn remove(&mut self, channel: &str) -> bool {
        let Some((slot, _)) = self.children.remove(channel) else { return false };
        self.release(slot);
        true
    }

    fn release(&mut self, slot: usize) {
        self.world.cells.remove(slot);
        self.world.alarms.clear(slot);
    }

    /// A channel died: its place is taken by one made from the record.
    fn replace(&mut self, ctx: &mut Context<Self>, channel: &ChannelId) {
        let Some(number) = self.children.get(channel.as_str()).map(|child| child.number) else { return };
        if self.world.retiring.borrow().contains(&number) {
            // It did not die: its word that it leaves is on its way.
            return self.let_go(channel);
        }
        self.remove(channel.as_str());
        let now = self.world.clock.now();
        self.metrics.restarts.inc();
        if now.at.since(self.restarts.0) > RESTART_WINDOW {
            self.restarts = (now.at, 0);
        }
        self.restarts.1 += 1;
        if self.restarts.1 > RESTARTS_MAX {
            tracing::error!(
                restarts = RESTARTS_MAX,
                "channels keep dying; ending, so that the service manager starts the daemon anew"
            );
            actix::System::current().stop_with_code(EXIT_BROKEN);
            return;
        }
        tracing::error!(channel_id = %channel, "a channel died and is made anew from its stored record; please report the panic above");
        let (reply, answer) = oneshot::channel();
        let channel = channel.clone();
        let read = ReadRecord { channel: channel.clone(), reply };
        self.between_lives.insert(channel.clone());
        deliver(ctx, &self.records, read);
        ctx.spawn(answer.into_actor(self).map(move |answer, supervisor, ctx| {
            supervisor.between_lives.remove(&channel);
            if supervisor.children.get(channel.as_str()).is_some() {
                // Its slot has gone and come back meanwhile.
                return;
            }
            match answer {
                Ok(Ok(Some(record))) => {
                    let now = supervisor.world.clock.now();
                    supervisor.start_from(channel.clone(), &record, None, now, &mut HashSet::new());
                    supervisor.retire_sources(ctx, supervisor.children.get(channel.as_str()));
                }
                Ok(Ok(None)) | Err(_) => {}
                Ok(Err(error)) => tracing::error!(channel_id = %channel, %error, "its record cannot be read; it starts anew with its next report"),
            }
        }));
    }

    /// A channel has left by itself.
    fn let_go(&mut self, channel: &ChannelId) {
        if self.remove(channel.as_str()) {
            tracing::info!(channel_id = %channel, "a channel has left the house");
            // Kept by mistake it is forgotten after the next start.
            if let Some(tenure) = self.tenure_of(channel.as_str()) {
                let _ = self.erasures.try_send(Erase { channel: channel.clone(), tenure });
            }
        }
    }

    fn on_beat(&mut self, ctx: &mut Context<Self>) {
        let now = self.world.clock.now();
        let continuity = &self.world.continuity;
        let trusted_since = continuity.observe(now);
        // Whichever input came first after it has noticed it.
        let doubts = (continuity.stalls(), continuity.clock_anomalies());
        let before = std::mem::replace(&mut self.known_doubts, doubts);
        self.metrics.stalls.inc_by(doubts.0 - before.0);
        self.metrics.clock_anomalies.inc_by(doubts.1 - before.1);
        if doubts != before {
            tracing::warn!(
                "the daemon stood still or its clocks disagree: every count is unknown until it is reported anew"
            );
        }
        let certain_until = self.world.alarms.sweep(now.at);
        if trusted_since != self.known_trust {
            self.known_trust = trusted_since;
            let everybody = self.children.slots().collect();
            self.wake(ctx, everybody);
        }
        // Without this one a restart credits a little less time to the countdowns.
        let _ = self.pulses.try_send(Pulse { certain_until });
        if let Some((vitals, feed)) = &mut self.watchdog
            && vitals.check(now.at)
        {
            feed();
        }
        ctx.run_later(PULSE_EVERY, Self::on_beat);
    }

    fn wake(&mut self, ctx: &mut Context<Self>, slots: Vec<usize>) {
        let mut dead: Vec<ChannelId> = Vec::new();
        let now = self.world.clock.now().at;
        for slot in slots {
            let Some(child) = self.children.at(slot) else { continue };
            match child.addr.try_send(Wake) {
                // It sets its next alarm itself, unless it dies of this one.
                Ok(()) => self.world.alarms.ring_again(slot, now.plus(WOKEN_WITHIN)),
                Err(SendError::Full(_)) => self.world.alarms.ring_again(slot, now.plus(WAKE_AGAIN)),
                Err(SendError::Closed(_)) => dead.push(child.id.clone()),
            }
        }
        for id in dead {
            self.replace(ctx, &id);
        }
    }

    /// Asks every channel, and those that had no room again.
    fn ask(&mut self, ctx: &mut Context<Self>, channels: Vec<ChannelId>, ask: Ask, tries: u32) {
        let mut again = Vec::new();
        for id in channels {
            if let Some(child) = self.children.get(id.as_str())
                && let Err(SendError::Full(_)) = child.addr.try_send(ask.clone())
            {
                again.push(id);
            }
        }
        if !again.is_empty() && tries > 0 {
            ctx.run_later(ASK_AGAIN, move |supervisor, ctx| supervisor.ask(ctx, again, ask, tries - 1));
        }
    }

    /// The fence under which a channel of ours is held.
    fn tenure_of(&self, channel: &str) -> Option<u64> {
        self.world.territory.borrow().fence_of(channel)
    }

    /// Another daemon has this channel, or it is about to begin anew here.
    fn is_elsewhere(&self, channel: &str) -> bool {
        self.tenure_of(channel).is_none() || ChannelId::new(channel).is_ok_and(|id| self.between_lives.contains(&id))
    }

    fn no_such(&self, channel: &ChannelId) -> ActionError {
        match self.tenure_of(channel.as_str()) {
            Some(_) => ActionError::NoSuchChannel,
            None => ActionError::Elsewhere,
        }
    }

    /// Sources that the configuration declares gone leave the sums of these channels.
    fn retire_sources<'a>(&self, ctx: &mut Context<Self>, channels: impl IntoIterator<Item = &'a Child>) {
        let rules = Arc::clone(&self.world.rules.borrow());
        if rules.retired_sources.is_empty() {
            return;
        }
        for child in channels {
            for source in &rules.retired_sources {
                let forget = ForgetSource { source: source.clone(), reply: None };
                deliver(ctx, &child.addr.clone().recipient(), forget);
            }
        }
    }

    fn ask_all(&mut self, ctx: &mut Context<Self>, ask: Ask) {
        let all = self.children.iter().map(|child| child.id.clone()).collect();
        self.ask(ctx, all, ask, ASK_TRIES);
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.retire_sources(ctx, self.children.iter());
        self.world.alarms.sweep(self.world.clock.now().at);
        ctx.add_stream(AlarmClock::new(Rc::clone(&self.world)));
        ctx.run_later(PULSE_EVERY, Self::on_beat);
    }
}

impl StreamHandler<Ring> for Supervisor {
    fn handle(&mut self, Ring(slots): Ring, ctx: &mut Self::Context) {
        self.wake(ctx, slots);
    }
}

impl Handler<Batch> for Supervisor {
    type Result = ();

    fn handle(&mut self, batch: Batch, ctx: &mut Self::Context) {
        let Batch { source, received, reports, acks, tally } = batch;
        let rules = Arc::clone(&self.world.rules.borrow());
        // An adapter may not have heard yet that its source has been retired.
        let reports = if rules.retired_sources.iter().any(|s| s == source.as_str()) { Vec::new() } else { reports };
        self.batch += 1;
        // Gathered per channel first: a channel named many times must not overflow its mailbox.
        let mut pending: Vec<(usize, Own)> = Vec::with_capacity(reports.len());
        for (index, (channel, report)) in reports.iter().enumerate() {
            let at = match report.observed_at {
                Some(observed) => {
                    if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&source) {
                        self.sources.clear();
                    }
                    let clock = self.sources.entry(source.clone()).or_default();
                    received.minus(clock.lag(self.started.wall_of(received), observed))
                }
                None => received,
            };
            let slot = match self.children.slot_of(channel.as_str()) {
                Some(slot) => slot,
                None if self.between_lives.contains(channel) => {
                    tally.busy();
                    continue;
                }
                None if self.children.len() >= rules.max_channels => {
                    self.metrics.refused.inc();
                    tally.refused();
                    continue;
                }
                None => match self.start(Stream::new(channel.clone()), None) {
                    Some(slot) => slot,
                    None => {
                        tally.elsewhere();
                        continue;
                    }
                },
            };
            let Some(child) = self.children.at_mut(slot) else { continue };
            let own = (index as u32, at);
            if child.mark.0 == self.batch {
                pending[child.mark.1 as usize].1.push(own);
            } else {
                child.mark = (self.batch, pending.len() as u32);
                pending.push((slot, smallvec![own]));
            }
        }
        let mail = Arc::new(Mail { source: source.clone(), reports, tally: Arc::clone(&tally) });
        for (slot, own) in pending {
            let Some(child) = self.children.at(slot) else { continue };
            let count = own.len() as u64;
            if let Err(error) = child.addr.try_send(Reports { mail: Arc::clone(&mail), own }) {
                self.metrics.refused.inc_by(count);
                tally.busy();
                if let SendError::Closed(_) = error {
                    let id = child.id.clone();
                    self.replace(ctx, &id);
                }
            }
        }
        for ack in acks {
            let child = Stop::channel_of(&ack.id).and_then(|channel| self.children.get(channel));
            match child {
                Some(child) => {
                    if child.addr.try_send(Acked { source: source.clone(), ack, tally: Arc::clone(&tally) }).is_err() {
                        tally.busy();
                    }
                }
                None if Stop::channel_of(&ack.id).is_some_and(|channel| self.is_elsewhere(channel)) => {
                    tally.elsewhere()
                }
                None => {
                    tracing::warn!(%source, id = %ack.id, "an acknowledgement names no command of ours and is ignored")
                }
            }
        }
    }
}

impl Supervisor {
    /// What is lost leaves first: only then may what is gained begin, for it may be the same.
    fn hand_over(&mut self, ctx: &mut Context<Self>) {
        let Some(handover) = self.handovers.front() else { return };
        let lost: BTreeSet<Slot> = handover.lost.iter().chain(&handover.leaving).copied().collect();
        if let Territory::Slots(slots) = &mut *self.world.territory.borrow_mut() {
            slots.retain(|slot, _| !lost.contains(slot));
        }
        self.territory_changed(ctx);
        let leaving = self.children.iter().filter(|child| lost.contains(&Slot::of(child.id.as_str())));
        let leaving: Vec<ChannelId> = leaving.map(|child| child.id.clone()).collect();
        if !lost.is_empty() {
            tracing::info!(slots = lost.len(), channels = leaving.len(), "slots have gone to another daemon");
        }
        let mut gone = Vec::with_capacity(leaving.len());
        for id in leaving {
            let Some((slot, child)) = self.children.remove(id.as_str()) else { continue };
            self.between_lives.insert(id.clone());
            gone.push(async move {
                // One that has died has left too.
                let _ = child.addr.send(Leave).await;
                (slot, id)
            });
        }
        let all_gone = futures_util::future::join_all(gone).into_actor(self);
        ctx.spawn(all_gone.map(|gone, supervisor, ctx| {
            for (slot, id) in gone {
                supervisor.release(slot);
                supervisor.between_lives.remove(&id);
            }
            if let Some(handover) = supervisor.handovers.pop_front() {
                supervisor.take_over(ctx, handover);
            }
            supervisor.hand_over(ctx);
        }));
    }

    fn take_over(&mut self, ctx: &mut Context<Self>, handover: Handover) {
        let gains = !handover.gained.is_empty();
        self.world.territory.replace(handover.territory);
        let before = self.children.len();
        for loaded in handover.gained {
            self.restore(loaded.records, loaded.pulse);
        }
        if self.children.len() > before {
            tracing::info!(channels = self.children.len() - before, "channels were taken over");
            self.retire_sources(ctx, self.children.iter());
        }
        let anew: BTreeSet<Slot> = handover.anew.into_iter().collect();
        for child in self.children.iter().filter(|child| anew.contains(&Slot::of(child.id.as_str()))) {
            deliver(ctx, &child.addr.clone().recipient(), SaveAnew);
        }
        // Only now: whoever asks from here on finds the channels there.
        self.territory_changed(ctx);
        if !handover.leaving.is_empty() {
            deliver(ctx, &self.returns, GiveBack(handover.leaving));
        }
        if gains {
            self.health.taken_over();
        }
    }
}

impl Handler<Handover> for Supervisor {
    type Result = ();

    fn handle(&mut self, handover: Handover, ctx: &mut Self::Context) {
        self.handovers.push_back(handover);
        if self.handovers.len() == 1 {
            self.hand_over(ctx);
        }
    }
}

impl Handler<Delivered> for Supervisor {
    type Result = ();

    fn handle(&mut self, delivered: Delivered, ctx: &mut Self::Context) {
        let Some(child) = self.children.get(delivered.channel.as_str()) else { return };
        deliver(ctx, &child.addr.clone().recipient(), CommandDelivered(delivered.id));
    }
}

impl Handler<Operate> for Supervisor {
    type Result = ();

    fn handle(&mut self, Operate { channel, action, by, reply }: Operate, _: &mut Self::Context) {
        let Some(child) = self.children.get(channel.as_str()) else {
            let _ = reply.send(Err(self.no_such(&channel)));
            return;
        };
        if let Err(error) = child.addr.try_send(Operated { action, by, reply }) {
            let (SendError::Full(operated) | SendError::Closed(operated)) = error;
            let _ = operated.reply.send(Err(ActionError::Busy));
        }
    }
}

impl Handler<Forget> for Supervisor {
    type Result = ();

    fn handle(&mut self, Forget { channel, source, reply }: Forget, ctx: &mut Self::Context) {
        let Some(child) = self.children.get(channel.as_str()) else {
            let _ = reply.send(Err(self.no_such(&channel)));
            return;
        };
        let Some(source) = source else {
            let Some((slot, child)) = self.children.remove(channel.as_str()) else { return };
            self.between_lives.insert(channel.clone());
            // Its slot and record are kept until it has left, for it may still write to both.
            let left = child.addr.send(Leave).into_actor(self);
            ctx.spawn(left.map(move |_, supervisor, _| {
                supervisor.release(slot);
                supervisor.between_lives.remove(&channel);
                let erased = supervisor
                    .tenure_of(channel.as_str())
                    .is_some_and(|tenure| supervisor.erasures.try_send(Erase { channel, tenure }).is_ok());
                let _ = reply.send(if erased { Ok(()) } else { Err(ActionError::Busy) });
            }));
            return;
        };
        if let Err(error) = child.addr.try_send(ForgetSource { source, reply: Some(reply) }) {
            let (SendError::Full(forget) | SendError::Closed(forget)) = error;
            if let Some(reply) = forget.reply {
                let _ = reply.send(Err(ActionError::Busy));
            }
        }
    }
}

impl Handler<Describe> for Supervisor {
    type Result = ();

    fn handle(&mut self, Describe { reply }: Describe, ctx: &mut Self::Context) {
        self.ask_all(ctx, Ask::State(Gather::new(reply)));
    }
}

impl Handler<Inspect> for Supervisor {
    type Result = ();

    fn handle(&mut self, Inspect { channel, reply }: Inspect, ctx: &mut Self::Context) {
        let (found, answer) = oneshot::channel();
        self.ask(ctx, vec![channel], Ask::Inspection(Gather::new(found)), ASK_TRIES);
        ctx.spawn(answer.into_actor(self).map(|answer, _, _| {
            let _ = reply.send(answer.ok().and_then(|mut found| found.pop()));
        }));
    }
}

impl Handler<KnownSessions> for Supervisor {
    type Result = ();

    fn handle(&mut self, known: KnownSessions, ctx: &mut Self::Context) {
        self.ask_all(ctx, Ask::Sessions(known.source_prefix.into(), Gather::new(known.reply)));
    }
}

impl Handler<Doubt> for Supervisor {
    type Result = ();

    fn handle(&mut self, doubt: Doubt, ctx: &mut Self::Context) {
        let prefix: Arc<str> = doubt.source_prefix.into();
        for child in self.children.iter() {
            // No channel may go on believing it.
            deliver(ctx, &child.addr.clone().recipient(), DoubtSource(Arc::clone(&prefix)));
        }
    }
}

impl Handler<ApplyRules> for Supervisor {
    type Result = ();

    fn handle(&mut self, ApplyRules(rules): ApplyRules, ctx: &mut Self::Context) {
        *self.world.rules.borrow_mut() = Arc::clone(&rules);
        for child in self.children.iter() {
            // No channel may go on under rules that are no longer in force.
            deliver(ctx, &child.addr.clone().recipient(), RulesChanged(Arc::clone(&rules)));
        }
        self.retire_sources(ctx, self.children.iter());
    }
}

impl Handler<Retired> for Supervisor {
    type Result = ();

    fn handle(&mut self, Retired { channel, number }: Retired, _: &mut Self::Context) {
        let is_it = self.children.get(channel.as_str()).is_some_and(|child| child.number == number);
        self.world.retiring.borrow_mut().remove(&number);
        if is_it {
            self.let_go(&channel);
        }
    }
}
