//! What Janus and its AudioBridge answer: read, or not believed at all. Pure.

use std::fmt;

use sattva_actors::wire::Object;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Rooms that one look takes in.
pub const ROOMS_MAX: usize = 1000;

/// A room's or a participant's: a number, or a text where Janus has `string_ids`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    Number(u64),
    Text(String),
}

impl Id {
    /// As somebody wrote it down.
    pub fn of(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Text(text.to_owned()), Self::Number)
    }

    pub fn as_text(&self) -> Self {
        Self::Text(self.to_string())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Participant {
    pub id: Id,
    /// What it calls itself; anyone may call himself anything.
    #[serde(default)]
    pub display: Option<String>,
}

/// Why there is no answer to what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The session or the handle is gone: Janus forgets those that are silent for a minute.
    #[error("Janus has forgotten the session")]
    Lost,
    #[error("Janus answers with error {code}: {reason}")]
    Janus { code: i64, reason: String },
    #[error("the AudioBridge answers with error {code}: {reason}")]
    Bridge { code: i64, reason: String },
    #[error("the answer is none of Janus: {0}")]
    Foreign(String),
    #[error("the answer is not as that of an AudioBridge: {0}")]
    Unbelievable(String),
}

/// Janus's own code for a wrong API secret.
pub const UNAUTHORIZED: i64 = 403;
const NO_SUCH_SESSION: i64 = 458;
const NO_SUCH_HANDLE: i64 = 459;
/// The AudioBridge's codes.
pub const WRONG_TYPE: i64 = 484;
pub const NO_SUCH_ROOM: i64 = 485;
pub const WRONG_ROOM_SECRET: i64 = 489;

#[derive(Deserialize)]
struct Envelope {
    janus: String,
    data: Option<Value>,
    plugindata: Option<Map<String, Value>>,
    error: Option<Object<JanusError>>,
}

#[derive(Deserialize)]
struct JanusError {
    code: i64,
    #[serde(default)]
    reason: String,
}

fn envelope(body: &[u8]) -> Result<Envelope, Refusal> {
    let Object(envelope) =
        serde_json::from_slice::<Object<Envelope>>(body).map_err(|error| match error.is_eof() && !body.is_empty() {
            true => Refusal::Unbelievable("it ends in the middle".to_owned()),
            false => Refusal::Foreign(shown(&error)),
        })?;
    match envelope.error {
        Some(Object(JanusError { code: NO_SUCH_SESSION | NO_SUCH_HANDLE, .. })) => Err(Refusal::Lost),
        Some(Object(JanusError { code, reason })) => Err(Refusal::Janus { code, reason: shown(&reason) }),
        None if envelope.janus == "success" => Ok(envelope),
        None => Err(Refusal::Unbelievable(format!("it is a {:?}", shown(&envelope.janus)))),
    }
}

/// What a foreign server sent must not fill the log.
fn shown(text: &dyn fmt::Display) -> String {
    text.to_string().chars().filter(|c| !c.is_control()).take(120).collect()
}

/// The id of a session or a handle that was made.
pub fn made(body: &[u8]) -> Result<u64, Refusal> {
    let data = envelope(body)?.data;
    let id = data.as_ref().and_then(|data| data["id"].as_u64());
    id.ok_or_else(|| Refusal::Unbelievable("it has no id".to_owned()))
}

fn bridge(body: &[u8]) -> Result<Value, Refusal> {
    let data = envelope(body)?.plugindata.and_then(|mut plugin| plugin.remove("data"));
    let data = data.ok_or_else(|| Refusal::Unbelievable("it has no plugindata".to_owned()))?;
    match data["error_code"].as_i64() {
        Some(code) => {
            Err(Refusal::Bridge { code, reason: shown(&data["error"].as_str().unwrap_or("without a reason")) })
        }
        None => Ok(data),
    }
}

fn list<T: for<'de> Deserialize<'de>>(data: &mut Value, name: &str) -> Result<Vec<T>, Refusal> {
    let list = data.get_mut(name).map(Value::take).unwrap_or_default();
    serde_json::from_value(list).map_err(|error| Refusal::Unbelievable(shown(&error)))
}

/// Whether Janus still knew the session it was asked in.
pub fn is_heard(body: &[u8]) -> bool {
    !matches!(envelope(body), Err(Refusal::Lost))
}

/// The rooms of the AudioBridge that are not private.
pub fn rooms(body: &[u8]) -> Result<Vec<Id>, Refusal> {
    #[derive(Deserialize)]
    struct Room {
        room: Id,
    }
    let rooms: Vec<Object<Room>> = list(&mut bridge(body)?, "list")?;
    if rooms.len() > ROOMS_MAX {
        return Err(Refusal::Unbelievable(format!("it lists more than {ROOMS_MAX} rooms")));
    }
    Ok(rooms.into_iter().map(|Object(room)| room.room).collect())
}

/// Who is in a room.
pub fn participants(body: &[u8]) -> Result<Vec<Participant>, Refusal> {
    let participants: Vec<Object<Participant>> = list(&mut bridge(body)?, "participants")?;
    Ok(participants.into_iter().map(|Object(participant)| participant).collect())
}

/// To how many places a room is forwarded.
pub fn forwarders(body: &[u8]) -> Result<usize, Refusal> {
    let mut data = bridge(body)?;
    if data.get("rtp_forwarders").is_none() {
        return Err(Refusal::Unbelievable("it does not list the forwarders".to_owned()));
    }
    list::<Value>(&mut data, "rtp_forwarders").map(|forwarders| forwarders.len())
}

/// That something was done.
pub fn done(body: &[u8]) -> Result<(), Refusal> {
    bridge(body).map(|_| ())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(data: &str) -> Vec<u8> {
        format!(
            r#"{{"janus":"success","session_id":1,"transaction":"t","sender":2,
                "plugindata":{{"plugin":"janus.plugin.audiobridge","data":{data}}}}}"#
        )
        .into_bytes()
    }

    #[test]
    fn a_room_is_forwarded_nowhere_only_where_janus_says_so() {
        let forwarders = |data: &str| forwarders(&said(data));
        assert_eq!(forwarders(r#"{"audiobridge":"forwarders","room":1234,"rtp_forwarders":[]}"#), Ok(0));
        let one = r#"{"audiobridge":"forwarders","room":1234,"rtp_forwarders":[{"stream_id":1,"ip":"127.0.0.1","port":5004}]}"#;
        assert_eq!(forwarders(one), Ok(1));
        for other in [r#"{"audiobridge":"forwarders"}"#, r#"{"rtp_forwarders":{}}"#, r#"{"rtp_forwarders":null}"#] {
            assert!(forwarders(other).is_err(), "{other}");
        }
        assert!(forwarders(r#"{"error_code":489,"error":"Unauthorized (wrong secret)"}"#).is_err());
    }

    #[test]
    fn an_answer_of_janus_1_1_2_is_read_in_full() {
        let answer = said(
            r#"{"audiobridge":"participants","room":1234,"participants":[
                {"id":5403912,"display":"streamer","setup":true,"muted":false},
                {"id":501,"setup":false,"muted":true}]}"#,
        );
        let participants = participants(&answer).unwrap();
        assert_eq!(participants[0], Participant { id: Id::Number(5_403_912), display: Some("streamer".into()) });
        assert_eq!(participants[1], Participant { id: Id::Number(501), display: None });
        let answer = said(r#"{"audiobridge":"success","list":[{"room":1234,"description":"x"},{"room":"jazz"}]}"#);
        assert_eq!(rooms(&answer), Ok(vec![Id::Number(1234), Id::Text("jazz".into())]));
    }

    #[test]
    fn a_room_that_is_not_there_is_told_from_an_empty_one() {
        let gone = said(r#"{"audiobridge":"event","error_code":485,"error":"No such room (1234)"}"#);
        assert!(matches!(participants(&gone), Err(Refusal::Bridge { code: NO_SUCH_ROOM, .. })));
        assert_eq!(participants(&said(r#"{"participants":[]}"#)), Ok(Vec::new()));
    }

    #[test]
    fn a_forgotten_session_and_a_wrong_secret_are_told_apart() {
        let error = |code: i64| format!(r#"{{"janus":"error","error":{{"code":{code},"reason":"x"}}}}"#);
        assert_eq!(made(error(458).as_bytes()), Err(Refusal::Lost));
        assert_eq!(participants(error(459).as_bytes()), Err(Refusal::Lost));
        assert!(matches!(made(error(403).as_bytes()), Err(Refusal::Janus { code: UNAUTHORIZED, .. })));
    }

    #[test]
    fn what_is_not_whole_is_no_empty_room() {
        let whole = said(r#"{"audiobridge":"participants","participants":[{"id":1}]}"#);
        for end in 0..whole.len() {
            assert!(participants(&whole[..end]).is_err(), "{end}");
        }
        for data in [
            "{}",
            "[]",
            "null",
            r#"{"participants":null}"#,
            r#"{"participants":{}}"#,
            r#"{"participants":[{"display":"x"}]}"#,
            r#"{"participants":[{"id":-1}]}"#,
            r#"{"participants":[{"id":1.5}]}"#,
            r#"{"participants":[[1,"x"]]}"#,
        ] {
            assert!(participants(&said(data)).is_err(), "{data}");
        }
        for body in [
            "",
            "ok",
            "<html></html>",
            "{}",
            r#"{"janus":"ack"}"#,
            r#"{"janus":"success"}"#,
            r#"["success",null,{"data":{"participants":[]}},null]"#,
        ] {
            assert!(participants(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn what_a_foreign_server_says_is_told_in_one_short_line() {
        let answer = said(&format!(r#"{{"error_code":1,"error":"a\n\u001b[31m{}"}}"#, "x".repeat(5000)));
        let told = participants(&answer).unwrap_err().to_string();
        assert!(told.len() < 250 && !told.contains(char::is_control), "{told}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..500), text in ".{0,80}") {
            let _ = (made(&bytes), rooms(&bytes), participants(&bytes), participants(&said(&text)));
        }

        #[test]
        fn no_json_makes_it_panic(data in r#"(null|1|"x"|\[\]|\{\}|\{"(data|participants|list|error_code|plugindata)":(null|1|"x"|\[1?\]|\{\})\})"#) {
            for body in [data.clone().into_bytes(), said(&data), format!(r#"{{"janus":"success","data":{data}}}"#).into_bytes()] {
                let _ = (made(&body), rooms(&body), participants(&body), done(&body), is_heard(&body));
            }
        }
    }
}
