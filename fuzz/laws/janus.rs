//! What Janus and its AudioBridge answer.

use sattva_monitor::adapters::janus::answer::{self, Id, ROOMS_MAX, Refusal};
use serde_json::Value;

pub fn hold(body: &[u8]) {
    let text: Option<Value> = serde_json::from_slice(body).ok();
    let data = |list: &str| text.as_ref().map(|text| text["plugindata"]["data"][list].clone());
    let is_lost = !answer::is_heard(body);

    if let Some(id) = read(body, is_lost, answer::made)
        && let Some(text) = &text
    {
        assert_eq!(text["data"]["id"].as_u64(), Some(id));
    }
    if let Some(rooms) = read(body, is_lost, answer::rooms) {
        assert!(rooms.len() <= ROOMS_MAX);
        if let Some(list) = data("list") {
            are_those(&rooms, &list, "room");
        }
    }
    if let Some(participants) = read(body, is_lost, answer::participants)
        && let Some(list) = data("participants")
    {
        let ids: Vec<Id> = participants.iter().map(|participant| participant.id.clone()).collect();
        are_those(&ids, &list, "id");
        for (participant, text) in participants.iter().zip(list.as_array().into_iter().flatten()) {
            assert_eq!(participant.display.as_deref(), text["display"].as_str());
        }
    }
    if let Some(forwarders) = read(body, is_lost, answer::forwarders)
        && let Some(list) = data("rtp_forwarders")
    {
        assert_eq!(list.as_array().map(Vec::len), Some(forwarders));
    }
    read(body, is_lost, answer::done);
}

/// Reads an answer; what is refused is refused in few words, and half of what is read is refused.
fn read<T>(body: &[u8], is_lost: bool, read: impl Fn(&[u8]) -> Result<T, Refusal>) -> Option<T> {
    match read(body) {
        Ok(answer) => {
            assert!(!is_lost, "an answer in a session that is lost");
            let last = body.trim_ascii_end().len() - 1;
            for end in [last, last / 2] {
                assert!(read(&body[..end]).is_err(), "the first {end} bytes of an answer are believed");
            }
            Some(answer)
        }
        Err(refusal) => {
            assert_eq!(refusal == Refusal::Lost, is_lost);
            let told = refusal.to_string();
            assert!(told.chars().count() <= 250 && !told.contains(char::is_control), "{told:?}");
            None
        }
    }
}

/// Each by its id, nobody left out: whoever is not seen is no listener.
fn are_those(ids: &[Id], list: &Value, field: &str) {
    let list = list.as_array().expect("what was read as a list is one");
    let named = list.iter().map(|one| match &one[field] {
        Value::String(text) => Id::Text(text.clone()),
        number => Id::Number(number.as_u64().expect("what was read as an id is one")),
    });
    assert_eq!(named.collect::<Vec<_>>(), ids);
}
