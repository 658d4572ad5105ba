//! What the outside has been told of a stream, and what of it is no longer true.

use std::{sync::Arc, time::Duration};

use smallvec::SmallVec;

use crate::{
    clock::Timestamp,
    wire::{StreamEvent, StreamStatus, Track},
};

/// Listener and queue changes of one channel are told at most this often.
pub const UPDATE_SPACING: Duration = Duration::from_millis(250);

#[derive(Clone, Debug, PartialEq)]
pub struct Face {
    /// Which session of the stream this is.
    pub session: u32,
    pub status: StreamStatus,
    pub listeners: u32,
    pub listeners_known: bool,
    pub queue_size: Option<u32>,
    pub track: Option<Arc<Track>>,
}

impl Default for Face {
    /// A stream that is over.
    fn default() -> Self {
        Self {
            session: 0,
            status: StreamStatus::Stopped,
            listeners: 0,
            listeners_known: true,
            queue_size: None,
            track: None,
        }
    }
}

/// Compares what is with what was told, and paces the telling.
#[derive(Debug, Default)]
pub struct Shown {
    told: Face,
    /// Listener and queue changes wait until here.
    paced_until: Timestamp,
    waiting: bool,
}

impl Shown {
    /// The events to tell now, in their order.
    pub fn update(&mut self, now: Timestamp, face: &Face) -> SmallVec<[StreamEvent; 2]> {
        let mut events = SmallVec::new();
        let told = &self.told;
        if *told == *face {
            self.waiting = false;
            return events;
        }
        let running = |status| status != StreamStatus::Stopped;
        let anew = running(told.status) && running(face.status) && told.session != face.session;
        if anew {
            // Nothing of the session before is true of the next one.
            self.told = Face::default();
            events.push(StreamEvent::Stopped);
        }
        let told = &self.told;
        if running(told.status) != running(face.status) {
            events.push(if running(face.status) { StreamEvent::Started } else { StreamEvent::Stopped });
        } else if told.status != face.status {
            match (told.status, face.status) {
                (_, StreamStatus::Paused) => events.push(StreamEvent::Paused),
                (_, StreamStatus::Lost) => events.push(StreamEvent::Unknown),
                // Between tracks and live again: the track's change tells it.
                (StreamStatus::Live, StreamStatus::Idle) | (StreamStatus::Idle, StreamStatus::Live)
                    if told.track != face.track => {}
                _ => events.push(StreamEvent::Resumed),
            }
        }
        if told.track != face.track && running(face.status) {
            events.push(StreamEvent::TrackChanged);
        }
        if told.listeners_known && !face.listeners_known {
            events.push(StreamEvent::Unknown);
        }
        let listeners = told.listeners != face.listeners || (!told.listeners_known && face.listeners_known);
        let queue = told.queue_size != face.queue_size;
        if events.is_empty() && (listeners || queue) {
            if now < self.paced_until {
                self.waiting = true;
                return events;
            }
            if listeners {
                events.push(StreamEvent::ListenersChanged);
            }
            if queue {
                events.push(StreamEvent::QueueChanged);
            }
            self.paced_until = now.plus(UPDATE_SPACING);
        }
        self.waiting = false;
        self.told = face.clone();
        events
    }

    /// When a change that was held back is due.
    pub fn next_update(&self) -> Option<Timestamp> {
        self.waiting.then_some(self.paced_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(listeners: u32) -> Face {
        Face { status: StreamStatus::Live, listeners, ..Face::default() }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(millis * 1000)
    }

    #[test]
    fn a_stream_that_appears_has_started_and_one_that_goes_has_stopped() {
        let mut shown = Shown::default();
        assert_eq!(shown.update(at(0), &live(3))[..], [StreamEvent::Started]);
        let gone = Face { status: StreamStatus::Stopped, ..live(0) };
        assert_eq!(shown.update(at(1), &gone)[..], [StreamEvent::Stopped]);
    }

    #[test]
    fn a_session_behind_another_has_stopped_and_started() {
        let mut shown = Shown::default();
        let track = |title: &str| Some(Arc::new(Track { title: title.into(), ..Track::default() }));
        shown.update(at(0), &Face { track: track("So What"), ..live(3) });
        let next = Face { session: 1, track: track("So What"), ..live(0) };
        let told = shown.update(at(1), &next);
        assert_eq!(told[..], [StreamEvent::Stopped, StreamEvent::Started, StreamEvent::TrackChanged]);
        assert!(shown.update(at(2), &next).is_empty());
        // Told once where the stream was seen to be over.
        shown.update(at(3), &Face::default());
        assert_eq!(shown.update(at(4), &Face { session: 2, ..live(0) })[..], [StreamEvent::Started]);
    }

    #[test]
    fn listener_changes_are_paced_and_the_last_one_is_told() {
        let mut shown = Shown::default();
        shown.update(at(0), &live(0));
        assert_eq!(shown.update(at(10), &live(1))[..], [StreamEvent::ListenersChanged]);
        assert!(shown.update(at(20), &live(2)).is_empty());
        assert!(shown.update(at(30), &live(3)).is_empty());
        assert_eq!(shown.next_update(), Some(at(260)));
        assert_eq!(shown.update(at(260), &live(3))[..], [StreamEvent::ListenersChanged]);
        assert_eq!(shown.next_update(), None);
    }

    #[test]
    fn a_change_taken_back_while_it_waits_is_not_told() {
        let mut shown = Shown::default();
        shown.update(at(0), &live(0));
        shown.update(at(10), &live(1));
        shown.update(at(20), &live(2));
        assert!(shown.update(at(30), &live(1)).is_empty());
        assert_eq!(shown.next_update(), None);
    }

    #[test]
    fn becoming_unknown_is_told_at_once() {
        let mut shown = Shown::default();
        shown.update(at(0), &live(2));
        shown.update(at(10), &live(3));
        let unknown = Face { listeners_known: false, ..live(3) };
        assert_eq!(shown.update(at(20), &unknown)[..], [StreamEvent::Unknown]);
        assert_eq!(shown.update(at(270), &live(3))[..], [StreamEvent::ListenersChanged]);
    }
}
