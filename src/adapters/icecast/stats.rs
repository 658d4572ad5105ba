//! Icecast's `/admin/stats`: a document becomes mounts, or is not believed at all. Pure.

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};
use sattva_actors::clock::WallTime;

/// Sources one document may list.
pub const MOUNTS_MAX: usize = 10_000;
/// Elements within elements; Icecast needs four.
const DEPTH_MAX: usize = 32;
/// Text of one field that is kept; the rest is dropped.
const FIELD_MAX: usize = 1024;
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
    #[error("the answer ends in the middle")]
    Truncated,
    #[error("the answer is not well-formed XML: {0}")]
    Malformed(String),
    #[error("a source in the answer has no mount")]
    NamelessSource,
    #[error("the mount {0:?} is in the answer twice")]
    Twice(String),
    #[error("the answer lists more than {MOUNTS_MAX} sources")]
    TooMany,
}

#[derive(Clone, Copy, PartialEq, Eq)]
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

/// Reads a whole document. Entities a document defines itself are never expanded.
pub fn parse(body: &[u8]) -> Result<Vec<Mount>, BadStats> {
    let text = String::from_utf8_lossy(body);
    let mut reader = Reader::from_str(&text);
    let mut mounts: Vec<Mount> = Vec::new();
    let mut names = std::collections::HashSet::new();
    let (mut depth, mut complete) = (0usize, false);
    let mut open: Option<Open> = None;
    let mut field: Option<(Field, String)> = None;
    loop {
        let event = reader.read_event().map_err(|e| malformed(&e))?;
        match event {
            Event::Start(ref element) | Event::Empty(ref element) => {
                let empty = matches!(event, Event::Empty(_));
                match depth {
                    0 if complete || element.name().as_ref() != b"icestats" => return Err(BadStats::NotIcestats),
                    1 if element.name().as_ref() == b"source" => {
                        let source = source(element)?;
                        if mounts.len() == MOUNTS_MAX {
                            return Err(BadStats::TooMany);
                        }
                        if !names.insert(source.mount.name.clone()) {
                            return Err(BadStats::Twice(source.mount.name));
                        }
                        open = Some(source);
                    }
                    2 if open.is_some() => field = Field::of(element.name().as_ref()).map(|f| (f, String::new())),
                    DEPTH_MAX.. => return Err(BadStats::Malformed("it is nested too deep".to_owned())),
                    _ => {}
                }
                if !empty {
                    depth += 1;
                    continue;
                }
                close(depth, &mut open, &mut field, &mut mounts);
                complete |= depth == 0;
            }
            Event::End(_) => {
                depth = depth.checked_sub(1).ok_or(BadStats::NotIcestats)?;
                close(depth, &mut open, &mut field, &mut mounts);
                complete |= depth == 0;
            }
            Event::Text(ref piece) if depth == 3 => keep(&mut field, &piece.decode().map_err(|e| malformed(&e))?),
            Event::CData(ref piece) if depth == 3 => keep(&mut field, &piece.decode().map_err(|e| malformed(&e))?),
            Event::GeneralRef(ref reference) if depth == 3 => {
                let named = match &reference[..] {
                    b"lt" => Some('<'),
                    b"gt" => Some('>'),
                    b"amp" => Some('&'),
                    b"quot" => Some('"'),
                    b"apos" => Some('\''),
                    _ => None,
                };
                // An unknown entity, or a character that does not exist, is shown as such.
                let c = named.or_else(|| reference.resolve_char_ref().ok().flatten());
                keep(&mut field, c.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut [0; 4]));
            }
            Event::Eof if complete => return Ok(mounts),
            Event::Eof if depth > 0 => return Err(BadStats::Truncated),
            Event::Eof => return Err(BadStats::NotIcestats),
            _ => {}
        }
    }
}

fn malformed(error: &dyn std::fmt::Display) -> BadStats {
    // What a foreign server sent must not fill the log.
    BadStats::Malformed(error.to_string().chars().filter(|c| !c.is_control()).take(120).collect())
}

fn source(element: &BytesStart<'_>) -> Result<Open, BadStats> {
    let mut open = Open::default();
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|e| malformed(&e))?;
        if attribute.key.as_ref() == b"mount" {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|e| malformed(&e))?;
            open.mount.name = value.into_owned();
        }
    }
    if open.mount.name.is_empty() || open.mount.name.len() > FIELD_MAX {
        return Err(BadStats::NamelessSource);
    }
    Ok(open)
}

/// An element at `depth` has ended.
fn close(depth: usize, open: &mut Option<Open>, field: &mut Option<(Field, String)>, mounts: &mut Vec<Mount>) {
    match depth {
        2 => {
            if let (Some((field, text)), Some(open)) = (field.take(), open) {
                open.take(field, text);
            }
        }
        1 => mounts.extend(open.take().map(Open::close)),
        _ => {}
    }
}

fn keep(field: &mut Option<(Field, String)>, piece: &str) {
    if let Some((_, text)) = field {
        let room = FIELD_MAX.saturating_sub(text.len());
        let end = (0..=piece.len().min(room)).rev().find(|i| piece.is_char_boundary(*i)).unwrap_or(0);
        text.push_str(&piece[..end]);
    }
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
