//! Polled: the adapter of one server that is asked again and again what it runs, whatever its kind. It
//! polls, lets [`watch`] turn polls into reports and [`kill`] plan each stop, and carries out what they decide.
//!
//! A poll that fails reports nothing, so what was known grows old and becomes unknown by itself; nothing
//! here ever turns a failure into a zero.

pub mod broadcast;
pub mod kill;
pub mod kind;
pub mod names;
pub mod request;
pub mod settling;
mod stops;
pub mod trouble;
mod watch;
pub mod xml;

use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, SpawnHandle, WrapFuture, fut::ActorFutureExt};
use sattva_actors::{
    clock::{Clock, Now, Timestamp},
    identity::SourceId,
    protocol::{Ack, Instruction, KnownSession, Outcome, StopCommand},
};

use self::{
    broadcast::Broadcast,
    kill::Killed,
    kind::Kind,
    request::TIME_LIMIT,
    stops::{Due, Stops},
    trouble::{Failure, News, Trouble},
    watch::{Addressed, Scope, Seen, Watch},
};
use super::{
    Leave, Outlets,
    outlets::{ASK_AGAIN, MAILBOX},
};
use crate::health::Health;

/// A server that does not report by itself. It lives on its adapter's own arbiter.
pub trait Server: Clone + Unpin + 'static {
    const KIND: Kind;

    /// What runs there now; `sent` is the moment of the request.
    fn look(self, sent: Now) -> impl Future<Output = Result<Vec<Broadcast>, Failure>>;

    /// Ends a broadcast, and of it no other connection than this where the server can tell them apart.
    fn end(self, broadcast: Broadcast) -> impl Future<Output = Killed>;

    /// What was reported before the daemon was restarted.
    fn recall(&self, _known: &[KnownSession]) {}
}

/// What holds for every server, whatever its kind.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names this server among all of its kind; part of its sources' names.
    pub name: String,
    /// Where it is, for the log.
    pub url: String,
    pub poll_interval: Duration,
    /// How long a count must have been zero to be believed.
    pub settle: Duration,
    pub channel_prefix: String,
    /// Whether streams here may be ended.
    pub stop: bool,
}

pub struct Polled<S> {
    settings: Settings,
    clock: Clock,
    outlets: Outlets,
    health: Health,
    server: S,
    watch: Watch,
    stops: Stops,
    trouble: Trouble,
    /// The sessions known before have been asked for and heard.
    ready: bool,
    in_flight: bool,
    last_poll: Timestamp,
    timer: Option<SpawnHandle>,
}

impl<S: Server> Polled<S> {
    pub fn new(server: S, settings: Settings, clock: Clock, outlets: Outlets) -> Self {
        let scope = Scope {
            kind: S::KIND.name,
            server: settings.name.clone(),
            settle: settings.settle,
            channel_prefix: settings.channel_prefix.clone(),
            interval: settings.poll_interval,
            stop: settings.stop,
        };
        Self {
            settings,
            clock,
            outlets,
            health: Health::default(),
            server,
            watch: Watch::new(scope),
            stops: Stops::default(),
            trouble: Trouble::default(),
            ready: false,
            in_flight: false,
            last_poll: Timestamp::ZERO,
            timer: None,
        }
    }

    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Every source of this server begins so.
    fn source_prefix(&self) -> String {
        names::source_prefix(S::KIND.name, &self.settings.name)
    }

    /// Nothing is reported before it is known what was reported last.
    fn ask_known_sessions(&mut self, ctx: &mut Context<Self>) {
        let known = self.outlets.known(self.source_prefix());
        ctx.spawn(known.into_actor(self).map(|known, adapter, ctx| match known {
            Some(known) => {
                adapter.server.recall(&known);
                adapter.watch.restore(known);
                adapter.ready = true;
                adapter.schedule(ctx);
            }
            None => {
                ctx.run_later(ASK_AGAIN, Self::ask_known_sessions);
            }
        }));
    }

    /// Arms the one timer: the rhythm of the polls, or sooner where a stop wants to see.
    fn schedule(&mut self, ctx: &mut Context<Self>) {
        if !self.ready || self.in_flight {
            return;
        }
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let regular = self.last_poll.plus(self.settings.poll_interval);
        let at = self.stops.next_look(self.last_poll).map_or(regular, |look| look.min(regular));
        let wait = at.since(self.clock.now().at);
        self.timer = Some(ctx.run_later(wait, |adapter, ctx| {
            adapter.timer = None;
            adapter.poll(ctx);
        }));
    }

    fn poll(&mut self, ctx: &mut Context<Self>) {
        if self.in_flight {
            return;
        }
        let sent = self.clock.now();
        self.in_flight = true;
        self.last_poll = sent.at;
        let look = tokio::time::timeout(TIME_LIMIT, self.server.clone().look(sent));
        ctx.spawn(look.into_actor(self).map(move |answer, adapter, ctx| {
            adapter.in_flight = false;
            let now = adapter.clock.now();
            match answer.unwrap_or(Err(Failure::Slow(TIME_LIMIT))) {
                Ok(broadcasts) => adapter.on_good_poll(ctx, sent, now, &broadcasts),
                Err(failure) => adapter.on_bad_poll(ctx, now, &failure),
            }
            adapter.schedule(ctx);
        }));
    }

    fn on_good_poll(&mut self, ctx: &mut Context<Self>, sent: Now, now: Now, broadcasts: &[Broadcast]) {
        let Kind { called, .. } = S::KIND;
        if let News::Recovered { after } = self.trouble.on_success(now.at) {
            self.health.set(None);
            tracing::info!(server = %self.settings.name, seconds = after.as_secs(), "the {called} answers again");
        }
        let stops = &self.stops;
        let Seen { reports, gone, unwatchable } = self.watch.on_poll(sent, broadcasts, |place| stops.has_killed(place));
        for (stream, why) in unwatchable {
            tracing::warn!(
                server = %self.settings.name, stream = %stream.escape_debug(), %why,
                "a stream is not watched and will not be ended; rename it, or list what to watch in the configuration"
            );
        }
        if !self.outlets.store.is_ours(now.at) {
            self.stops.retract_all();
        }
        let due = self.stops.on_poll(sent.at, now.at, &self.watch, &gone);
        self.perform(ctx, now, due);
        for report in reports {
            // Dated by its request: the count may have been taken at any moment since.
            self.tell(sent.at, report);
        }
    }

    fn on_bad_poll(&mut self, ctx: &mut Context<Self>, now: Now, failure: &Failure) {
        let todo = failure.todo(&S::KIND);
        if self.trouble.on_failure(now.at, failure) == News::Began {
            tracing::warn!(
                server = %self.settings.name, url = %self.settings.url, error = %failure, todo,
                "the {} cannot be watched: what it runs becomes unknown, and nothing unknown is ended", S::KIND.called
            );
        }
        self.health.set(Some(format!("{failure}; {todo}")));
        let due = self.stops.on_bad_poll(now.at);
        self.perform(ctx, now, due);
    }

    fn perform(&mut self, ctx: &mut Context<Self>, now: Now, due: Vec<Due>) {
        for due in due {
            match due {
                Due::Kill { place, id } => {
                    let Some(broadcast) = self.watch.broadcast(&place).cloned() else { continue };
                    tracing::warn!(server = %self.settings.name, stream = %broadcast.name.escape_debug(), command = %id, "killing a source that nobody hears");
                    // A request that takes too long may have done it all the same.
                    let end = tokio::time::timeout(TIME_LIMIT, self.server.clone().end(broadcast));
                    ctx.spawn(end.into_actor(self).map(move |how, adapter, ctx| {
                        let how = how.unwrap_or(Killed::Perhaps);
                        let now = adapter.clock.now();
                        let due = adapter.stops.on_killed(now.at, &id, &how);
                        adapter.perform(ctx, now, due);
                        adapter.schedule(ctx);
                    }));
                }
                Due::Answer { place, ack, gone } => {
                    self.answer(ctx, place.0.clone(), ack);
                    if gone && let Some(over) = self.watch.end(&place, now) {
                        self.tell(now.at, over);
                    }
                }
            }
        }
    }

    fn execute(&mut self, ctx: &mut Context<Self>, command: StopCommand) {
        let source = command.source.clone();
        if !self.settings.stop {
            let detail = Some("stopping is switched off for this server".to_owned());
            self.answer(ctx, source, Ack { id: command.id, outcome: Outcome::Error, detail });
            return;
        }
        if let Some(ack) = self.stops.on_command(self.clock.now().at, command) {
            self.answer(ctx, source, ack);
        }
    }

    fn tell(&self, received: Timestamp, ((source, channel), report): Addressed) {
        self.outlets.tell(&self.settings.name, source, received, (channel, report));
    }

    fn answer(&self, ctx: &mut Context<Self>, source: SourceId, ack: Ack) {
        self.outlets.answer(ctx, &self.settings.name, source, self.clock.now().at, ack);
    }
}

impl<S: Server> Actor for Polled<S> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.outlets.register(ctx, self.source_prefix(), Some(ctx.address().recipient()));
        self.ask_known_sessions(ctx);
    }
}

impl<S: Server> Handler<Instruction> for Polled<S> {
    type Result = bool;

    fn handle(&mut self, instruction: Instruction, ctx: &mut Self::Context) -> bool {
        match instruction {
            Instruction::Execute(command) => self.execute(ctx, command),
            Instruction::Retract(retract) => self.stops.on_retract(&retract.id),
        }
        self.schedule(ctx);
        true
    }
}

impl<S: Server> Handler<Leave> for Polled<S> {
    type Result = ();

    fn handle(&mut self, _: Leave, ctx: &mut Self::Context) {
        // Sent before this is answered: a successor that is started afterwards keeps its own registration.
        self.outlets.register(ctx, self.source_prefix(), None);
        ctx.stop();
    }
}
