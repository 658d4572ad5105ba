//! WebhookActor: tells one endpoint of every warning and auto-end event, and brings stop commands to those of
//! its sources that take them by webhook.

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::Arc,
};

use actix::{
    Actor, ActorContext, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle, WrapFuture,
    fut::ActorFutureExt,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use prometheus::{IntCounter, IntGauge};
use sattva_actors::{
    clock::Clock,
    identity::{ChannelId, SourceId},
    mailbox::deliver,
    protocol::{Ack, Announcement, Batch, Delivered, Instruction, Outcome, StopCommand, Tally},
    store::StoreHealth,
    traces::Traces,
    wire::Command,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::health::Health;

use super::{
    endpoint::{Endpoint, Taken, Untaken},
    queue::{Event, Fate, Miss, Queue},
    signature::Secrets,
    spans::{Delivery, Spans},
};

/// Events that may come in at once; past it the Broker counts what is missed.
const MAILBOX: usize = 65_536;
/// Stop commands on their way at a time, and those that wait for one to be answered.
const STOPS_MAX: usize = 64;
const STOPS_WAITING_MAX: usize = 10_000;

#[derive(Clone, Debug)]
pub struct HookMetrics {
    pub delivered: IntCounter,
    pub failed: IntCounter,
    pub given_up: IntCounter,
    pub waiting: IntGauge,
}

pub struct HookSettings {
    pub name: String,
    pub url: String,
    pub secrets: Secrets,
}

/// Where acknowledgements go, and word of what was delivered.
pub struct HookOutlets {
    pub batches: Recipient<Batch>,
    pub delivered: Recipient<Delivered>,
    /// Whether another daemon may have the channels by now, and know better than a stop that waits here.
    pub store: Arc<StoreHealth>,
    pub traces: Traces,
}

/// Its secrets have changed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct UseSecrets(pub Secrets);

/// The configuration names it no more, and it is registered nowhere. What waits is given up.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Leave;

pub struct WebhookActor {
    settings: HookSettings,
    clock: Clock,
    outlets: HookOutlets,
    spans: Spans,
    metrics: HookMetrics,
    health: Health,
    /// Made on the actor's own arbiter.
    endpoint: Option<Endpoint>,
    queue: Queue,
    /// Tells the events of this process from those of another.
    life: i64,
    numbers: u64,
    timer: Option<SpawnHandle>,
    /// Stop commands on their way, by id.
    stops: HashMap<String, SpawnHandle>,
    stops_waiting: VecDeque<StopCommand>,
    gone: bool,
}

#[derive(Serialize)]
struct StopMessage {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    data: StopData,
}

#[derive(Serialize)]
struct StopData {
    source: String,
    #[serde(flatten)]
    command: Command,
}

/// What a streamer may answer a stop with.
#[derive(Deserialize)]
struct StopAnswer {
    outcome: Outcome,
    detail: Option<String>,
}

impl WebhookActor {
    pub fn new(settings: HookSettings, clock: Clock, outlets: HookOutlets, metrics: HookMetrics) -> Self {
        Self {
            spans: Spans::new(outlets.traces.clone(), &settings.name, &settings.url),
            settings,
            clock,
            outlets,
            metrics,
            health: Health::default(),
            endpoint: None,
            queue: Queue::default(),
            life: clock.now().wall.as_millis(),
            numbers: 0,
            timer: None,
            stops: HashMap::new(),
            stops_waiting: VecDeque::new(),
            gone: false,
        }
    }

    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Sends what is due, and sleeps until the next is.
    fn send(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let now = self.clock.now();
        while let Some((channel, event)) = self.queue.take(now.at) {
            let Some(endpoint) = self.endpoint.clone() else { return };
            let Event { id, body, delivery } = event;
            let told = self.spans.try_begins(delivery.map(Delivery::context), &id, now.at);
            let within = told.as_ref().map(|told| told.context);
            let event = delivery.map(|delivery| (delivery, id.clone()));
            let posted = endpoint.post(id, body, now.wall.as_millis() / 1000, within);
            ctx.spawn(posted.into_actor(self).map(move |answer, hook, ctx| {
                if let Some(told) = told {
                    hook.spans.try_ended(told, hook.clock.now().at, answer.as_ref());
                }
                let fate = hook.on_answer(&channel, &answer);
                if let (Some((delivery, id)), Some(delivered)) = (event, fate) {
                    hook.spans.event_ended(delivery, &id, &channel, hook.clock.now().at, delivered);
                }
                hook.send(ctx);
            }));
        }
        self.metrics.waiting.set(self.queue.waiting() as i64);
        if let Some(due) = self.queue.next_due() {
            let wait = due.since(self.clock.now().at);
            self.timer = Some(ctx.run_later(wait, |hook, ctx| {
                hook.timer = None;
                hook.send(ctx);
            }));
        }
    }

    /// Answers with whether the event has been delivered, if that is settled.
    fn on_answer(&mut self, channel: &ChannelId, answer: &Result<Taken, Untaken>) -> Option<bool> {
        let miss = match answer {
            Ok(_) => {
                self.metrics.delivered.inc();
                self.queue.on_delivered(channel);
                self.on_taken();
                return Some(true);
            }
            Err(Untaken::Gone) => {
                self.gone = true;
                self.metrics.given_up.inc_by(self.queue.waiting() as u64);
                self.queue.clear();
                self.on_untaken(&Untaken::Gone);
                return Some(false);
            }
            Err(Untaken::Refused(_)) => Miss::Refused,
            Err(Untaken::Troubled { wait, .. }) => Miss::Failed { wait: *wait },
            Err(_) => Miss::Failed { wait: None },
        };
        self.metrics.failed.inc();
        let given_up = self.queue.on_missed(self.clock.now().at, channel, miss) == Some(Fate::GivenUp);
        if given_up {
            self.metrics.given_up.inc();
            tracing::error!(webhook = %self.settings.name, channel_id = %channel, "an event is given up: the endpoint has not taken it in all its tries");
        }
        if let Err(why) = answer {
            self.on_untaken(why);
        }
        given_up.then_some(false)
    }

    fn on_taken(&self) {
        if self.health.set(None).is_some() {
            tracing::info!(webhook = %self.settings.name, "the endpoint takes what it is sent again");
        }
    }

    fn on_untaken(&self, why: &Untaken) {
        if self.health.set(Some(why.to_string())).is_none() {
            tracing::warn!(webhook = %self.settings.name, %why, todo = why.todo(), "the endpoint does not take what it is sent; it is tried again");
        }
    }

    // ---- stop commands ----

    /// A command that is on its way or waits already is the same delivered again.
    fn execute(&mut self, ctx: &mut Context<Self>, command: StopCommand) {
        if self.stops.contains_key(&command.id) || self.stops_waiting.iter().any(|waiting| waiting.id == command.id) {
            return;
        }
        if self.stops.len() < STOPS_MAX {
            self.post(ctx, command);
        } else if self.stops_waiting.len() < STOPS_WAITING_MAX {
            self.stops_waiting.push_back(command);
        }
    }

    fn post_next(&mut self, ctx: &mut Context<Self>) {
        while self.stops.len() < STOPS_MAX
            && let Some(command) = self.stops_waiting.pop_front()
        {
            self.post(ctx, command);
        }
    }

    fn post(&mut self, ctx: &mut Context<Self>, command: StopCommand) {
        let now = self.clock.now();
        // What is not sent for either reason, and stands, is delivered again.
        let stands = now.at < command.valid_until && self.outlets.store.is_ours(now.at);
        let Some(endpoint) = self.endpoint.clone().filter(|_| stands) else { return };
        let (id, source, channel) = (command.id.clone(), command.source.clone(), command.channel.clone());
        let (message, parent) = (message_id(&id), self.spans.are_told().then(|| command.context()));
        let told = self.spans.try_begins(parent, &message, now.at);
        let within = told.as_ref().map(|told| told.context);
        let stop = StopMessage {
            kind: "stop",
            timestamp: now.wall.to_string(),
            data: StopData { source: source.to_string(), command: Command::at(now.at, command) },
        };
        // It is made of names, numbers and texts.
        let Ok(body) = serde_json::to_vec(&stop) else { return };
        let posted = endpoint.post(message, body.into(), now.wall.as_millis() / 1000, within);
        let whose = id.clone();
        let handle = ctx.spawn(posted.into_actor(self).map(move |answer, hook, ctx| {
            hook.stops.remove(&whose);
            if let Some(told) = told {
                hook.spans.try_ended(told, hook.clock.now().at, answer.as_ref());
            }
            match answer {
                Ok(Taken { body, .. }) => hook.on_stop_taken(ctx, source, channel, whose, &body),
                Err(why) => {
                    hook.metrics.failed.inc();
                    tracing::warn!(webhook = %hook.settings.name, channel_id = %channel, %why, todo = why.todo(), "a stop was not taken; it is sent again while it is valid");
                    hook.on_untaken(&why);
                }
            }
            hook.post_next(ctx);
        }));
        self.stops.insert(id, handle);
    }

    fn on_stop_taken(
        &mut self,
        ctx: &mut Context<Self>,
        source: SourceId,
        channel: ChannelId,
        id: String,
        body: &[u8],
    ) {
        self.metrics.delivered.inc();
        self.on_taken();
        deliver(ctx, &self.outlets.delivered, Delivered { channel, id: id.clone() });
        // Without an outcome it is acknowledged with the streamer's next report, or is sent again.
        let Ok(StopAnswer { outcome, detail }) = serde_json::from_slice(body) else { return };
        let (tally, _) = Tally::new();
        let (acks, received) = (vec![Ack { id, outcome, detail }], self.clock.now().at);
        deliver(ctx, &self.outlets.batches, Batch { source, received, reports: Vec::new(), acks, tally });
    }
}

/// Names a command at every delivery, in letters every receiver takes.
fn message_id(command: &str) -> String {
    format!("stop_{}", &URL_SAFE_NO_PAD.encode(Sha256::digest(command))[..32])
}

impl Actor for WebhookActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.endpoint = Some(Endpoint::new(&self.settings.url, Rc::new(self.settings.secrets.clone())));
    }
}

impl Handler<UseSecrets> for WebhookActor {
    type Result = ();

    fn handle(&mut self, UseSecrets(secrets): UseSecrets, ctx: &mut Self::Context) {
        self.endpoint = Some(Endpoint::new(&self.settings.url, Rc::new(secrets)));
        self.gone = false;
        self.send(ctx);
    }
}

impl Handler<Announcement> for WebhookActor {
    type Result = ();

    fn handle(&mut self, announcement: Announcement, ctx: &mut Self::Context) {
        if self.gone {
            self.metrics.given_up.inc();
            return;
        }
        self.numbers += 1;
        let id = format!("event_{}_{}", self.life, self.numbers);
        let delivery = self.spans.event_came(self.clock);
        if self.queue.push(announcement.channel, Event { id, body: announcement.body, delivery }) {
            self.metrics.given_up.inc();
        }
        self.send(ctx);
    }
}

impl Handler<Instruction> for WebhookActor {
    type Result = bool;

    fn handle(&mut self, instruction: Instruction, ctx: &mut Self::Context) -> bool {
        match instruction {
            Instruction::Execute(command) => self.execute(ctx, command),
            Instruction::Retract(retract) => {
                self.stops_waiting.retain(|command| command.id != retract.id);
                // A request that has not been sent yet is not sent; the others cannot be taken back.
                if let Some(handle) = self.stops.remove(&retract.id) {
                    ctx.cancel_future(handle);
                }
                self.post_next(ctx);
            }
        }
        // Only what the endpoint has taken has been delivered.
        false
    }
}

impl Handler<Leave> for WebhookActor {
    type Result = ();

    fn handle(&mut self, _: Leave, ctx: &mut Self::Context) {
        self.metrics.given_up.inc_by(self.queue.waiting() as u64);
        self.metrics.waiting.set(0);
        ctx.stop();
    }
}
