//! What is sent to a webhook as spans: one of each event, from its coming to its end, and one of each try.

use sattva_actors::{
    clock::{Clock, Timestamp},
    identity::ChannelId,
    traces::{Context, Kind, Span, Traces},
};
use url::Url;

use super::endpoint::{Taken, Untaken};
use crate::traces::fresh;

/// Of one webhook. Its URL may hold a secret, so only its host and port are told.
pub struct Spans {
    traces: Traces,
    webhook: String,
    server: Option<(String, u16)>,
}

/// An event that is to be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    context: Context,
    began: Timestamp,
}

/// A try that is to be told of.
pub struct Try {
    /// What the endpoint is told (`traceparent`).
    pub context: Context,
    parent: Context,
    message: String,
    began: Timestamp,
}

impl Spans {
    pub fn new(traces: Traces, webhook: &str, url: &str) -> Self {
        let url = Url::parse(url).ok();
        let server = url.and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
        Self { traces, webhook: webhook.to_owned(), server }
    }

    pub fn are_told(&self) -> bool {
        self.traces.is_on()
    }

    pub fn event_came(&self, clock: Clock) -> Option<Delivery> {
        let context = self.traces.follow(None, fresh)?;
        Some(Delivery { context, began: clock.now().at })
    }

    /// Of a message that is a part of something else that is told of.
    pub fn try_begins(&self, parent: Option<Context>, message: &str, now: Timestamp) -> Option<Try> {
        let parent = parent?;
        let context = Context { span: fresh()?.span, ..parent };
        Some(Try { context, parent, message: message.to_owned(), began: now })
    }

    pub fn try_ended(&self, it: Try, now: Timestamp, answer: Result<&Taken, &Untaken>) {
        let (status, trouble) = match answer {
            Ok(Taken { status, .. }) => (Some(*status), None),
            Err(why) => match why.status() {
                Some(status) => (Some(status), Some(status.to_string())),
                None => (None, Some(why.kind().to_owned())),
            },
        };
        let mut attributes = vec![
            ("http.request.method", "POST".into()),
            ("sattva.webhook.name", self.webhook.clone().into()),
            ("sattva.webhook.message.id", it.message.into()),
        ];
        if let Some((host, port)) = &self.server {
            attributes.extend([("server.address", host.clone().into()), ("server.port", (*port).into())]);
        }
        attributes.extend(status.map(|status| ("http.response.status_code", status.into())));
        let failed = trouble.is_some();
        attributes.extend(trouble.map(|trouble| ("error.type", trouble.into())));
        self.traces.note(Span {
            context: it.context,
            parent: Some(it.parent.span),
            name: "POST".into(),
            kind: Kind::Client,
            began: it.began,
            ended: now,
            attributes,
            events: Vec::new(),
            failed,
        });
    }

    pub fn event_ended(&self, it: Delivery, message: &str, channel: &ChannelId, now: Timestamp, delivered: bool) {
        self.traces.note(Span {
            context: it.context,
            parent: None,
            name: "webhook event".into(),
            kind: Kind::Producer,
            began: it.began,
            ended: now,
            attributes: vec![
                ("sattva.webhook.name", self.webhook.clone().into()),
                ("sattva.webhook.message.id", message.to_owned().into()),
                ("sattva.webhook.outcome", if delivered { "delivered" } else { "given_up" }.into()),
                ("sattva.channel.id", channel.to_string().into()),
            ],
            events: Vec::new(),
            failed: !delivered,
        });
    }
}

impl Delivery {
    /// What its tries are a part of.
    pub fn context(self) -> Context {
        self.context
    }
}
