//! The other daemons, as they are known by what they say: pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::letter::Bulletin;
use crate::{channel::cell::Totals, clock::Timestamp, identity::ChannelId, territory::Slot, wire::StreamState};

/// A daemon of which nothing has been heard for so long is away.
pub const AWAY_AFTER: Duration = Duration::from_secs(5);
/// What one that is away last showed is remembered for so long: by then others have its channels.
const REMEMBERED_FOR: Duration = Duration::from_secs(90);

#[derive(Debug)]
struct Other {
    number: u64,
    heard: Timestamp,
    sessions: u64,
    totals: Totals,
    slots: BTreeSet<u16>,
    /// What its channels looked like when it was last asked.
    states: Vec<StreamState>,
}

#[derive(Debug, Default)]
pub struct Roster(BTreeMap<Arc<str>, Other>);

impl Roster {
    /// Takes in what a daemon says; true if something of what is live has been missed, as with every new one.
    pub fn hear(&mut self, now: Timestamp, bulletin: &Bulletin) -> bool {
        let missed = match self.0.get(&bulletin.from) {
            Some(other) => bulletin.number != other.number + 1 || now.since(other.heard) >= AWAY_AFTER,
            None => true,
        };
        let Bulletin { number, sessions, totals, .. } = *bulletin;
        let other = self.0.entry(Arc::clone(&bulletin.from)).or_insert_with(|| Other {
            number,
            heard: now,
            sessions,
            totals,
            slots: BTreeSet::new(),
            states: Vec::new(),
        });
        (other.number, other.heard, other.sessions, other.totals) = (number, now, sessions, totals);
        other.slots.clone_from(&bulletin.slots);
        missed
    }

    /// It has asked what channels look like: it has sessions, though it has not said so yet.
    pub fn listens(&mut self, from: &str) {
        if let Some(other) = self.0.get_mut(from) {
            other.sessions = other.sessions.max(1);
        }
    }

    /// Lets go of those of which nothing more will be heard.
    pub fn forget(&mut self, now: Timestamp) {
        self.0.retain(|_, other| now.since(other.heard) < REMEMBERED_FOR);
    }

    /// Those that are there.
    pub fn present(&self, now: Timestamp) -> impl Iterator<Item = &Arc<str>> {
        self.here(now).map(|(name, _)| name)
    }

    fn here(&self, now: Timestamp) -> impl Iterator<Item = (&Arc<str>, &Other)> {
        self.0.iter().filter(move |(_, other)| now.since(other.heard) < AWAY_AFTER)
    }

    /// Who has a slot, as far as is known: of several, whoever said so last.
    pub fn holder_of(&self, slot: Slot, now: Timestamp) -> Option<&Arc<str>> {
        let holders = self.here(now).filter(|(_, other)| other.slots.contains(&slot.number()));
        holders.max_by_key(|(_, other)| other.heard).map(|(name, _)| name)
    }

    /// Whether any of them has sessions.
    pub fn any_listens(&self, now: Timestamp) -> bool {
        self.here(now).any(|(_, other)| other.sessions > 0)
    }

    /// Sums over the channels of all others.
    pub fn totals(&self, now: Timestamp) -> Totals {
        self.here(now).fold(Totals::default(), |sum, (_, other)| sum.plus(&other.totals))
    }

    pub fn remember(&mut self, name: &str, states: &[StreamState]) {
        if let Some(other) = self.0.get_mut(name) {
            other.states = states.to_vec();
        }
    }

    /// What the channels of those last looked like who are away or did not answer, where nobody else has them by now.
    /// Nothing is known of them.
    pub fn unknown(&self, answered: &[Arc<str>], holds: &BTreeSet<Slot>) -> Vec<StreamState> {
        let has = |name, slot: Slot| self.0.get(name).is_some_and(|other: &Other| other.slots.contains(&slot.number()));
        let is_known = |slot: Slot| holds.contains(&slot) || answered.iter().any(|name| has(name, slot));
        let silent = self.0.iter().filter(|(name, _)| !answered.contains(name));
        let states = silent.flat_map(|(_, other)| &other.states);
        states.filter(|state| !is_known(Slot::of(state.channel_id.as_str()))).map(unknown).collect()
    }
}

fn unknown(state: &StreamState) -> StreamState {
    StreamState { listeners_known: false, evidence_age_seconds: None, ..state.clone() }
}

/// What all channels look like: each once, and as the first says who speaks of it.
pub fn united(states: impl IntoIterator<Item = StreamState>) -> Vec<StreamState> {
    let mut all: BTreeMap<ChannelId, StreamState> = BTreeMap::new();
    for state in states {
        all.entry(state.channel_id.clone()).or_insert(state);
    }
    all.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn bulletin(from: &str, number: u64, sessions: u64, listeners: u64) -> Bulletin {
        let totals = Totals { active_streams: 1, total_listeners: listeners, ..Totals::default() };
        Bulletin { from: from.into(), number, sessions, totals, slots: [number as u16].into(), live: Vec::new() }
    }

    #[test]
    fn who_misses_a_bulletin_knows_it() {
        let mut roster = Roster::default();
        assert!(roster.hear(at(1), &bulletin("a", 7, 0, 0)), "whoever is new has said something before");
        assert!(!roster.hear(at(2), &bulletin("a", 8, 0, 0)));
        assert!(roster.hear(at(3), &bulletin("a", 10, 0, 0)));
        assert!(!roster.hear(at(4), &bulletin("a", 11, 0, 0)));
        assert!(roster.hear(at(9), &bulletin("a", 12, 0, 0)), "it was taken for away");
    }

    #[test]
    fn each_daemons_listeners_are_counted_while_it_is_there() {
        let mut roster = Roster::default();
        roster.hear(at(1), &bulletin("a", 1, 0, 3));
        roster.hear(at(4), &bulletin("b", 1, 2, 4));
        roster.hear(at(5), &bulletin("b", 2, 2, 5));
        assert_eq!((roster.totals(at(5)).total_listeners, roster.totals(at(5)).active_streams), (8, 2));
        assert_eq!(roster.totals(at(6)).total_listeners, 5, "a is away");
        assert_eq!(roster.present(at(6)).map(AsRef::as_ref).collect::<Vec<&str>>(), ["b"]);
        assert!(roster.any_listens(at(6)));
        let holder = |number| roster.holder_of(Slot::numbered(number).unwrap(), at(6)).map(AsRef::as_ref);
        assert_eq!((holder(1), holder(2)), (None, Some("b")), "a is away, and had the first");
        roster.hear(at(6), &bulletin("b", 3, 0, 5));
        assert!(!roster.any_listens(at(6)));
        roster.listens("b");
        assert!(roster.any_listens(at(6)));
    }
}
