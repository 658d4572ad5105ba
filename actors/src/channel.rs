//! ChannelActor: the thin shell around one stream. It reads the clock once per input, lets the
//! [`stream::Stream`] decide and carries out what was decided.

pub mod auto_end;
pub mod cell;
pub mod evidence;
pub mod journal;
pub mod metrics;
pub mod policy;
mod shown;
pub mod stop;
pub mod stream;
mod words;

use std::{
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::Ordering::{Relaxed, Release},
    },
    time::Duration,
};

use actix::{
    Actor, ActorContext, ActorState, AsyncContext, Context, Handler, Message, WrapFuture, fut::ActorFutureExt,
    prelude::SendError,
};
use smallvec::SmallVec;
use tokio::sync::oneshot;

use self::{
    auto_end::{Audience, Cause, Effect, Effects, Rules},
    cell::{Activity, Cell, Place},
    journal::Decision,
    metrics::CommandFate,
    policy::Policy,
    shown::{Face, Shown},
    stop::Fence,
    stream::{Moment, Stream},
    words::Words,
};
use crate::{
    chronicle::Happening,
    clock::{Now, Timestamp},
    identity::{ChannelId, SourceId},
    protocol::{
        Ack, Action, ActionError, Durable, Inspection, KnownSession, Offer, Operation, Publication, Publish, Report,
        Retract, Rulebook, Save, Tally, phase_code,
    },
    store::View,
    wire::{AutoEndChange, AutoEndEvent, AutoEndWarning, StreamEvent, StreamState, StreamUpdate},
    world::World,
};

/// Messages a channel may have waiting; more than this many at once is overload.
pub const MAILBOX: usize = 64;
/// An ended stream's figures read 0 for this long.
pub const ENDED_SHOWN_FOR: Duration = Duration::from_secs(60);
/// When the store's mailbox was full, saving is tried again after this.
const SAVE_RETRY: Duration = Duration::from_millis(100);
/// What was reported of a channel before it was taken over has been read from Redis by then.
const HEARS_OTHERS_WITHIN: Duration = Duration::from_millis(300);
/// When the way to the streamers was full, a stop is offered again after this.
const OFFER_RETRY: Duration = Duration::from_millis(100);
/// A countdown that stands still since a restart is written so after this, if nobody has reported.
const PINNED_FOR: Duration = Duration::from_secs(15);
/// Decisions a channel keeps while the store cannot take them.
const UNSAVED_DECISIONS: usize = 100;

/// Reports of one source that came in together, shared by the channels they are of.
#[derive(Debug)]
pub(crate) struct Mail {
    pub source: SourceId,
    pub reports: Vec<(ChannelId, Report)>,
    pub tally: Arc<Tally>,
}

/// Which reports are this channel's own, in their order, each with the moment of its count.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Reports {
    pub mail: Arc<Mail>,
    pub own: SmallVec<[(u32, Timestamp); 1]>,
}

impl Drop for Reports {
    /// The channel died of them, or left with its mail unread: they are to be sent again.
    fn drop(&mut self) {
        if !self.own.is_empty() {
            self.mail.tally.busy();
        }
    }
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Acked {
    pub source: SourceId,
    pub ack: Ack,
    pub tally: Arc<Tally>,
}

/// Its alarm has rung.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Wake;

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Operated {
    pub action: Action,
    pub by: Option<Arc<str>>,
    pub reply: oneshot::Sender<Result<Operation, ActionError>>,
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ForgetSource {
    pub source: String,
    pub reply: Option<oneshot::Sender<Result<(), ActionError>>>,
}

/// The channel leaves the house at once, and its stop with it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Leave;

/// The store has forgotten it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SaveAnew;

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct RulesChanged(pub Arc<Rulebook>);

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct DoubtSource(pub Arc<str>);

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CommandDelivered(pub String);

/// Collects one answer from each channel; the last one to let go of it sends the whole.
#[derive(Debug)]
pub(crate) struct Gather<T: Send> {
    items: Mutex<Vec<T>>,
    reply: Mutex<Option<oneshot::Sender<Vec<T>>>>,
}

impl<T: Send> Gather<T> {
    pub fn new(reply: oneshot::Sender<Vec<T>>) -> Arc<Self> {
        Arc::new(Self { items: Mutex::new(Vec::new()), reply: Mutex::new(Some(reply)) })
    }

    pub fn extend(&self, items: impl IntoIterator<Item = T>) {
        self.items.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(items);
    }
}

impl<T: Send> Drop for Gather<T> {
    fn drop(&mut self) {
        let items = self.items.get_mut().map(std::mem::take).unwrap_or_default();
        if let Some(reply) = self.reply.get_mut().ok().and_then(Option::take) {
            // Whoever asked may have gone.
            let _ = reply.send(items);
        }
    }
}

#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum Ask {
    State(Arc<Gather<StreamState>>),
    Inspection(Arc<Gather<Box<Inspection>>>),
    Sessions(Arc<str>, Arc<Gather<KnownSession>>),
}

/// A channel whose stream ended long ago leaves the house.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Retired {
    pub channel: ChannelId,
    /// Which of the actors that have borne this name.
    pub number: u64,
}

pub struct ChannelActor {
    stream: Stream,
    policy: Arc<Policy>,
    world: Rc<World>,
    place: Place,
    fence: Fence,
    shown: Shown,
    /// What other programs can read of it: whether it is held, and until when a countdown runs.
    seen: Option<(bool, Timestamp)>,
    lost: bool,
    /// Running since before this daemon knew it, and nothing is told yet of what it plays.
    resumed: bool,
    /// Restored from the store as counting, and not yet saved as standing still: its last certain zero.
    pinned_zero: Option<Timestamp>,
    /// What the store could not take.
    unsaved: Option<Box<Save>>,
    /// When the stop is offered, for the first time after a takeover, or again where the way to the streamers was full.
    offer_at: Option<Timestamp>,
    /// Shared by what is being taken back and waits for room.
    taking_back: Rc<()>,
}

impl ChannelActor {
    pub(crate) fn new(
        stream: Stream,
        pinned_zero: Option<Timestamp>,
        world: Rc<World>,
        fence: Fence,
        place: Place,
    ) -> Self {
        let policy = Arc::clone(world.rules.borrow().policy_of(stream.id.as_str()));
        // What others were told of it meanwhile comes first: it may take the stop back.
        let is_taken_over = stream.has_stop_to_offer() && world.territory.borrow().is_shared();
        let offer_at = is_taken_over.then(|| world.clock.now().at.plus(HEARS_OTHERS_WITHIN));
        Self {
            stream,
            policy,
            world,
            place,
            fence,
            shown: Shown::default(),
            seen: None,
            lost: false,
            resumed: false,
            pinned_zero,
            unsaved: None,
            offer_at,
            taking_back: Rc::default(),
        }
    }

    /// The one reading of the clock for an input, and what holds around it.
    fn read_clock(&self) -> (Now, Timestamp) {
        let now = self.world.clock.now();
        (now, self.world.continuity.observe(now))
    }

    fn moment<'a>(
        policy: &'a Policy,
        world: &World,
        fence: Fence,
        (now, trusted_since): (Now, Timestamp),
    ) -> Moment<'a> {
        let rules = Rules { policy, may_stop: world.continuity.may_stop() };
        Moment { now, trusted_since, rules, fence }
    }

    /// Runs one input through the stream and carries out what came of it.
    fn input(
        &mut self,
        ctx: &mut Context<Self>,
        tally: Option<&Arc<Tally>>,
        decide: impl FnOnce(&mut Stream, Moment<'_>) -> (Effects, bool),
    ) {
        self.input_of(ctx, tally, None, decide);
    }

    /// The same, of an operator whose name the journal is to have.
    fn input_of(
        &mut self,
        ctx: &mut Context<Self>,
        tally: Option<&Arc<Tally>>,
        operator: Option<&str>,
        decide: impl FnOnce(&mut Stream, Moment<'_>) -> (Effects, bool),
    ) {
        let read = self.read_clock();
        let m = Self::moment(&self.policy, &self.world, self.fence, read);
        let sessions = self.stream.sessions();
        let (effects, save) = decide(&mut self.stream, m);
        // That a session has begun is told behind the last word on the one before, and before what is
        // decided about the new one.
        let begins = self.stream.sessions() != sessions;
        let closed = effects.iter().rposition(Effect::closes).filter(|_| begins).map_or(0, |last| last + 1);
        let mut decisions = self.perform(read, &effects[..closed]);
        if begins {
            self.tell_changes(read);
        }
        decisions.extend(self.perform(read, &effects[closed..]));
        for decision in &mut decisions {
            decision.by = operator.map(str::to_owned);
        }
        if save || !effects.is_empty() {
            self.save(ctx, read.0, decisions, &effects, tally);
        }
        self.after(ctx, read);
    }

    /// What every input ends with: offers, figures, live updates, the next timer.
    fn after(&mut self, ctx: &mut Context<Self>, read: (Now, Timestamp)) {
        let now = read.0.at;
        if self.stream.unknown_since().is_some_and(|since| now.since(since) >= self.world.rules.borrow().lost_after) {
            self.lost = true;
        } else if self.lost {
            self.lost = self.stream.unknown_since().is_some();
        }
        if self.stream.is_over() && self.retire_if_due(ctx, now) {
            return;
        }
        let m = Self::moment(&self.policy, &self.world, self.fence, read);
        let in_doubt = self.stream.hold_back(m);
        if !in_doubt.is_empty() {
            tracing::info!(channel_id = %self.stream.id, because = %self.stream.explain(m), "the count has come into doubt while a stop is under way");
        }
        in_doubt.into_iter().for_each(|retract| self.take_back(retract));
        if self.stream.has_stop_to_offer() && self.offer_at.is_none_or(|at| at <= now) {
            self.offer(read);
        }
        self.refresh_figures(read);
        self.tell_changes(read);
        let zero_at = self.stream.auto_end().zero_at().or(self.pinned_zero);
        self.world.alarms.set(self.place.slot(), self.next_wake(now), zero_at);
    }

    // ---- what is carried out: the only place where outlets are named ----

    fn perform(&mut self, read: (Now, Timestamp), effects: &[Effect]) -> Vec<Decision> {
        let mut decisions = Vec::new();
        if effects.is_empty() {
            return decisions;
        }
        let (now, world) = (read.0, Rc::clone(&self.world));
        let metrics = &world.metrics;
        for effect in effects {
            let (event, words, ends_at, remaining) = match effect {
                Effect::Warn { seconds, ends_at } => {
                    metrics.warnings_sent.inc();
                    let warning = AutoEndWarning {
                        channel_id: self.stream.id.clone(),
                        seconds_remaining: *seconds,
                        reason: "no_listeners",
                        ends_at: now.wall_of(*ends_at),
                    };
                    self.publish(now, Publication::Warning(warning));
                    let because = format!("{seconds} s are left and nobody listens");
                    decisions.push(self.decision(read, "warning", because, Some(ends_at.since(now.at))));
                    continue;
                }
                Effect::Started { ends_at, reason } => {
                    (AutoEndEvent::Started, Words::from(*reason), Some(*ends_at), None)
                }
                Effect::Cancelled(cause) => (AutoEndEvent::Cancelled, Words::from(*cause), None, None),
                Effect::Held => (AutoEndEvent::Paused, Words::from(Cause::OperatorPaused), None, None),
                Effect::Released => {
                    (AutoEndEvent::Resumed, Words::new("operator_resumed", "an operator resumed auto-end"), None, None)
                }
                Effect::Extended { ends_at } => {
                    let words = Words::new("operator_extended", "an operator gave it more time");
                    (AutoEndEvent::Extended, words, Some(*ends_at), None)
                }
                Effect::Rescheduled { ends_at } => {
                    let words = Words::new("reloaded", "the configuration was reloaded");
                    (AutoEndEvent::Extended, words, Some(*ends_at), None)
                }
                Effect::Frozen { remaining } => {
                    (AutoEndEvent::Frozen, Words::new("unknown", "the count is unknown"), None, Some(*remaining))
                }
                Effect::Unfrozen { ends_at } => {
                    let words = Words::new("known", "the count is known again: nobody listens");
                    (AutoEndEvent::Unfrozen, words, Some(*ends_at), None)
                }
                Effect::WouldStop => {
                    let words = match self.stream.untouchable().filter(|_| !self.policy.dry_run) {
                        Some(source) => Words::new(
                            "stop_not_allowed",
                            format!("nobody listens and the time is up, but {source} may not be told to stop"),
                        ),
                        None => Words::new("dry_run", "dry run: nobody listens and the time is up"),
                    };
                    (AutoEndEvent::WouldStop, words, None, None)
                }
                Effect::EndStream { reason, .. } => {
                    metrics.stop_command(CommandFate::Decided, self.stream.evidences().active().count());
                    (AutoEndEvent::Stopping, Words::from(*reason), None, None)
                }
                Effect::Withdrawn { cause, .. } => {
                    self.retract(now, CommandFate::Withdrawn);
                    let words = Words::from(*cause);
                    let because = format!("stop withdrawn: {}", words.because);
                    (AutoEndEvent::Cancelled, Words::new(words.reason, because), None, None)
                }
                Effect::StopFailed { detail, .. } => {
                    self.retract(now, CommandFate::Failed);
                    let words = Words::from(detail);
                    tracing::error!(
                        channel_id = %self.stream.id,
                        reason = %words.because,
                        "a stop has failed: the stream is still there; see `explain`"
                    );
                    (AutoEndEvent::StopFailed, words, None, None)
                }
                Effect::Ended { .. } => {
                    self.retract(now, CommandFate::Confirmed);
                    (AutoEndEvent::Ended, Words::new("confirmed", "the stream is gone after the stop"), None, None)
                }
            };
            metrics.auto_end_event(event);
            let left = remaining.or_else(|| ends_at.map(|at| at.since(now.at)));
            decisions.push(self.decision(read, event.as_str(), words.because.clone(), left));
            let change = AutoEndChange {
                channel_id: self.stream.id.clone(),
                event,
                ends_at: ends_at.map(|at| now.wall_of(at)),
                remaining_seconds: left.map(|left| left.as_micros().div_ceil(1_000_000) as u64),
                reason: words.reason,
                because: words.because,
                phase: self.stream.auto_end().phase(&self.policy),
                dry_run: self.policy.dry_run,
            };
            let what = Happening::AutoEnd { event, phase: change.phase, reason: change.reason };
            self.world.chronicle.note(now.wall, &change.channel_id, what);
            self.publish(now, Publication::AutoEnd(change));
        }
        decisions
    }

    fn retract(&mut self, now: Now, fate: CommandFate) {
        let id = self.stream.id.clone();
        let traces = self.world.traces.clone();
        let Some(stop) = self.stream.stop_mut() else { return };
        let settled = match fate {
            CommandFate::Confirmed => stop.confirm(&id),
            CommandFate::Failed => stop.fail(&id),
            _ => stop.withdraw(&id),
        };
        if traces.is_on() {
            stop.spans(&id, now.at, fate.as_str()).into_iter().for_each(|span| traces.note(span));
        }
        self.world.metrics.stop_command(fate, settled.len());
        settled.into_iter().for_each(|retract| self.take_back(retract));
    }

    fn take_back(&self, retract: Retract) {
        if let Err(SendError::Full(retract)) = self.world.outlets.retractions.try_send(retract) {
            // Waits for room, beyond this channel's own end if need be: what is taken back must not come true.
            let (sent, under_way) = (self.world.outlets.retractions.send(retract), Rc::clone(&self.taking_back));
            actix::spawn(async move {
                let _ = sent.await;
                drop(under_way);
            });
        }
    }

    fn publish(&self, now: Now, publication: Publication) {
        let attention = &self.world.attention;
        let announced = matches!(publication, Publication::Warning(_) | Publication::AutoEnd(_));
        let seen = attention.sessions.load(Relaxed) > 0 || attention.neighbours.load(Relaxed);
        let heard = announced && attention.hooks.load(Relaxed) > 0;
        if !seen && !heard {
            return;
        }
        let queued = self.world.depths.broker.enter();
        if self.world.outlets.broker.try_send(Publish { at: now.wall, publication, queued }).is_err() {
            // The broker sends everybody a new snapshot instead.
            attention.unannounced.fetch_add(u64::from(announced), Relaxed);
            attention.overflowed.store(true, Release);
        }
    }

    fn decision(&mut self, read: (Now, Timestamp), event: &str, because: String, left: Option<Duration>) -> Decision {
        let m = Self::moment(&self.policy, &self.world, self.fence, read);
        let listeners = match self.stream.audience(m) {
            Audience::Known { listeners, .. } => Some(listeners),
            Audience::Unknown => None,
        };
        let evidence_age = self.stream.evidence_at().map(|at| read.0.at.since(at).as_secs_f64());
        Decision {
            seq: self.stream.next_journal_seq(),
            at: read.0.wall,
            event: event.to_owned(),
            because,
            by: None,
            listeners,
            joins: self.stream.evidences().joins(),
            evidence_age_seconds: evidence_age,
            session: self.stream.session(),
            remaining_seconds: left.map(|left| left.as_secs_f64()),
        }
    }

    fn save(
        &mut self,
        ctx: &mut Context<Self>,
        now: Now,
        decisions: Vec<Decision>,
        effects: &Effects,
        tally: Option<&Arc<Tally>>,
    ) {
        let record = match self.stream.record(self.world.stamp(now)) {
            Ok(record) => record,
            Err(error) => {
                tracing::error!(channel_id = %self.stream.id, %error, "a channel's record could not be written; its state would not survive a restart");
                return;
            }
        };
        self.pinned_zero = None;
        let stop = effects.iter().rev().find_map(|effect| match effect {
            Effect::EndStream { generation, .. } => Some((*generation, ctx.address().recipient())),
            _ => None,
        });
        let mut save = Save {
            channel: self.stream.id.clone(),
            tenure: self.fence.start,
            record: Some(record),
            decisions,
            view: self.changed_view(now),
            tally: tally.cloned(),
            stop,
            queued: self.world.depths.store.enter(),
        };
        if let Some(mut earlier) = self.unsaved.take() {
            earlier.decisions.append(&mut save.decisions);
            let surplus = earlier.decisions.len().saturating_sub(UNSAVED_DECISIONS);
            earlier.decisions.drain(..surplus);
            save.decisions = earlier.decisions;
            save.view = save.view.or(earlier.view);
            save.stop = save.stop.or(earlier.stop);
        }
        self.hand_to_store(save);
    }

    /// What other programs read of it, where the store is shared: most reports change nothing there.
    fn changed_view(&mut self, now: Now) -> Option<View> {
        if !self.world.territory.borrow().is_shared() {
            return None;
        }
        let auto_end = self.stream.auto_end();
        let timer = auto_end.began_at(&self.policy).zip(auto_end.remaining(now.at)).filter(|(_, left)| !left.is_zero());
        let seen = (auto_end.is_held(), timer.map_or(Timestamp::NEVER, |(_, left)| now.at.plus(left)));
        if self.seen.replace(seen) == Some(seen) {
            return None;
        }
        Some(View { at: now.wall, held: seen.0, timer: timer.map(|(began, left)| (now.wall_of(began), left)) })
    }

    fn hand_to_store(&mut self, save: Save) {
        if let Err(error) = self.world.outlets.store.try_send(save) {
            let (SendError::Full(mut save) | SendError::Closed(mut save)) = error;
            // The answer must not wait for a store that is this far behind.
            if let Some(tally) = save.tally.take() {
                tally.volatile();
            }
            self.unsaved = Some(Box::new(save));
        }
    }

    fn offer(&mut self, read: (Now, Timestamp)) {
        if Rc::strong_count(&self.taking_back) > 1 {
            // It would take this offer with it.
            self.offer_at = Some(read.0.at.plus(OFFER_RETRY));
            return;
        }
        let m = Self::moment(&self.policy, &self.world, self.fence, read);
        let commands = self.stream.offer(m);
        let all_sent = commands.into_iter().all(|command| self.world.outlets.offers.try_send(Offer(command)).is_ok());
        self.offer_at = (!all_sent).then(|| read.0.at.plus(OFFER_RETRY));
        if !all_sent {
            // Those that did go out are told apart by their ids.
            self.stream.offer_again();
        }
    }

    // ---- what others may see ----

    fn refresh_figures(&self, (now, trusted_since): (Now, Timestamp)) {
        let cell = &self.place;
        let stream = &self.stream;
        let (activity, listeners, queue) = if stream.is_over() {
            let just_ended = stream.ended().is_some_and(|at| now.at.since(at) < ENDED_SHOWN_FOR);
            if just_ended { (Activity::JustEnded, 0, 0) } else { (Activity::Hidden, cell::NONE, cell::NONE) }
        } else {
            let listeners = match stream.evidences().audience(now.at, trusted_since) {
                Audience::Known { listeners, .. } => i64::from(listeners),
                Audience::Unknown => cell::NONE,
            };
            let queue = stream.evidences().queue_size(now.at, trusted_since).map_or(cell::NONE, i64::from);
            (if self.lost { Activity::Lost } else { Activity::Active }, listeners, queue)
        };
        cell.set_activity(activity);
        cell.listeners.store(listeners, Relaxed);
        cell.queue_size.store(queue, Relaxed);
        let over = stream.is_over();
        Cell::set_time(&cell.evidence_at, stream.evidence_at().filter(|_| !over));
        Cell::set_time(&cell.ends_at, stream.auto_end().ends_at());
        cell.phase.store(phase_code(stream.auto_end().phase(&self.policy)), Relaxed);
    }

    fn tell_changes(&mut self, read: (Now, Timestamp)) {
        let m = Self::moment(&self.policy, &self.world, self.fence, read);
        let evidences = self.stream.evidences();
        let over = evidences.is_over();
        let (listeners, listeners_known) = match self.stream.audience(m) {
            Audience::Known { listeners, .. } => (listeners, true),
            Audience::Unknown => (evidences.last_known(), over),
        };
        let face = Face {
            session: self.stream.sessions(),
            status: self.stream.status(self.lost),
            listeners,
            listeners_known,
            queue_size: evidences.queue_size(m.now.at, m.trusted_since),
            track: evidences.track().cloned(),
        };
        for event in self.shown.update(read.0.at, &face) {
            let over = Face::default();
            let face = if event == StreamEvent::Stopped { &over } else { &face };
            let begins = event == StreamEvent::Started;
            let update = StreamUpdate {
                channel_id: self.stream.id.clone(),
                event,
                sources: begins.then(|| self.stream.sources()),
                session: begins.then(|| self.stream.session()).flatten(),
                started_at: begins.then(|| self.stream.began()).flatten(),
                current_track: face.track.clone(),
                listeners: face.listeners,
                listeners_known: face.listeners_known,
                queue_size: face.queue_size,
                state: face.status,
            };
            self.publish(read.0, Publication::Update(update));
            self.write_down(read.0, event, face);
            match event {
                // What a restart brings back is no news, and would be a line for every channel.
                StreamEvent::Started if self.stream.evidence_at().is_some() => {
                    tracing::info!(channel_id = %self.stream.id, "stream seen");
                }
                StreamEvent::Stopped => tracing::info!(channel_id = %self.stream.id, "stream ended"),
                _ => {}
            }
        }
    }

    fn write_down(&mut self, now: Now, event: StreamEvent, face: &Face) {
        // What a restart brings back is no news.
        let is_news = self.stream.evidence_at().is_some();
        let what = match event {
            StreamEvent::Started => {
                self.resumed = !is_news;
                if self.resumed {
                    return;
                }
                Happening::Started
            }
            StreamEvent::Stopped => Happening::Stopped,
            StreamEvent::TrackChanged if is_news => {
                let listeners = face.listeners_known.then_some(face.listeners);
                Happening::Track { track: face.track.clone(), listeners, resumed: std::mem::take(&mut self.resumed) }
            }
            _ => return,
        };
        self.world.chronicle.note(now.wall, &self.stream.id, what);
    }

    // ---- time ----

    fn next_wake(&self, now: Timestamp) -> Option<Timestamp> {
        let rules = self.world.rules.borrow();
        let ended = self.stream.ended().filter(|_| self.stream.is_over()).map(|ended| {
            let hidden = ended.plus(ENDED_SHOWN_FOR);
            if now < hidden { hidden } else { ended.plus(rules.forget_ended_after) }
        });
        let lost = self.stream.unknown_since().filter(|_| !self.lost).map(|since| since.plus(rules.lost_after));
        let retry = self.unsaved.as_ref().map(|_| now.plus(SAVE_RETRY));
        let offer = self.offer_at.filter(|_| self.stream.has_stop_to_offer());
        let pinned = self.pinned_zero.map(|_| now.plus(PINNED_FOR));
        let machine = self.stream.next_timeout(&self.policy);
        let expires = self.stream.expires_at().filter(|at| *at > now);
        [machine, expires, self.shown.next_update(), ended, lost, retry, offer, pinned].into_iter().flatten().min()
    }

    fn on_wake(&mut self, ctx: &mut Context<Self>) {
        if let Some(save) = self.unsaved.take() {
            self.hand_to_store(*save);
        }
        let pinned = self.pinned_zero.is_some();
        self.input(ctx, None, |stream, m| (stream.on_wake(m), pinned));
    }

    fn retire_if_due(&mut self, ctx: &mut Context<Self>, now: Timestamp) -> bool {
        let after = self.world.rules.borrow().forget_ended_after;
        self.stream.ended().is_some_and(|ended| now.since(ended) >= after) && self.retire(ctx)
    }

    /// The place is given back by the supervisor once this actor writes to it no more.
    fn retire(&mut self, ctx: &mut Context<Self>) -> bool {
        let retired = Retired { channel: self.stream.id.clone(), number: self.fence.life };
        if self.world.outlets.retirement.try_send(retired).is_err() {
            return false;
        }
        self.world.retiring.borrow_mut().insert(self.fence.life);
        // Nobody is to be woken any more.
        self.world.alarms.clear(self.place.slot());
        ctx.stop();
        true
    }
}

impl Actor for ChannelActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        // A restored channel shows what it was and waits for evidence; a new one gets its first report.
        let read = self.read_clock();
        self.after(ctx, read);
    }
}

impl Handler<Reports> for ChannelActor {
    type Result = ();

    fn handle(&mut self, mut message: Reports, ctx: &mut Self::Context) {
        let Reports { mail, own } = &message;
        let (world, tally) = (Rc::clone(&self.world), &mail.tally);
        let mut taken = 0;
        for (index, at) in own {
            if ctx.state() != ActorState::Running {
                // It left with the one before: what is left is to be sent again, to who takes its place.
                break;
            }
            taken += 1;
            let (_, report) = &mail.reports[*index as usize];
            self.input(ctx, Some(tally), |stream, m| {
                let reaction = stream.on_report(m, &mail.source, report, *at);
                if reaction.accepted {
                    tally.accepted();
                    world.metrics.reports_accepted.inc();
                    world.metrics.queue_operations(&reaction.queue_ops);
                } else {
                    tally.duplicate();
                    world.metrics.reports_duplicate.inc();
                }
                (reaction.effects, reaction.session_changed)
            });
        }
        message.own.drain(..taken);
    }
}

impl Handler<Acked> for ChannelActor {
    type Result = ();

    fn handle(&mut self, message: Acked, ctx: &mut Self::Context) {
        let Acked { source, ack, tally } = message;
        let mut taken = false;
        self.input(ctx, Some(&tally), |stream, m| match stream.on_ack(m, &source, &ack) {
            Some(effects) => {
                taken = true;
                (effects, true)
            }
            None => (Effects::new(), false),
        });
        if taken {
            self.world.metrics.stop_command(CommandFate::Acked, 1);
            self.take_back(Retract { source, id: ack.id, leaves_outlet: false });
        }
    }
}

impl Handler<Wake> for ChannelActor {
    type Result = ();

    fn handle(&mut self, _: Wake, ctx: &mut Self::Context) {
        self.on_wake(ctx);
    }
}

impl Handler<Durable> for ChannelActor {
    type Result = ();

    fn handle(&mut self, durable: Durable, ctx: &mut Self::Context) {
        // What came of it, an offer or a withdrawal, follows from the stream's new state.
        self.input(ctx, None, |stream, m| (stream.on_durable(m, durable.generation, durable.written), false));
        if let Some(tally) = durable.tally.filter(|_| durable.written && self.stream.auto_end().is_stopping()) {
            // Whoever reported last is answered only now, with the command.
            tally.offered();
        }
    }
}

impl Handler<CommandDelivered> for ChannelActor {
    type Result = ();

    fn handle(&mut self, CommandDelivered(id): CommandDelivered, ctx: &mut Self::Context) {
        let mut first = false;
        self.input(ctx, None, |stream, m| {
            first = stream.on_delivered(m, &id);
            (Effects::new(), first)
        });
        if first {
            self.world.metrics.stop_command(CommandFate::Delivered, 1);
        }
    }
}

impl Handler<Operated> for ChannelActor {
    type Result = ();

    fn handle(&mut self, Operated { action, by, reply }: Operated, ctx: &mut Self::Context) {
        // Whoever has the channel next, which may be soon or already so, would not know of it. A stop says so itself.
        let must_be_kept = self.world.territory.borrow().is_shared();
        let is_stop = matches!(action, Action::Stop { .. });
        if must_be_kept && !is_stop && !self.world.continuity.may_stop() {
            // Whoever asked may have gone.
            let _ = reply.send(Err(ActionError::NotKept));
            return;
        }
        let mut refused = None;
        let (tally, kept) = Tally::new();
        self.input_of(ctx, Some(&tally), by.as_deref(), |stream, m| match stream.operate(m, action) {
            Ok(effects) => (effects, true),
            Err(error) => {
                refused = Some(error);
                (Effects::new(), false)
            }
        });
        let state = match refused {
            Some(error) => Err(error),
            None => {
                let read = self.read_clock();
                tracing::info!(channel_id = %self.stream.id, action = action.as_str(), "an operator acted");
                Ok(self.stream.state(Self::moment(&self.policy, &self.world, self.fence, read), self.lost))
            }
        };
        drop(tally);
        // Answered when it is on disk: what an operator was promised survives the daemon.
        ctx.spawn(kept.into_actor(self).map(move |kept, _, _| {
            let kept = kept.unwrap_or_default();
            let durable = !kept.volatile && !kept.busy;
            let answer = match state {
                Ok(_) if must_be_kept && !durable => Err(ActionError::NotKept),
                state => state.map(|state| Operation { state, durable }),
            };
            // Whoever asked may have gone.
            let _ = reply.send(answer);
        }));
    }
}

impl Handler<ForgetSource> for ChannelActor {
    type Result = ();

    fn handle(&mut self, ForgetSource { source, reply }: ForgetSource, ctx: &mut Self::Context) {
        let mut answer = Ok(());
        self.input(ctx, None, |stream, m| match stream.on_forget(m, &source) {
            Ok(effects) => (effects, true),
            Err(error) => {
                answer = Err(error);
                (Effects::new(), false)
            }
        });
        if let Some(reply) = reply {
            // Whoever asked may have gone.
            let _ = reply.send(answer);
        }
    }
}

impl Handler<Leave> for ChannelActor {
    type Result = ();

    fn handle(&mut self, _: Leave, ctx: &mut Self::Context) {
        if self.stream.auto_end().is_stopping() {
            self.retract(self.world.clock.now(), CommandFate::Withdrawn);
        }
        // Whoever has it next reads what is kept; where another one has it already, this is refused.
        if let Some(save) = self.unsaved.take() {
            self.hand_to_store(*save);
        }
        // Its timers would keep it alive, deciding for a channel that others have begun anew.
        ctx.stop();
    }
}

impl Handler<SaveAnew> for ChannelActor {
    type Result = ();

    fn handle(&mut self, _: SaveAnew, ctx: &mut Self::Context) {
        self.seen = None;
        self.input(ctx, None, |_, _| (Effects::new(), true));
    }
}

impl Handler<RulesChanged> for ChannelActor {
    type Result = ();

    fn handle(&mut self, RulesChanged(rules): RulesChanged, ctx: &mut Self::Context) {
        let new = Arc::clone(rules.policy_of(self.stream.id.as_str()));
        let old = std::mem::replace(&mut self.policy, new);
        // A countdown that stands still moves without an effect that would tell of it.
        self.input(ctx, None, |stream, m| (stream.on_policy_change(m, &old), *old != *m.rules.policy));
    }
}

impl Handler<DoubtSource> for ChannelActor {
    type Result = ();

    fn handle(&mut self, DoubtSource(prefix): DoubtSource, ctx: &mut Self::Context) {
        self.input(ctx, None, |stream, m| (stream.on_doubt(m, &prefix), false));
    }
}

impl Handler<Ask> for ChannelActor {
    type Result = ();

    fn handle(&mut self, ask: Ask, _: &mut Self::Context) {
        let read = self.read_clock();
        let m = Self::moment(&self.policy, &self.world, self.fence, read);
        match ask {
            Ask::State(gather) => {
                let just_ended = self.stream.ended().is_some_and(|at| read.0.at.since(at) < ENDED_SHOWN_FOR);
                if !self.stream.is_over() || just_ended {
                    gather.extend([self.stream.state(m, self.lost)]);
                }
            }
            Ask::Inspection(gather) => gather.extend([Box::new(self.stream.inspect(m, self.lost))]),
            Ask::Sessions(prefix, gather) => gather.extend(self.stream.known_sessions(&prefix)),
        }
    }
}
