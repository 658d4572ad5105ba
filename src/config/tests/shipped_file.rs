use super::*;
use crate::config::{document::Document, key::Key};
use serde_json::Value;

const FILE: &str = include_str!("../../../config/sattva-monitor.toml");
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/sattva-monitor.schema.json");

/// Every line that begins with `#` and no space switched on.
pub fn everything_on() -> String {
    let on = |line: &str| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => setting.to_owned(),
        _ => line.to_owned(),
    };
    FILE.lines().map(|line| on(line) + "\n").collect()
}

/// Every key of the schema; of a list of tables and of named tables, those of one of them.
fn keys(schema: &Value, at: Key, found: &mut Vec<Key>) {
    if let Some(properties) = schema["properties"].as_object() {
        for (name, inner) in properties {
            keys(inner, at.clone().name(name), found);
        }
    } else if schema["items"]["properties"].is_object() {
        keys(&schema["items"], at.index(0), found);
    } else if schema["additionalProperties"].is_object() {
        keys(&schema["additionalProperties"], at.name("-1001234567890"), found);
    } else {
        found.push(at);
    }
}

#[test]
fn the_shipped_file_is_the_defaults() {
    let loaded = Scene::empty().file(FILE).load();
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn everything_commented_out_in_the_shipped_file_may_be_switched_on() {
    let config = Scene::empty().file(&everything_on()).config();
    assert_eq!(config.icecast.len(), 1);
    assert_eq!(config.channels.len(), 1);
    assert!(config.store.redis_url.is_some() && config.metrics.port.is_some());
}

#[test]
fn the_shipped_file_shows_every_key_of_the_schema_each_below_a_comment() {
    let text = everything_on();
    let document = Document::parse(Path::new("shipped"), &text).unwrap();
    let mut all = Vec::new();
    keys(&schema(), Key::default(), &mut all);
    assert!(all.len() > 35, "{}", all.len());
    for key in all {
        assert!(document.has(&key), "{key} is not in config/sattva-monitor.toml");
        let Place::File { line, .. } = document.place(&key) else { panic!("{key} has no place") };
        let above = FILE.lines().nth(line - 2).unwrap_or_default();
        assert!(above.starts_with("# ") || above.starts_with("#   "), "{key} has no comment above it");
    }
}

#[test]
fn every_key_of_the_schema_says_what_it_means() {
    let mut all = Vec::new();
    keys(&schema(), Key::default(), &mut all);
    for key in all {
        let expected = crate::config::schema::expectation(&key).unwrap_or_default();
        assert!(expected.contains(". "), "{key}: {expected:?}");
        assert!(!expected.contains("null"), "{key}: {expected:?}");
    }
}

/// After a change of a setting: `UPDATE_SCHEMA=1 cargo test schema`.
#[test]
fn the_committed_schema_is_the_programs_own() {
    let own = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(SCHEMA, &own).unwrap();
    }
    // Compared as values: the order of keys depends on features other crates ask for.
    let committed = fs::read_to_string(SCHEMA).unwrap_or_default();
    let committed: Value = serde_json::from_str(&committed).unwrap_or_default();
    assert!(committed == schema(), "config/sattva-monitor.schema.json is old: run `UPDATE_SCHEMA=1 cargo test schema`");
}

#[test]
fn the_schema_knows_the_defaults_and_refuses_unknown_keys() {
    let schema = schema();
    let timeout = &schema["properties"]["auto_end"]["properties"]["timeout"];
    assert_eq!(timeout["default"], "5m");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["http"]["additionalProperties"], false);
    assert_eq!(schema["properties"]["http"]["properties"]["workers"]["maximum"], 1024);
}
