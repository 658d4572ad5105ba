//! WebhookActor: tells one endpoint of every warning and auto-end event, and brings stop commands to those of
//! its sources that take them by webhook.

use std::{collections::HashMap, rc::Rc};

use actix::{
    Actor, ActorContext, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle, WrapFuture,
    fut::ActorFutureExt,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use prometheus::{IntCounter, IntGauge};
use sattva_actors::{
    clock::Clock,
    identity::ChannelId,
    mailbox::deliver,
    protocol::{Ack, Announcement, Batch, Instruction, Outcome, StopCommand, Tally},
    wire::Command,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::health::Health;

use super::{
    endpoint::{Endpoint, Untaken},
    queue::{Event, Fate, Miss, Queue},
    signature::Secrets,
};

/// Events that may come in at once; past it the Broker counts what is missed.
const MAILBOX: usize = 65_536;
/// Stop commands on their way at a time. One for which there is no room comes again.
const STOPS_MAX: usize = 64;

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

/// The configuration names it no more, and it is registered nowhere. What waits is given up.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Leave;

pub struct WebhookActor {
    settings: HookSettings,
    clock: Clock,
    /// Where acknowledgements go.
    batches: Recipient<Batch>,
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
    pub fn new(settings: HookSettings, clock: Clock, batches: Recipient<Batch>, metrics: HookMetrics) -> Self {
        Self {
            settings,
            clock,
            batches,
            metrics,
            health: Health::default(),
            endpoint: None,
            queue: Queue::default(),
            life: clock.now().wall.as_millis(),
            numbers: 0,
            timer: None,
            stops: HashMap::new(),
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
            let posted = endpoint.post(event.id, event.body, now.wall.as_millis() / 1000);
            ctx.spawn(posted.into_actor(self).map(move |answer, hook, ctx| {
                hook.on_answer(&channel, &answer);
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

    fn on_answer(&mut self, channel: &ChannelId, answer: &Result<Vec<u8>, Untaken>) {
        let miss = match answer {
            Ok(_) => {
                self.metrics.delivered.inc();
                self.queue.on_delivered(channel);
                return self.on_taken();
            }
            Err(Untaken::Gone) => {
                self.gone = true;
                self.metrics.given_up.inc_by(self.queue.waiting() as u64);
                self.queue.clear();
                return self.on_untaken(&Untaken::Gone);
            }
            Err(Untaken::Refused(_)) => Miss::Refused,
            Err(Untaken::Troubled { wait, .. }) => Miss::Failed { wait: *wait },
            Err(_) => Miss::Failed { wait: None },
        };
        self.metrics.failed.inc();
        if self.queue.on_missed(self.clock.now().at, channel, miss) == Fate::GivenUp {
            self.metrics.given_up.inc();
            tracing::error!(webhook = %self.settings.name, channel_id = %channel, "an event is given up: the endpoint has not taken it in all its tries");
        }
        if let Err(why) = answer {
            self.on_untaken(why);
        }
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

    fn execute(&mut self, ctx: &mut Context<Self>, command: StopCommand) {
        let now = self.clock.now();
        let on_its_way = self.stops.contains_key(&command.id) || self.stops.len() >= STOPS_MAX;
        let Some(endpoint) = self.endpoint.clone().filter(|_| !on_its_way && now.at < command.valid_until) else {
            return;
        };
        let (id, source, channel) = (command.id.clone(), command.source.clone(), command.channel.clone());
        let message = StopMessage {
            kind: "stop",
            timestamp: now.wall.to_string(),
            data: StopData { source: source.to_string(), command: Command::at(now.at, command) },
        };
        // It is made of names, numbers and texts.
        let Ok(body) = serde_json::to_vec(&message) else { return };
        let posted = endpoint.post(message_id(&id), body.into(), now.wall.as_millis() / 1000);
        let whose = id.clone();
        let handle = ctx.spawn(posted.into_actor(self).map(move |answer, hook, ctx| {
            hook.stops.remove(&whose);
            match answer {
                Ok(body) => {
                    hook.metrics.delivered.inc();
                    hook.on_taken();
                    // Without an outcome it is acknowledged with the streamer's next report, or is sent again.
                    let Ok(StopAnswer { outcome, detail }) = serde_json::from_slice(&body) else { return };
                    let (tally, _) = Tally::new();
                    let acks = vec![Ack { id: whose, outcome, detail }];
                    let received = hook.clock.now().at;
                    deliver(ctx, &hook.batches, Batch { source, received, reports: Vec::new(), acks, tally });
                }
                Err(why) => {
                    hook.metrics.failed.inc();
                    tracing::warn!(webhook = %hook.settings.name, channel_id = %channel, %why, todo = why.todo(), "a stop was not taken; it is sent again while it is valid");
                    hook.on_untaken(&why);
                }
            }
        }));
        self.stops.insert(id, handle);
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

impl Handler<Announcement> for WebhookActor {
    type Result = ();

    fn handle(&mut self, announcement: Announcement, ctx: &mut Self::Context) {
        if self.gone {
            return;
        }
        self.numbers += 1;
        let id = format!("event_{}_{}", self.life, self.numbers);
        if self.queue.push(announcement.channel, Event { id, body: announcement.body }) {
            self.metrics.given_up.inc();
        }
        self.send(ctx);
    }
}

impl Handler<Instruction> for WebhookActor {
    type Result = ();

    fn handle(&mut self, instruction: Instruction, ctx: &mut Self::Context) {
        match instruction {
            Instruction::Execute(command) => self.execute(ctx, command),
            Instruction::Retract(retract) => {
                // A request that has not been sent yet is not sent; the others cannot be taken back.
                if let Some(handle) = self.stops.remove(&retract.id) {
                    ctx.cancel_future(handle);
                }
            }
        }
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
