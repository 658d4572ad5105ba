//! The message that is fanned out: a track's change, as the daemon tells it. It may not be merged with another one.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use sattva_actors::{
    clock::Clock,
    identity::ChannelId,
    wire::{self, MessageType, StreamEvent, StreamStatus, StreamUpdate, Track},
};
use serde_json::{Value, json};

/// Telegram's ids look like this.
const FIRST_CHANNEL: u64 = 1_001_000_000_000;
const LISTENERS: u32 = 3;
const QUEUE: u32 = 5;
/// Characters the daemon takes of one text, and a little less.
const TEXT: usize = 990;
/// More than this does not fit into ASCII texts.
const NARROW_MAX: usize = 1000;
const NARROW: [&str; 8] = ["blue ", "night ", "river ", "train ", "waltz ", "on air ", "remix ", "nocturne "];
const WIDE: [&str; 8] = ["夜の", "音楽", "遠い", "声を", "聴く", "雨と", "列車", "夢に"];

/// One message, as it is made and as it is found again in what a client received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    pub channel: usize,
    /// The number of messages of its channel so far, itself included.
    pub tick: u32,
    /// On the clock of whoever made it.
    pub sent: Duration,
}

impl Message {
    /// What each client is to receive, of about this many bytes.
    pub fn payload(&self, bytes: usize) -> Result<String> {
        self.written(self.track(bytes)?)
    }

    /// What makes the daemon send that.
    pub fn report(&self, bytes: usize) -> Result<Value> {
        // Its source reports once an hour, so that what is known stays known.
        Ok(json!({
            "channel_id": self.channel_id(), "session": "s1", "seq": self.tick, "state": "live",
            "listeners": LISTENERS, "queue_size": QUEUE, "interval_seconds": 3600, "track": self.track(bytes)?,
        }))
    }

    /// Nothing where it is some other message.
    pub fn found_in(payload: &str) -> Option<Self> {
        let after = |key: &str| payload.split_once(key).map(|(_, rest)| rest);
        // A stream that begins tells its track, too.
        after(r#""event":"track_changed""#)?;
        let channel: u64 = after(r#""channel_id":"-"#)?.split('"').next()?.parse().ok()?;
        let (tick, sent) = after(r#""id":""#)?.split('"').next()?.split_once('.')?;
        Some(Self {
            channel: channel.checked_sub(FIRST_CHANNEL)? as usize,
            tick: tick.parse().ok()?,
            sent: Duration::from_nanos(sent.parse().ok()?),
        })
    }

    fn channel_id(&self) -> String {
        format!("-{}", FIRST_CHANNEL + self.channel as u64)
    }

    fn track(&self, bytes: usize) -> Result<Track> {
        let id = format!("{}.{}", self.tick, self.sent.as_nanos());
        let bare = Track { id: Some(id.into()), artist: Some("".into()), ..Track::default() };
        let mut missing = bytes.saturating_sub(self.written(bare.clone())?.len());
        let words = if missing < NARROW_MAX { NARROW } else { WIDE };
        let mut turn = self.tick as usize ^ self.channel;
        let mut text = || {
            let mut text = String::new();
            while missing > 0 && text.chars().count() < TEXT {
                turn = turn.wrapping_mul(31).wrapping_add(7);
                let word = words[(turn >> 3) % words.len()];
                let word = if word.len() <= missing { word } else { &"......."[..missing.min(7)] };
                missing -= word.len();
                text.push_str(word);
            }
            text
        };
        let title = text().into();
        let (artist, url) = (Some(text().into()), Some(text()).filter(|url| !url.is_empty()).map(Into::into));
        Ok(Track { title, artist, url, ..bare })
    }

    fn written(&self, track: Track) -> Result<String> {
        let update = StreamUpdate {
            channel_id: ChannelId::new(&self.channel_id())?,
            event: StreamEvent::TrackChanged,
            sources: None,
            session: None,
            started_at: None,
            current_track: Some(Arc::new(track)),
            listeners: LISTENERS,
            listeners_known: true,
            queue_size: Some(QUEUE),
            state: StreamStatus::Live,
        };
        let timestamp = Clock::System.now().wall;
        Ok(serde_json::to_string(&wire::Message { kind: MessageType::StreamUpdate, timestamp, data: update })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: Message = Message { channel: 7, tick: 42, sent: Duration::from_nanos(1_234_567_890) };

    #[test]
    fn a_message_has_the_length_it_was_to_have_and_is_found_again() {
        for bytes in [300, 8000] {
            let payload = MESSAGE.payload(bytes).unwrap();
            assert!(payload.len().abs_diff(bytes) < 16, "{} instead of {bytes}: {payload}", payload.len());
            assert_eq!(Message::found_in(&payload), Some(MESSAGE));
        }
    }

    #[test]
    fn the_daemon_is_told_no_text_that_it_would_refuse() {
        let report = MESSAGE.report(8000).unwrap();
        for text in ["title", "artist", "url"] {
            let characters = report["track"][text].as_str().unwrap().chars().count();
            assert!((1..=1000).contains(&characters), "{text}: {characters}");
        }
    }

    #[test]
    fn other_messages_are_not_taken_for_it() {
        let started = MESSAGE.payload(300).unwrap().replace("track_changed", "started");
        assert_eq!(Message::found_in(&started), None);
        assert_eq!(Message::found_in(r#"{"type":"stats","data":{}}"#), None);
    }
}
