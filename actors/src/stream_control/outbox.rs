//! Commands on their way: pure. Each is handed out at once and again at 2, 5, 10 s and every 10 s after its
//! first delivery, until it is taken back or its validity ends.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use crate::{
    clock::Timestamp,
    identity::{ChannelId, SourceId},
    protocol::StopCommand,
};

/// When a command that nobody acknowledged is delivered, in seconds since its first delivery: until its validity ends, for
/// whoever had it may have been unable to look who listens.
const DELIVERIES: [u64; 8] = [0, 2, 5, 10, 20, 30, 40, 50];

#[derive(Debug)]
struct Held {
    command: StopCommand,
    first_delivery: Option<Timestamp>,
    deliveries: usize,
}

impl Held {
    fn due_at(&self) -> Option<Timestamp> {
        match self.first_delivery {
            None => Some(Timestamp::ZERO),
            Some(first) => DELIVERIES.get(self.deliveries).map(|after| first.plus(Duration::from_secs(*after))),
        }
    }
}

#[derive(Debug, Default)]
pub struct Outbox {
    /// Each source's commands by their ids.
    by_source: HashMap<SourceId, BTreeMap<String, Held>>,
    len: usize,
}

impl Outbox {
    pub fn put(&mut self, command: StopCommand) {
        let held = self.by_source.entry(command.source.clone()).or_default();
        held.entry(command.id.clone()).or_insert_with(|| {
            self.len += 1;
            Held { command, first_delivery: None, deliveries: 0 }
        });
    }

    pub fn remove(&mut self, source: &SourceId, id: &str) {
        self.keep(source, |h| h.command.id != id);
    }

    /// Lets go of what is no longer valid.
    pub fn expire(&mut self, source: &SourceId, now: Timestamp) {
        self.keep(source, |h| now < h.command.valid_until);
    }

    fn keep(&mut self, source: &SourceId, wanted: impl Fn(&Held) -> bool) {
        if let Some(held) = self.by_source.get_mut(source) {
            let before = held.len();
            held.retain(|_, h| wanted(h));
            self.len -= before - held.len();
            if held.is_empty() {
                self.by_source.remove(source);
            }
        }
    }

    /// The commands to deliver to a source now; of one channel `only`, if one is named.
    pub fn take(&mut self, source: &SourceId, only: Option<&ChannelId>, now: Timestamp) -> Vec<StopCommand> {
        self.expire(source, now);
        let Some(held) = self.by_source.get_mut(source) else { return Vec::new() };
        let wanted = |h: &&mut Held| only.is_none_or(|channel| h.command.channel == *channel);
        let mut due = Vec::new();
        for h in held.values_mut().filter(wanted) {
            if h.due_at().is_some_and(|at| at <= now) {
                h.first_delivery.get_or_insert(now);
                // A late collector gets one delivery for all the moments it missed.
                while h.due_at().is_some_and(|at| at <= now) {
                    h.deliveries += 1;
                }
                due.push(h.command.clone());
            }
        }
        due
    }

    /// When there is something to do for a source: a redelivery, or an end of validity. A command that
    /// nobody has taken yet waits for its taker.
    pub fn next_due(&self, source: &SourceId) -> Option<Timestamp> {
        let due = |h: &Held| h.first_delivery.and_then(|_| h.due_at()).unwrap_or(h.command.valid_until);
        self.by_source.get(source)?.values().map(due).min()
    }

    /// When the first of a source's commands is no longer valid.
    pub fn next_expiry(&self, source: &SourceId) -> Option<Timestamp> {
        self.by_source.get(source)?.values().map(|h| h.command.valid_until).min()
    }

    pub fn sources(&self) -> Vec<SourceId> {
        self.by_source.keys().cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{identity::ChannelId, protocol::StopReason};

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn command(id: &str) -> StopCommand {
        StopCommand {
            id: id.into(),
            channel: ChannelId::new("jazz").unwrap(),
            source: SourceId::new("radio").unwrap(),
            session: "s".into(),
            reason: StopReason::NoListeners,
            only_if: None,
            decided_at: at(100),
            valid_until: at(160),
        }
    }

    #[test]
    fn a_command_is_delivered_at_once_and_again_at_2_5_and_10_seconds_and_then_every_10_while_it_is_valid() {
        let mut outbox = Outbox::default();
        let radio = SourceId::new("radio").unwrap();
        outbox.put(command("a"));
        let deliveries: Vec<u64> =
            (100..160).filter(|s| !outbox.take(&radio, None, at(*s)).is_empty()).map(|s| s - 100).collect();
        assert_eq!(deliveries, [0, 2, 5, 10, 20, 30, 40, 50]);
        assert_eq!(outbox.len(), 1);
    }

    #[test]
    fn nothing_is_delivered_past_its_validity() {
        let mut outbox = Outbox::default();
        let radio = SourceId::new("radio").unwrap();
        outbox.put(command("a"));
        assert!(outbox.take(&radio, None, at(160)).is_empty());
        assert_eq!(outbox.len(), 0);
    }

    #[test]
    fn a_command_taken_back_is_not_delivered() {
        let mut outbox = Outbox::default();
        let radio = SourceId::new("radio").unwrap();
        outbox.put(command("a"));
        outbox.put(command("b"));
        outbox.remove(&radio, "a");
        let ids: Vec<_> = outbox.take(&radio, None, at(101)).into_iter().map(|c| c.id).collect();
        assert_eq!(ids, ["b"]);
    }

    #[test]
    fn streamers_that_share_a_source_get_only_their_own_channels_commands() {
        let mut outbox = Outbox::default();
        let radio = SourceId::new("radio").unwrap();
        outbox.put(command("a"));
        let [jazz, rock] = ["jazz", "rock"].map(|name| ChannelId::new(name).unwrap());
        assert!(outbox.take(&radio, Some(&rock), at(100)).is_empty());
        assert_eq!(outbox.take(&radio, Some(&jazz), at(100)).len(), 1);
    }

    #[test]
    fn offering_the_same_command_twice_delivers_it_once() {
        let mut outbox = Outbox::default();
        let radio = SourceId::new("radio").unwrap();
        outbox.put(command("a"));
        outbox.put(command("a"));
        assert_eq!(outbox.take(&radio, None, at(100)).len(), 1);
    }
}
