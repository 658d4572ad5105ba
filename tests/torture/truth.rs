//! Who really listens to one stream: a story drawn from the seed, which nobody but the streamer knows.

use std::{collections::VecDeque, time::Duration};

use rand::{Rng, rngs::StdRng};

/// After this nobody comes or goes any more.
const LAST_CHANGE: u64 = 18_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    NeverHeard,
    /// Loses its listeners at some time.
    Left,
    /// A listener goes and is back before the time is up, or hardly after it, again and again.
    Flaps,
    AlwaysHeard,
    /// Begins a new session after each stop.
    Returns,
    /// Never heard, and an operator pauses its auto-end for a while.
    Paused,
    /// An operator keeps it alive, and somebody comes and goes in the end.
    KeptAlive,
    /// Never heard, and an operator extends its countdown.
    Extended,
    /// Never heard, and does not always say so.
    Hides,
    /// Never heard, and its streamer pauses it now and then.
    Pauses,
    /// Never heard, and its streamer refuses the first stop of each session.
    Refuses,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Joins,
    Leaves,
    Hides(bool),
    Pauses(bool),
}

/// One session's listeners.
#[derive(Debug)]
pub struct Truth {
    pub listeners: u32,
    /// Everyone who ever came.
    pub joins: u64,
    pub hides: bool,
    pub paused: bool,
    ahead: VecDeque<(Duration, Change)>,
}

impl Kind {
    /// The cast of every run.
    pub const fn of(index: usize) -> Self {
        match index {
            0 => Self::NeverHeard,
            1 => Self::Hides,
            2 => Self::Refuses,
            3 => Self::Pauses,
            4..6 => Self::Left,
            6..10 => Self::Flaps,
            10..12 => Self::AlwaysHeard,
            12..14 => Self::Returns,
            14..16 => Self::Paused,
            16..18 => Self::KeptAlive,
            _ => Self::Extended,
        }
    }
}

impl Truth {
    /// The story of a session that begins now.
    pub fn draw(kind: Kind, now: Duration, random: &mut StdRng) -> Self {
        let mut story = Story { at: now.as_millis() as u64, changes: Vec::new() };
        let mut listeners = 0;
        match kind {
            Kind::NeverHeard | Kind::Paused | Kind::Extended | Kind::Refuses => {}
            Kind::Hides => story.now_and_then(random, Change::Hides),
            Kind::Pauses => story.now_and_then(random, Change::Pauses),
            Kind::KeptAlive => {
                // When nothing fails any more: whoever nobody has heard of between two reports may have come before the
                // operator's word.
                story.wait(random.random_range(26_000..27_000));
                story.joins();
                story.wait(random.random_range(50..1_000));
                story.leaves();
            }
            Kind::Left => {
                listeners = random.random_range(1..4);
                let end = random.random_range(1_000..16_000);
                (0..listeners).for_each(|_| story.leaves_at(random.random_range(500..=end)));
            }
            Kind::Flaps => {
                listeners = 1;
                story.wait(random.random_range(200..2_500));
                while story.at < LAST_CHANGE - 4_000 {
                    story.leaves();
                    story.wait(match random.random_range(0..4) {
                        // Only for a moment, which two reports in a row may not show.
                        0 => 50,
                        // When a stop may be on its way.
                        1 => random.random_range(3_800..4_600),
                        _ => random.random_range(300..3_950),
                    });
                    story.joins();
                    story.wait(if random.random_ratio(1, 3) { 50 } else { random.random_range(300..2_000) });
                }
                if random.random() {
                    story.leaves();
                }
            }
            Kind::AlwaysHeard => {
                listeners = 1;
                while story.at < LAST_CHANGE - 3_000 {
                    story.wait(random.random_range(300..3_000));
                    story.joins();
                    story.wait(random.random_range(100..2_000));
                    story.leaves();
                }
            }
            Kind::Returns => {
                if random.random() && story.at + 3_000 < LAST_CHANGE {
                    story.wait(random.random_range(300..2_000));
                    story.joins();
                    story.wait(random.random_range(50..1_000));
                    story.leaves();
                }
            }
        }
        story.changes.sort_by_key(|(at, _)| *at);
        Self { listeners, joins: u64::from(listeners), hides: false, paused: false, ahead: story.changes.into() }
    }

    /// Lets happen what has happened by now; true if anybody has come.
    pub fn advance(&mut self, now: Duration) -> bool {
        let mut came = false;
        while let Some((_, change)) = self.ahead.pop_front_if(|(at, _)| *at <= now) {
            match change {
                Change::Joins => {
                    (self.listeners, self.joins, came) = (self.listeners + 1, self.joins + 1, true);
                }
                Change::Leaves => self.listeners -= 1,
                Change::Hides(on) => self.hides = on,
                Change::Pauses(on) => self.paused = on,
            }
        }
        came
    }

    pub fn next_change(&self) -> Option<Duration> {
        self.ahead.front().map(|(at, _)| *at)
    }
}

struct Story {
    at: u64,
    changes: Vec<(Duration, Change)>,
}

impl Story {
    fn wait(&mut self, milliseconds: u64) {
        self.at += milliseconds;
    }

    fn now_and_then(&mut self, random: &mut StdRng, change: fn(bool) -> Change) {
        while self.at < LAST_CHANGE - 5_000 {
            // Also when a stop may be on its way.
            self.wait(random.random_range(300..5_000));
            self.changes.push((Duration::from_millis(self.at), change(true)));
            self.wait(random.random_range(100..3_000));
            self.changes.push((Duration::from_millis(self.at), change(false)));
        }
    }

    fn joins(&mut self) {
        self.changes.push((Duration::from_millis(self.at), Change::Joins));
    }

    fn leaves(&mut self) {
        self.leaves_at(self.at);
    }

    fn leaves_at(&mut self, at: u64) {
        self.changes.push((Duration::from_millis(at), Change::Leaves));
    }
}
