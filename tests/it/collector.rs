//! A collector of traces: it takes OTLP over HTTP, and notes the spans that come.

use std::net::SocketAddr;

use serde_json::Value;

use crate::{patience::eventually, receiver::Receiver};

pub struct Collector(Receiver);

/// A span as it came.
#[derive(Clone, Debug)]
pub struct Span(Value);

impl Collector {
    pub fn open() -> Self {
        Self(Receiver::open())
    }

    pub fn open_at(address: SocketAddr) -> Self {
        Self(Receiver::open_at(address))
    }

    /// For a configuration file.
    pub fn config(&self) -> String {
        config(self.0.address())
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// From now on.
    pub fn answers(&self, answering: impl Fn() -> (u16, String) + Send + 'static) {
        self.0.answers(move |_| answering());
    }

    /// How often it was called.
    pub fn calls(&self) -> usize {
        self.0.received().len()
    }

    pub fn spans(&self) -> Vec<Span> {
        let calls = self.0.received();
        let bodies = calls.iter().map(|call| {
            assert_eq!((call.path.as_str(), call.headers["content-type"].as_str()), ("/v1/traces", "application/json"));
            call.json()
        });
        let resources: Vec<Value> = bodies.flat_map(|body| list(&body["resourceSpans"])).collect();
        let names = |resource: &Value| attribute(&resource["resource"], "service.name");
        assert!(resources.iter().all(|resource| names(resource).as_deref() == Some("sattva-monitor")));
        let scopes = resources.iter().flat_map(|resource| list(&resource["scopeSpans"]));
        scopes.flat_map(|scope| list(&scope["spans"])).map(Span).collect()
    }

    /// Waits for a span of this name.
    pub fn until(&self, name: &str) -> Span {
        self.until_all(name, 1).remove(0)
    }

    /// Waits for so many of this name, in the order they came.
    pub fn until_all(&self, name: &str, count: usize) -> Vec<Span> {
        eventually(&format!("{count} spans called {name}"), || {
            let found: Vec<Span> = self.spans().into_iter().filter(|span| span.name() == name).collect();
            (found.len() >= count).then_some(found)
        })
    }
}

/// For a configuration file, whether or not there is a collector.
pub fn config(address: SocketAddr) -> String {
    format!("[traces]\notlp_endpoint = \"http://{address}\"\n")
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().unwrap().clone()
}

fn attribute(of: &Value, key: &str) -> Option<String> {
    let all = list(&of["attributes"]);
    let value = all.iter().find(|attribute| attribute["key"] == key)?["value"].clone();
    value["stringValue"].as_str().or(value["intValue"].as_str()).map(str::to_owned)
}

impl Span {
    fn text(&self, member: &str) -> &str {
        self.0[member].as_str().unwrap_or_default()
    }

    pub fn name(&self) -> &str {
        self.text("name")
    }

    pub fn trace(&self) -> &str {
        self.text("traceId")
    }

    pub fn id(&self) -> &str {
        self.text("spanId")
    }

    /// Empty, if it is the first of its trace.
    pub fn parent(&self) -> &str {
        self.text("parentSpanId")
    }

    pub fn kind(&self) -> u64 {
        self.0["kind"].as_u64().unwrap()
    }

    pub fn failed(&self) -> bool {
        self.0["status"]["code"] == 2
    }

    pub fn began(&self) -> u64 {
        self.text("startTimeUnixNano").parse().unwrap()
    }

    pub fn ended(&self) -> u64 {
        self.text("endTimeUnixNano").parse().unwrap()
    }

    /// Whether it took place within another.
    pub fn is_within(&self, other: &Self) -> bool {
        self.trace() == other.trace() && other.began() <= self.began() && self.ended() <= other.ended()
    }

    pub fn says(&self, key: &str) -> Option<String> {
        attribute(&self.0, key)
    }

    pub fn events(&self) -> Vec<String> {
        let events = self.0["events"].as_array().cloned().unwrap_or_default();
        events.iter().map(|event| event["name"].as_str().unwrap().to_owned()).collect()
    }

    /// All of it, to look for what must not be there.
    pub fn whole(&self) -> String {
        self.0.to_string()
    }
}
