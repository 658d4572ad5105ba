//! A request as a span: of the trace that its client began (`traceparent`), if it did.

use actix_web::http::{StatusCode, header::HeaderMap};
use sattva_actors::{
    clock::Timestamp,
    traces::{Context, Kind, Parent, Span, TRACEPARENT},
};

use super::{Front, request_id::RequestId};
use crate::traces::fresh;

/// A request that is being handled, and is to be told of.
pub struct Traced {
    context: Context,
    parent: Option<u64>,
    began: Timestamp,
}

impl Traced {
    pub fn begin(front: &Front, headers: &HeaderMap) -> Option<Self> {
        if !front.traces.is_on() {
            return None;
        }
        let mut sent = headers.get_all(TRACEPARENT);
        let parent = match (sent.next(), sent.next()) {
            (Some(one), None) => Parent::parse(one.as_bytes()),
            _ => None,
        };
        let context = front.traces.follow(parent, fresh)?;
        Some(Self { context, parent: parent.map(|parent| parent.context.span), began: front.clock.now().at })
    }

    /// What has a route has no secret in its path, and nobody's query is told.
    pub fn end(self, front: &Front, method: Option<&'static str>, route: Option<(String, &str)>, status: StatusCode) {
        let mut attributes = vec![
            ("http.request.method", method.unwrap_or("_OTHER").into()),
            ("url.scheme", if front.encrypts { "https" } else { "http" }.into()),
            ("http.response.status_code", status.as_u16().into()),
        ];
        attributes.extend(RequestId::current().map(|id| ("sattva.request.id", id.as_str().to_owned().into())));
        let failed = status.is_server_error();
        if failed {
            attributes.push(("error.type", status.as_u16().to_string().into()));
        }
        let method = method.unwrap_or("HTTP");
        let name = match route {
            Some((route, path)) => {
                let name = format!("{method} {route}").into();
                attributes.extend([("url.path", path.to_owned().into()), ("http.route", route.into())]);
                name
            }
            None => method.into(),
        };
        let (began, ended) = (self.began, front.clock.now().at);
        let Self { context, parent, .. } = self;
        let events = Vec::new();
        front.traces.note(Span { context, parent, name, kind: Kind::Server, began, ended, attributes, events, failed });
    }
}
