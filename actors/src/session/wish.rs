//! What a client wishes: the texts it may send. Pure.

use serde::Deserialize;

use crate::{
    broker::subscriptions::{Filter, FilterError},
    wire::Object,
};

/// What a text says.
#[derive(Debug)]
pub enum Wish {
    Ping,
    Filter(Change),
}

/// To hear more, or less.
#[derive(Debug)]
pub struct Change {
    adds: bool,
    names: Names,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Message {
    Ping,
    Subscribe(Names),
    Unsubscribe(Names),
}

#[derive(Debug, Deserialize)]
struct Names {
    channels: Option<Vec<String>>,
    types: Option<Vec<String>>,
}

impl Wish {
    /// Reads a text, or says what is wrong with it.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let unknown = |why: &dyn std::fmt::Display| {
            format!("not a message this server knows ({why}); there are ping, subscribe, unsubscribe")
        };
        let Object(message) = serde_json::from_slice(text).map_err(|error| unknown(&error))?;
        Ok(match message {
            Message::Ping => Self::Ping,
            Message::Subscribe(names) => Self::Filter(Change { adds: true, names }),
            Message::Unsubscribe(names) => Self::Filter(Change { adds: false, names }),
        })
    }
}

impl Change {
    /// What a session that had this filter hears from now on.
    pub fn of(&self, filter: &Filter) -> Result<Filter, FilterError> {
        let named = Filter::parse(texts(&self.names.channels), texts(&self.names.types))?;
        if self.adds { filter.with(named) } else { filter.without(&named) }
    }

    /// Channels may be heard from now on that were not: what they look like is to be shown.
    pub const fn shows_more(&self) -> bool {
        self.adds && self.names.channels.is_some()
    }
}

fn texts(list: &Option<Vec<String>>) -> Option<impl Iterator<Item = &str>> {
    list.as_ref().map(|list| list.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_the_right_values_is_no_message() {
        for text in [r#"["ping"]"#, r#"["subscribe",["jazz"],null]"#, r#" ["unsubscribe",null,["stats"]]"#] {
            let why = Wish::read(text.as_bytes()).unwrap_err();
            assert!(why.contains("JSON object"), "{text}: {why}");
        }
        assert!(matches!(Wish::read(br#" {"type":"ping"}"#), Ok(Wish::Ping)));
    }
}
