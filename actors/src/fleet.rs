//! Fleet: the other daemons on the same Redis. What is theirs is brought to them, and their answers back; what they
//! show is shown here too. Decides nothing: who holds a channel does.

pub mod letter;
mod post;
mod roster;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, WrapFuture, fut::ActorFutureExt};
use prometheus::{IntCounter, IntGauge, Registry};
use tokio::sync::oneshot;

use self::{
    letter::{Answer, Bulletin, Counted, Letter, Matter, Note, Order, Question, Reported, Said, Told},
    post::{Delivery, Outgoing, Post},
    roster::{Roster, united},
};
use crate::{
    broker::Resync,
    channel::cell::{Cells, Totals},
    clock::{Clock, Timestamp},
    identity::{ChannelId, SourceId},
    protocol::{Ack, Batch, Collect, Describe, Report, StopCommand, Tally},
    store::redis::Link,
    stream_control::CommandsWaiting,
    territory::Slot,
    wire::StreamState,
    world::Attention,
};

/// Letters, bulletins and questions that may wait.
pub const MAILBOX: usize = 16_384;
/// Whoever holds a channel answers within this, or what was written to it is left to lie there for who does next.
const PATIENCE: Duration = Duration::from_secs(2);
/// A report that was longer on its way proves that somebody listens, and not that nobody does.
const LATE: Duration = Duration::from_secs(2);
/// What is to be done with a channel is done within this or not at all: whoever asked has been told that it was not.
const QUESTION_VALID: Duration = Duration::from_secs(2);
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
                "Letters to other daemons that were not answered in time.",
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
    pub source: SourceId,
    pub reports: Vec<(ChannelId, Report)>,
    /// Each with the channel it is of.
    pub acks: Vec<(ChannelId, Ack)>,
    pub only: Option<ChannelId>,
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
    letters: Vec<Delivery>,
    notes: Vec<(Note, Duration)>,
    bulletins: Vec<Bulletin>,
}

/// These letters lie where their reader will find them, or could not be written.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Sent {
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
    Reports { tally: Arc<Tally>, reports: u32, written: bool },
    Commands(Arc<First>),
    Said(oneshot::Sender<Said>),
    States { from: Arc<str>, states: Vec<StreamState>, all: Arc<States> },
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
    next: u64,
    bulletin: u64,
    told: Vec<Told>,
    bulletin_planned: bool,
    questions: VecDeque<(Arc<str>, u64)>,
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
            next: 0,
            bulletin: 0,
            told: Vec::new(),
            bulletin_planned: false,
            questions: VecDeque::new(),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now().at
    }

    // ---- writing ----

    fn send(&self, outgoing: Outgoing) -> bool {
        self.post.as_ref().is_some_and(|post| post.send(outgoing))
    }

    /// To whoever holds a slot; who waits is let go when nobody answers in time.
    fn write(&mut self, ctx: &mut Context<Self>, slot: Slot, matter: Matter, waiting: Waiting, patience: Duration) {
        let number = self.expect(ctx, waiting, patience);
        let letter = Letter { from: Arc::clone(&self.me), number, matter };
        let sent = match serde_json::to_vec(&letter) {
            Ok(body) => self.send(Outgoing::Letter { number, slot, body }),
            Err(error) => {
                tracing::error!(%error, "a letter to another daemon could not be written; please report this");
                false
            }
        };
        if !sent {
            self.give_up(number);
        }
    }

    fn expect(&mut self, ctx: &mut Context<Self>, waiting: Waiting, patience: Duration) -> u64 {
        self.next += 1;
        let number = self.next;
        self.waiting.insert(number, waiting);
        ctx.run_later(patience, move |fleet, _| fleet.give_up(number));
        number
    }

    /// There is no answer, and none is waited for any more.
    fn give_up(&mut self, number: u64) {
        let Some(waiting) = self.waiting.remove(&number) else { return };
        self.metrics.unanswered.inc();
        if let Waiting::Reports { tally, reports, written } = waiting {
            // Whoever holds the channel next finds them where they lie.
            if written { (0..reports).for_each(|_| tally.accepted()) } else { tally.busy() }
        }
    }

    fn note(&self, to: &Arc<str>, note: &Note) {
        match serde_json::to_vec(note) {
            // Whoever waits for what cannot be sent is patient only for so long.
            Ok(body) => {
                self.send(Outgoing::Note { to: Arc::clone(to), body });
            }
            Err(error) => tracing::error!(%error, "a note to another daemon could not be written; please report this"),
        }
    }

    fn publish(&mut self) {
        self.bulletin_planned = false;
        let now = self.now();
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
                totals: self.home.cells.totals(),
                live,
            };
            match serde_json::to_vec(&bulletin) {
                // One that is lost is missed by its number.
                Ok(body) => {
                    self.send(Outgoing::Bulletin(body));
                }
                Err(error) => tracing::error!(%error, "a bulletin could not be written; please report this"),
            }
            if self.told.is_empty() {
                break;
            }
        }
        self.look_around(now);
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        self.publish();
        ctx.run_later(BULLETIN_EVERY, Self::beat);
    }

    /// What follows from who is there.
    fn look_around(&mut self, now: Timestamp) {
        self.roster.forget(now);
        self.home.attention.neighbours.store(self.roster.any_listens(now), Relaxed);
        self.home.elsewhere.set(&self.roster.totals(now));
        self.metrics.daemons.set(self.roster.present(now).count() as i64 + 1);
    }

    // ---- reading ----

    fn read(&mut self, ctx: &mut Context<Self>, delivery: Delivery) {
        let Delivery { slot, id, letter: Letter { from, number, matter }, age } = delivery;
        let done = Outgoing::Done { slot, id };
        match matter {
            Matter::Reports(reported) => self.take_in(ctx, (from, number), done, reported, age),
            Matter::Question { channel, question } => {
                // Whatever becomes of it, it is not acted on twice.
                self.send(done);
                let key = (Arc::clone(&from), number);
                if age > QUESTION_VALID || self.questions.contains(&key) {
                    return;
                }
                self.questions.push_back(key);
                if self.questions.len() > QUESTIONS_REMEMBERED {
                    self.questions.pop_front();
                }
                let (reply, said) = oneshot::channel();
                let asked = Asked { channel, question, reply };
                if self.answerer.as_ref().is_none_or(|answerer| answerer.try_send(asked).is_err()) {
                    return;
                }
                ctx.spawn(said.into_actor(self).map(move |said, fleet, _| {
                    if let Ok(said) = said {
                        fleet.note(&from, &Note::Answer { number, answer: Answer::Said(said) });
                    }
                }));
            }
        }
    }

    fn take_in(
        &self,
        ctx: &mut Context<Self>,
        (from, number): (Arc<str>, u64),
        done: Outgoing,
        Reported { source, mut reports, acks, only }: Reported,
        age: Duration,
    ) {
        if age > LATE {
            // Somebody may have come since; that nobody was there is old news.
            reports.iter_mut().for_each(|(_, report)| report.listeners = report.listeners.filter(|n| *n > 0));
        }
        let (tally, answer) = Tally::new();
        let received = self.now().minus(age);
        let batch = Batch { source: source.clone(), received, reports, acks, tally };
        // Where there is no room for it, its tally says so.
        let _ = self.home.batches.try_send(batch);
        let (collect, waiting) = (self.home.collect.clone(), self.home.commands_waiting.clone());
        let taken = async move {
            let counted = answer.await.unwrap_or_default();
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
            if counted.elsewhere {
                // It lies there for whoever has the channel by now.
                return;
            }
            fleet.send(done);
            let answer = Answer::Taken { counted: Counted::from(&counted), commands: fleet.orders(commands) };
            fleet.note(&from, &Note::Answer { number, answer });
        }));
    }

    fn orders(&self, commands: Vec<StopCommand>) -> Vec<Order> {
        let now = self.now();
        commands.into_iter().map(|command| Order::of(command, now)).collect()
    }

    fn answered(&mut self, number: u64, answer: Answer, age: Duration) {
        let now = self.now();
        let arrived = |orders: Vec<Order>| orders.into_iter().map(|order| order.arrived(now, age)).collect::<Vec<_>>();
        let Some(waiting) = self.waiting.remove(&number) else { return };
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
            fleet.note(&from, &Note::Answer { number, answer: Answer::Commands(orders) });
        }));
    }

    fn describe_for(&mut self, ctx: &mut Context<Self>, from: Arc<str>, number: u64) {
        self.roster.listens(&from);
        self.home.attention.neighbours.store(true, Relaxed);
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
                fleet.note(&from, &Note::Answer { number, answer });
                if last {
                    break;
                }
            }
        }));
    }
}

impl Actor for Fleet {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        match Post::open(&self.link, &self.me, &ctx.address()) {
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
            match note {
                Note::Answer { number, answer } => self.answered(number, answer, age),
                Note::Describe { from, number } => self.describe_for(ctx, from, number),
                Note::Collect { from, number, source, only, wait } => {
                    self.collect_for(ctx, (from, number), (source, only, wait.saturating_sub(age)));
                }
            }
        }
        for delivery in arrived.letters {
            self.read(ctx, delivery);
        }
        self.look_around(now);
    }
}

impl Handler<Sent> for Fleet {
    type Result = ();

    fn handle(&mut self, sent: Sent, _: &mut Self::Context) {
        for number in sent.numbers {
            match self.waiting.get_mut(&number) {
                Some(_) if !sent.written => self.give_up(number),
                Some(Waiting::Reports { written, .. }) => *written = true,
                _ => {}
            }
        }
    }
}

impl Handler<Forward> for Fleet {
    type Result = ();

    fn handle(&mut self, forward: Forward, ctx: &mut Self::Context) {
        let Forward { source, reports, acks, only, tally } = forward;
        self.metrics.forwarded.inc_by(reports.len() as u64);
        let mut slots: BTreeMap<Slot, Reported> = BTreeMap::new();
        let none = || Reported { source: source.clone(), reports: Vec::new(), acks: Vec::new(), only: only.clone() };
        for (channel, report) in reports {
            slots.entry(Slot::of(channel.as_str())).or_insert_with(none).reports.push((channel, report));
        }
        for (channel, ack) in acks {
            slots.entry(Slot::of(channel.as_str())).or_insert_with(none).acks.push(ack);
        }
        for (slot, reported) in slots {
            let reports = reported.reports.len() as u32;
            let waiting = Waiting::Reports { tally: Arc::clone(&tally), reports, written: false };
            self.write(ctx, slot, Matter::Reports(reported), waiting, PATIENCE);
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
            self.note(&to, &Note::Collect { from, number, source, only, wait });
        }
    }
}

impl Handler<AskElsewhere> for Fleet {
    type Result = ();

    fn handle(&mut self, ask: AskElsewhere, ctx: &mut Self::Context) {
        let AskElsewhere { channel, question, reply } = ask;
        let slot = Slot::of(channel.as_str());
        self.write(ctx, slot, Matter::Question { channel, question }, Waiting::Said(reply), 2 * PATIENCE);
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
        if let Some(post) = &self.post {
            post.read_only(&slots);
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
            self.note(&from, &Note::Describe { from: Arc::clone(&self.me), number });
        }
        drop(all);
        let gathered = async move { (mine.await, others.await.unwrap_or_default()) };
        ctx.spawn(gathered.into_actor(self).map(move |(mine, (answered, theirs)), fleet, _| {
            // Whoever asked hears nothing where this daemon itself does not answer.
            let Ok(mine) = mine else { return };
            let unknown = fleet.roster.unknown(&answered);
            let _ = reply.send(united(mine.into_iter().chain(theirs).chain(unknown)));
        }));
    }
}
