//! Webhooks: other programs are told of what happens, and streamers get their stop commands, by signed POSTs
//! as Standard Webhooks has them.

mod endpoint;
mod hook;
mod queue;
pub mod signature;
mod spans;
pub mod verify;

use std::{fs, path::Path, sync::Arc};

use actix::{Actor, Addr};
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};
use sattva_actors::{
    clock::Clock,
    house::House,
    protocol::{RegisterHook, RegisterOutlet, SourcePattern},
    traces::Traces,
};

use self::{
    hook::{HookMetrics, HookOutlets, HookSettings, Leave, UseSecrets, WebhookActor},
    signature::Secrets,
};
use crate::{
    config,
    health::{Health, HealthBoard},
};

#[derive(Clone, Debug)]
pub struct WebhookMetrics {
    messages: IntCounterVec,
    waiting: IntGaugeVec,
}

impl WebhookMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let messages = IntCounterVec::new(
            Opts::new("sattva_webhook_messages_total", "Messages to webhooks, by what became of each try."),
            &["webhook", "outcome"],
        )?;
        let waiting =
            IntGaugeVec::new(Opts::new("sattva_webhook_waiting", "Events that wait for a webhook."), &["webhook"])?;
        registry.register(Box::new(messages.clone()))?;
        registry.register(Box::new(waiting.clone()))?;
        Ok(Self { messages, waiting })
    }

    fn of(&self, webhook: &str) -> HookMetrics {
        let outcome = |outcome: &str| self.messages.with_label_values(&[webhook, outcome]);
        HookMetrics {
            delivered: outcome("delivered"),
            failed: outcome("failed"),
            given_up: outcome("given_up"),
            waiting: self.waiting.with_label_values(&[webhook]),
        }
    }
}

/// The webhooks that run, as the configuration says.
pub struct Webhooks {
    house: House,
    clock: Clock,
    metrics: WebhookMetrics,
    health: HealthBoard,
    traces: Traces,
    running: Vec<Running>,
}

struct Running {
    webhook: config::Webhook,
    secrets: Result<Secrets, String>,
    hook: Option<Addr<WebhookActor>>,
    health: Health,
}

impl Running {
    /// While it runs: what waits is sent all the same.
    fn change_secrets(&mut self, secrets: &Secrets) {
        let Some(hook) = self.hook.as_ref().filter(|_| self.secrets.as_ref() != Ok(secrets)) else { return };
        if hook.try_send(UseSecrets(secrets.clone())).is_ok() {
            self.secrets = Ok(secrets.clone());
        }
    }

    /// Secrets that cannot be read just now say nothing against those in use.
    fn is_as(&self, webhook: &config::Webhook, secrets: &Result<Secrets, String>) -> bool {
        self.hook.is_some() && self.webhook == *webhook && (secrets.is_err() || self.secrets == *secrets)
    }
}

impl Webhooks {
    pub fn new(house: House, clock: Clock, metrics: WebhookMetrics, health: HealthBoard, traces: Traces) -> Self {
        Self { house, clock, metrics, health, traces, running: Vec::new() }
    }

    /// Starts what is new, ends what is gone, and starts anew what changed.
    pub fn apply(&mut self, wanted: &[config::Webhook]) {
        let wanted: Vec<_> = wanted.iter().map(|webhook| (webhook, secrets(&webhook.secret_file))).collect();
        for had in &mut self.running {
            let same = wanted.iter().find(|(webhook, _)| had.webhook == **webhook);
            if let Some((_, Ok(secrets))) = same {
                had.change_secrets(secrets);
            }
        }
        let before = std::mem::take(&mut self.running);
        let (keep, over): (Vec<_>, Vec<_>) =
            before.into_iter().partition(|had| wanted.iter().any(|(webhook, secrets)| had.is_as(webhook, secrets)));
        for had in over {
            self.end(&had);
        }
        self.running = keep;
        for (webhook, secrets) in wanted {
            let kept = self.running.iter().any(|had| had.is_as(webhook, &secrets));
            match (kept, &secrets) {
                (true, Ok(_)) => {}
                (true, Err(why)) => {
                    tracing::error!(webhook = %webhook.name, %why, "this webhook goes on with the secrets read before");
                }
                (false, _) => {
                    let started = self.start(webhook, secrets);
                    self.running.push(started);
                }
            }
        }
        self.health.set(self.running.iter().map(|had| (had.webhook.name.clone(), had.health.clone())).collect());
    }

    fn start(&self, webhook: &config::Webhook, secrets: Result<Secrets, String>) -> Running {
        let (hook, health) = match &secrets {
            Ok(secrets) => {
                let settings =
                    HookSettings { name: webhook.name.clone(), url: webhook.url.clone(), secrets: secrets.clone() };
                let outlets = HookOutlets {
                    batches: self.house.supervisor.clone().recipient(),
                    delivered: self.house.supervisor.clone().recipient(),
                    store: Arc::clone(&self.house.health),
                    traces: self.traces.clone(),
                };
                let hook = WebhookActor::new(settings, self.clock, outlets, self.metrics.of(&webhook.name));
                let health = hook.health();
                let hook = hook.start();
                if !self.register(webhook, Some(&hook)) {
                    tracing::error!(webhook = %webhook.name, "this webhook could not be registered: the daemon is too busy; send SIGHUP again");
                }
                (Some(hook), health)
            }
            Err(why) => {
                tracing::error!(webhook = %webhook.name, %why, "nothing is sent to this webhook; mend it and reload");
                (None, Health::failing(why.clone()))
            }
        };
        Running { webhook: webhook.clone(), secrets, hook, health }
    }

    /// Here and not by the hook itself: so the one before is out before the next is in.
    fn register(&self, webhook: &config::Webhook, hook: Option<&Addr<WebhookActor>>) -> bool {
        let mut told = true;
        if webhook.events {
            let hook = hook.map(|hook| hook.clone().recipient());
            told &= self.house.broker.try_send(RegisterHook { name: webhook.name.clone(), hook }).is_ok();
        }
        for sources in patterns(webhook) {
            let outlet = hook.map(|hook| hook.clone().recipient());
            let owner = format!("webhook:{}", webhook.name);
            told &= self.house.control.try_send(RegisterOutlet { owner, sources, outlet, looks_first: false }).is_ok();
        }
        told
    }

    fn end(&self, had: &Running) {
        let Some(hook) = &had.hook else { return };
        if !self.register(&had.webhook, None) || hook.try_send(Leave).is_err() {
            tracing::error!(webhook = %had.webhook.name, "a busy webhook could not be ended in full; send SIGHUP again");
        }
    }

    /// Ends all; what waits is lost, and is in the channels' journals.
    pub fn stop(&mut self) {
        for had in std::mem::take(&mut self.running) {
            self.end(&had);
        }
    }
}

fn patterns(webhook: &config::Webhook) -> impl Iterator<Item = SourcePattern> {
    webhook.stops_for.iter().map(|text| match text.strip_suffix('*') {
        Some(prefix) => SourcePattern::BeginsWith(prefix.to_owned()),
        None => SourcePattern::Exactly(text.clone()),
    })
}

pub(crate) fn secrets(path: &Path) -> Result<Secrets, String> {
    let text = fs::read_to_string(path).map_err(|error| {
        format!("the secret file {} cannot be read: {error}; each of its lines is a secret", path.display())
    })?;
    Secrets::parse(&text).map_err(|why| format!("the secret file {}: {why}", path.display()))
}
