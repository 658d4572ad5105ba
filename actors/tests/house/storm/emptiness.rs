//! For how long a channel can have counted as empty, at most, by what the daemon has been told of it.

use std::time::Duration;

/// Nobody is known to be there for so long after a report that said so: three intervals of five seconds.
const BELIEVED_FOR: Duration = Duration::from_secs(15);
/// A channel may notice so much later that a count is not believed any more.
const NOTICED_WITHIN: Duration = Duration::from_secs(2);
/// A session that begins so soon after an unheard one vanished goes on with its countdown.
const INHERITED_FOR: Duration = Duration::from_secs(60);

/// What the daemon was last told by one source.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub at: Duration,
    /// That nobody listens.
    pub nobody: bool,
    /// That it is paused.
    pub paused: bool,
    /// It was told to this life of the daemon and of the channel.
    pub is_known: bool,
}

impl Told {
    /// It lets the daemon count.
    pub fn is_empty(&self) -> bool {
        self.nobody && !self.paused
    }

    pub fn is_believed(&self, at: Duration) -> bool {
        at < self.at + BELIEVED_FOR
    }
}

/// When nobody was known to be there last, if that holds at this moment.
fn known_since(told: &[Told], at: Duration) -> Option<Duration> {
    let all = !told.is_empty() && told.iter().all(|told| told.is_empty() && told.is_known && told.is_believed(at));
    told.iter().map(|told| told.at).min().filter(|_| all)
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Emptiness {
    /// Up to the last moment at which nobody was known to be there.
    counted: Duration,
    until: Option<Duration>,
    /// The daemon or the channel has died since, and `joins` will tell whether anybody came meanwhile.
    bridges: bool,
    /// Nothing can be said: what was written last is not known, or a stop was decided, which is tried again.
    is_any: bool,
}

impl Emptiness {
    /// Somebody was there, or the countdown was given up for another reason that nobody forgets.
    pub fn begins_anew(&mut self) {
        *self = Self::default();
    }

    pub fn may_be_any(&mut self) {
        self.is_any = true;
    }

    pub fn is_any(&self) -> bool {
        self.is_any
    }

    /// One of its sources has said something: what was told before, and what is now.
    pub fn on_report(&mut self, at: Duration, before: &[Told], now: &[Told]) {
        let Some(known) = known_since(now, at) else {
            // How long it was bridged is not over.
            self.until = self.until.filter(|_| self.bridges);
            return;
        };
        let goes_on = known_since(before, at).is_some();
        match self.until {
            Some(until) if self.bridges => self.counts(until, at),
            Some(until) if goes_on => self.counts(until, known.max(until)),
            _ => self.until = Some(at),
        }
        self.bridges = false;
    }

    /// Its only source, which was last heard so, begins a new session.
    pub fn on_new_session(&mut self, at: Duration, last: Option<Told>) {
        self.bridges = false;
        match last.filter(|last| last.is_empty() && at <= last.at + INHERITED_FOR) {
            Some(last) => self.counts(self.until.unwrap_or(last.at), at),
            None if self.is_any => {}
            None => (self.counted, self.until) = (Duration::ZERO, Some(at)),
        }
    }

    /// The daemon dies, or the channel does.
    pub fn on_death(&mut self, at: Duration, told: &[Told]) {
        let was_known =
            !told.is_empty() && told.iter().all(|told| told.is_empty() && at < told.at + BELIEVED_FOR + NOTICED_WITHIN);
        self.bridges |= was_known && self.until.is_some();
        self.until = self.until.filter(|_| self.bridges);
    }

    fn counts(&mut self, from: Duration, until: Duration) {
        self.counted += until - from;
        self.until = Some(until);
    }

    /// For how long it can have counted as empty at this moment.
    pub fn at_most(&self, at: Duration) -> Duration {
        let since = self.until.map_or(Duration::ZERO, |until| at - until);
        if self.is_any { Duration::MAX } else { self.counted + since }
    }
}
