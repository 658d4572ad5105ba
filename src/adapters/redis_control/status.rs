//! What the original streamer says of a channel: the JSON at `stream:status:{id}`. Pure.

use sattva_actors::wire::Object;
use serde::Deserialize;
use serde_json::Value;

/// Before a channel's id, in the names of its keys.
pub const STATUS_PREFIX: &str = "stream:status:";
pub const QUEUE_PREFIX: &str = "stream_queue:";
/// Where commands are published.
pub const CONTROL: &str = "stream:control";
/// Characters of a title that are kept.
const TITLE_MAX: usize = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Starting,
    Running,
    Playing,
    Paused,
    Stopping,
    Stopped,
    Restarting,
    Error,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    pub state: State,
    /// Tells one status from the next; the streamer's clock is not trusted with more.
    pub updated_at: String,
    pub title: Option<String>,
    pub error: Option<String>,
    /// `None` = unknown.
    pub listeners: Option<u32>,
}

#[derive(Deserialize)]
struct Json {
    status: State,
    #[serde(default)]
    updated_at: Value,
    #[serde(default)]
    current_item: Value,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    listeners_count: Value,
}

impl Status {
    /// What is no number of listeners is unknown; what is no status at all is an error in words.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let Object(json) = serde_json::from_slice::<Object<Json>>(text).map_err(|error| error.to_string())?;
        Ok(Self {
            state: json.status,
            updated_at: match json.updated_at {
                Value::String(text) => text,
                other => other.to_string(),
            },
            title: title(&json.current_item),
            error: json.error.as_str().map(cut),
            listeners: json.listeners_count.as_u64().and_then(|count| u32::try_from(count).ok()),
        })
    }
}

/// An item is a text, or an object with a title.
fn title(item: &Value) -> Option<String> {
    let text = match item {
        Value::String(text) => Some(text.as_str()),
        Value::Object(item) => ["title", "name", "url"].into_iter().find_map(|field| item.get(field)?.as_str()),
        _ => None,
    };
    text.filter(|text| !text.trim().is_empty()).map(cut)
}

fn cut(text: &str) -> String {
    text.chars().take(TITLE_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_as_the_streamer_writes_it_is_understood() {
        let text = br#"{"status":"playing","updated_at":"2026-11-24T01:00:00Z","current_item":{"title":"So \"What\"?"},
            "listeners_count":3,"error":null,"bitrate":128}"#;
        let status = Status::parse(text).unwrap();
        assert_eq!((status.state, status.listeners), (State::Playing, Some(3)));
        assert_eq!((status.title.as_deref(), status.error), (Some("So \"What\"?"), None));
    }

    #[test]
    fn a_count_that_is_missing_or_no_number_of_listeners_is_unknown_and_never_zero() {
        for count in ["null", "-1", "\"0\"", "1.5", "4294967296", "[]"] {
            let text = format!(r#"{{"status":"running","listeners_count":{count}}}"#);
            assert_eq!(Status::parse(text.as_bytes()).unwrap().listeners, None, "{count}");
        }
        assert_eq!(Status::parse(br#"{"status":"running"}"#).unwrap().listeners, None);
    }

    #[test]
    fn what_is_no_status_is_an_error() {
        for text in [
            "",
            "running",
            "[]",
            r#"["playing","x",null,null,0]"#,
            r#"{"status":"dancing"}"#,
            r#"{"updated_at":"x"}"#,
            "\u{0}",
        ] {
            assert!(Status::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_title_is_cut_to_its_bound() {
        let text = format!(r#"{{"status":"playing","current_item":"{}"}}"#, "ж".repeat(5000));
        assert_eq!(Status::parse(text.as_bytes()).unwrap().title.unwrap().chars().count(), TITLE_MAX);
    }
}
