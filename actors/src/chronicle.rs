//! What has happened to streams since it was last fetched, for whoever keeps their history.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use crate::{
    channel::auto_end::PhaseName,
    clock::WallTime,
    identity::ChannelId,
    wire::{AutoEndEvent, Track},
};

/// Entries that wait to be fetched; what comes beyond is lost, and counted.
const WAITING_MAX: usize = 131_072;

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub at: WallTime,
    pub channel: ChannelId,
    pub what: Happening,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// A session has begun. What a restart brings back is none.
    Started,
    Stopped,
    /// Another track plays, or none any more; with the count at that moment, if it is known.
    Track {
        track: Option<Arc<Track>>,
        listeners: Option<u32>,
        /// The first of a stream that a restart brought back: it may have played all along.
        resumed: bool,
    },
    AutoEnd {
        event: AutoEndEvent,
        /// The phase it led to.
        phase: PhaseName,
        reason: &'static str,
    },
}

/// Channels write, one reader fetches; until somebody reads, nothing is written.
#[derive(Debug, Default)]
pub struct Chronicle {
    is_read: AtomicBool,
    waiting: Mutex<Vec<Entry>>,
    lost: AtomicU64,
}

impl Chronicle {
    /// From here on somebody fetches what is written.
    pub fn open(&self) {
        self.is_read.store(true, Relaxed);
    }

    pub fn note(&self, at: WallTime, channel: &ChannelId, what: Happening) {
        if !self.is_read.load(Relaxed) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING_MAX {
            self.lost.fetch_add(1, Relaxed);
            return;
        }
        waiting.push(Entry { at, channel: channel.clone(), what });
    }

    /// What has been written since the last time, in its order, and how many entries there was no room for.
    pub fn fetch(&self) -> (Vec<Entry>, u64) {
        let entries = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        (entries, self.lost.swap(0, Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_is_not_kept_and_what_has_no_room_is_counted() {
        let (chronicle, jazz) = (Chronicle::default(), ChannelId::new("jazz").unwrap());
        let note = |at| chronicle.note(WallTime::from_millis(at), &jazz, Happening::Started);
        note(1);
        chronicle.open();
        assert_eq!(chronicle.fetch(), (Vec::new(), 0));
        for at in 0..WAITING_MAX as i64 + 3 {
            note(at);
        }
        let (entries, lost) = chronicle.fetch();
        assert_eq!((entries.len(), lost), (WAITING_MAX, 3));
        assert!(entries.iter().map(|entry| entry.at.as_millis()).eq(0..WAITING_MAX as i64));
        assert_eq!(chronicle.fetch(), (Vec::new(), 0));
    }
}
