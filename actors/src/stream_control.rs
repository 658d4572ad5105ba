//! StreamControl: brings stop commands to the streamers. A streamer collects its commands with its
//! reports; an adapter gets them by message. What a command is worth is the channel's business.

mod outbox;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use actix::{
    Actor, AsyncContext, Context, Handler, Recipient, SpawnHandle, WrapFuture, dev::RecipientRequest,
    fut::ActorFutureExt,
};
use tokio::sync::oneshot;

use self::outbox::Outbox;
use crate::{
    clock::{Clock, Timestamp},
    identity::{ChannelId, SourceId},
    mailbox::deliver,
    protocol::{Collect, Delivered, Instruction, Offer, RegisterOutlet, Retract, SourcePattern, StopCommand},
    store::StoreHealth,
    vitals::SignOfLife,
};

pub const MAILBOX: usize = 262_144;
/// One source's commands are not looked after more often than this.
const AT_MOST_EVERY: Duration = Duration::from_millis(10);
/// How often it is looked whether what is held is this daemon's own again.
const OURS_AGAIN_EVERY: Duration = Duration::from_millis(250);
/// Open requests that wait for a command.
const WAITERS: usize = 10_000;

/// How many commands wait to be collected: while it is 0 nobody needs to ask.
#[derive(Clone, Debug, Default)]
pub struct CommandsWaiting(Arc<AtomicUsize>);

impl CommandsWaiting {
    pub fn any(&self) -> bool {
        self.0.load(Relaxed) > 0
    }
}

/// An open request that waits for a command, by its number.
type Waiter = (u64, oneshot::Sender<Vec<StopCommand>>);

/// Where the commands of some sources go.
struct Outlet {
    owner: String,
    sources: SourcePattern,
    recipient: Recipient<Instruction>,
    looks_first: bool,
}

pub struct StreamControl {
    clock: Clock,
    /// Whether another daemon may have the channels by now, and know better.
    store: Arc<StoreHealth>,
    outbox: Outbox,
    outlets: Vec<Outlet>,
    waiters: HashMap<SourceId, Vec<Waiter>>,
    waiting_requests: usize,
    next_waiter: u64,
    /// One timer per source with open commands.
    planned: HashMap<SourceId, (Timestamp, SpawnHandle)>,
    commands_waiting: CommandsWaiting,
    delivered: Recipient<Delivered>,
}

impl StreamControl {
    pub fn new(
        clock: Clock,
        store: Arc<StoreHealth>,
        commands_waiting: CommandsWaiting,
        delivered: Recipient<Delivered>,
    ) -> Self {
        Self {
            clock,
            store,
            outbox: Outbox::default(),
            outlets: Vec::new(),
            waiters: HashMap::new(),
            waiting_requests: 0,
            next_waiter: 0,
            planned: HashMap::new(),
            commands_waiting,
            delivered,
        }
    }

    fn outlet_of(&self, source: &SourceId) -> Option<&Outlet> {
        let fitting = self.outlets.iter().filter(|outlet| outlet.sources.matches(source));
        fitting.max_by_key(|outlet| outlet.sources.closeness())
    }

    /// What is due for a source: nothing while it may be another daemon's to say.
    fn take(&mut self, source: &SourceId, only: Option<&ChannelId>, now: Timestamp) -> Vec<StopCommand> {
        if self.store.is_ours(now) { self.outbox.take(source, only, now) } else { Vec::new() }
    }

    /// Who waits for a source's commands. Whoever has hung up would use up a delivery that another one waits for.
    fn take_waiters(&mut self, source: &SourceId) -> Option<Vec<Waiter>> {
        let mut waiters = self.waiters.remove(source)?;
        let waited = waiters.len();
        waiters.retain(|(_, reply)| !reply.is_closed());
        self.waiting_requests -= waited - waiters.len();
        (!waiters.is_empty()).then_some(waiters)
    }

    /// Hands out what is due for one source, to an adapter or to whoever waits.
    fn deliver(&mut self, ctx: &mut Context<Self>, source: &SourceId) {
        let now = self.clock.now().at;
        if let Some(outlet) = self.outlet_of(source).map(|outlet| outlet.recipient.clone()) {
            for command in self.take(source, None, now) {
                let delivered = Delivered { channel: command.channel.clone(), id: command.id.clone() };
                let sent = instruct(&outlet, Instruction::Execute(command)).into_actor(self);
                ctx.spawn(sent.map(move |sent, control, ctx| {
                    if sent == Ok(true) {
                        control.tell_delivered(ctx, delivered);
                    }
                }));
            }
        } else if let Some(mut waiters) = self.take_waiters(source) {
            let commands = self.take(source, None, now);
            if commands.is_empty() {
                self.waiters.insert(source.clone(), waiters);
            } else {
                self.waiting_requests -= waiters.len();
                let (_, first) = waiters.swap_remove(0);
                self.hand_over(ctx, first, commands);
                for (_, other) in waiters {
                    let _ = other.send(Vec::new());
                }
            }
        }
        self.refresh();
    }

    fn hand_over(
        &mut self,
        ctx: &mut Context<Self>,
        reply: oneshot::Sender<Vec<StopCommand>>,
        commands: Vec<StopCommand>,
    ) {
        let told: Vec<_> =
            commands.iter().map(|c| Delivered { channel: c.channel.clone(), id: c.id.clone() }).collect();
        // A client that has gone gets its commands again at the next redelivery.
        if reply.send(commands).is_ok() {
            for delivered in told {
                self.tell_delivered(ctx, delivered);
            }
        }
    }

    fn tell_delivered(&self, ctx: &mut Context<Self>, delivered: Delivered) {
        deliver(ctx, &self.delivered, delivered);
    }

    fn refresh(&self) {
        self.commands_waiting.0.store(self.outbox.len(), Relaxed);
    }

    /// While nobody is there to take anything, only an end of validity is something to do.
    fn next_due(&self, source: &SourceId) -> Option<Timestamp> {
        if self.outlet_of(source).is_some() || self.waiters.contains_key(source) {
            return self.outbox.next_due(source);
        }
        self.outbox.next_expiry(source)
    }

    /// Looks after a source's commands at `at`, and for as long as any is open.
    fn plan(&mut self, ctx: &mut Context<Self>, source: SourceId, at: Timestamp) {
        if let Some((planned, timer)) = self.planned.get(&source) {
            if *planned <= at {
                return;
            }
            ctx.cancel_future(*timer);
        }
        let wait = at.since(self.clock.now().at);
        let whose = source.clone();
        let timer = ctx.run_later(wait, move |control, ctx| {
            control.planned.remove(&whose);
            control.deliver(ctx, &whose);
            let now = control.clock.now().at;
            control.outbox.expire(&whose, now);
            control.refresh();
            let next = if control.store.is_ours(now) {
                control.next_due(&whose).map(|next| next.max(now.plus(AT_MOST_EVERY)))
            } else {
                control.outbox.next_expiry(&whose).map(|_| now.plus(OURS_AGAIN_EVERY))
            };
            if let Some(next) = next {
                control.plan(ctx, whose, next);
            }
        });
        self.planned.insert(source, (at, timer));
    }
}

/// Neither dropped nor overtaken, however full the mailbox is: each clone of an address has a place of its
/// own there. How many wait is bounded by the commands that are open.
fn instruct(outlet: &Recipient<Instruction>, instruction: Instruction) -> RecipientRequest<Instruction> {
    outlet.clone().send(instruction)
}

impl Handler<SignOfLife> for StreamControl {
    type Result = ();

    fn handle(&mut self, sign: SignOfLife, _: &mut Self::Context) {
        sign.give();
    }
}

impl Actor for StreamControl {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Offer> for StreamControl {
    type Result = ();

    fn handle(&mut self, Offer(command): Offer, ctx: &mut Self::Context) {
        let source = command.source.clone();
        self.outbox.put(command);
        self.plan(ctx, source, Timestamp::ZERO);
        self.refresh();
    }
}

impl Handler<Retract> for StreamControl {
    type Result = ();

    fn handle(&mut self, retract: Retract, ctx: &mut Self::Context) {
        let outlet = self.outlet_of(&retract.source);
        if retract.leaves_outlet && outlet.is_some_and(|outlet| outlet.looks_first) {
            return;
        }
        let outlet = outlet.map(|outlet| outlet.recipient.clone());
        self.outbox.remove(&retract.source, &retract.id);
        self.refresh();
        if let Some(outlet) = &outlet {
            // Also where it is settled: an adapter that never heard of the outcome has nothing left to do.
            let told = instruct(outlet, Instruction::Retract(retract)).into_actor(self);
            ctx.spawn(told.map(|_, _, _| ()));
        }
    }
}

impl Handler<Collect> for StreamControl {
    type Result = ();

    fn handle(&mut self, collect: Collect, ctx: &mut Self::Context) {
        let Collect { source, only, wait, reply } = collect;
        let now = self.clock.now().at;
        let commands = self.take(&source, only.as_ref(), now);
        if !commands.is_empty() || wait.is_zero() || self.waiting_requests >= WAITERS {
            self.hand_over(ctx, reply, commands);
            self.refresh();
            return;
        }
        let number = self.next_waiter;
        self.next_waiter += 1;
        self.waiting_requests += 1;
        self.waiters.entry(source.clone()).or_default().push((number, reply));
        if let Some(next) = self.outbox.next_due(&source) {
            // Whoever waits gets the redeliveries as they fall due.
            self.plan(ctx, source.clone(), next);
        }
        ctx.run_later(wait, move |control, _| {
            let Some(waiters) = control.waiters.get_mut(&source) else { return };
            if let Some(index) = waiters.iter().position(|(n, _)| *n == number) {
                let (_, reply) = waiters.swap_remove(index);
                control.waiting_requests -= 1;
                let _ = reply.send(Vec::new());
            }
            if waiters.is_empty() {
                control.waiters.remove(&source);
            }
        });
    }
}

impl Handler<RegisterOutlet> for StreamControl {
    type Result = ();

    fn handle(&mut self, register: RegisterOutlet, ctx: &mut Self::Context) {
        let RegisterOutlet { owner, sources, outlet, looks_first } = register;
        self.outlets.retain(|outlet| outlet.owner != owner || outlet.sources != sources);
        if let Some(recipient) = outlet {
            self.outlets.push(Outlet { owner, sources, recipient, looks_first });
            for source in self.outbox.sources() {
                self.plan(ctx, source, Timestamp::ZERO);
            }
        }
    }
}

#[cfg(test)]
mod tests;
