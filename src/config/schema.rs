//! The JSON schema of the file, for editors, and for what the errors say of a key.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{
    Config,
    key::{Key, Segment},
};

/// How an expectation of a text begins.
pub const TEXT: &str = "a text in quotes. ";

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Config>().to_value()
});

/// The JSON schema of the configuration file (draft 2020-12).
pub fn schema() -> Value {
    SCHEMA.clone()
}

/// The names a table may hold.
pub fn names(table: &Key) -> Vec<String> {
    let properties = lookup(table).and_then(|schema| schema["properties"].as_object());
    properties.map(|names| names.keys().cloned().collect()).unwrap_or_default()
}

/// What a key wants to be, in a sentence.
pub fn expectation(key: &Key) -> Option<String> {
    if key.0.is_empty() {
        return None;
    }
    let kind = kind(lookup(key)?)?;
    // An item of a list means what its list says.
    let named = key.0.iter().rposition(|segment| matches!(segment, Segment::Name(_)))?;
    let meaning = lookup(&Key(key.0[..=named].to_vec()))?["description"].as_str();
    Some(match meaning {
        Some(meaning) => format!("{kind}. {}", meaning.trim_end_matches(" Restart.").replace('\n', " ")),
        None => kind,
    })
}

fn lookup(key: &Key) -> Option<&'static Value> {
    key.0.iter().try_fold(&*SCHEMA, |schema, segment| match segment {
        Segment::Index(_) => schema.get("items"),
        Segment::Name(name) => schema["properties"]
            .get(name)
            .or_else(|| schema.get("additionalProperties").filter(|value| value.is_object())),
    })
}

fn kind(schema: &Value) -> Option<String> {
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().map(Value::to_string).collect();
        return Some(format!("one of {}", values.join(", ")));
    }
    if schema.get("anyOf").is_some() {
        return Some(super::duration::EXPECTED.to_owned());
    }
    Some(match schema["type"].as_str()? {
        "boolean" => "true or false".to_owned(),
        "number" => format!("a number from {} to {}", schema["minimum"], schema["maximum"]),
        "integer" => format!("a whole number from {} to {}", schema["minimum"], schema["maximum"]),
        "string" => TEXT.trim_end_matches(". ").to_owned(),
        "array" => format!("a list, each {}", kind(&schema["items"])?),
        "object" => "a table".to_owned(),
        _ => return None,
    })
}
