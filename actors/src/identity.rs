//! The names things go by on every wire: channels, sources, sessions.

use std::{borrow::Borrow, fmt, sync::Arc};

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub const CHANNEL_ID_MAX: usize = 64;
pub const SOURCE_ID_MAX: usize = 128;
pub const SESSION_ID_MAX: usize = 128;

/// A stream's name: `[A-Za-z0-9_.:@-]{1,64}`, so it needs no escaping in a URL, a label or a log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(Arc<str>);

/// Who reports: a streamer, or an adapter's server and mount.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(Arc<str>);

/// One life of a stream at one source.
pub type SessionId = CompactString;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} is not valid: it must be {rule}")]
pub struct BadName {
    pub what: &'static str,
    pub text: String,
    pub rule: &'static str,
}

fn is_channel_id(text: &str) -> bool {
    (1..=CHANNEL_ID_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'@' | b'-'))
}

fn is_printable(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// A name cut to what an error message may repeat of it.
fn excerpt(text: &str) -> String {
    text.chars().take(CHANNEL_ID_MAX + 1).collect()
}

impl ChannelId {
    pub fn new(text: &str) -> Result<Self, BadName> {
        if is_channel_id(text) {
            return Ok(Self(text.into()));
        }
        Err(BadName { what: "channel_id", text: excerpt(text), rule: "1 to 64 characters of A-Z a-z 0-9 _ . : @ -" })
    }
}

impl SourceId {
    pub fn new(text: &str) -> Result<Self, BadName> {
        if is_printable(text, SOURCE_ID_MAX) {
            return Ok(Self(text.into()));
        }
        Err(BadName { what: "source", text: excerpt(text), rule: "1 to 128 printable ASCII characters without spaces" })
    }
}

/// Checks a session id as it came in.
pub fn check_session(text: &str) -> Result<(), BadName> {
    if is_printable(text, SESSION_ID_MAX) {
        return Ok(());
    }
    Err(BadName { what: "session", text: excerpt(text), rule: "1 to 128 printable ASCII characters without spaces" })
}

macro_rules! name {
    ($type:ident) => {
        impl $type {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
name!(ChannelId);
name!(SourceId);
