//! IcecastAdapter: watches one Icecast server and stops its sources when told. It polls, lets [`watch`]
//! turn polls into reports and [`kill`] plan each stop, and carries out what they decide.
//!
//! A poll that fails reports nothing, so what was known grows old and becomes unknown by itself; nothing
//! here ever turns a failure into a zero.

mod kill;
mod names;
mod server;
mod stats;
mod stops;
mod trouble;
mod watch;

use std::{fmt, time::Duration};

use actix::{
    Actor, ActorContext, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle, WrapFuture,
    fut::ActorFutureExt, prelude::SendError,
};
use sattva_actors::{
    clock::{Clock, Now, Timestamp},
    identity::SourceId,
    protocol::{
        Ack, Batch, Instruction, KnownSessions, Outcome, RegisterOutlet, Report, SourcePattern, StopCommand, Tally,
    },
};
use tokio::sync::oneshot;

pub use self::trouble::ServerHealth;
use self::{
    server::Server,
    stats::Mount,
    stops::{Due, Stops},
    trouble::{Failure, News, Trouble},
    watch::{Addressed, Scope, Seen, Watch},
};

/// Commands that may wait; StreamControl waits for room.
const MAILBOX: usize = 1024;
/// When the supervisor did not say which sessions it knows, it is asked again after this.
const ASK_AGAIN: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub struct IcecastSettings {
    /// Names this server among all; part of its sources' names.
    pub name: String,
    /// The server's root, such as `http://127.0.0.1:8000`.
    pub url: String,
    pub user: String,
    pub password: String,
    pub poll_interval: Duration,
    /// Mounts to watch; empty means all.
    pub mounts: Vec<String>,
    pub channel_prefix: String,
    /// Whether streams here may be ended.
    pub stop: bool,
}

impl fmt::Debug for IcecastSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IcecastSettings")
            .field("name", &self.name)
            .field("url", &self.url)
            .field("user", &self.user)
            .field("password", &"…")
            .field("poll_interval", &self.poll_interval)
            .field("mounts", &self.mounts)
            .field("channel_prefix", &self.channel_prefix)
            .field("stop", &self.stop)
            .finish()
    }
}

/// Where an adapter's reports, questions and registration go.
pub struct IcecastOutlets {
    pub batches: Recipient<Batch>,
    pub known_sessions: Recipient<KnownSessions>,
    pub registrations: Recipient<RegisterOutlet>,
}

/// The server leaves the configuration, or is configured anew: watch it no longer. What it said stays
/// believed for as long as any report is.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Leave;

pub struct IcecastAdapter {
    settings: IcecastSettings,
    clock: Clock,
    outlets: IcecastOutlets,
    health: ServerHealth,
    /// Made on the actor's own arbiter.
    server: Option<Server>,
    watch: Watch,
    stops: Stops,
    trouble: Trouble,
    /// The sessions known before have been asked for and heard.
    ready: bool,
    in_flight: bool,
    last_poll: Timestamp,
    timer: Option<SpawnHandle>,
}

impl IcecastAdapter {
    pub fn new(settings: IcecastSettings, clock: Clock, outlets: IcecastOutlets) -> Self {
        let scope = Scope {
            server: settings.name.clone(),
            mounts: settings.mounts.clone(),
            channel_prefix: settings.channel_prefix.clone(),
            interval: settings.poll_interval,
            stop: settings.stop,
        };
        Self {
            settings,
            clock,
            outlets,
            health: ServerHealth::default(),
            server: None,
            watch: Watch::new(scope),
            stops: Stops::default(),
            trouble: Trouble::default(),
            ready: false,
            in_flight: false,
            last_poll: Timestamp::ZERO,
            timer: None,
        }
    }

    pub fn health(&self) -> ServerHealth {
        self.health.clone()
    }

    fn register(&self, ctx: &mut Context<Self>, outlet: Option<Recipient<Instruction>>) {
        let sources = SourcePattern::BeginsWith(names::source_prefix(&self.settings.name));
        let register = RegisterOutlet { sources, outlet };
        if let Err(SendError::Full(register)) = self.outlets.registrations.try_send(register) {
            ctx.spawn(self.outlets.registrations.send(register).into_actor(self).map(|_, _, _| ()));
        }
    }

    /// Nothing is reported before it is known what was reported last.
    fn ask_known_sessions(&mut self, ctx: &mut Context<Self>) {
        let (reply, answer) = oneshot::channel();
        let source_prefix = names::source_prefix(&self.settings.name);
        let asked = self.outlets.known_sessions.send(KnownSessions { source_prefix, reply });
        let known = async move {
            asked.await.ok()?;
            answer.await.ok()
        };
        ctx.spawn(known.into_actor(self).map(|known, adapter, ctx| match known {
            Some(known) => {
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
        let Some(server) = self.server.clone().filter(|_| !self.in_flight) else { return };
        let sent = self.clock.now();
        self.in_flight = true;
        self.last_poll = sent.at;
        ctx.spawn(server.stats().into_actor(self).map(move |answer, adapter, ctx| {
            adapter.in_flight = false;
            let now = adapter.clock.now();
            match answer {
                Ok(mounts) => adapter.on_good_poll(ctx, sent, now, &mounts),
                Err(failure) => adapter.on_bad_poll(ctx, now, &failure),
            }
            adapter.schedule(ctx);
        }));
    }

    fn on_good_poll(&mut self, ctx: &mut Context<Self>, sent: Now, now: Now, mounts: &[Mount]) {
        if let News::Recovered { after } = self.trouble.on_success(now.at) {
            self.health.set(None);
            tracing::info!(server = %self.settings.name, seconds = after.as_secs(), "the Icecast server answers again");
        }
        let stops = &self.stops;
        let Seen { reports, gone, unwatchable } = self.watch.on_poll(sent, mounts, |place| stops.has_killed(place));
        for (mount, why) in unwatchable {
            tracing::warn!(
                server = %self.settings.name, mount = %mount.escape_debug(), %why,
                "a mount is not watched and will not be ended; rename it, or list the mounts to watch in the configuration"
            );
        }
        let due = self.stops.on_poll(sent.at, now.at, &self.watch, &gone);
        self.perform(ctx, now, due);
        for report in reports {
            // Dated by its request: the count may have been taken at any moment since.
            self.tell(sent.at, report);
        }
    }

    fn on_bad_poll(&mut self, ctx: &mut Context<Self>, now: Now, failure: &Failure) {
        if self.trouble.on_failure(now.at, failure) == News::Began {
            tracing::warn!(
                server = %self.settings.name, url = %self.settings.url, error = %failure, todo = failure.todo(),
                "the Icecast server cannot be watched: what it runs becomes unknown, and nothing unknown is ended"
            );
        }
        self.health.set(Some(format!("{failure}; {}", failure.todo())));
        let due = self.stops.on_bad_poll(now.at);
        self.perform(ctx, now, due);
    }

    fn perform(&mut self, ctx: &mut Context<Self>, now: Now, due: Vec<Due>) {
        for due in due {
            match due {
                Due::Kill { place, id } => {
                    let mount = self.watch.mount_of(&place).map(str::to_owned);
                    let (Some(mount), Some(server)) = (mount, self.server.clone()) else { continue };
                    tracing::warn!(server = %self.settings.name, mount = %mount.escape_debug(), command = %id, "killing a source that nobody hears");
                    ctx.spawn(server.kill(mount).into_actor(self).map(move |how, adapter, ctx| {
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
        let batch = batch(source, received, vec![(channel, report)], Vec::new());
        if let Err(error) = self.outlets.batches.try_send(batch) {
            // The next poll says it again, and silence is believed to be nothing but silence.
            tracing::warn!(server = %self.settings.name, %error, "a report of the Icecast server could not be handed over");
        }
    }

    fn answer(&self, ctx: &mut Context<Self>, source: SourceId, ack: Ack) {
        tracing::info!(server = %self.settings.name, command = %ack.id, outcome = ?ack.outcome, detail = ack.detail.as_deref().unwrap_or("-"), "a stop command is answered");
        let batch = batch(source, self.clock.now().at, Vec::new(), vec![ack]);
        // Tried at once, so that the answer goes before the reports that follow from it.
        if let Err(SendError::Full(batch)) = self.outlets.batches.try_send(batch) {
            ctx.spawn(self.outlets.batches.send(batch).into_actor(self).map(|_, _, _| ()));
        }
    }
}

fn batch(
    source: SourceId,
    received: Timestamp,
    reports: Vec<(sattva_actors::identity::ChannelId, Report)>,
    acks: Vec<Ack>,
) -> Batch {
    let (tally, _) = Tally::new();
    Batch { source, received, reports, acks, tally }
}

impl Actor for IcecastAdapter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.server = Some(Server::new(&self.settings.url, &self.settings.user, &self.settings.password));
        self.register(ctx, Some(ctx.address().recipient()));
        self.ask_known_sessions(ctx);
    }
}

impl Handler<Instruction> for IcecastAdapter {
    type Result = ();

    fn handle(&mut self, instruction: Instruction, ctx: &mut Self::Context) {
        match instruction {
            Instruction::Execute(command) => self.execute(ctx, command),
            Instruction::Retract(retract) => self.stops.on_retract(&retract.id),
        }
        self.schedule(ctx);
    }
}

impl Handler<Leave> for IcecastAdapter {
    type Result = ();

    fn handle(&mut self, _: Leave, ctx: &mut Self::Context) {
        // Sent before this is answered: a successor that is started afterwards keeps its own registration.
        self.register(ctx, None);
        ctx.stop();
    }
}
