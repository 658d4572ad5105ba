//! The events that wait for one endpoint: which goes next, and when one that failed is tried again. Pure.
//! The events of one channel keep their order; those of different channels do not wait for each other.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use sattva_actors::{clock::Timestamp, identity::ChannelId};

use super::spans::Delivery;

/// Events that wait; past it the oldest is given up.
pub const WAITING_MAX: usize = 10_000;
/// Events on their way at a time.
pub const IN_FLIGHT_MAX: usize = 8;
/// When an event is tried again, counted from the failure before: a day's outage in seven tries, and no more.
const AGAIN_AFTER: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(6 * 60 * 60),
    Duration::from_secs(16 * 60 * 60),
];
/// Tries of an event that the endpoint refuses: it will hardly change its mind.
const REFUSALS_MAX: usize = 3;
/// The longest an endpoint may ask us to wait.
const ASKED_MAX: Duration = Duration::from_secs(60 * 60);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The same at every try.
    pub id: String,
    pub body: Bytes,
    /// Where it is to be told of.
    pub delivery: Option<Delivery>,
}

#[derive(Debug)]
struct Waiting {
    event: Event,
    number: u64,
    tries: usize,
    in_flight: bool,
    not_before: Timestamp,
}

/// How a try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// Nobody answered, or the endpoint has a trouble of its own; it may have asked us to wait.
    Failed { wait: Option<Duration> },
    /// The endpoint answered that it does not want this event.
    Refused,
}

/// What becomes of an event whose try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    TriedAgain,
    GivenUp,
}

#[derive(Debug, Default)]
pub struct Queue {
    channels: HashMap<ChannelId, VecDeque<Waiting>>,
    /// The first event of each channel, unless it is on its way: when, and in the order they came.
    heads: BTreeSet<(Timestamp, u64, ChannelId)>,
    /// Everything that waits, oldest first.
    order: BTreeMap<u64, ChannelId>,
    in_flight: usize,
    next_number: u64,
}

impl Queue {
    pub fn waiting(&self) -> usize {
        self.order.len()
    }

    /// Takes an event in; true when an older one had to be given up for it.
    pub fn push(&mut self, channel: ChannelId, event: Event) -> bool {
        let crowded = self.waiting() >= WAITING_MAX && self.give_up_oldest();
        let number = self.next_number;
        self.next_number += 1;
        self.order.insert(number, channel.clone());
        let own = self.channels.entry(channel.clone()).or_default();
        own.push_back(Waiting { event, number, tries: 0, in_flight: false, not_before: Timestamp::ZERO });
        if own.len() == 1 {
            self.heads.insert((Timestamp::ZERO, number, channel));
        }
        crowded
    }

    /// Those on their way are not touched.
    fn give_up_oldest(&mut self) -> bool {
        let oldest = self.order.iter().find_map(|(number, channel)| {
            let own = self.channels.get(channel)?;
            let index = own.iter().position(|waiting| waiting.number == *number && !waiting.in_flight)?;
            Some((channel.clone(), index))
        });
        let Some((channel, index)) = oldest else { return false };
        self.remove(&channel, index);
        true
    }

    fn remove(&mut self, channel: &ChannelId, index: usize) {
        let Some(own) = self.channels.get_mut(channel) else { return };
        let Some(gone) = own.remove(index) else { return };
        self.order.remove(&gone.number);
        self.in_flight -= usize::from(gone.in_flight);
        self.heads.remove(&(gone.not_before, gone.number, channel.clone()));
        match own.front() {
            Some(next) if index == 0 => {
                self.heads.insert((next.not_before, next.number, channel.clone()));
            }
            Some(_) => {}
            None => {
                self.channels.remove(channel);
            }
        }
    }

    /// The next event to be tried now, if there is one.
    pub fn take(&mut self, now: Timestamp) -> Option<(ChannelId, Event)> {
        if self.in_flight >= IN_FLIGHT_MAX || self.heads.first()?.0 > now {
            return None;
        }
        let (_, _, channel) = self.heads.pop_first()?;
        let head = self.channels.get_mut(&channel)?.front_mut()?;
        (head.in_flight, head.tries) = (true, head.tries + 1);
        self.in_flight += 1;
        let event = head.event.clone();
        Some((channel, event))
    }

    /// When there is something to be tried, unless what is on its way has to come back first.
    pub fn next_due(&self) -> Option<Timestamp> {
        (self.in_flight < IN_FLIGHT_MAX).then_some(self.heads.first()?.0)
    }

    /// The channel's event on its way has been taken.
    pub fn on_delivered(&mut self, channel: &ChannelId) {
        if self.is_on_its_way(channel) {
            self.remove(channel, 0);
        }
    }

    /// The channel's event on its way has not been taken; `None` if there is none any more.
    pub fn on_missed(&mut self, now: Timestamp, channel: &ChannelId, miss: Miss) -> Option<Fate> {
        let head = self.channels.get_mut(channel)?.front_mut().filter(|head| head.in_flight)?;
        let most = if miss == Miss::Refused { REFUSALS_MAX } else { AGAIN_AFTER.len() + 1 };
        let again = AGAIN_AFTER.get(head.tries - 1).filter(|_| head.tries < most);
        let Some(again) = again else {
            self.remove(channel, 0);
            return Some(Fate::GivenUp);
        };
        let asked = match miss {
            Miss::Failed { wait: Some(wait) } => wait.min(ASKED_MAX),
            _ => Duration::ZERO,
        };
        head.in_flight = false;
        head.not_before = now.plus((*again).max(asked));
        self.heads.insert((head.not_before, head.number, channel.clone()));
        self.in_flight -= 1;
        Some(Fate::TriedAgain)
    }

    fn is_on_its_way(&self, channel: &ChannelId) -> bool {
        self.channels.get(channel).and_then(VecDeque::front).is_some_and(|head| head.in_flight)
    }

    /// The endpoint wants nothing any more.
    pub fn clear(&mut self) {
        *self = Self { next_number: self.next_number, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str) -> ChannelId {
        ChannelId::new(name).unwrap()
    }

    fn event(text: &'static str) -> Event {
        Event { id: text.into(), body: text.into(), delivery: None }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn taken(queue: &mut Queue, now: Timestamp) -> Vec<String> {
        std::iter::from_fn(|| queue.take(now).map(|(_, event)| event.id)).collect()
    }

    const FAILED: Miss = Miss::Failed { wait: None };

    #[test]
    fn one_channels_events_keep_their_order_and_others_do_not_wait_for_them() {
        let mut queue = Queue::default();
        for (name, text) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
            queue.push(channel(name), event(text));
        }
        assert_eq!(taken(&mut queue, at(0)), ["a1", "b1"]);
        assert_eq!(queue.on_missed(at(0), &channel("a"), FAILED), Some(Fate::TriedAgain));
        queue.on_delivered(&channel("b"));
        assert_eq!((taken(&mut queue, at(4)).len(), queue.next_due()), (0, Some(at(5))));
        assert_eq!(taken(&mut queue, at(5)), ["a1"]);
        queue.on_delivered(&channel("a"));
        assert_eq!(taken(&mut queue, at(5)), ["a2"]);
        queue.on_delivered(&channel("a"));
        assert!(queue.waiting() == 0 && queue.channels.is_empty() && queue.heads.is_empty());
    }

    #[test]
    fn an_event_is_tried_eight_times_over_a_day_and_then_given_up() {
        let mut queue = Queue::default();
        queue.push(channel("a"), event("1"));
        queue.push(channel("a"), event("2"));
        let mut tries = Vec::new();
        let mut now = at(0);
        loop {
            tries.push(now);
            assert_eq!(queue.take(now).unwrap().1.id, "1");
            if queue.on_missed(now, &channel("a"), FAILED) == Some(Fate::GivenUp) {
                break;
            }
            now = queue.next_due().unwrap();
        }
        assert_eq!(
            (tries.len(), tries[7].since(at(0))),
            (8, Duration::from_secs(5 + 30 + 120 + 600 + 3600 + 21_600 + 57_600))
        );
        assert_eq!(taken(&mut queue, now), ["2"]);
    }

    #[test]
    fn who_refuses_an_event_is_asked_three_times() {
        let mut queue = Queue::default();
        queue.push(channel("a"), event("1"));
        let mut fates = Vec::new();
        while let Some(due) = queue.next_due() {
            queue.take(due).unwrap();
            fates.push(queue.on_missed(due, &channel("a"), Miss::Refused));
        }
        assert_eq!(fates, [Fate::TriedAgain, Fate::TriedAgain, Fate::GivenUp].map(Some));
    }

    #[test]
    fn an_endpoint_that_asks_us_to_wait_is_left_alone_for_so_long_but_not_for_ever() {
        for (asked, waits) in [(1, 5), (60, 60), (1_000_000, 3600)] {
            let mut queue = Queue::default();
            queue.push(channel("a"), event("1"));
            queue.take(at(0)).unwrap();
            queue.on_missed(at(0), &channel("a"), Miss::Failed { wait: Some(Duration::from_secs(asked)) });
            assert_eq!(queue.next_due(), Some(at(waits)));
        }
    }

    #[test]
    fn so_many_are_on_their_way_and_no_more() {
        let mut queue = Queue::default();
        for n in 0..20 {
            queue.push(channel(&format!("c{n}")), event("x"));
        }
        assert_eq!((taken(&mut queue, at(0)).len(), queue.next_due()), (IN_FLIGHT_MAX, None));
        queue.on_delivered(&channel("c3"));
        assert_eq!(taken(&mut queue, at(0)).len(), 1);
    }

    #[test]
    fn past_its_bound_the_oldest_that_is_not_on_its_way_is_given_up() {
        let mut queue = Queue::default();
        assert!(!queue.push(channel("a"), event("on its way")));
        queue.take(at(0)).unwrap();
        queue.push(channel("a"), event("oldest"));
        for _ in 2..WAITING_MAX {
            assert!(!queue.push(channel("b"), event("b")));
        }
        assert!(queue.push(channel("a"), event("newest")));
        assert_eq!(queue.waiting(), WAITING_MAX);
        queue.on_delivered(&channel("a"));
        assert!(taken(&mut queue, at(0)).contains(&"newest".to_owned()));
    }

    #[test]
    fn an_answer_that_comes_after_everything_was_cleared_changes_nothing() {
        let mut queue = Queue::default();
        queue.push(channel("a"), event("1"));
        queue.take(at(0)).unwrap();
        queue.clear();
        queue.on_delivered(&channel("a"));
        assert_eq!(queue.on_missed(at(0), &channel("a"), FAILED), None);
        queue.push(channel("a"), event("2"));
        assert_eq!(taken(&mut queue, at(0)), ["2"]);
    }
}
