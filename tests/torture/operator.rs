//! What somebody at a dashboard wants of one stream, and what the daemons have promised: whatever they answered with 200.

use std::{collections::VecDeque, ops::Range, time::Duration};

use rand::{Rng, rngs::StdRng};

use crate::truth::Kind;

/// When they begin to ask, in milliseconds of a session.
const FIRST: Range<u64> = 500..4_500;
/// What could not be done until then is not asked for any more: it must be over before somebody comes to what is kept alive.
const GIVES_UP_AFTER: Duration = Duration::from_secs(10);
/// How long a pause is.
const PAUSE: Range<u64> = 2_000..8_000;
/// What was not done is asked for again.
const AGAIN_AFTER: Duration = Duration::from_millis(300);
/// By how much a countdown is extended, in seconds.
const EXTENSION: Range<u64> = 1..5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Pause,
    Resume,
    KeepAlive,
    Extend { seconds: u64 },
}

impl Wish {
    /// The address of the action below the stream's, and the body.
    pub fn request(self) -> (&'static str, String) {
        match self {
            Self::Pause => ("auto-end/pause", String::new()),
            Self::Resume => ("auto-end/resume", String::new()),
            Self::KeepAlive => ("auto-end/cancel", String::new()),
            Self::Extend { seconds } => ("auto-end/extend", format!("{{\"seconds\":{seconds}}}")),
        }
    }
}

/// What stands in the way of a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// None until it is taken back, or until somebody has come where that ends it.
    Held { until_somebody_comes: bool },
    /// None before the stream has been empty for so much longer.
    Later(Duration),
}

/// A daemon has said that something is done.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// When it was asked for.
    pub since: Duration,
    /// It outlives the daemon.
    pub durable: bool,
}

#[derive(Debug)]
pub struct Operator {
    /// In their order, each not before its time.
    wishes: VecDeque<(Duration, Wish)>,
    promised: Option<(Word, Promise)>,
    /// The pause was last ended.
    resumed: Option<Word>,
    /// A daemon was asked for the pause and has not answered: it may yet do it when it wakes.
    may_come_late: bool,
}

impl Operator {
    /// For a session that begins now.
    pub fn draw(kind: Kind, now: Duration, random: &mut StdRng) -> Self {
        let first = now + Duration::from_millis(random.random_range(FIRST));
        let wishes = match kind {
            Kind::Paused => {
                let pause = Duration::from_millis(random.random_range(PAUSE));
                vec![(first, Wish::Pause), (first + pause, Wish::Resume)]
            }
            Kind::KeptAlive => vec![(first, Wish::KeepAlive)],
            Kind::Extended => {
                let mut wish = || Wish::Extend { seconds: random.random_range(EXTENSION) };
                vec![(first, wish()), (first, wish())]
            }
            _ => Vec::new(),
        };
        Self { wishes: wishes.into(), promised: None, resumed: None, may_come_late: false }
    }

    /// What is to be asked for now. It comes again until it is done.
    pub fn wish(&mut self, now: Duration) -> Option<Wish> {
        while self.wishes.pop_front_if(|(_, wish)| *wish != Wish::Resume && now > GIVES_UP_AFTER).is_some() {}
        let (due, wish) = self.wishes.front_mut()?;
        if *due > now {
            return None;
        }
        *due = now + AGAIN_AFTER;
        Some(*wish)
    }

    /// Whether something may keep the stream from being stopped.
    pub fn interferes(&self) -> bool {
        !self.wishes.is_empty() || matches!(self.promised, Some((_, Promise::Held { .. })))
    }

    /// Of all who are left somebody may know of the pause, and nobody of its end; or it was done after its end. An operator
    /// sees that and ends it again.
    pub fn looks_again(&mut self, now: Duration, is_lost: impl FnOnce(Word) -> bool, calm: Option<Duration>) {
        let late = calm.filter(|_| self.may_come_late);
        if self.resumed.take_if(|word| is_lost(*word) || late.is_some_and(|calm| word.since < calm)).is_some() {
            self.wishes.push_back((now, Wish::Resume));
        }
    }

    pub fn unanswered(&mut self, wish: Wish) {
        self.may_come_late |= wish == Wish::Pause;
    }

    /// It may be done although nobody says so, and it may be that it is not.
    pub fn takes_back(&mut self) {
        self.promised = None;
    }

    /// What was asked for has been done; what was promised before, unless that may be forgotten, holds beside it.
    pub fn done(&mut self, word: Word, wish: Wish, before: Option<Promise>) {
        self.wishes.pop_front();
        let before = match before {
            Some(Promise::Later(by)) => by,
            _ => Duration::ZERO,
        };
        self.promised = match wish {
            Wish::Pause => Some((word, Promise::Held { until_somebody_comes: false })),
            Wish::KeepAlive => Some((word, Promise::Held { until_somebody_comes: true })),
            Wish::Extend { seconds } => Some((word, Promise::Later(before + Duration::from_secs(seconds)))),
            Wish::Resume => {
                self.resumed = Some(word);
                None
            }
        };
    }

    /// A pause stands all the same.
    pub fn somebody_came(&mut self) {
        if !matches!(self.promised, Some((_, Promise::Held { until_somebody_comes: false }))) {
            self.promised = None;
        }
    }

    pub fn promised(&self) -> Option<(Word, Promise)> {
        self.promised
    }
}
