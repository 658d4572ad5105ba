//! Icecast's `/admin/stats`: a document becomes mounts, or is not believed at all. Pure.

use quick_xml::{XmlVersion, events::BytesStart};
use sattva_actors::clock::WallTime;

use crate::adapters::polled::xml::{self, BadXml, Step, TEXT_MAX};

/// Sources one document may list.
pub const MOUNTS_MAX: usize = 10_000;
/// Characters of a title or an artist that are shown.
const TITLE_MAX: usize = 300;

/// A mount that is listed, with what can be read of it; what cannot is unknown, never zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    pub name: String,
    /// When its source connected, as the server writes it; without it no source is connected.
    pub start: Option<String>,
    pub started_at: Option<WallTime>,
    pub listeners: Option<u32>,
    pub title: Option<String>,
    pub artist: Option<String>,
}

/// Why a document is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadStats {
    #[error("the answer is no Icecast statistics")]
    NotIcestats,
    #[error(transparent)]
    Xml(BadXml),
    #[error("a source in the answer has no mount")]
    NamelessSource,
    #[error("the mount {0:?} is in the answer twice")]
    Twice(String),
    #[error("the answer lists more than {MOUNTS_MAX} sources")]
    TooMany,
}

impl From<BadXml> for BadStats {
    fn from(bad: BadXml) -> Self {
        if bad == BadXml::Foreign { Self::NotIcestats } else { Self::Xml(bad) }
    }
}

enum Field {
    Listeners,
    Start,
    StartIso,
    Title,
    Artist,
}

impl Field {
    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"listeners" => Self::Listeners,
            b"stream_start" => Self::Start,
            b"stream_start_iso8601" => Self::StartIso,
            b"title" => Self::Title,
            b"artist" => Self::Artist,
            _ => return None,
        })
    }
}

/// A source while its element is open.
#[derive(Default)]
struct Open {
    mount: Mount,
    listeners: Vec<String>,
    start: String,
    start_iso: String,
    title: String,
    artist: String,
}

impl Open {
    fn take(&mut self, field: Field, text: String) {
        match field {
            Field::Listeners => self.listeners.push(text),
            Field::Start => self.start = text,
            Field::StartIso => self.start_iso = text,
            Field::Title => self.title = text,
            Field::Artist => self.artist = text,
        }
    }

    fn close(self) -> Mount {
        let mut mount = self.mount;
        // Two counts are no count.
        mount.listeners = match self.listeners.as_slice() {
            [one] => one.trim().parse().ok(),
            _ => None,
        };
        let start = [self.start_iso, self.start].into_iter().map(|s| s.trim().to_owned()).find(|s| !s.is_empty());
        mount.started_at = start.as_deref().and_then(moment);
        mount.start = start;
        mount.title = readable(&self.title);
        mount.artist = readable(&self.artist);
        mount
    }
}

/// Reads a whole document.
pub fn parse(body: &[u8]) -> Result<Vec<Mount>, BadStats> {
    let mut mounts: Vec<Mount> = Vec::new();
    let mut names = std::collections::HashSet::new();
    let mut open: Option<Open> = None;
    xml::walk(body, b"icestats", |step| {
        match step {
            Step::Begin { depth: 1, element } if element.name().as_ref() == b"source" => {
                let source = source(element)?;
                if mounts.len() == MOUNTS_MAX {
                    return Err(BadStats::TooMany);
                }
                if !names.insert(source.mount.name.clone()) {
                    return Err(BadStats::Twice(source.mount.name));
                }
                open = Some(source);
            }
            Step::Begin { .. } => {}
            Step::End { depth: 2, name, text } => {
                if let (Some(field), Some(open)) = (Field::of(name), &mut open) {
                    open.take(field, text);
                }
            }
            Step::End { depth: 1, .. } => mounts.extend(open.take().map(Open::close)),
            Step::End { .. } => {}
        }
        Ok(())
    })?;
    Ok(mounts)
}

fn source(element: &BytesStart<'_>) -> Result<Open, BadStats> {
    let mut open = Open::default();
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|e| xml::malformed(&e))?;
        if attribute.key.as_ref() == b"mount" {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|e| xml::malformed(&e))?;
            open.mount.name = value.into_owned();
        }
    }
    if open.mount.name.is_empty() || open.mount.name.len() > TEXT_MAX {
        return Err(BadStats::NamelessSource);
    }
    Ok(open)
}

/// Icecast writes `2026-11-24T00:03:30+0000`; RFC 3339 wants a colon in the offset.
fn moment(text: &str) -> Option<WallTime> {
    if let Some((date, zone)) = text.len().checked_sub(5).and_then(|at| text.split_at_checked(at))
        && zone.starts_with(['+', '-'])
        && zone[1..].bytes().all(|b| b.is_ascii_digit())
    {
        return WallTime::parse_rfc3339(&format!("{date}{}:{}", &zone[..3], &zone[3..]));
    }
    WallTime::parse_rfc3339(text)
}

/// Text from a broadcaster as people may see it: bounded, one line, and readable again where Icecast
/// took UTF-8 for Latin-1, which it does for MP3 unless told otherwise.
fn readable(text: &str) -> Option<String> {
    let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    let repaired = latin.and_then(|bytes| String::from_utf8(bytes).ok());
    let text = repaired.as_deref().unwrap_or(text);
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let text: String = text.trim().chars().take(TITLE_MAX).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
