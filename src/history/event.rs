//! What happened to a channel, as it is read again.

use sattva_actors::{chronicle::Happening, wire::Track};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds since 1970.
    pub at: i64,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A session has begun, or is over.
    Started,
    Stopped,
    /// Nothing plays where there is no track. The count is the one at that moment, if it was known.
    Track {
        track: Option<Played>,
        listeners: Option<u32>,
    },
    AutoEnd {
        event: String,
        phase: String,
        reason: String,
    },
}

impl What {
    pub fn is_auto_end(&self, name: &str) -> bool {
        matches!(self, Self::AutoEnd { event, .. } if event == name)
    }

    pub fn is_by_operator(&self) -> bool {
        matches!(self, Self::AutoEnd { reason, .. } if reason == "operator")
    }

    pub fn of(happening: &Happening) -> Self {
        match happening {
            Happening::Started => Self::Started,
            Happening::Stopped => Self::Stopped,
            Happening::Track { track, listeners, .. } => {
                Self::Track { track: track.as_deref().map(Played::of), listeners: *listeners }
            }
            Happening::AutoEnd { event, phase, reason } => Self::AutoEnd {
                event: event.as_str().to_owned(),
                phase: phase.as_str().to_owned(),
                reason: (*reason).to_owned(),
            },
        }
    }
}

impl Event {
    /// Whether this is what has played since the last of those before it: a restart has it told once more.
    pub fn tells_again(happening: &Happening, before: &[Self]) -> bool {
        let Happening::Track { track, resumed: true, .. } = happening else { return false };
        let last = before.iter().rev().find_map(|event| match &event.what {
            What::Track { track, .. } => Some(track),
            _ => None,
        });
        last.is_some_and(|last| *last == track.as_deref().map(Played::of))
    }
}

/// What a track is told from others by; without a title it is one whose name could not be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Played {
    pub title: String,
    pub artist: Option<String>,
}

/// What is kept of a title, and of an artist.
const TEXT_MAX: usize = 200;
/// Between title and artist where they are one text; no title has it.
const SEPARATOR: char = '\u{1f}';

impl Played {
    pub fn of(track: &Track) -> Self {
        let text = |text: &str| text.chars().filter(|c| *c != SEPARATOR).take(TEXT_MAX).collect();
        Self { title: text(&track.title), artist: track.artist.as_deref().map(text) }
    }

    pub fn as_text(&self) -> String {
        match &self.artist {
            Some(artist) => format!("{}{SEPARATOR}{artist}", self.title),
            None => self.title.clone(),
        }
    }

    pub fn from_text(text: &str) -> Self {
        match text.split_once(SEPARATOR) {
            Some((title, artist)) => Self { title: title.to_owned(), artist: Some(artist.to_owned()) },
            None => Self { title: text.to_owned(), artist: None },
        }
    }
}
