//! The JSON shared with browsers and other readers. Fields may be added, never change meaning.

use std::{fmt, marker::PhantomData, ops::Not, sync::Arc};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{
    channel::auto_end::{AutoEnd, PhaseName, Reason},
    clock::{Timestamp, WallTime},
    identity::{ChannelId, SessionId, SourceId},
    protocol::{OnlyIf, Status, StopCommand, StopReason},
};

/// What is read from an object and from nothing else: serde also takes a list of the right values for a struct.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
            }
        }
        d.deserialize_map(Fields(PhantomData))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Track {
    /// A number is taken as its text.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    #[cfg_attr(test, ts(optional))]
    pub id: Option<Box<str>>,
    pub title: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub artist: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub url: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub duration_seconds: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub started_at: Option<Box<str>>,
}

/// A command as a streamer gets it.
#[derive(Clone, Debug, Serialize)]
pub struct Command {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub channel_id: ChannelId,
    pub session: SessionId,
    pub reason: StopReason,
    pub valid_for_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_if: Option<OnlyIf>,
}

impl Command {
    pub fn at(now: Timestamp, stop: StopCommand) -> Self {
        Self {
            id: stop.id,
            kind: "stop",
            channel_id: stop.channel,
            session: stop.session,
            reason: stop.reason,
            // Rounded down: a streamer must not act later than we allow.
            valid_for_seconds: stop.valid_until.since(now).as_secs(),
            only_if: stop.only_if,
        }
    }
}

/// One message on `/ws/stats`.
#[derive(Clone, Debug, Serialize)]
pub struct Message<T> {
    #[serde(rename = "type")]
    pub kind: MessageType,
    #[serde(serialize_with = "as_text")]
    pub timestamp: WallTime,
    pub data: T,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageType {
    Stats,
    StreamUpdate,
    AutoEndWarning,
    AutoEnd,
    Snapshot,
    Error,
    Pong,
}

impl MessageType {
    pub const ALL: [Self; 7] =
        [Self::Stats, Self::StreamUpdate, Self::AutoEndWarning, Self::AutoEnd, Self::Snapshot, Self::Error, Self::Pong];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stats => "stats",
            Self::StreamUpdate => "stream_update",
            Self::AutoEndWarning => "auto_end_warning",
            Self::AutoEnd => "auto_end",
            Self::Snapshot => "snapshot",
            Self::Error => "error",
            Self::Pong => "pong",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SystemStats {
    pub active_streams: u64,
    pub total_listeners: u64,
    pub queue_items: u64,
    /// `null` until the host has been sampled, or where it cannot be.
    pub cpu_percent: Option<f64>,
    pub memory_percent: Option<f64>,
    pub uptime_seconds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum StreamEvent {
    Started,
    Stopped,
    TrackChanged,
    ListenersChanged,
    QueueChanged,
    Paused,
    Resumed,
    Unknown,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct StreamUpdate {
    #[cfg_attr(test, ts(as = "String"))]
    pub channel_id: ChannelId,
    pub event: StreamEvent,
    /// With `started` only, as in a [`StreamState`]: who reports it, and what it is known of its beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional, as = "Option<Vec<String>>"))]
    pub sources: Option<Vec<SourceId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    #[cfg_attr(test, ts(optional, as = "Option<String>"))]
    pub started_at: Option<WallTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub current_track: Option<Arc<Track>>,
    pub listeners: u32,
    pub listeners_known: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub queue_size: Option<u32>,
    pub state: StreamStatus,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AutoEndWarning {
    #[cfg_attr(test, ts(as = "String"))]
    pub channel_id: ChannelId,
    pub seconds_remaining: u32,
    pub reason: &'static str,
    #[serde(serialize_with = "as_text")]
    #[cfg_attr(test, ts(as = "String"))]
    pub ends_at: WallTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum AutoEndEvent {
    Started,
    Cancelled,
    Extended,
    Frozen,
    Unfrozen,
    Stopping,
    WouldStop,
    Ended,
    StopFailed,
    Paused,
    Resumed,
}

impl AutoEndEvent {
    pub const ALL: [Self; 11] = [
        Self::Started,
        Self::Cancelled,
        Self::Extended,
        Self::Frozen,
        Self::Unfrozen,
        Self::Stopping,
        Self::WouldStop,
        Self::Ended,
        Self::StopFailed,
        Self::Paused,
        Self::Resumed,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Cancelled => "cancelled",
            Self::Extended => "extended",
            Self::Frozen => "frozen",
            Self::Unfrozen => "unfrozen",
            Self::Stopping => "stopping",
            Self::WouldStop => "would_stop",
            Self::Ended => "ended",
            Self::StopFailed => "stop_failed",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
        }
    }
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AutoEndChange {
    #[cfg_attr(test, ts(as = "String"))]
    pub channel_id: ChannelId,
    pub event: AutoEndEvent,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    #[cfg_attr(test, ts(optional, as = "Option<String>"))]
    pub ends_at: Option<WallTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub remaining_seconds: Option<u64>,
    /// For programs; `because` says it to people.
    pub reason: &'static str,
    pub because: String,
    pub phase: PhaseName,
    /// Its countdowns end nothing.
    #[serde(skip_serializing_if = "Not::not")]
    #[cfg_attr(test, ts(optional, as = "Option<bool>"))]
    pub dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum StreamStatus {
    Live,
    Paused,
    Idle,
    Stopped,
    /// Nothing certain for so long that it no longer counts as active.
    Lost,
}

impl From<Status> for StreamStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Live => Self::Live,
            Status::Paused => Self::Paused,
            Status::Idle => Self::Idle,
            Status::Stopped => Self::Stopped,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct StreamState {
    #[cfg_attr(test, ts(as = "String"))]
    pub channel_id: ChannelId,
    #[cfg_attr(test, ts(as = "Vec<String>"))]
    pub sources: Vec<SourceId>,
    pub session: Option<String>,
    pub state: StreamStatus,
    #[serde(serialize_with = "as_optional_text", deserialize_with = "from_optional_text", default)]
    #[cfg_attr(test, ts(as = "Option<String>"))]
    pub started_at: Option<WallTime>,
    pub listeners: u32,
    pub listeners_known: bool,
    /// `null` until something has been reported since the daemon started.
    pub evidence_age_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub joins: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub queue_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub current_track: Option<Arc<Track>>,
    pub auto_end: AutoEndState,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AutoEndState {
    pub phase: PhaseName,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "as_optional_text",
        deserialize_with = "from_optional_text",
        default
    )]
    #[cfg_attr(test, ts(optional, as = "Option<String>"))]
    pub ends_at: Option<WallTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub remaining_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub reason: Option<Why>,
    /// Its countdowns end nothing.
    #[serde(skip_serializing_if = "Not::not", default)]
    #[cfg_attr(test, ts(optional, as = "Option<bool>"))]
    pub dry_run: bool,
}

/// Why a countdown runs, or why there is none though nobody may listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Why {
    NeverJoined,
    AllLeft,
    StopFailed,
    Operator,
    /// An operator keeps it alive until somebody has joined and left.
    KeptAlive,
    /// A dry run came to its end.
    WouldStop,
}

impl Why {
    pub fn of(auto_end: &AutoEnd) -> Option<Self> {
        match auto_end.countdown_reason() {
            Some(Reason::NeverJoined) => Some(Self::NeverJoined),
            Some(Reason::AllLeft) => Some(Self::AllLeft),
            Some(Reason::StopFailed) => Some(Self::StopFailed),
            Some(Reason::Operator) => Some(Self::Operator),
            None if auto_end.is_kept_alive() => Some(Self::KeptAlive),
            None if auto_end.would_have_stopped() => Some(Self::WouldStop),
            None => None,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Snapshot {
    pub streams: Vec<StreamState>,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ClientError {
    pub code: &'static str,
    pub message: String,
}

fn text_or_number<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Box<str>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Text(Box<str>),
        Number(i64),
    }
    Ok(Option::<Id>::deserialize(d)?.map(|id| match id {
        Id::Text(text) => text,
        Id::Number(number) => number.to_string().into(),
    }))
}

pub fn as_text<S: serde::Serializer>(at: &WallTime, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(at)
}

pub fn as_optional_text<S: serde::Serializer>(at: &Option<WallTime>, s: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => s.collect_str(at),
        None => s.serialize_none(),
    }
}

fn from_optional_text<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<WallTime>, D::Error> {
    let Some(text) = Option::<std::borrow::Cow<'de, str>>::deserialize(d)? else { return Ok(None) };
    WallTime::parse_rfc3339(&text).map(Some).ok_or_else(|| serde::de::Error::custom("this is no point in time"))
}

#[cfg(test)]
mod tests;
