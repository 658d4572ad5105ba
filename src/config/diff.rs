//! What a reload changes, and what of it has to wait for a restart.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Config, key::Key};

/// Settings that are read once: the listeners, the threads, the store, the log's writer and the traces stand
/// before the first connection. A whole section is named by its own name. All else changes live.
const RESTART: [&str; 8] = [
    "http.listen",
    "http.max_body_bytes",
    "http.workers",
    "store",
    "metrics.enabled",
    "metrics.port",
    "log.format",
    "traces",
];

/// The lists of what has names.
const NAMED: [&str; 5] = ["icecast", "nginx_rtmp", "janus", "redis_control", "webhook"];

/// The settings that differ, sorted. Servers and webhooks go by their names: `icecast.radio-1.url`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Takes effect now.
    pub applied: Vec<String>,
    /// Keeps its old value until the daemon is restarted.
    pub needs_restart: Vec<String>,
}

/// Compares setting by setting. Values are not in the answer: one may be a secret.
pub fn diff(old: &Config, new: &Config) -> Changes {
    let mut keys = Vec::new();
    compare(&tree(old), &tree(new), Key::default(), &mut keys);
    let mut keys: BTreeSet<String> = keys.iter().map(Key::to_string).collect();
    // The tree holds it masked, so a new password alone would not show.
    if old.store.redis_url != new.store.redis_url {
        keys.insert("store.redis_url".to_owned());
    }
    let tls_begins_or_ends = old.http.tls_key_file.is_some() != new.http.tls_key_file.is_some();
    let (needs_restart, applied) = keys.into_iter().partition(|key| {
        (tls_begins_or_ends && key.starts_with("http.tls_"))
            || RESTART
                .iter()
                .any(|name| key == name || key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
    });
    Changes { applied, needs_restart }
}

/// The configuration as nested tables, a list of named things as a table of their names.
fn tree(config: &Config) -> Value {
    let mut tree = serde_json::to_value(config).unwrap_or_default();
    for kind in NAMED {
        let Some(list) = tree.get_mut(kind) else { continue };
        let items = list.as_array().cloned().unwrap_or_default().into_iter();
        let named = items.map(|item| (item["name"].as_str().unwrap_or_default().to_owned(), item));
        *list = Value::Object(named.collect::<Map<_, _>>());
    }
    tree
}

fn compare(old: &Value, new: &Value, key: Key, changed: &mut Vec<Key>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let absent = Value::Null;
                let (old, new) = (old.get(name).unwrap_or(&absent), new.get(name).unwrap_or(&absent));
                compare(old, new, key.clone().name(name), changed);
            }
        }
        _ if old != new => changed.push(key),
        _ => {}
    }
}
