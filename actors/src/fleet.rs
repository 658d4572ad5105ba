//! Fleet: the other daemons on the same Redis. What is theirs is brought to them, and their answers back; what they
//! show is shown here too. Decides nothing: who holds a channel does.

pub mod letter;
mod post;
mod roster;

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, WrapFuture, fut::ActorFutureExt};
use prometheus::{IntCounter, IntGauge, Registry};
use serde::Serialize;
use tokio::sync::oneshot;

use self::{
    letter::{Answer, Bulletin, Counted, Dated, Note, Order, Question, Reported, Said, Told},
    post::{Age, Found, Outgoing, Post},
    roster::{Roster, united},
};
use crate::{
    broker::Resync,
    channel::cell::{Cells, Totals},
    clock::{Clock, Timestamp},
    identity::{ChannelId, SourceId},
    protocol::{Batch, BatchAnswer, Collect, Describe, StopCommand, Tally},
    store::{StoreHealth, redis::Link},
    stream_control::CommandsWaiting,
    territory::Slot,
    wire::StreamState,
    world::Attention,
};

/// Letters, bulletins and questions that may wait.
pub const MAILBOX: usize = 16_384;
/// Whoever has channels answers within this.
const PATIENCE: Duration = Duration::from_secs(2);
/// What is reported of them is taken in within this, or parked for whoever has them next.
const PARKED_AFTER: Duration = Duration::from_secs(1);
/// How late it is noticed that nobody answers.
const CLOCK_EVERY: Duration = Duration::from_millis(50);
/// A report that was longer on its way proves that somebody listens, and not that nobody does.
const LATE: Duration = Duration::from_secs(2);
/// What is to be done with a channel is done within this or not at all: whoever asked has been told that it was not.
const QUESTION_VALID: Duration = Duration::from_secs(2);
/// What was parked says that a stop must not be; until its owner knows, or the stop is valid no more, none is passed on.
const WITHHELD_FOR: Duration = Duration::from_secs(60);
/// Channels of which commands are withheld.
const WITHHELD_MAX: usize = 100_000;
/// What was parked for longer says nothing any more.
const FOUND_WITHIN: Duration = Duration::from_secs(60);
/// Redis's clock is known for so long after a look at it.
const CLOCK_KNOWN_FOR: Duration = Duration::from_secs(2);
/// A snapshot in which somebody's channels are missing is followed by another one.
const RESYNC_AFTER: Duration = Duration::from_secs(5);
/// Live messages leave together.
const BULLETIN_SPACING: Duration = Duration::from_millis(2);
/// A bulletin comes this often though there is nothing to tell.
const BULLETIN_EVERY: Duration = Duration::from_secs(1);
/// Live messages in one bulletin.
const TOLD_TOGETHER: usize = 1000;
/// Channels in one answer to what all look like.
const STATES_TOGETHER: usize = 500;
/// Questions remembered, so that none is acted on twice.
const QUESTIONS_REMEMBERED: usize = 1000;

/// What the others have, for whoever asks.
#[derive(Debug, Default)]
pub struct Elsewhere {
    active_streams: AtomicU64,
    total_listeners: AtomicU64,
    queue_items: AtomicU64,
}

impl Elsewhere {
    /// Sums over the channels of all other daemons.
    pub fn totals(&self) -> Totals {
        Totals {
            active_streams: self.active_streams.load(Relaxed),
            total_listeners: self.total_listeners.load(Relaxed),
            queue_items: self.queue_items.load(Relaxed),
            ..Totals::default()
        }
    }

    fn set(&self, totals: &Totals) {
        self.active_streams.store(totals.active_streams, Relaxed);
        self.total_listeners.store(totals.total_listeners, Relaxed);
        self.queue_items.store(totals.queue_items, Relaxed);
    }
}

#[derive(Clone, Debug)]
pub struct FleetMetrics {
    daemons: IntGauge,
    slots: IntGauge,
    forwarded: IntCounter,
    unanswered: IntCounter,
}

impl FleetMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            daemons: IntGauge::new("sattva_daemons", "Daemons that share the channels, as this one knows them.")?,
            slots: IntGauge::new("sattva_slots", "Parts of the channels, of 256, that this daemon has.")?,
            forwarded: IntCounter::new(
                "sattva_reports_forwarded_total",
                "Reports of channels that another daemon has, brought to it.",
            )?,
            unanswered: IntCounter::new(
                "sattva_daemon_unanswered_total",
                "What other daemons did not answer in time.",
            )?,
        };
        registry.register(Box::new(metrics.daemons.clone()))?;
        registry.register(Box::new(metrics.slots.clone()))?;
        registry.register(Box::new(metrics.forwarded.clone()))?;
        registry.register(Box::new(metrics.unanswered.clone()))?;
        Ok(metrics)
    }
}

// ---- from the daemon's own rooms ----

/// Reports of channels that others have.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Forward {
    pub reported: Reported,
    pub received: Timestamp,
    pub tally: Arc<Tally>,
}

/// Asks all others what they command a source.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CollectElsewhere(pub Collect);

/// A question about a channel that another daemon has; no answer if that one gives none in time.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AskElsewhere {
    pub channel: ChannelId,
    pub question: Question,
    pub reply: oneshot::Sender<Said>,
}

/// What was published here, as sessions get it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Tell(pub Told);

/// The slots whose letters are for this daemon.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Holds(pub BTreeSet<Slot>);

/// Whoever answers questions about this daemon's own channels.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RegisterAnswerer(pub Recipient<Asked>);

#[derive(Message)]
#[rtype(result = "()")]
pub struct Asked {
    pub channel: ChannelId,
    pub question: Question,
    pub reply: oneshot::Sender<Said>,
}

// ---- from the threads ----

/// What came from other daemons.
#[derive(Default, Message)]
#[rtype(result = "()")]
pub struct Arrived {
    found: Vec<Found>,
    notes: Vec<(Note, Age)>,
    bulletins: Vec<Bulletin>,
    /// Redis's clock, in milliseconds, and when it was read: not before `asked_at`, and not after `read_at`.
    redis: i64,
    asked_at: Timestamp,
    read_at: Timestamp,
}

/// What was to be parked lies where its reader will find it, or could not be written.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Parked {
    numbers: Vec<u64>,
    written: bool,
}

// ---- to the broker ----

/// Live messages of other daemons.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Heard(pub Vec<Told>);

/// Who waits for an answer.
enum Waiting {
    /// They are kept until they are answered.
    Reports {
        tally: Arc<Tally>,
        reported: Reported,
        received: Timestamp,
    },
    Parked {
        tally: Arc<Tally>,
        reports: u32,
    },
    Commands(Arc<First>),
    Said(oneshot::Sender<Said>),
    States {
        from: Arc<str>,
        states: Vec<StreamState>,
        all: Arc<States>,
    },
}

/// The first who has commands answers; or the last who has none.
struct First(Mutex<Option<oneshot::Sender<Vec<StopCommand>>>>);

impl First {
    fn answer(&self, commands: Vec<StopCommand>) {
        let reply = self.0.lock().ok().and_then(|mut reply| reply.take());
        if let Some(reply) = reply {
            let _ = reply.send(commands);
        }
    }
}

impl Drop for First {
    fn drop(&mut self) {
        self.answer(Vec::new());
    }
}

/// Who has answered, and what their channels look like.
type Theirs = (Vec<Arc<str>>, Vec<StreamState>);

/// What the channels of all others look like; sent when the last of them has answered, or can no more.
struct States {
    answered: Mutex<Theirs>,
    reply: Mutex<Option<oneshot::Sender<Theirs>>>,
}

impl Drop for States {
    fn drop(&mut self) {
        let answered = self.answered.get_mut().map(std::mem::take).unwrap_or_default();
        if let Some(reply) = self.reply.get_mut().ok().and_then(Option::take) {
            let _ = reply.send(answered);
        }
    }
}

/// What the fleet speaks with at home.
pub struct Home {
    pub batches: Recipient<Batch>,
    pub describe: Recipient<Describe>,
    pub collect: Recipient<Collect>,
    pub heard: Recipient<Heard>,
    pub resync: Recipient<Resync>,
    pub attention: Arc<Attention>,
    pub cells: Arc<Cells>,
    pub commands_waiting: CommandsWaiting,
    pub elsewhere: Arc<Elsewhere>,
    /// Whether another daemon may have this one's channels by now.
    pub store: Arc<StoreHealth>,
}

pub struct Fleet {
    clock: Clock,
    link: Link,
    me: Arc<str>,
    post: Option<Post>,
    home: Home,
    metrics: FleetMetrics,
    answerer: Option<Recipient<Asked>>,
    roster: Roster,
    waiting: HashMap<u64, Waiting>,
    /// Until when each of them waits, those that are answered among them.
    patience: BTreeSet<(Timestamp, u64)>,
    looks_at_the_clock: bool,
    next: u64,
    bulletin: u64,
    told: Vec<Told>,
    bulletin_planned: bool,
    holds: BTreeSet<Slot>,
    /// Channels of which something was parked here that their owner may not know yet, and until when that counts.
    withheld: HashMap<ChannelId, Timestamp>,
    questions: VecDeque<(Arc<str>, u64)>,
    /// What is parked and being taken in.
    in_hand: HashSet<(Slot, String)>,
    /// Redis's clock, in milliseconds, and ours, at the last look.
    redis: Option<(i64, Timestamp)>,
    totals: Totals,
    resync_planned: bool,
}

impl Fleet {
    pub fn new(clock: Clock, link: Link, me: &str, home: Home, metrics: FleetMetrics) -> Self {
        Self {
            clock,
            link,
            me: me.into(),
            post: None,
            home,
            metrics,
            answerer: None,
            roster: Roster::default(),
            waiting: HashMap::new(),
            patience: BTreeSet::new(),
            looks_at_the_clock: false,
            next: 0,
            bulletin: 0,
            told: Vec::new(),
            bulletin_planned: false,
            holds: BTreeSet::new(),
            withheld: HashMap::new(),
            questions: VecDeque::new(),
            in_hand: HashSet::new(),
            redis: None,
            totals: Totals::default(),
            resync_planned: false,
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now().at
    }

    // ---- writing ----

    /// Whether what is told to this daemon is told to whoever has its channels.
    fn is_owner(&self) -> bool {
        self.home.store.is_ours(self.now())
    }

    /// The slots it tells others that it has: whoever has slept must not call its own what they have by now.
    fn claims(&self) -> BTreeSet<u16> {
        let holds = self.is_owner().then_some(&self.holds);
        holds.into_iter().flatten().map(|slot| slot.number()).collect()
    }

    fn send(&self, outgoing: Outgoing) -> bool {
        self.post.as_ref().is_some_and(|post| post.send(outgoing))
    }

    /// What Redis's clock showed then, or a little less; `None` where it was not looked at for too long.
    fn on_redis(&self, then: Timestamp) -> Option<i64> {
        let (redis, at) = self.redis.filter(|(_, at)| self.now().since(*at) < CLOCK_KNOWN_FOR)?;
        Some(redis + then.since(at).as_millis() as i64 - at.since(then).as_millis() as i64)
    }

    /// Brings reports to the daemon that has their channels.
    fn bring(&mut self, ctx: &mut Context<Self>, to: &Arc<str>, reported: Reported, came: (Timestamp, Arc<Tally>)) {
        let (received, tally) = came;
        let waiting = Waiting::Reports { tally, reported: reported.clone(), received };
        let number = self.expect(ctx, waiting, PARKED_AFTER);
        self.note_of(received, to, Note::Reports { from: Arc::clone(&self.me), number, reported });
    }

    /// Lays reports where whoever holds their slots next finds them, as far as they are worth it.
    fn park(&mut self, ctx: &mut Context<Self>, reported: Reported, received: Timestamp, tally: &Arc<Tally>) {
        let at = self.on_redis(received);
        let until = self.now().plus(WITHHELD_FOR);
        for (slot, what) in reported.lasting().apart(|slot| slot) {
            if self.withheld.len() + what.reports.len() > WITHHELD_MAX {
                tally.busy();
                continue;
            }
            self.withheld.extend(what.reports.iter().map(|(channel, _)| (channel.clone(), until)));
            let waiting = Waiting::Parked { tally: Arc::clone(tally), reports: what.reports.len() as u32 };
            let number = self.expect(ctx, waiting, PATIENCE);
            let body = written(&Dated { at, what });
            if body.is_none_or(|body| !self.send(Outgoing::Park { number, slot, body })) {
                self.give_up(ctx, number);
            }
        }
    }

    fn expect(&mut self, ctx: &mut Context<Self>, waiting: Waiting, patience: Duration) -> u64 {
        self.next += 1;
        let number = self.next;
        self.waiting.insert(number, waiting);
        self.patience.insert((self.now().plus(patience), number));
        if !self.looks_at_the_clock {
            self.look_at_the_clock(ctx);
        }
        number
    }

    /// One timer for all who wait: an actor looks at each of its own whenever it wakes.
    fn look_at_the_clock(&mut self, ctx: &mut Context<Self>) {
        let now = self.now();
        while let Some((_, number)) = self.patience.first().copied().filter(|(until, _)| *until <= now) {
            self.patience.pop_first();
            self.give_up(ctx, number);
        }
        self.looks_at_the_clock = !self.patience.is_empty();
        if self.looks_at_the_clock {
            ctx.run_later(CLOCK_EVERY, Self::look_at_the_clock);
        }
    }

    /// There is no answer, and none is waited for any more.
    fn give_up(&mut self, ctx: &mut Context<Self>, number: u64) {
        let Some(waiting) = self.waiting.remove(&number) else { return };
        self.metrics.unanswered.inc();
        match waiting {
            Waiting::Reports { tally, reported, received } => self.park(ctx, reported, received, &tally),
            // To be sent again.
            Waiting::Parked { tally, .. } => tally.busy(),
            Waiting::Commands(_) | Waiting::Said(_) | Waiting::States { .. } => {}
        }
    }

    fn note(&self, to: &Arc<str>, note: Note) {
        self.note_of(self.now(), to, note);
    }

    /// What is told in it was so `then`.
    fn note_of(&self, then: Timestamp, to: &Arc<str>, note: Note) {
        if let Some(body) = written(&Dated { at: self.on_redis(then), what: note }) {
            // Whoever waits for what cannot be sent is patient only for so long.
            self.send(Outgoing::Note { to: Arc::clone(to), body });
        }
    }

    fn publish(&mut self) {
        self.bulletin_planned = false;
        // The number that is left out tells that something is missing.
        self.bulletin += u64::from(self.home.attention.untold.swap(false, Relaxed));
        loop {
            let rest = self.told.split_off(self.told.len().min(TOLD_TOGETHER));
            let live = std::mem::replace(&mut self.told, rest);
            self.bulletin += 1;
            let bulletin = Bulletin {
                from: Arc::clone(&self.me),
                number: self.bulletin,
                sessions: self.home.attention.sessions.load(Relaxed) as u64,
                totals: self.totals,
                slots: self.claims(),
                live,
            };
            if let Some(body) = written(&bulletin) {
                // One that is lost is missed by its number.
                self.send(Outgoing::Bulletin(body));
            }
            if self.told.is_empty() {
                break;
            }
        }
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        self.totals = self.home.cells.totals();
        self.publish();
        let now = self.now();
        self.withheld.retain(|_, until| *until > now);
        self.look_around(now);
        ctx.run_later(BULLETIN_EVERY, Self::beat);
    }

    /// Somebody did not say what its channels look like: everybody asks once more.
    fn resync_later(&mut self, ctx: &mut Context<Self>) {
        if !std::mem::replace(&mut self.resync_planned, true) {
            ctx.run_later(RESYNC_AFTER, |fleet, _| {
                fleet.resync_planned = false;
                // Its mailbox is full of what is newer.
                let _ = fleet.home.resync.try_send(Resync);
            });
        }
    }

    /// What follows from who is there.
    fn look_around(&mut self, now: Timestamp) {
        self.roster.forget(now);
        self.neighbours_listen(self.roster.any_listens(now));
        self.home.elsewhere.set(&self.roster.totals(now));
        self.metrics.daemons.set(self.roster.present(now).count() as i64 + 1);
    }

    /// Whoever was told nothing for a while has missed something, which the number that is left out says.
    fn neighbours_listen(&self, listen: bool) {
        let before = self.home.attention.neighbours.swap(listen, Relaxed);
        if listen && !before {
            self.home.attention.untold.store(true, Relaxed);
        }
    }

    // ---- reading ----

    fn asked(&mut self, ctx: &mut Context<Self>, (from, number): (Arc<str>, u64), asked: Asked, age: Age) {
        let key = (Arc::clone(&from), number);
        // What was read before a connection broke may be read once more.
        if age.most.is_none_or(|age| age > QUESTION_VALID) || self.questions.contains(&key) {
            return;
        }
        self.questions.push_back(key);
        if self.questions.len() > QUESTIONS_REMEMBERED {
            self.questions.pop_front();
        }
        let (reply, said) = oneshot::channel();
        let asked = Asked { reply, ..asked };
        if self.answerer.as_ref().is_none_or(|answerer| answerer.try_send(asked).is_err()) {
            return;
        }
        ctx.spawn(said.into_actor(self).map(move |said, fleet, _| {
            if let Ok(said) = said {
                fleet.note(&from, Note::Answer { number, answer: Answer::Said(said) });
            }
        }));
    }

    /// Takes reports in as if they had been sent here.
    fn take_in(&self, mut reported: Reported, age: Age) -> impl Future<Output = BatchAnswer> + use<> {
        if age.most.is_none_or(|age| age > LATE) {
            reported.is_late();
        }
        let Reported { source, reports, acks, .. } = reported;
        let (tally, answer) = Tally::new();
        // No longer ago than is certain: nothing is credited that may not have been.
        let received = self.now().minus(age.lain);
        let batch = Batch { source, received, reports, acks, tally: Arc::clone(&tally) };
        if self.home.batches.try_send(batch).is_err() {
            tally.busy();
        }
        async move { answer.await.unwrap_or_default() }
    }

    /// What is reported to another daemon, whose answer carries what is commanded.
    fn reported_by(&self, ctx: &mut Context<Self>, (from, number): (Arc<str>, u64), reported: Reported, age: Age) {
        let (source, only) = (reported.source.clone(), reported.only.clone());
        let (collect, waiting) = (self.home.collect.clone(), self.home.commands_waiting.clone());
        let taken_in = self.take_in(reported, age);
        let taken = async move {
            let counted = taken_in.await;
            let mut commands = Vec::new();
            if !counted.elsewhere && (counted.offered || waiting.any()) {
                let (reply, collected) = oneshot::channel();
                if collect.try_send(Collect { source, only, wait: Duration::ZERO, reply }).is_ok() {
                    commands = collected.await.unwrap_or_default();
                }
            }
            (counted, commands)
        };
        ctx.spawn(taken.into_actor(self).map(move |(counted, commands), fleet, _| {
            // What was told to the owner that was is laid where the one that is finds it.
            let answer = if counted.elsewhere || !fleet.is_owner() {
                Answer::Elsewhere
            } else {
                Answer::Taken { counted: Counted::from(&counted), commands: fleet.orders(commands) }
            };
            fleet.note(&from, Note::Answer { number, answer });
        }));
    }

    /// What was parked: whoever reported it has had its answer, and gets what is commanded with the next one.
    fn found(&mut self, ctx: &mut Context<Self>, Found { slot, id, reported, age }: Found) {
        let place = (slot, id);
        if self.in_hand.contains(&place) {
            return;
        }
        if age.lain > FOUND_WITHIN {
            // It says nothing of what is now.
            let (slot, id) = place;
            self.send(Outgoing::Done { slot, id });
            return;
        }
        let taken = self.take_in(reported, age).into_actor(self);
        self.in_hand.insert(place.clone());
        ctx.spawn(taken.map(move |counted, fleet, _| {
            fleet.in_hand.remove(&place);
            // Otherwise it is found once more, by whoever holds the slot by then.
            if !counted.elsewhere && !counted.busy && fleet.is_owner() {
                let (slot, id) = place;
                fleet.send(Outgoing::Done { slot, id });
            }
        }));
    }

    fn orders(&self, commands: Vec<StopCommand>) -> Vec<Order> {
        let now = self.now();
        commands.into_iter().map(|command| Order::of(command, now)).collect()
    }

    fn answered(&mut self, ctx: &mut Context<Self>, number: u64, answer: Answer, age: Age) {
        let now = self.now();
        // Of whose age nobody knows is not delivered: it comes again.
        let on_the_way = age.most.unwrap_or(Duration::MAX);
        let Some(waiting) = self.waiting.remove(&number) else { return };
        if let (Waiting::Reports { reported, .. }, Answer::Taken { .. }) = (&waiting, &answer) {
            // From here on it knows what is newer than anything that was parked.
            reported.reports.iter().for_each(|(channel, _)| {
                self.withheld.remove(channel);
            });
        }
        let arrived = |orders: Vec<Order>| {
            let commands = orders.into_iter().map(|order| order.arrived(now, on_the_way));
            let stands =
                |command: &StopCommand| command.valid_until > now && !self.withheld.contains_key(&command.channel);
            commands.filter(stands).collect::<Vec<_>>()
        };
        match (waiting, answer) {
            (Waiting::Reports { tally, .. }, Answer::Taken { counted, commands }) => {
                (0..counted.accepted).for_each(|_| tally.accepted());
                (0..counted.duplicates).for_each(|_| tally.duplicate());
                (0..counted.refused).for_each(|_| tally.refused());
                if counted.busy {
                    tally.busy();
                }
                if counted.volatile {
                    tally.volatile();
                }
                tally.commanded(arrived(commands));
            }
            (Waiting::Reports { tally, reported, received }, Answer::Elsewhere) => {
                self.park(ctx, reported, received, &tally);
            }
            (Waiting::Commands(first), Answer::Commands(commands)) => {
                let commands = arrived(commands);
                if !commands.is_empty() {
                    first.answer(commands);
                }
            }
            (Waiting::Said(reply), Answer::Said(said)) => {
                let _ = reply.send(said);
            }
            (Waiting::States { from, mut states, all }, Answer::States { states: more, last }) => {
                states.extend(more);
                if last {
                    self.roster.remember(&from, &states);
                    if let Ok(mut answered) = all.answered.lock() {
                        answered.0.push(from);
                        answered.1.extend(states);
                    }
                } else {
                    self.waiting.insert(number, Waiting::States { from, states, all });
                }
            }
            _ => tracing::error!(number, "another daemon gave an answer that does not fit; is it of another version?"),
        }
    }

    fn collect_for(
        &self,
        ctx: &mut Context<Self>,
        (from, number): (Arc<str>, u64),
        (source, only, wait): (SourceId, Option<ChannelId>, Duration),
    ) {
        let (reply, collected) = oneshot::channel();
        if self.home.collect.try_send(Collect { source, only, wait, reply }).is_err() {
            return;
        }
        ctx.spawn(collected.into_actor(self).map(move |commands, fleet, _| {
            let orders = fleet.orders(commands.unwrap_or_default());
            fleet.note(&from, Note::Answer { number, answer: Answer::Commands(orders) });
        }));
    }

    fn describe_for(&mut self, ctx: &mut Context<Self>, from: Arc<str>, number: u64) {
        self.roster.listens(&from);
        self.neighbours_listen(true);
        let (reply, answer) = oneshot::channel();
        if self.home.describe.try_send(Describe { reply }).is_err() {
            return;
        }
        ctx.spawn(answer.into_actor(self).map(move |states, fleet, _| {
            let mut rest = states.unwrap_or_default();
            loop {
                let more = rest.split_off(rest.len().min(STATES_TOGETHER));
                let (states, last) = (std::mem::replace(&mut rest, more), rest.is_empty());
                let answer = Answer::States { states, last };
                fleet.note(&from, Note::Answer { number, answer });
                if last {
                    break;
                }
            }
        }));
    }
}

fn written<T: Serialize>(what: &T) -> Option<Vec<u8>> {
    let body = serde_json::to_vec(what);
    body.inspect_err(|error| {
        tracing::error!(%error, "what is for other daemons could not be written; please report this");
    })
    .ok()
}

impl Actor for Fleet {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        match Post::open(&self.link, self.clock, &self.me, &ctx.address()) {
            Ok(post) => self.post = Some(post),
            Err(error) => {
                tracing::error!(%error, "there are no threads to reach other daemons with; restart the daemon");
            }
        }
        self.beat(ctx);
    }
}

impl Handler<Arrived> for Fleet {
    type Result = ();

    fn handle(&mut self, arrived: Arrived, ctx: &mut Self::Context) {
        let now = self.now();
        self.redis = Some((arrived.redis, arrived.read_at));
        // It has lain here too.
        let (least, most) = (now.since(arrived.read_at), now.since(arrived.asked_at));
        let aged = |age: Age| Age { lain: age.lain + least, most: age.most.map(|age| age + most) };
        let mut live = Vec::new();
        let mut missed = false;
        for bulletin in arrived.bulletins.into_iter().filter(|bulletin| bulletin.from != self.me) {
            missed |= self.roster.hear(now, &bulletin);
            live.extend(bulletin.live);
        }
        if !live.is_empty() {
            // A broker that has no room for it has had to give everybody a new snapshot already.
            missed |= self.home.heard.try_send(Heard(live)).is_err();
        }
        if missed {
            let _ = self.home.resync.try_send(Resync);
        }
        for (note, age) in arrived.notes {
            let age = aged(age);
            match note {
                Note::Answer { number, answer } => self.answered(ctx, number, answer, age),
                Note::Reports { from, number, reported } => self.reported_by(ctx, (from, number), reported, age),
                Note::Question { from, number, channel, question } => {
                    // Its own way to answer is put in its place.
                    let (reply, _) = oneshot::channel();
                    self.asked(ctx, (from, number), Asked { channel, question, reply }, age);
                }
                Note::Describe { from, number } => self.describe_for(ctx, from, number),
                Note::Collect { from, number, source, only, wait } => {
                    self.collect_for(ctx, (from, number), (source, only, wait.saturating_sub(age.lain)));
                }
            }
        }
        for found in arrived.found {
            let age = aged(found.age);
            self.found(ctx, Found { age, ..found });
        }
        self.look_around(now);
    }
}

impl Handler<Parked> for Fleet {
    type Result = ();

    fn handle(&mut self, parked: Parked, ctx: &mut Self::Context) {
        for number in parked.numbers {
            if !parked.written {
                self.give_up(ctx, number);
            } else if let Some(Waiting::Parked { tally, reports }) = self.waiting.remove(&number) {
                (0..reports).for_each(|_| tally.accepted());
            }
        }
    }
}

impl Handler<Forward> for Fleet {
    type Result = ();

    fn handle(&mut self, forward: Forward, ctx: &mut Self::Context) {
        let Forward { reported, received, tally } = forward;
        self.metrics.forwarded.inc_by(reported.reports.len() as u64);
        let now = self.now();
        // Those of nobody in particular among them.
        let holders = reported.apart(|slot| self.roster.holder_of(slot, now).cloned());
        for (holder, reported) in holders {
            match holder {
                Some(to) => self.bring(ctx, &to, reported, (received, Arc::clone(&tally))),
                None => self.park(ctx, reported, received, &tally),
            }
        }
    }
}

impl Handler<CollectElsewhere> for Fleet {
    type Result = ();

    fn handle(&mut self, CollectElsewhere(collect): CollectElsewhere, ctx: &mut Self::Context) {
        let Collect { source, only, wait, reply } = collect;
        let first = Arc::new(First(Mutex::new(Some(reply))));
        let present: Vec<Arc<str>> = self.roster.present(self.now()).cloned().collect();
        for to in present {
            let number = self.expect(ctx, Waiting::Commands(Arc::clone(&first)), wait + PATIENCE);
            let (from, source, only) = (Arc::clone(&self.me), source.clone(), only.clone());
            self.note(&to, Note::Collect { from, number, source, only, wait });
        }
    }
}

impl Handler<AskElsewhere> for Fleet {
    type Result = ();

    fn handle(&mut self, ask: AskElsewhere, ctx: &mut Self::Context) {
        let AskElsewhere { channel, question, reply } = ask;
        // Where nobody is known to have it, whoever asks hears nothing.
        let Some(to) = self.roster.holder_of(Slot::of(channel.as_str()), self.now()).cloned() else { return };
        let number = self.expect(ctx, Waiting::Said(reply), 2 * PATIENCE);
        self.note(&to, Note::Question { from: Arc::clone(&self.me), number, channel, question });
    }
}

impl Handler<Tell> for Fleet {
    type Result = ();

    fn handle(&mut self, Tell(told): Tell, ctx: &mut Self::Context) {
        self.told.push(told);
        if !self.bulletin_planned {
            self.bulletin_planned = true;
            ctx.run_later(BULLETIN_SPACING, |fleet, _| fleet.publish());
        }
    }
}

impl Handler<Holds> for Fleet {
    type Result = ();

    fn handle(&mut self, Holds(slots): Holds, _: &mut Self::Context) {
        self.metrics.slots.set(slots.len() as i64);
        self.holds.clone_from(&slots);
        // Everybody is to know at once whom to bring what.
        self.publish();
        if let Some(post) = &self.post {
            post.look_into(&slots);
        }
    }
}

impl Handler<RegisterAnswerer> for Fleet {
    type Result = ();

    fn handle(&mut self, RegisterAnswerer(answerer): RegisterAnswerer, _: &mut Self::Context) {
        self.answerer = Some(answerer);
    }
}

/// What all channels look like, those of the others too.
impl Handler<Describe> for Fleet {
    type Result = ();

    fn handle(&mut self, Describe { reply }: Describe, ctx: &mut Self::Context) {
        let now = self.now();
        let (own, mine) = oneshot::channel();
        if self.home.describe.try_send(Describe { reply: own }).is_err() {
            return;
        }
        let (done, others) = oneshot::channel();
        let all = Arc::new(States { answered: Mutex::default(), reply: Mutex::new(Some(done)) });
        let present: Vec<Arc<str>> = self.roster.present(now).cloned().collect();
        for from in present {
            let waiting = Waiting::States { from: Arc::clone(&from), states: Vec::new(), all: Arc::clone(&all) };
            let number = self.expect(ctx, waiting, PATIENCE);
            self.note(&from, Note::Describe { from: Arc::clone(&self.me), number });
        }
        drop(all);
        let gathered = async move { (mine.await, others.await.unwrap_or_default()) };
        ctx.spawn(gathered.into_actor(self).map(move |(mine, (answered, theirs)), fleet, ctx| {
            // Whoever asked hears nothing where this daemon itself does not answer.
            let Ok(mine) = mine else { return };
            let unknown = fleet.roster.unknown(&answered, &fleet.holds);
            let now = fleet.now();
            if fleet.roster.present(now).any(|name| !answered.contains(name)) {
                fleet.resync_later(ctx);
            }
            let _ = reply.send(united(mine.into_iter().chain(theirs).chain(unknown)));
        }));
    }
}
