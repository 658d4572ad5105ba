//! docs/metrics.md is what a daemon declares that uses everything there is: TLS, a Redis shared with others, a watched
//! server, a webhook, traces, a browser, a countdown.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::{Value, json};

use crate::{
    collector::Collector,
    patience::eventually,
    receiver::Receiver,
    redis_server::{RedisServer, free_port},
    tls::Pair,
    webhooks::SECRET,
};

/// Set, it has the page written anew.
const WRITE: &str = "UPDATE_METRICS";
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");

const HEAD: &str = "\
# Metrics

What `GET /metrics` shows, in Prometheus's text format or as OpenMetrics. Alerts and graphs of these are in
[monitoring](monitoring.md).

Series with a `channel_id` are written from the channels' own state. When a stream ends they read 0 for 60 s, then go; while
a count is unknown they are absent. Past `metrics.max_channels` the rest is summed under `channel_id=\"other\"`. What
`sattva_tls_…` shows is there with TLS only, and what has a label `webhook` with a webhook only, and
`sattva_trace_…` with traces only.

";

#[derive(Default)]
struct Family {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
}

/// What the text says of each family.
fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in text.lines() {
        let told = |what: &str| line.strip_prefix(what).and_then(|rest| rest.split_once(' '));
        if let Some((name, help)) = told("# HELP ") {
            families.entry(name.to_owned()).or_default().help = help.to_owned();
        } else if let Some((name, kind)) = told("# TYPE ") {
            families.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if let Some((name, labels)) = line.split_once('{') {
            let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
            let name = of_histogram.filter(|stem| families.contains_key(*stem)).unwrap_or(name);
            let Some(family) = families.get_mut(name) else { continue };
            let labels = labels.split("=\"").filter_map(|part| part.rsplit(['{', ',']).next());
            let names = labels.filter(|label| !label.contains('"') && *label != "le");
            family.labels.extend(names.map(str::to_owned));
        }
    }
    families
}

/// As a metric's name has it.
fn unit(name: &str) -> &'static str {
    let name = name.strip_suffix("_total").unwrap_or(name);
    match name {
        _ if name.ends_with("_timestamp_seconds") || name.ends_with("_start_time_seconds") => "seconds since 1970",
        _ if name.ends_with("_seconds") => "seconds",
        _ if name.ends_with("_bytes") => "bytes",
        _ => "–",
    }
}

fn page(families: &BTreeMap<String, Family>) -> String {
    let mut page = format!(
        "<!-- Generated from a running daemon: `{WRITE}=1 cargo nextest run --test it metrics_reference` writes it \
         anew. -->\n{HEAD}| Metric | Type | Unit | Labels | Meaning |\n|---|---|---|---|---|\n"
    );
    for (name, Family { kind, help, labels }) in families {
        let labels = labels.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let labels = if labels.is_empty() { "–" } else { &labels };
        page.push_str(&format!("| `{name}` | {kind} | {} | {labels} | {} |\n", unit(name), help.replace('|', "\\|")));
    }
    page
}

#[test]
fn the_page_of_the_metrics_is_what_a_daemon_that_uses_everything_declares() {
    let (pair, receiver, redis) = (Pair::new(), Receiver::open(), RedisServer::start().long_in_use());
    let collector = Collector::open();
    let more = format!(
        "[auto_end]\ntimeout = 60\n[store]\nredis_url = \"{}0\"\nredis_lease = \"2s\"\nredis_sharing = \"active\"\n\
         [[webhook]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"hook.secret\"\n\
         [[icecast]]\nname = \"main\"\nurl = \"http://127.0.0.1:{}\"\npassword_file = \"icecast.password\"\n{}",
        redis.url(),
        receiver.url(),
        free_port(),
        collector.config(),
    );
    let plan = pair.plan(&more).file("icecast.password", "hackme\n").file("hook.secret", SECRET);
    let daemon = plan.start_on_standby();
    let ask = |path: &str| pair.asks(&daemon, "GET", path, &Value::Null);
    eventually("the daemon to have channels", || ask("/readyz").starts_with("HTTP/1.1 200").then_some(()));
    let _live = pair.listens(&daemon);
    let report = json!({
        "channel_id": "jazz", "session": "s", "seq": 1, "state": "live", "listeners": 0, "joins": 0, "queue_size": 3,
    });
    pair.asks(&daemon, "POST", "/api/v1/ingest", &json!({ "source": "radio-1", "reports": [report] }));
    let declared = eventually("every part to have shown what it counts", || {
        let families = families(&ask("/metrics"));
        let told = |name: &str| families.get(name).is_some_and(|family| !family.labels.is_empty());
        let parts = ["sattva_stream_countdown_seconds", "sattva_websocket_messages_sent_total"];
        parts.iter().all(|part| told(part)).then_some(families)
    });
    let page = page(&declared);
    if std::env::var_os(WRITE).is_some() {
        fs::write(PAGE, &page).unwrap();
    }
    let committed = fs::read_to_string(PAGE).unwrap_or_default();
    assert!(committed == page, "docs/metrics.md is not what the daemon declares; write it anew with {WRITE}=1");
}
