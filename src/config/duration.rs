//! Durations as people write them: whole seconds (`300`) or humantime (`5m`, `1h 30m`).

use std::{borrow::Cow, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const DAY: u64 = 24 * 60 * 60;

pub const EXPECTED: &str = "whole seconds (300) or a text (\"5m\", \"1h 30m\")";

/// A duration in a file or a variable; whether it makes sense there is for `validate` to say.
pub fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err(format!("`{text}` is negative"));
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Duration::from_secs).map_err(|_| format!("`{text}` is too large"));
    }
    humantime::parse_duration(text).map_err(|reason| format!("`{}` is not a duration ({reason})", text.escape_debug()))
}

pub fn show(duration: Duration) -> String {
    let days = duration.as_secs() / DAY;
    match duration == Duration::from_secs(days * DAY) {
        true if days == 1 => "1day".to_owned(),
        true if days > 1 => format!("{days}days"), // humantime would say 11months 30days 3h …
        _ => humantime::format_duration(duration).to_string(),
    }
}

/// The newtype between [`Duration`] and the two spellings.
struct Spelled(Duration);

impl Serialize for Spelled {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&show(self.0))
    }
}

impl<'de> Deserialize<'de> for Spelled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Spelled)
    }
}

struct Reader;

impl de::Visitor<'_> for Reader {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Duration, E> {
        let seconds = u64::try_from(seconds).map_err(|_| E::custom(format!("`{seconds}` is negative")))?;
        self.visit_u64(seconds)
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Duration, E> {
        Ok(Duration::from_secs(seconds))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Duration, E> {
        Err(E::custom(format!("`{number}` is a fraction; write a text such as \"1500ms\"")))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).map_err(E::custom)
    }
}

/// `#[serde(with = "duration::one")]`
pub mod one {
    use super::*;

    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        Spelled(*value).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Spelled::deserialize(deserializer).map(|spelled| spelled.0)
    }
}

/// `#[serde(with = "duration::optional")]`
pub mod optional {
    use super::*;

    pub fn serialize<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Spelled).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Spelled::deserialize(deserializer).map(|spelled| Some(spelled.0))
    }
}

/// `#[serde(with = "duration::list")]`
pub mod list {
    use super::*;

    pub fn serialize<S: Serializer>(values: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().copied().map(Spelled))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
        let spelled = Vec::<Spelled>::deserialize(deserializer)?;
        Ok(spelled.into_iter().map(|one| one.0).collect())
    }
}

/// What the schema says of every duration.
impl JsonSchema for Spelling {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": "^ *[0-9]" },
        ] })
    }
}

/// `#[schemars(with = "duration::Spelling")]`
pub struct Spelling;
