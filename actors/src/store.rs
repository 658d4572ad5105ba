//! StoreActor: gathers what channels want kept and commits it in groups, off the arbiter. While the
//! store fails no stop is decided, nothing is forgotten, and it is tried again until it works.

pub mod memory;
pub mod redb;
pub mod redis;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    path::PathBuf,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use actix::{Actor, AsyncContext, Context, Handler, Recipient, WrapFuture, fut::ActorFutureExt};
use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Registry};
use tokio::sync::oneshot;

use crate::{
    channel::journal::Decision,
    clock::{Stamp, Timestamp, WallTime},
    identity::ChannelId,
    mailbox::deliver,
    protocol::{Action, Durable, Erase, Flush, GiveBack, Operate, Pulse, ReadJournal, ReadRecord, Save, Tally},
    supervisor::EXIT_BROKEN,
    territory::{SLOTS, Slot, Territory},
    vitals::SignOfLife,
    world::World,
};

/// Messages the store may have waiting.
pub const MAILBOX: usize = 262_144;
/// Commits follow each other no faster than this, so that what arrives together is written together.
const COMMIT_SPACING: Duration = Duration::from_millis(1);
/// A store that failed is tried again after this.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A shared store is visited this often though nothing is to be written: others may have changed something.
const VISIT_EVERY: Duration = Duration::from_millis(250);
/// A visit that lasts so long is as good as one that failed: it is said, and no stop is decided until it is over.
const SLOW_AFTER: Duration = Duration::from_secs(10);
/// One that lasts so long will not end, and the watchdog goes hungry. A store that fails never ends the daemon, so this is more
/// than anything needs to fail that the daemon rests on: the kernel gives a disk up after three minutes (30 s, five times
/// again), and looking up the name of a Redis takes up to three and a half where no name server answers.
const STUCK_AFTER: Duration = Duration::from_secs(300);
/// Decisions kept in memory while the store fails or hangs; the oldest are dropped and counted.
const DECISIONS_WAITING: usize = 100_000;
/// Questions for journals that wait for a visit; whoever asks for one more is told so.
const READS_WAITING: usize = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{path}: {what}; {todo}")]
    At { path: PathBuf, what: String, todo: &'static str },
    #[error("the store failed: {0}")]
    Failed(String),
}

/// What is written in one transaction.
#[derive(Debug, Default)]
pub struct Group {
    /// The fence under which each channel lives whose things are here; absent = the present one.
    pub tenures: HashMap<ChannelId, u64>,
    /// The newest record of each channel; `None` erases it.
    pub records: HashMap<ChannelId, Option<Vec<u8>>>,
    /// Channels whose journal is erased before any of the decisions below is written.
    pub forgotten: HashSet<ChannelId>,
    pub decisions: VecDeque<(ChannelId, Decision)>,
    /// What other programs may read of channels, where a store shows it to them.
    pub views: HashMap<ChannelId, View>,
    /// When, and until when every stored countdown was certain of its zero.
    pub pulse: Option<(Stamp, Timestamp)>,
}

impl Group {
    fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.forgotten.is_empty()
            && self.decisions.is_empty()
            && self.views.is_empty()
            && self.pulse.is_none()
    }

    /// Of whom there is anything in it, some more than once.
    pub fn channels(&self) -> impl Iterator<Item = &ChannelId> {
        let decisions = self.decisions.iter().map(|(channel, _)| channel);
        self.records.keys().chain(&self.forgotten).chain(self.views.keys()).chain(decisions)
    }

    /// Whether something of a channel's life under this fence may be added. What an earlier life wanted kept is
    /// dropped, for another daemon may have had the channel in between.
    fn admits(&mut self, channel: &ChannelId, tenure: u64) -> bool {
        match self.tenures.insert(channel.clone(), tenure) {
            Some(known) if known > tenure => {
                self.tenures.insert(channel.clone(), known);
                false
            }
            Some(known) if known < tenure => {
                self.drop_what_is_of(&HashSet::from([channel.clone()]));
                self.tenures.insert(channel.clone(), tenure);
                true
            }
            _ => true,
        }
    }

    fn drop_what_is_of(&mut self, channels: &HashSet<ChannelId>) {
        self.tenures.retain(|channel, _| !channels.contains(channel));
        self.records.retain(|channel, _| !channels.contains(channel));
        self.forgotten.retain(|channel| !channels.contains(channel));
        self.decisions.retain(|(channel, _)| !channels.contains(channel));
        self.views.retain(|channel, _| !channels.contains(channel));
    }

    /// Puts a group that could not be written in front of what has come since.
    fn put_back(&mut self, mut earlier: Self) -> usize {
        let outlived = |(channel, tenure): (&ChannelId, &u64)| {
            self.tenures.get(channel).is_some_and(|newer| newer != tenure).then(|| channel.clone())
        };
        let outlived: HashSet<ChannelId> = earlier.tenures.iter().filter_map(outlived).collect();
        if !outlived.is_empty() {
            earlier.drop_what_is_of(&outlived);
        }
        for (channel, tenure) in earlier.tenures {
            self.tenures.entry(channel).or_insert(tenure);
        }
        for (channel, record) in earlier.records {
            self.records.entry(channel).or_insert(record);
        }
        for (channel, view) in earlier.views {
            self.views.entry(channel).or_insert(view);
        }
        let mut decisions = earlier.decisions;
        // Forgotten while they were on their way.
        decisions.retain(|(channel, _)| !self.forgotten.contains(channel));
        self.forgotten.extend(earlier.forgotten);
        decisions.append(&mut self.decisions);
        self.decisions = decisions;
        self.pulse = self.pulse.or(earlier.pulse);
        self.drop_surplus()
    }

    fn drop_surplus(&mut self) -> usize {
        let surplus = self.decisions.len().saturating_sub(DECISIONS_WAITING);
        self.decisions.drain(..surplus);
        surplus
    }
}

/// What other programs may read of a channel's auto-end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub at: WallTime,
    /// An operator's pause holds.
    pub held: bool,
    /// Since when a countdown runs, and what is left of it.
    pub timer: Option<(WallTime, Duration)>,
}

/// What a store hands out when the daemon starts, or when it takes over what was another daemon's.
#[derive(Debug, Default)]
pub struct Loaded {
    pub records: Vec<(ChannelId, Vec<u8>)>,
    pub pulse: Option<(Stamp, Timestamp)>,
    /// Numbers this start of the daemon; already stored.
    pub fence: u64,
    /// What had to be put aside, for people.
    pub notice: Option<String>,
}

/// What became of a group, and what others did meanwhile.
#[derive(Debug, Default)]
pub struct Committed {
    /// Not written: these channels are another daemon's by now.
    pub refused: HashSet<ChannelId>,
    /// In their order.
    pub handovers: Vec<Handover>,
    /// Another program has paused or resumed them.
    pub wishes: Vec<(ChannelId, Action)>,
    /// The store's clock and this machine's disagree.
    pub clock_jumped: bool,
    /// All that is held has been leased anew: for so long, counted from when this visit began.
    pub leased: Option<Duration>,
}

/// Slots changed hands.
#[derive(Debug, Default, actix::Message)]
#[rtype(result = "()")]
pub struct Handover {
    /// What is this daemon's from here on.
    pub territory: Territory,
    pub lost: Vec<Slot>,
    /// Still held, and to be given back when their channels have left.
    pub leaving: Vec<Slot>,
    /// What was left in the slots that were gained.
    pub gained: Vec<Loaded>,
    /// The store has forgotten what was in them; what is in memory is to be written once more.
    pub anew: Vec<Slot>,
}

/// Keeps records and journals. Called from one thread at a time; every call may block.
pub trait Store: Send + 'static {
    /// Other daemons may write to it too: it is visited though there is nothing to write.
    fn is_shared(&self) -> bool {
        false
    }
    /// An error leaves it open how much of the group was written; it comes again.
    fn commit(&mut self, group: &Group) -> Result<Committed, StoreError>;
    fn record(&mut self, channel: &ChannelId) -> Result<Option<Vec<u8>>, StoreError>;
    /// The newest decisions, oldest first.
    fn journal(&mut self, channel: &ChannelId) -> Result<Vec<Decision>, StoreError>;
    /// After an error: makes a fresh attempt possible.
    fn reopen(&mut self) -> Result<(), StoreError>;
    /// The channels of these slots have left: another daemon may have them.
    fn give_back(&mut self, _slots: &[Slot]) {}
    /// The daemon ends: what is its own may be another's at once.
    fn close(&mut self) {}
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(error.to_string())
}

/// What others may know of the store's health.
#[derive(Debug, Default)]
pub struct StoreHealth {
    failing: AtomicBool,
    /// Until when what is held of a shared store cannot be another's, on the boot clock in microseconds.
    leased_until: AtomicU64,
    detail: Mutex<String>,
    /// Slots of a shared store that are this daemon's, and one more; 0 where the store is its own.
    slots: AtomicUsize,
    /// A bit for each of them.
    held: [AtomicU64; SLOTS as usize / 64],
    takeovers: AtomicU64,
}

impl StoreHealth {
    /// How many slots of a shared store this daemon holds; `None` where the store is its own.
    pub fn slots(&self) -> Option<usize> {
        self.slots.load(Relaxed).checked_sub(1)
    }

    /// Whether a channel is this daemon's own, as far as it knows.
    pub fn holds(&self, channel: &str) -> bool {
        let slot = usize::from(Slot::of(channel).number());
        self.slots().is_none() || self.held[slot / 64].load(Relaxed) & (1 << (slot % 64)) != 0
    }

    /// What of a shared store is this daemon's from now on; of one that is its own this says nothing.
    pub fn set_territory(&self, territory: &Territory) {
        let Territory::Slots(slots) = territory else { return };
        let mut held = [0; SLOTS as usize / 64];
        slots.keys().map(|slot| usize::from(slot.number())).for_each(|slot| held[slot / 64] |= 1 << (slot % 64));
        self.held.iter().zip(held).for_each(|(bits, now)| bits.store(now, Relaxed));
        self.slots.store(slots.len() + 1, Relaxed);
    }

    /// How often slots were gained.
    pub fn takeovers(&self) -> u64 {
        self.takeovers.load(Relaxed)
    }

    pub(crate) fn taken_over(&self) {
        self.takeovers.fetch_add(1, Relaxed);
    }

    /// Why it fails, or nothing.
    pub fn failure(&self) -> Option<String> {
        self.failing
            .load(Relaxed)
            .then(|| self.detail.lock().map_or_else(|e| e.into_inner().clone(), |detail| detail.clone()))
    }

    /// Whether nobody else can have what is held here.
    pub fn is_ours(&self, now: Timestamp) -> bool {
        self.slots().is_none() || now < Timestamp::from_micros(self.leased_until.load(Relaxed))
    }

    /// Until then nobody else can have what is held.
    pub fn set_leased_until(&self, until: Timestamp) {
        self.leased_until.store(until.as_micros(), Relaxed);
    }

    /// Whether others may have what is held of a shared store: it was not reached for as long as a lease.
    pub fn is_cut_off(&self, now: Timestamp) -> bool {
        self.slots().is_some_and(|slots| slots > 0) && !self.is_ours(now)
    }

    fn set(&self, failure: Option<&StoreError>) {
        if let (Some(failure), Ok(mut detail)) = (failure, self.detail.lock()) {
            *detail = failure.to_string();
        }
        self.failing.store(failure.is_some(), Relaxed);
    }
}

#[derive(Clone, Debug)]
pub struct StoreMetrics {
    commits: Histogram,
    errors: IntCounter,
    failing: IntGauge,
    dropped_decisions: IntCounter,
}

impl StoreMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let buckets = vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
        let opts = HistogramOpts::new("sattva_store_commit_duration_seconds", "Time one group commit takes.");
        let metrics = Self {
            commits: Histogram::with_opts(opts.buckets(buckets))?,
            errors: IntCounter::new("sattva_store_errors_total", "Store operations that failed.")?,
            failing: IntGauge::new("sattva_store_failing", "1 while the store cannot be written.")?,
            dropped_decisions: IntCounter::new(
                "sattva_store_dropped_decisions_total",
                "Journal entries lost because the store failed for too long.",
            )?,
        };
        registry.register(Box::new(metrics.commits.clone()))?;
        registry.register(Box::new(metrics.errors.clone()))?;
        registry.register(Box::new(metrics.failing.clone()))?;
        registry.register(Box::new(metrics.dropped_decisions.clone()))?;
        Ok(metrics)
    }
}

/// Who waits for a group to be written.
#[derive(Default)]
struct Waiting {
    tallies: Vec<Arc<Tally>>,
    stops: Vec<(ChannelId, Durable, Recipient<Durable>)>,
    flushes: Vec<oneshot::Sender<()>>,
    /// Slots that are given back when everything is written.
    leaving: Vec<Slot>,
}

enum Read {
    Journal(ReadJournal),
    Record(ReadRecord),
}

pub struct StoreActor {
    /// Away while a blocking call has it,
    store: Option<Box<dyn Store>>,
    /// since then.
    away_since: Timestamp,
    world: Rc<World>,
    health: Arc<StoreHealth>,
    metrics: StoreMetrics,
    group: Group,
    waiting: Waiting,
    reads: VecDeque<Read>,
    turn_planned: bool,
    shared: bool,
    territory: Recipient<Handover>,
    wishes: Recipient<Operate>,
}

impl StoreActor {
    /// `territory` and `wishes` are told of what others do to a shared store.
    pub fn new(
        store: Box<dyn Store>,
        world: Rc<World>,
        health: Arc<StoreHealth>,
        metrics: StoreMetrics,
        (territory, wishes): (Recipient<Handover>, Recipient<Operate>),
    ) -> Self {
        Self {
            shared: store.is_shared(),
            territory,
            wishes,
            store: Some(store),
            away_since: Timestamp::ZERO,
            world,
            health,
            metrics,
            group: Group::default(),
            waiting: Waiting::default(),
            reads: VecDeque::new(),
            turn_planned: false,
        }
    }

    fn plan_turn(&mut self, ctx: &mut Context<Self>, after: Duration) {
        if !self.turn_planned && self.store.is_some() {
            self.turn_planned = true;
            ctx.run_later(after, |store, ctx| {
                store.turn_planned = false;
                store.turn(ctx);
            });
        }
    }

    /// One visit to the store: everything that waits to be written, then the reads, which see it.
    fn turn(&mut self, ctx: &mut Context<Self>) {
        let Some(mut store) = self.store.take() else { return };
        self.away_since = self.world.clock.now().at;
        let group = std::mem::take(&mut self.group);
        let mut waiting = std::mem::take(&mut self.waiting);
        let reads = std::mem::take(&mut self.reads);
        let failing = self.health.failing.load(Relaxed);
        let nothing = group.is_empty() && !self.shared;
        let closes = !waiting.flushes.is_empty();
        let mut leaving = std::mem::take(&mut waiting.leaving);
        if closes {
            // Whoever is visited no more takes nothing back that has been given away; and what it has is another's from
            // here on, who may know better: nothing is handed out.
            self.shared = false;
            self.health.set_leased_until(Timestamp::ZERO);
        }
        let visit = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let written = if nothing {
                Ok(Committed::default())
            } else {
                let reopened = if failing { store.reopen() } else { Ok(()) };
                reopened.and_then(|()| store.commit(&group))
            };
            let took = began.elapsed();
            // What is still to be written once more is not another's yet.
            let whole = |committed: &Committed| committed.handovers.iter().all(|handover| handover.anew.is_empty());
            if written.is_ok() && !leaving.is_empty() {
                store.give_back(&leaving);
                leaving.clear();
            }
            let closed = closes && written.as_ref().is_ok_and(whole);
            if closed {
                store.close();
            }
            for read in reads {
                answer(store.as_mut(), &group, read);
            }
            (store, group, written, took, closed, leaving)
        });
        let finish = visit.into_actor(self).map(move |outcome, actor, ctx| match outcome {
            Ok((store, group, written, took, closed, leaving)) => {
                actor.store = Some(store);
                actor.waiting.leaving.extend(leaving);
                let flushes = std::mem::take(&mut waiting.flushes);
                actor.written(ctx, group, waiting, written, took);
                actor.flushed(ctx, flushes, closed);
            }
            Err(error) => {
                // The store itself is lost with the panic: nothing can be kept any more.
                tracing::error!(%error, "the store panicked; ending, so that the service manager starts the daemon anew");
                actor.health.set(Some(&StoreError::Failed(error.to_string())));
                actix::System::current().stop_with_code(EXIT_BROKEN);
            }
        });
        ctx.spawn(finish);
    }

    fn written(
        &mut self,
        ctx: &mut Context<Self>,
        group: Group,
        waiting: Waiting,
        written: Result<Committed, StoreError>,
        took: Duration,
    ) {
        let ok = written.is_ok();
        let mut refused = HashSet::new();
        match written {
            Ok(_) if group.is_empty() && !self.shared => {}
            Ok(committed) => {
                if !group.is_empty() {
                    self.metrics.commits.observe(took.as_secs_f64());
                }
                if self.health.failing.load(Relaxed) {
                    tracing::info!("the store takes writes again; evidence is to be reported anew");
                    self.health.set(None);
                    self.metrics.failing.set(0);
                    self.world.continuity.store_recovered(self.world.clock.now().at);
                }
                refused = self.learn(ctx, committed);
            }
            Err(error) => {
                self.metrics.errors.inc();
                if !self.health.failing.load(Relaxed) {
                    tracing::error!(%error, "the store cannot be written: no stop is decided until it can; trying again every second");
                }
                self.fails(&error);
                self.metrics.dropped_decisions.inc_by(self.group.put_back(group) as u64);
            }
        }
        for (channel, durable, recipient) in waiting.stops {
            // A stop must learn whether it may be offered.
            let written = ok && !refused.contains(&channel);
            if let Some(tally) = durable.tally.as_ref().filter(|_| !written) {
                tally.volatile();
            }
            deliver(ctx, &recipient, Durable { written, ..durable });
        }
        if !refused.is_empty() {
            // Whose it is now is to hear it: what is sent again twice does no harm.
            waiting.tallies.iter().for_each(|tally| tally.busy());
        }
        // Answers that waited go out with the tallies; while the store fails they are not held back.
        if !ok {
            waiting.tallies.iter().for_each(|tally| tally.volatile());
        }
        drop(waiting.tallies);
        if !self.group.is_empty() || !self.reads.is_empty() || !self.waiting.flushes.is_empty() {
            self.plan_turn(ctx, if ok { COMMIT_SPACING } else { RETRY_AFTER });
        }
    }

    fn fails(&self, error: &StoreError) {
        self.health.set(Some(error));
        self.metrics.failing.set(1);
        self.world.continuity.store_failed();
    }

    /// How long the visit lasts that is being paid.
    fn away_for(&self, now: Timestamp) -> Duration {
        if self.store.is_some() { Duration::ZERO } else { now.since(self.away_since) }
    }

    /// Whoever does not come back cannot say that it fails.
    fn notice_a_slow_visit(&self, now: Timestamp) {
        if self.away_for(now) > SLOW_AFTER && !self.health.failing.load(Relaxed) {
            let error = failed(format_args!("it has not answered for {} s", SLOW_AFTER.as_secs()));
            tracing::error!(%error, "the store hangs: no stop is decided until it answers; look at its disk, or its Redis");
            self.fails(&error);
        }
    }

    /// Whoever wants to end waits until all is written.
    fn flushed(&mut self, ctx: &mut Context<Self>, flushes: Vec<oneshot::Sender<()>>, closed: bool) {
        if closed {
            // Whoever asked may have gone.
            for flushed in flushes {
                let _ = flushed.send(());
            }
        } else if !flushes.is_empty() {
            self.waiting.flushes.extend(flushes);
            let failing = self.health.failing.load(Relaxed);
            self.plan_turn(ctx, if failing { RETRY_AFTER } else { VISIT_EVERY });
        }
    }

    /// Passes on what others did to a shared store; answers which channels are not ours any more.
    fn learn(&mut self, ctx: &mut Context<Self>, committed: Committed) -> HashSet<ChannelId> {
        if let Some(lease) = committed.leased.filter(|_| self.shared) {
            self.health.set_leased_until(self.away_since.plus(lease));
        }
        if committed.clock_jumped {
            self.world.continuity.clock_doubted(self.world.clock.now().at);
        }
        for handover in committed.handovers {
            deliver(ctx, &self.territory, handover);
        }
        for (channel, action) in committed.wishes {
            // Nobody waits for the answer: what has not come true is told again.
            let (reply, _) = oneshot::channel();
            let _ = self.wishes.try_send(Operate { channel, action, by: None, reply });
        }
        committed.refused
    }

    /// A shared store is visited though nothing is to be written.
    fn visit(&mut self, ctx: &mut Context<Self>) {
        if self.shared {
            let failing = self.health.failing.load(Relaxed);
            self.plan_turn(ctx, if failing { RETRY_AFTER } else { Duration::ZERO });
            ctx.run_later(VISIT_EVERY, Self::visit);
        }
    }
}

fn answer(store: &mut dyn Store, group: &Group, read: Read) {
    // Whoever asked may have gone.
    match read {
        Read::Journal(read) => {
            let _ = read.reply.send(store.journal(&read.channel).map_err(|e| e.to_string()));
        }
        Read::Record(read) => {
            // A newer record that could not be written yet is still the truth.
            let record = match group.records.get(&read.channel) {
                Some(newest) => Ok(newest.clone()),
                None => store.record(&read.channel).map_err(|e| e.to_string()),
            };
            let _ = read.reply.send(record);
        }
    }
}

impl Actor for StoreActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        if self.shared {
            self.visit(ctx);
        }
    }
}

impl Handler<Save> for StoreActor {
    type Result = ();

    fn handle(&mut self, mut save: Save, ctx: &mut Self::Context) {
        if !self.group.admits(&save.channel, save.tenure) {
            if let Some(tally) = &save.tally {
                tally.busy();
            }
            if let Some((generation, recipient)) = save.stop.take() {
                deliver(ctx, &recipient, Durable { generation, written: false, tally: save.tally });
            }
            return;
        }
        if let Some(record) = save.record {
            self.group.records.insert(save.channel.clone(), Some(record));
        }
        self.group.decisions.extend(save.decisions.into_iter().map(|d| (save.channel.clone(), d)));
        self.metrics.dropped_decisions.inc_by(self.group.drop_surplus() as u64);
        if let Some(view) = save.view {
            self.group.views.insert(save.channel.clone(), view);
        }
        // A failing store is visited at its own pace, and no answer waits for it.
        let failing = self.health.failing.load(Relaxed);
        let tally = match save.tally {
            Some(tally) if failing => {
                tally.volatile();
                None
            }
            tally => tally,
        };
        match save.stop {
            Some((generation, recipient)) => {
                self.waiting.stops.push((save.channel, Durable { generation, written: false, tally }, recipient));
            }
            None => self.waiting.tallies.extend(tally),
        }
        self.plan_turn(ctx, if failing { RETRY_AFTER } else { Duration::ZERO });
    }
}

impl Handler<Erase> for StoreActor {
    type Result = ();

    fn handle(&mut self, erase: Erase, ctx: &mut Self::Context) {
        if !self.group.admits(&erase.channel, erase.tenure) {
            return;
        }
        self.group.decisions.retain(|(channel, _)| *channel != erase.channel);
        self.group.views.remove(&erase.channel);
        self.group.forgotten.insert(erase.channel.clone());
        self.group.records.insert(erase.channel, None);
        self.plan_turn(ctx, COMMIT_SPACING);
    }
}

impl Handler<SignOfLife> for StoreActor {
    type Result = ();

    fn handle(&mut self, sign: SignOfLife, _: &mut Self::Context) {
        if self.away_for(self.world.clock.now().at) <= STUCK_AFTER {
            sign.give();
        }
    }
}

impl Handler<Pulse> for StoreActor {
    type Result = ();

    fn handle(&mut self, pulse: Pulse, ctx: &mut Self::Context) {
        let now = self.world.clock.now();
        self.notice_a_slow_visit(now.at);
        self.group.pulse = Some((self.world.stamp(now), pulse.certain_until));
        self.plan_turn(ctx, COMMIT_SPACING);
    }
}

impl Handler<ReadJournal> for StoreActor {
    type Result = ();

    fn handle(&mut self, read: ReadJournal, ctx: &mut Self::Context) {
        if self.reads.len() >= READS_WAITING {
            // Most have been given up by now.
            self.reads.retain(|read| !matches!(read, Read::Journal(read) if read.reply.is_closed()));
            if self.reads.len() >= READS_WAITING {
                let _ = read
                    .reply
                    .send(Err("the store is slow, and too many wait for their journals; ask again".to_owned()));
                return;
            }
        }
        self.reads.push_back(Read::Journal(read));
        self.plan_turn(ctx, Duration::ZERO);
    }
}

impl Handler<ReadRecord> for StoreActor {
    type Result = ();

    fn handle(&mut self, read: ReadRecord, ctx: &mut Self::Context) {
        self.reads.push_back(Read::Record(read));
        self.plan_turn(ctx, Duration::ZERO);
    }
}

impl Handler<GiveBack> for StoreActor {
    type Result = ();

    fn handle(&mut self, GiveBack(slots): GiveBack, ctx: &mut Self::Context) {
        self.waiting.leaving.extend(slots);
        self.plan_turn(ctx, Duration::ZERO);
    }
}

impl Handler<Flush> for StoreActor {
    type Result = ();

    fn handle(&mut self, flush: Flush, ctx: &mut Self::Context) {
        self.waiting.flushes.push(flush.reply);
        self.plan_turn(ctx, Duration::ZERO);
    }
}
