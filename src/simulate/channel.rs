//! One channel of the made-up world: its character, its session, and how its story goes on.

use std::time::Duration;

use rand::{Rng, rngs::StdRng};
use sattva_actors::{
    protocol::{QueueOps, Status},
    wire::Track,
};

use super::catalogue;

/// Places in [`QueueOps`].
const ADD: usize = 0;
const REMOVE: usize = 1;
const MOVE: usize = 2;
const CLEAR: usize = 3;
const SKIP: usize = 4;
const PRIORITY_ADD: usize = 5;
/// A track's length and the gap when the queue has run dry, in seconds.
const TRACK: std::ops::Range<u64> = 45..210;
const GAP: std::ops::Range<u64> = 2..7;
/// Longer queues are not filled up.
const QUEUE_MAX: u32 = 25;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    Began,
    Ended,
    Joined,
    Left,
    TrackChanged,
    QueueChanged,
    /// Paused, hidden or neither any more.
    StateChanged,
}

/// Who listens to such a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Character {
    Popular,
    Steady,
    /// A few, who come and go.
    Niche,
    /// Left running, mostly for nobody.
    Neglected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chapter {
    Open,
    /// Everybody leaves, but not for long.
    Empty,
    /// Everybody leaves and nobody comes back.
    Forgotten,
    Paused,
    /// The streamer cannot see its listeners.
    Hidden,
    Away,
}

#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Counts the sessions of its channel.
    pub number: u32,
    pub began: Duration,
    pub listeners: u32,
    /// Everyone who ever joined in this session.
    pub joins: u64,
    pub queue: u32,
    pub queue_ops: QueueOps,
    /// What plays and since when; nothing in the gap between two.
    pub playing: Option<(Track, Duration)>,
    /// Tracks and gaps so far.
    pub tracks: u32,
}

#[derive(Debug)]
pub struct Channel {
    pub name: String,
    pub on_air: bool,
    /// The current one, or the last.
    pub session: Session,
    pub chapter: Chapter,
    pub chapters: u32,
    character: Character,
    /// Listeners it draws at present.
    draws: u32,
}

impl Channel {
    pub fn new(index: usize) -> Self {
        let character = match index % 5 {
            0 => Character::Popular,
            1 | 3 => Character::Niche,
            2 => Character::Neglected,
            _ => Character::Steady,
        };
        Self {
            name: catalogue::channel_name(index),
            on_air: false,
            session: Session::default(),
            chapter: Chapter::Away,
            chapters: 0,
            character,
            draws: 0,
        }
    }

    pub fn plays(&self, session: u32, track: u32) -> bool {
        self.on_air && self.session.number == session && self.session.tracks == track
    }

    pub fn status(&self) -> Status {
        match self.chapter {
            _ if !self.on_air => Status::Stopped,
            Chapter::Paused => Status::Paused,
            _ if self.session.playing.is_none() => Status::Idle,
            _ => Status::Live,
        }
    }

    /// The count as its streamer can tell it.
    pub fn listeners(&self) -> Option<u32> {
        (self.chapter != Chapter::Hidden).then_some(self.session.listeners)
    }

    pub fn usual_audience(&self, chance: &mut StdRng) -> u32 {
        match (self.chapter, self.character) {
            (Chapter::Empty | Chapter::Forgotten | Chapter::Away, _) => 0,
            (_, Character::Popular) => chance.random_range(20..70),
            (_, Character::Steady) => chance.random_range(4..13),
            (_, Character::Niche) => chance.random_range(1..4),
            (_, Character::Neglected) => 1,
        }
    }

    /// At the world's beginning its listeners are there already.
    pub fn begin_with(&mut self, listeners: u32) {
        self.draws = listeners;
        self.session.listeners = listeners;
        self.session.joins = listeners.into();
    }

    pub fn begin_session(&mut self, at: Duration, chance: &mut StdRng) {
        self.on_air = true;
        let queue = chance.random_range(1..9);
        let mut queue_ops = QueueOps::default();
        queue_ops.0[ADD] = u64::from(queue);
        self.session = Session { number: self.session.number + 1, began: at, queue, queue_ops, ..Session::default() };
        self.draws = 0;
    }

    pub fn end_session(&mut self) {
        self.on_air = false;
        self.session.listeners = 0;
        self.session.playing = None;
    }

    pub fn turn_to(&mut self, chapter: Chapter) {
        self.chapter = chapter;
        self.chapters += 1;
    }

    /// A listener comes or goes, or nothing can happen here.
    pub fn listener_event(&mut self, chance: &mut StdRng) -> Option<Happening> {
        let listeners = self.session.listeners;
        let wanted = match self.chapter {
            _ if !self.on_air => return None,
            Chapter::Empty | Chapter::Forgotten => 0,
            _ if self.draws == 0 => {
                self.draws = self.usual_audience(chance).max(1);
                self.draws
            }
            _ => self.draws,
        };
        if wanted + listeners == 0 {
            return None;
        }
        let joins = chance.random_bool(f64::from(wanted) / f64::from(wanted + listeners));
        if joins {
            self.session.listeners += 1;
            self.session.joins += 1;
            Some(Happening::Joined)
        } else {
            self.session.listeners -= 1;
            Some(Happening::Left)
        }
    }

    pub fn first_chapter(&self, chance: &mut StdRng) -> Chapter {
        match self.character {
            // Not all at once: some have somebody at first.
            Character::Neglected if chance.random_bool(0.6) => Chapter::Forgotten,
            Character::Niche if chance.random_bool(0.4) => Chapter::Empty,
            _ => Chapter::Open,
        }
    }

    pub fn next_chapter(&self, chance: &mut StdRng) -> Chapter {
        if !matches!(self.chapter, Chapter::Open) {
            // Whatever it was, people come back.
            return Chapter::Open;
        }
        // What may follow, each with its chance in percent; else it goes on as it is.
        let may_follow: [(Chapter, u32); 5] = match self.character {
            Character::Popular => Self::prospects(0, 0, 4, 3, 1),
            Character::Steady => Self::prospects(3, 2, 5, 4, 2),
            Character::Niche => Self::prospects(35, 20, 4, 3, 4),
            Character::Neglected => Self::prospects(15, 70, 2, 2, 3),
        };
        let mut drawn = chance.random_range(0..100);
        for (chapter, percent) in may_follow {
            if drawn < percent {
                return chapter;
            }
            drawn -= percent;
        }
        Chapter::Open
    }

    const fn prospects(empty: u32, forgotten: u32, paused: u32, hidden: u32, away: u32) -> [(Chapter, u32); 5] {
        [
            (Chapter::Empty, empty),
            (Chapter::Forgotten, forgotten),
            (Chapter::Paused, paused),
            (Chapter::Hidden, hidden),
            (Chapter::Away, away),
        ]
    }
}

impl Session {
    /// Plays the head of the queue, or rests while it is empty; for how long.
    pub fn play_next(&mut self, at: Duration, chance: &mut StdRng) -> Duration {
        self.tracks += 1;
        if self.queue == 0 {
            self.playing = None;
            // By the end of the gap somebody has filled it.
            let added = chance.random_range(2..7);
            self.queue += added;
            self.queue_ops.0[ADD] += u64::from(added);
            return Duration::from_millis(chance.random_range(GAP.start * 1000..GAP.end * 1000));
        }
        self.queue -= 1;
        let seconds = chance.random_range(TRACK);
        self.playing = Some((catalogue::track(chance.random_range(0..1000), seconds), at));
        Duration::from_secs(seconds)
    }

    /// A listener does something to the queue; true if the track is skipped.
    pub fn wish(&mut self, chance: &mut StdRng) -> bool {
        let operation = match chance.random_range(0..100) {
            0..60 if self.queue < QUEUE_MAX => ADD,
            60..72 if self.queue < QUEUE_MAX => PRIORITY_ADD,
            72..80 if self.queue > 0 => REMOVE,
            80..90 if self.queue > 1 => MOVE,
            90..92 if self.queue > 0 => CLEAR,
            92.. if self.playing.is_some() => SKIP,
            _ => return false,
        };
        self.queue_ops.0[operation] += 1;
        match operation {
            ADD | PRIORITY_ADD => self.queue += 1,
            REMOVE => self.queue -= 1,
            CLEAR => self.queue = 0,
            _ => {}
        }
        operation == SKIP
    }
}
