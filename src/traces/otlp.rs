//! Spans as OTLP has them in JSON. Pure.

use sattva_actors::{
    clock::{Now, Timestamp, WallTime},
    traces::{Kind, Span, Value},
};
use serde::{Deserialize, Serialize};

/// The wall clock has been set, if it is further from where it should be.
const STEP_MILLIS: u64 = 20;
/// Codes of a status.
const UNSET: u8 = 0;
const ERROR: u8 = 2;

/// Whose spans they are.
pub struct Resource(Vec<(&'static str, String)>);

impl Resource {
    /// Of one life of the daemon, on one host.
    pub fn of(instance: u64, host: String) -> Self {
        Self(vec![
            ("service.name", "sattva-monitor".to_owned()),
            ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
            ("service.instance.id", format!("{instance:016x}")),
            ("host.name", host),
        ])
    }
}

/// Tells the wall time of moments on the boot clock, in nanoseconds since 1970, as seen from one reading of both.
#[derive(Clone, Copy)]
pub struct Moments(pub Now);

impl Moments {
    fn nanos(self, at: Timestamp) -> String {
        let Self(Now { at: known, wall }) = self;
        let micros = i128::from(wall.as_millis()) * 1000 + i128::from(at.as_micros()) - i128::from(known.as_micros());
        (micros.max(0) * 1000).to_string()
    }
}

/// The reading that times are told from: the old one, unless the wall clock was set since.
pub fn anchored(anchor: Now, now: Now) -> Now {
    let expected: WallTime = anchor.wall_of(now.at);
    if expected.as_millis().abs_diff(now.wall.as_millis()) > STEP_MILLIS { now } else { anchor }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Attributes<'a>,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Serialize)]
struct Attributes<'a> {
    attributes: Vec<Attribute<'a>>,
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    name: &'a str,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<Happened>,
    status: Status,
}

#[derive(Serialize)]
struct Attribute<'a> {
    key: &'static str,
    value: Any<'a>,
}

/// A number is a text here, for it may be larger than JSON's are.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Any<'a> {
    StringValue(&'a str),
    IntValue(String),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Happened {
    time_unix_nano: String,
    name: &'static str,
}

#[derive(Serialize)]
struct Status {
    code: u8,
}

fn told(span: &Span, moments: Moments) -> Told<'_> {
    Told {
        trace_id: format!("{:032x}", span.context.trace),
        span_id: format!("{:016x}", span.context.span),
        parent_span_id: span.parent.map(|parent| format!("{parent:016x}")),
        name: &span.name,
        kind: match span.kind {
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Client => 3,
            Kind::Producer => 4,
        },
        start_time_unix_nano: moments.nanos(span.began),
        end_time_unix_nano: moments.nanos(span.ended),
        attributes: span.attributes.iter().map(|(key, value)| Attribute { key, value: any(value) }).collect(),
        events: span.events.iter().map(|(name, at)| Happened { time_unix_nano: moments.nanos(*at), name }).collect(),
        status: Status { code: if span.failed { ERROR } else { UNSET } },
    }
}

fn any(value: &Value) -> Any<'_> {
    match value {
        Value::Text(text) => Any::StringValue(text),
        Value::Number(number) => Any::IntValue(number.to_string()),
    }
}

/// An `ExportTraceServiceRequest`.
pub fn request(resource: &Resource, spans: &[Span], moments: Moments) -> Vec<u8> {
    let attributes = resource.0.iter().map(|(key, value)| Attribute { key, value: Any::StringValue(value) }).collect();
    let spans = spans.iter().map(|span| told(span, moments)).collect();
    let scope = Scope { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };
    let scope_spans = [ScopeSpans { scope, spans }];
    let request = Request { resource_spans: [ResourceSpans { resource: Attributes { attributes }, scope_spans }] };
    // It is made of names, numbers and texts.
    serde_json::to_vec(&request).unwrap_or_default()
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Response {
    partial_success: PartialSuccess,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PartialSuccess {
    rejected_spans: serde_json::Value,
}

/// How many spans the collector says, in its `ExportTraceServiceResponse`, that it has not taken.
pub fn rejected(answer: &[u8]) -> u64 {
    let Response { partial_success: PartialSuccess { rejected_spans } } =
        serde_json::from_slice(answer).unwrap_or_default();
    rejected_spans.as_u64().or_else(|| rejected_spans.as_str()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use sattva_actors::traces::Context;
    use serde_json::json;

    use super::*;

    fn now(micros: u64, millis: i64) -> Now {
        Now { at: Timestamp::from_micros(micros), wall: WallTime::from_millis(millis) }
    }

    #[test]
    fn a_span_is_told_as_the_protocol_has_it() {
        let span = Span {
            context: Context { trace: 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c, span: 0xb7 },
            parent: Some(0xab),
            name: "GET /healthz".into(),
            kind: Kind::Server,
            began: Timestamp::from_micros(1_500),
            ended: Timestamp::from_micros(2_750),
            attributes: vec![("http.route", "/healthz".into()), ("http.response.status_code", 500_u16.into())],
            events: vec![("delivered", Timestamp::from_micros(2_000))],
            failed: true,
        };
        let resource = Resource(vec![("service.name", "sattva-monitor".to_owned())]);
        let body = request(&resource, &[span], Moments(now(2_000, 1_544_712_660_000)));
        let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            told,
            json!({ "resourceSpans": [{
                "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": "sattva-monitor" } }] },
                "scopeSpans": [{
                    "scope": { "name": "sattva-monitor", "version": version },
                    "spans": [{
                        "traceId": "0af7651916cd43dd8448eb211c80319c",
                        "spanId": "00000000000000b7",
                        "parentSpanId": "00000000000000ab",
                        "name": "GET /healthz",
                        "kind": 2,
                        "startTimeUnixNano": "1544712659999500000",
                        "endTimeUnixNano": "1544712660000750000",
                        "attributes": [
                            { "key": "http.route", "value": { "stringValue": "/healthz" } },
                            { "key": "http.response.status_code", "value": { "intValue": "500" } },
                        ],
                        "events": [{ "timeUnixNano": "1544712660000000000", "name": "delivered" }],
                        "status": { "code": 2 },
                    }],
                }],
            }] })
        );
    }

    #[test]
    fn a_collector_says_how_much_it_has_not_taken_in_either_spelling_of_a_number() {
        for (answer, count) in [
            ("", 0),
            ("{}", 0),
            ("no JSON", 0),
            (r#"{"partialSuccess":{}}"#, 0),
            (r#"{"partialSuccess":{"rejectedSpans":"7","errorMessage":"x"}}"#, 7),
            (r#"{"partialSuccess":{"rejectedSpans":7}}"#, 7),
        ] {
            assert_eq!(rejected(answer.as_bytes()), count, "{answer}");
        }
    }

    #[test]
    fn times_fit_together_until_the_wall_clock_is_set() {
        let anchor = now(1_000_000, 5_000_000);
        assert_eq!(anchored(anchor, now(2_000_000, 5_001_001)), anchor);
        let set = now(2_000_000, 9_000_000);
        assert_eq!(anchored(anchor, set), set);
    }
}
