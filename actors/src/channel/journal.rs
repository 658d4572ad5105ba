//! The decision journal: what was decided about a stream, when, and on what evidence.

use serde::{Deserialize, Serialize};

use crate::clock::WallTime;

/// Decisions kept per channel; the oldest makes room for the newest.
pub const DECISIONS_KEPT: u32 = 100;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Decision {
    pub seq: u32,
    #[serde(serialize_with = "crate::wire::as_text", deserialize_with = "from_text")]
    #[cfg_attr(test, ts(as = "String"))]
    pub at: WallTime,
    pub event: String,
    pub because: String,
    /// The operator who asked for it, by the name of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub by: Option<String>,
    /// The known count; `null` when it was unknown.
    pub listeners: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub joins: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub evidence_age_seconds: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub remaining_seconds: Option<f64>,
}

fn from_text<'de, D: serde::Deserializer<'de>>(d: D) -> Result<WallTime, D::Error> {
    let text = String::deserialize(d)?;
    WallTime::parse_rfc3339(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 timestamp"))
}
