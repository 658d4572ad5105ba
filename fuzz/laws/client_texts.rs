//! What a client of `/ws/stats` wishes: each line is a text, of one session.

use sattva_actors::{
    broker::subscriptions::{CHANNELS_MAX, Filter},
    session::wish::{Change, Wish},
    wire::MessageType,
};
use serde_json::Value;

pub fn hold(bytes: &[u8]) {
    let mut filter = Filter::default();
    for text in bytes.split(|byte| *byte == b'\n') {
        match Wish::read(text) {
            Ok(Wish::Ping) => assert_eq!(kind(text), "ping"),
            Ok(Wish::Filter(change)) => filter = changed(filter, &change, text),
            Err(what) => {
                // JSON's own words for what is wrong, and what of the text they repeat.
                assert!(what.len() <= 6 * text.len() + 300, "{} bytes on {}", what.len(), text.len());
                assert!(what.contains("subscribe"), "it does not say what there is: {what}");
            }
        }
    }
}

fn kind(text: &[u8]) -> String {
    let value: Value = serde_json::from_slice(text).unwrap_or_default();
    value["type"].as_str().unwrap_or("ping").to_owned()
}

fn changed(before: Filter, change: &Change, text: &[u8]) -> Filter {
    let after = match change.of(&before) {
        Ok(after) => after,
        Err(why) => {
            assert!(why.to_string().len() <= 1000, "{why}");
            return before;
        }
    };
    for kind in [MessageType::Snapshot, MessageType::Error, MessageType::Pong] {
        assert!(after.wants(kind, None), "a filter drops a {}", kind.as_str());
    }
    assert!(after.channels.as_ref().is_none_or(|channels| channels.len() <= CHANNELS_MAX));
    let types = after.types.as_ref().map_or(0, Vec::len);
    assert!(types <= MessageType::ALL.len());
    assert_eq!(change.of(&after).as_ref(), Ok(&after), "twice is not once");

    // What is heard from now on, and was not, was named.
    let named: Value = serde_json::from_slice(text).unwrap_or_default();
    let names = |name: &str| named["channels"].as_array().is_some_and(|all| all.iter().any(|channel| channel == name));
    let had = before.channels.unwrap_or_default();
    let has = after.channels.iter().flatten();
    let new: Vec<_> = has.filter(|channel| !had.contains(*channel)).collect();
    assert!(named.is_null() || new.iter().all(|channel| names(channel.as_str())), "{new:?} of {named}");
    assert!(new.is_empty() || change.shows_more(), "{new:?} will not be shown");
    after
}
