//! RedisControlAdapter: the original streamer's control by Redis. It looks at what the streamers write there, lets
//! [`watch`] turn looks into reports and [`stops`] judge each stop, and publishes their commands.
//!
//! A look that fails reports nothing, so what was known grows old and becomes unknown by itself.

mod server;
pub mod status;
mod stops;
mod watch;

use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, WrapFuture, fut::ActorFutureExt};
use sattva_actors::{
    clock::{Clock, Now},
    identity::SourceId,
    mailbox::deliver,
    protocol::{Ack, Delivered, Instruction, Outcome, StopCommand},
};
use serde::Serialize;

use self::{
    server::{Failure, Server},
    stops::{Due, LOOKS_MAX, Stops, Verdict},
    watch::{Found, Looked, Scope, Watch, source_prefix},
};
use super::{
    Leave, Outlets, Secrets,
    outlets::{ASK_AGAIN, MAILBOX},
};
use crate::{config, health::Health};

#[derive(Clone)]
pub struct RedisControlSettings {
    pub name: String,
    pub url: String,
    pub password: Option<String>,
    /// Channels to watch, as their keys name them; empty means all.
    pub channels: Vec<String>,
    pub channel_prefix: String,
    pub poll_interval: Duration,
    pub update_interval: Duration,
    pub settle: Duration,
    /// Whether ids that are whole numbers are published as numbers.
    pub numeric_ids: bool,
    pub stop: bool,
}

impl RedisControlSettings {
    pub fn from_config(server: config::RedisControl, secrets: Secrets) -> Self {
        Self {
            name: server.name,
            url: server.url,
            password: secrets.into_iter().next(),
            channels: server.channels,
            channel_prefix: server.channel_prefix,
            poll_interval: server.poll_interval,
            update_interval: server.update_interval,
            settle: server.settle,
            numeric_ids: server.numeric_ids,
            stop: server.stop,
        }
    }
}

pub struct RedisControlAdapter {
    settings: RedisControlSettings,
    clock: Clock,
    outlets: Outlets,
    health: Health,
    /// Made on the actor's own arbiter.
    server: Option<Server>,
    watch: Watch,
    stops: Stops,
}

#[derive(Serialize)]
struct Control<'a> {
    action: &'static str,
    channel_id: Id<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Id<'a> {
    Number(i64),
    Text(&'a str),
}

impl RedisControlAdapter {
    pub fn of(settings: RedisControlSettings, clock: Clock, outlets: Outlets) -> Self {
        let scope = Scope {
            name: settings.name.clone(),
            channel_prefix: settings.channel_prefix.clone(),
            update_interval: settings.update_interval,
            settle: settings.settle,
            stop: settings.stop,
        };
        Self {
            settings,
            clock,
            outlets,
            health: Health::default(),
            server: None,
            watch: Watch::new(scope),
            stops: Stops::default(),
        }
    }

    pub fn health(&self) -> Health {
        self.health.clone()
    }

    fn source_prefix(&self) -> String {
        source_prefix(&self.settings.name)
    }

    /// Nothing is reported before it is known what was reported last.
    fn ask_known_sessions(&mut self, ctx: &mut Context<Self>) {
        let known = self.outlets.known(self.source_prefix());
        ctx.spawn(known.into_actor(self).map(|known, adapter, ctx| match known {
            Some(known) => {
                adapter.watch.restore(known);
                adapter.look(ctx);
            }
            None => {
                ctx.run_later(ASK_AGAIN, Self::ask_known_sessions);
            }
        }));
    }

    /// Looks at everything, now and in its rhythm: the next look begins so long after this one has.
    fn look(&mut self, ctx: &mut Context<Self>) {
        let Some(server) = self.server.clone() else { return };
        let sent = self.clock.now();
        ctx.spawn(server.look(self.settings.channels.clone()).into_actor(self).map(move |found, adapter, ctx| {
            match found {
                Ok(found) => adapter.on_look(ctx, sent, found),
                Err(failure) => adapter.on_failure(&failure),
            }
            let spent = adapter.clock.now().at.since(sent.at);
            ctx.run_later(adapter.settings.poll_interval.saturating_sub(spent), Self::look);
        }));
    }

    fn on_look(&mut self, ctx: &mut Context<Self>, sent: Now, found: Vec<Found>) {
        if self.health.set(None).is_some() {
            tracing::info!(redis = %self.settings.name, "the Redis answers again");
        }
        let stops = &self.stops;
        let Looked { reports, odd } = self.watch.on_look(sent, found, |source| stops.is_ending(source));
        for (id, why) in odd {
            tracing::warn!(redis = %self.settings.name, id = %id.escape_debug(), %why, "what the streamer says of this channel cannot be understood; it is not watched and not ended");
        }
        for due in self.stops.on_look(self.clock.now().at, &self.watch) {
            match due {
                Due::Answer(command, ack) => self.answer(ctx, command.source, ack),
                Due::Again(id) => self.look_before_stopping(ctx, id, LOOKS_MAX),
            }
        }
        for (source, channel, at, report) in reports {
            self.outlets.tell(&self.settings.name, source, at, (channel, report));
        }
    }

    fn on_failure(&self, failure: &Failure) {
        if self.health.set(Some(failure.to_string())).is_none() {
            tracing::warn!(
                redis = %self.settings.name, error = %failure,
                "the streamers' Redis cannot be read: what they run becomes unknown, and nothing unknown is ended; see its address and password"
            );
        }
    }

    fn answer(&self, ctx: &mut Context<Self>, source: SourceId, ack: Ack) {
        self.outlets.answer(ctx, &self.settings.name, source, self.clock.now().at, ack);
    }

    fn execute(&mut self, ctx: &mut Context<Self>, command: StopCommand) {
        let id = command.id.clone();
        if !self.settings.stop {
            let detail = Some("stopping is switched off for this Redis".to_owned());
            self.answer(ctx, command.source, Ack { id, outcome: Outcome::Error, detail });
        } else if self.stops.on_command(self.clock.now().at, command) {
            self.look_before_stopping(ctx, id, LOOKS_MAX);
        }
    }

    fn look_before_stopping(&mut self, ctx: &mut Context<Self>, id: String, looks: u32) {
        let Some(command) = self.stops.command(&id) else { return };
        let source = command.source.clone();
        let (Some(sighting), Some(server)) = (self.watch.sighting(&source), self.server.clone()) else { return };
        let channel = sighting.id.to_owned();
        ctx.spawn(server.status(channel.clone()).into_actor(self).map(move |raw, adapter, ctx| {
            let raw = match raw {
                Ok(raw) => raw,
                Err(failure) => return adapter.on_failure(&failure),
            };
            let now = adapter.clock.now().at;
            if !adapter.outlets.store.is_ours(now) {
                adapter.stops.retract_all();
            }
            match adapter.stops.judge(now, &id, raw.as_deref(), &adapter.watch) {
                Verdict::Publish => adapter.publish(ctx, id, channel, raw.unwrap_or_default(), looks),
                Verdict::Answer(ack) => adapter.answer(ctx, source, ack),
                Verdict::Wait | Verdict::Drop => {}
            }
        }));
    }

    fn publish(&mut self, ctx: &mut Context<Self>, id: String, channel: String, raw: Vec<u8>, looks: u32) {
        let Some(server) = self.server.clone() else { return };
        let message = self.message(&channel);
        tracing::warn!(redis = %self.settings.name, channel = %channel, command = %id, "publishing a stop for a stream that nobody hears");
        let published = async move {
            let heard = server.publish(&channel, &raw, message).await;
            (heard, raw)
        };
        ctx.spawn(published.into_actor(self).map(move |(heard, raw), adapter, ctx| match heard {
            Ok(Some(0)) => {
                adapter.stops.on_unheard(&id, &raw);
                tracing::warn!(redis = %adapter.settings.name, command = %id, "no streamer hears stream:control; the stop is tried again while it is valid");
            }
            Ok(Some(_)) => {
                if let Some(command) = adapter.stops.command(&id) {
                    let channel = command.channel.clone();
                    deliver(ctx, &adapter.outlets.delivered, Delivered { channel, id: id.clone() });
                }
                adapter.stops.on_published(&id, &raw);
            }
            Ok(None) => {
                adapter.stops.on_unpublished(&id);
                if looks > 1 {
                    adapter.look_before_stopping(ctx, id, looks - 1);
                }
            }
            Err(failure) => {
                // It may have been heard all the same: while this status stands it is not published again.
                adapter.stops.on_unheard(&id, &raw);
                adapter.on_failure(&failure);
            }
        }));
    }

    fn message(&self, channel: &str) -> String {
        let number = channel.parse::<i64>().ok().filter(|n| self.settings.numeric_ids && n.to_string() == channel);
        let channel_id = number.map_or(Id::Text(channel), Id::Number);
        // It is made of a word and a name.
        serde_json::to_string(&Control { action: "stop", channel_id }).unwrap_or_default()
    }
}

impl Actor for RedisControlAdapter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        match Server::new(&self.settings.url, self.settings.password.as_deref()) {
            Ok(server) => self.server = Some(server),
            Err(failure) => return self.on_failure(&failure),
        }
        self.outlets.register(ctx, self.source_prefix(), Some(ctx.address().recipient()));
        self.ask_known_sessions(ctx);
    }
}

impl Handler<Instruction> for RedisControlAdapter {
    type Result = bool;

    fn handle(&mut self, instruction: Instruction, ctx: &mut Self::Context) -> bool {
        match instruction {
            Instruction::Execute(command) => self.execute(ctx, command),
            Instruction::Retract(retract) => self.stops.on_retract(&retract.id),
        }
        // Only what a streamer has heard has been delivered.
        false
    }
}

impl Handler<Leave> for RedisControlAdapter {
    type Result = ();

    fn handle(&mut self, _: Leave, ctx: &mut Self::Context) {
        // Sent before this is answered: a successor that is started afterwards keeps its own registration.
        self.outlets.register(ctx, self.source_prefix(), None);
        ctx.stop();
    }
}
