//! A made-up world of streams and their listeners. Pure: time is an argument, chance comes from the
//! seed, and the story is the same however finely it is stepped through.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};
use sattva_actors::protocol::OnlyIf;

use super::channel::{Channel, Chapter, Happening};

/// A listener event finds its channel within this many draws, or does not happen.
const DRAWS: usize = 4;
/// Bounds of one stretch of a channel's story, in seconds.
const OPEN: std::ops::Range<u64> = 25..70;
/// Somebody is back in time: mostly with the countdown well under way.
const EMPTY: std::ops::Range<u64> = 20..58;
/// Nobody comes back: longer than any demonstration waits, so it is ended.
const FORGOTTEN: std::ops::Range<u64> = 900..1200;
const PAUSED: std::ops::Range<u64> = 8..25;
const HIDDEN: std::ops::Range<u64> = 20..40;
const AWAY: std::ops::Range<u64> = 15..45;

/// Something that happened on one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub at: Duration,
    pub channel: usize,
    pub what: Happening,
}

/// What became of a stop command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obedience {
    Stopped,
    Refused(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A listener comes or goes somewhere.
    Listener,
    /// A channel's chapter ends; the number tells a chapter that was cut short.
    Chapter(usize, u32),
    /// A track, or the gap before it, ends; the numbers tell one that was skipped.
    Track(usize, u32, u32),
}

#[derive(Debug)]
pub struct World {
    chance: StdRng,
    channels: Vec<Channel>,
    /// Listener events per second over all channels.
    rate: f64,
    due: BinaryHeap<Reverse<(Duration, Due)>>,
    events: Vec<Event>,
}

impl World {
    /// A world at its beginning: every stream is on air, some with listeners, some without.
    pub fn new(seed: u64, channels: usize, rate: f64) -> Self {
        let mut world = Self {
            chance: StdRng::seed_from_u64(seed),
            channels: (0..channels).map(Channel::new).collect(),
            rate,
            due: BinaryHeap::new(),
            events: Vec::new(),
        };
        for index in 0..channels {
            world.go_on_air(index, Duration::ZERO);
            let present = world.channels[index].usual_audience(&mut world.chance);
            world.channels[index].begin_with(present);
        }
        world.plan_listener(Duration::ZERO);
        world
    }

    pub fn channel(&self, index: usize) -> &Channel {
        &self.channels[index]
    }

    /// Lets the world go on until `now`; what happened, in its order.
    pub fn step(&mut self, now: Duration) -> Vec<Event> {
        while let Some(Reverse((at, due))) = self.due.peek().copied()
            && at <= now
        {
            self.due.pop();
            match due {
                Due::Listener => {
                    self.listener(at);
                    self.plan_listener(at);
                }
                Due::Chapter(index, number) if self.channels[index].chapters == number => self.turn_page(index, at),
                Due::Track(index, session, number) if self.channels[index].plays(session, number) => {
                    self.next_track(index, at);
                }
                // Its chapter was cut short, its track skipped.
                Due::Chapter(..) | Due::Track(..) => {}
            }
        }
        std::mem::take(&mut self.events)
    }

    /// A streamer obeys a stop: the conditions are looked at here, at the last moment.
    pub fn obey(&mut self, now: Duration, index: usize, session: u32, only_if: Option<OnlyIf>) -> Obedience {
        let channel = &self.channels[index];
        let current = &channel.session;
        if !channel.on_air || current.number != session {
            return Obedience::Refused("that session is over");
        }
        if let Some(only_if) = only_if {
            if current.listeners > only_if.listeners_at_most {
                return Obedience::Refused("somebody listens");
            }
            if only_if.joins.is_some_and(|joins| joins != current.joins) {
                return Obedience::Refused("somebody has been here since");
            }
        }
        self.go_off_air(index, now);
        Obedience::Stopped
    }

    /// The streamers say goodbye.
    pub fn end(&mut self, now: Duration) -> Vec<Event> {
        for index in 0..self.channels.len() {
            if self.channels[index].on_air {
                self.go_off_air(index, now);
            }
        }
        std::mem::take(&mut self.events)
    }

    fn tell(&mut self, at: Duration, channel: usize, what: Happening) {
        self.events.push(Event { at, channel, what });
    }

    fn seconds(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.chance.random_range(range.start * 1000..range.end * 1000))
    }

    // ---- listeners ----

    fn plan_listener(&mut self, now: Duration) {
        if self.rate > 0.0 && !self.channels.is_empty() {
            let wait = -(1.0 - self.chance.random::<f64>()).ln() / self.rate;
            self.due.push(Reverse((now + Duration::from_secs_f64(wait), Due::Listener)));
        }
    }

    /// One listener comes or goes; a channel where nothing can happen passes it on.
    fn listener(&mut self, at: Duration) {
        for _ in 0..DRAWS {
            let index = self.chance.random_range(0..self.channels.len());
            if let Some(what) = self.channels[index].listener_event(&mut self.chance) {
                self.tell(at, index, what);
                if what == Happening::Joined {
                    self.perhaps_a_wish(index, at);
                }
                return;
            }
        }
    }

    /// Listeners now and then touch the queue.
    fn perhaps_a_wish(&mut self, index: usize, at: Duration) {
        if !self.chance.random_bool(0.35) {
            return;
        }
        if self.channels[index].session.wish(&mut self.chance) {
            self.next_track(index, at);
        }
        self.tell(at, index, Happening::QueueChanged);
    }

    // ---- sessions and chapters ----

    fn go_on_air(&mut self, index: usize, at: Duration) {
        self.channels[index].begin_session(at, &mut self.chance);
        self.tell(at, index, Happening::Began);
        self.next_track(index, at);
        let chapter = self.channels[index].first_chapter(&mut self.chance);
        self.begin_chapter(index, at, chapter);
    }

    fn go_off_air(&mut self, index: usize, at: Duration) {
        self.channels[index].end_session();
        self.tell(at, index, Happening::Ended);
        self.begin_chapter(index, at, Chapter::Away);
    }

    fn turn_page(&mut self, index: usize, at: Duration) {
        match self.channels[index].next_chapter(&mut self.chance) {
            Chapter::Away => self.go_off_air(index, at),
            _ if !self.channels[index].on_air => self.go_on_air(index, at),
            chapter => self.begin_chapter(index, at, chapter),
        }
    }

    fn begin_chapter(&mut self, index: usize, at: Duration, chapter: Chapter) {
        let before = self.channels[index].chapter;
        let lasts = match chapter {
            Chapter::Open => OPEN,
            Chapter::Empty => EMPTY,
            Chapter::Forgotten => FORGOTTEN,
            Chapter::Paused => PAUSED,
            Chapter::Hidden => HIDDEN,
            Chapter::Away => AWAY,
        };
        let lasts = self.seconds(lasts);
        self.channels[index].turn_to(chapter);
        self.due.push(Reverse((at + lasts, Due::Chapter(index, self.channels[index].chapters))));
        let shows = |chapter| matches!(chapter, Chapter::Paused | Chapter::Hidden);
        if self.channels[index].on_air && (shows(before) || shows(chapter)) {
            self.tell(at, index, Happening::StateChanged);
        }
    }

    // ---- tracks ----

    /// What plays is over: the next one of the queue, or a gap until somebody fills it.
    fn next_track(&mut self, index: usize, at: Duration) {
        let lasts = self.channels[index].session.play_next(at, &mut self.chance);
        let session = &self.channels[index].session;
        self.due.push(Reverse((at + lasts, Due::Track(index, session.number, session.tracks))));
        self.tell(at, index, Happening::TrackChanged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn story(seed: u64, step: Duration) -> Vec<Event> {
        let mut world = World::new(seed, 20, 4.0);
        let mut events = Vec::new();
        let mut now = Duration::ZERO;
        while now < HOUR {
            now = (now + step).min(HOUR);
            events.extend(world.step(now));
        }
        events
    }

    /// Calls `check` with the world after every quarter of a second of an hour.
    fn watch(mut check: impl FnMut(Duration, &mut World, &[Event])) {
        let mut world = World::new(7, 20, 8.0);
        for quarter in 0..4 * 3600 {
            let now = Duration::from_millis(quarter * 250);
            let events = world.step(now);
            check(now, &mut world, &events);
        }
    }

    #[test]
    fn the_same_seed_tells_the_same_story_however_it_is_stepped_through() {
        let fine = story(1, Duration::from_millis(100));
        assert!(fine.len() > 1000);
        assert!(fine == story(1, Duration::from_secs(7)));
        assert!(fine != story(2, Duration::from_millis(100)));
    }

    #[test]
    fn the_story_is_told_in_its_order() {
        assert!(story(3, Duration::from_secs(5)).is_sorted_by_key(|event| event.at));
    }

    #[test]
    fn listeners_come_and_go_one_by_one_and_are_never_fewer_than_none() {
        let mut counts = [None; 20];
        watch(|_, world, events| {
            for event in events {
                let count: &mut Option<u32> = &mut counts[event.channel];
                match (event.what, *count) {
                    (Happening::Joined, Some(before)) => *count = Some(before + 1),
                    (Happening::Left, Some(before)) => *count = Some(before.checked_sub(1).expect("nobody is left")),
                    // What a session begins with is seen at the end of the step.
                    (Happening::Began | Happening::Ended, _) => *count = None,
                    _ => {}
                }
            }
            for (index, count) in counts.iter_mut().enumerate() {
                let seen = world.channel(index).session.listeners;
                assert_eq!(*count.get_or_insert(seen), seen);
            }
        });
    }

    #[test]
    fn joins_only_rise_within_a_session_and_are_never_fewer_than_the_listeners() {
        let mut before = [(0, 0); 20];
        watch(|_, world, _| {
            for (index, before) in before.iter_mut().enumerate() {
                let session = &world.channel(index).session;
                let now = (session.number, session.joins);
                assert!(now >= *before, "{now:?} after {before:?}");
                assert!(session.joins >= u64::from(session.listeners));
                *before = now;
            }
        });
    }

    #[test]
    fn queue_totals_only_rise_within_a_session() {
        let mut before = [(0, [0; 6]); 20];
        watch(|_, world, _| {
            for (index, before) in before.iter_mut().enumerate() {
                let session = &world.channel(index).session;
                if session.number == before.0 {
                    assert!(session.queue_ops.0.iter().zip(before.1).all(|(now, then)| *now >= then));
                }
                *before = (session.number, session.queue_ops.0);
            }
        });
    }

    #[test]
    fn some_channels_stay_empty_long_enough_to_be_ended_and_some_are_full() {
        let mut empty_since = [Duration::ZERO; 20];
        let (mut longest, mut fullest) = (Duration::ZERO, 0);
        watch(|now, world, _| {
            for (index, since) in empty_since.iter_mut().enumerate() {
                let channel = world.channel(index);
                if !channel.on_air || channel.session.listeners > 0 {
                    *since = now;
                }
                longest = longest.max(now - *since);
                fullest = fullest.max(channel.session.listeners);
            }
        });
        assert!(longest > Duration::from_secs(300), "{longest:?}");
        assert!(fullest > 20, "{fullest}");
    }

    #[test]
    fn sessions_that_end_by_themselves_start_again() {
        let events = story(1, Duration::from_secs(1));
        let count = |what| events.iter().filter(|event| event.what == what).count();
        assert!(count(Happening::Ended) > 3);
        assert!(count(Happening::Began) > 20);
    }

    /// The first channel that is on air without listeners.
    fn an_empty_one(world: &World) -> usize {
        (0..20).find(|i| world.channel(*i).on_air && world.channel(*i).session.listeners == 0).expect("one is empty")
    }

    #[test]
    fn a_stop_ends_exactly_that_session() {
        let mut world = World::new(1, 20, 4.0);
        let now = Duration::from_secs(90);
        world.step(now);
        let index = an_empty_one(&world);
        let (session, joins) = (world.channel(index).session.number, world.channel(index).session.joins);
        let only_if = Some(OnlyIf { listeners_at_most: 0, joins: Some(joins) });
        let others: Vec<_> = (0..20).map(|i| world.channel(i).on_air).collect();

        assert_eq!(world.obey(now, index, session + 1, only_if), Obedience::Refused("that session is over"));
        assert_eq!(world.obey(now, index, session, only_if), Obedience::Stopped);
        assert_eq!(world.obey(now, index, session, only_if), Obedience::Refused("that session is over"));
        for (other, was_on_air) in others.into_iter().enumerate() {
            assert_eq!(world.channel(other).on_air, was_on_air && other != index);
        }
        world.step(now + Duration::from_secs(60));
        assert!(world.channel(index).on_air, "it comes back some time later");
        assert_eq!(world.channel(index).session.number, session + 1);
    }

    #[test]
    fn a_stop_is_refused_when_somebody_listens_or_has_been_there() {
        let mut world = World::new(1, 20, 4.0);
        let now = Duration::from_secs(90);
        world.step(now);
        let heard = (0..20).find(|i| world.channel(*i).session.listeners > 0).expect("one is heard");
        let guard = |joins| Some(OnlyIf { listeners_at_most: 0, joins });
        let session = world.channel(heard).session.number;
        assert_eq!(world.obey(now, heard, session, guard(None)), Obedience::Refused("somebody listens"));
        let index = an_empty_one(&world);
        let (session, joins) = (world.channel(index).session.number, world.channel(index).session.joins);
        let missed_one = guard(Some(joins + 1));
        assert_eq!(world.obey(now, index, session, missed_one), Obedience::Refused("somebody has been here since"));
        assert!(world.channel(heard).on_air && world.channel(index).on_air);
    }

    #[test]
    fn a_world_without_channels_or_listeners_is_a_quiet_one() {
        assert!(World::new(1, 0, 4.0).step(HOUR).is_empty());
        let mut nobody_moves = World::new(1, 5, 0.0);
        assert!(nobody_moves.step(HOUR).iter().all(|e| !matches!(e.what, Happening::Joined | Happening::Left)));
    }
}
