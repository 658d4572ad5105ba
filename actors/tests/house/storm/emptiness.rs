//! For how long a channel can have counted as empty, at most, by what the daemon has been told of it.

use std::time::Duration;

/// Nobody is known to be there for so long after a report that said so: three intervals of five seconds.
const BELIEVED_FOR: Duration = Duration::from_secs(15);
/// A channel may notice so much later that a count is not believed any more.
const NOTICED_WITHIN: Duration = Duration::from_secs(2);
/// A session that begins so soon after an unheard one vanished goes on with its countdown.
const INHERITED_FOR: Duration = Duration::from_secs(60);
/// A stop that has failed is not tried again sooner after it was decided.
pub const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(300);

/// What the daemon was last told by one source.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub at: Duration,
    /// How many listen, if that is not hidden.
    pub listeners: Option<u32>,
    /// That it is paused.
    pub paused: bool,
    /// It was told to this life of the daemon and of the channel.
    pub is_known: bool,
}

impl Told {
    /// It lets the daemon count.
    pub fn is_empty(&self) -> bool {
        self.listeners == Some(0) && !self.paused
    }

    pub fn is_believed(&self, at: Duration) -> bool {
        at < self.at + BELIEVED_FOR
    }
}

/// At this moment the daemon may take it for empty yet.
fn may_be_taken_for_empty(told: &[Told], at: Duration) -> bool {
    let is_so = |told: &Told| told.is_empty() && at < told.at + BELIEVED_FOR + NOTICED_WITHIN;
    !told.is_empty() && told.iter().all(is_so)
}

/// When nobody was known to be there last, if that holds at this moment.
fn known_since(told: &[Told], at: Duration) -> Option<Duration> {
    let all = !told.is_empty() && told.iter().all(|told| told.is_empty() && told.is_known && told.is_believed(at));
    told.iter().map(|told| told.at).min().filter(|_| all)
}

/// What became of something that the daemon was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Written,
    /// It knows it while it lives.
    InMemory,
    /// Or not: it died meanwhile.
    Perhaps,
}

/// Reckoned by all that the daemon has been told, and by what no death makes it forget.
#[derive(Clone, Copy, Debug, Default)]
pub struct Emptiness {
    told: Reckoning,
    written: Reckoning,
}

impl Emptiness {
    fn each(&mut self, reckon: impl Fn(&mut Reckoning)) {
        reckon(&mut self.told);
        reckon(&mut self.written);
    }

    /// Somebody was there, or the countdown was given up for another reason that nobody forgets.
    pub fn begins_anew(&mut self) {
        self.each(Reckoning::begins_anew);
    }

    /// Somebody was there, or it was paused.
    pub fn is_broken(&mut self, at: Duration, somebody: bool, taken: Taken) {
        if taken != Taken::Perhaps {
            self.told.is_broken(at, somebody);
        }
        if taken == Taken::Written {
            self.written.is_broken(at, somebody);
        }
    }

    /// One of its sources ended as it was told to.
    pub fn is_over(&mut self, at: Duration, taken: Taken) {
        self.told.heard_at = at;
        if taken == Taken::Written {
            self.written.heard_at = at;
        }
    }

    pub fn on_stop(&mut self, decided: Duration) {
        self.each(|it| it.on_stop(decided));
    }

    pub fn on_refusal(&mut self, decided: Duration) {
        self.each(|it| it.on_refusal(decided));
    }

    pub fn on_report(&mut self, at: Duration, before: &[Told], now: &[Told]) {
        self.each(|it| it.on_report(at, before, now));
    }

    pub fn on_resume(&mut self, at: Duration, told: &[Told]) {
        self.each(|it| it.on_resume(at, told));
    }

    pub fn on_new_session(&mut self, at: Duration, last: Option<Told>) {
        self.each(|it| it.on_new_session(at, last));
    }

    pub fn on_doubt(&mut self, at: Duration, told: &[Told]) {
        self.each(|it| it.on_doubt(at, told));
    }

    pub fn is_in_doubt(&self) -> bool {
        self.told.was_in_doubt
    }

    /// The daemon dies, or the channel does. Where `joins` are not told nobody knows who came meanwhile; where the store
    /// fails, neither who came before.
    pub fn on_death(&mut self, at: Duration, told: &[Told], tells_joins: bool, is_unwritten: bool) {
        if is_unwritten {
            self.told = self.written;
        }
        self.each(|it| {
            it.on_death(at, told, tells_joins);
            it.unwritten |= is_unwritten;
        });
    }

    /// A stop may have been decided of which nobody was told.
    pub fn is_unwritten(&self) -> bool {
        self.told.unwritten
    }

    /// For how long it can have counted as empty when a stop was decided that is told at this moment.
    pub fn at_most(&self, at: Duration, decided: Duration) -> Duration {
        self.told.at_most(at, decided)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Reckoning {
    /// When a source last told of somebody, or when it began.
    heard_at: Duration,
    /// Up to the last moment at which nobody was known to be there.
    counted: Duration,
    until: Option<Duration>,
    /// The same, before the count was unknown for a while.
    until_before: Option<Duration>,
    /// The daemon or the channel has died since, and `joins` will tell whether anybody came meanwhile.
    bridges: bool,
    /// It was taken for empty when the daemon stood still, or its wall clock was set. Nobody knows of that any more where it
    /// dies before it is told anew.
    was_in_doubt: bool,
    /// When the last stop was decided: should it fail, it is tried again in its own time.
    stopped: Option<Duration>,
    /// The same of one that was refused.
    refused: Option<Duration>,
    /// It has died, and what it had known before is not written: of one of its sources it may know nothing, nor of a stop.
    unwritten: bool,
}

impl Reckoning {
    fn begins_anew(&mut self) {
        *self = Self { heard_at: self.heard_at, ..Self::default() };
    }

    /// What is told of that between a death and the last source's word that nobody joined it meanwhile counts from here,
    /// once that word has come.
    fn is_broken(&mut self, at: Duration, somebody: bool) {
        let heard_at = if somebody { at } else { self.heard_at };
        *self = Self { heard_at, until: self.bridges.then_some(at), bridges: self.bridges, ..Self::default() };
    }

    /// It was told to stop, and did not.
    fn on_stop(&mut self, decided: Duration) {
        self.stopped = self.stopped.max(Some(decided));
    }

    /// It refused to: nothing that it had been empty for counts any more. Another source may be told the same stop yet.
    fn on_refusal(&mut self, decided: Duration) {
        let Self { heard_at, unwritten, .. } = *self;
        *self = Self { heard_at, unwritten, refused: Some(decided), ..Self::default() };
    }

    /// This is the stop that was decided last, or the next try after it.
    fn is_tried_again_at(&self, decided: Duration) -> bool {
        self.refused == Some(decided)
            || self.stopped.is_some_and(|stopped| decided == stopped || decided >= stopped + TRIED_AGAIN_AFTER)
    }

    /// One of its sources has said something: what was told before, and what is now.
    fn on_report(&mut self, at: Duration, before: &[Told], now: &[Told]) {
        let Some(known) = known_since(now, at) else {
            // How long it was bridged is not over.
            if !self.bridges && !self.was_in_doubt {
                self.breaks(None);
            }
            return;
        };
        let goes_on = known_since(before, at).is_some();
        match self.until {
            Some(until) if self.bridges => self.counts(until, at),
            Some(until) if goes_on => self.counts(until, known.max(until)),
            _ => self.breaks(Some(at)),
        }
        (self.bridges, self.was_in_doubt) = (false, false);
    }

    /// An operator lets it count again.
    fn on_resume(&mut self, at: Duration, told: &[Told]) {
        if self.until.is_none() && known_since(told, at).is_some() {
            self.breaks(Some(at));
        }
    }

    /// Its only source, which was last heard so, begins a new session.
    fn on_new_session(&mut self, at: Duration, last: Option<Told>) {
        self.bridges = false;
        match last.filter(|last| last.is_empty() && at <= last.at + INHERITED_FOR) {
            Some(last) => self.counts(self.until.unwrap_or(last.at), at),
            None => {
                let Self { heard_at, unwritten, .. } = *self;
                *self = Self { heard_at, unwritten, until: Some(at), ..Self::default() };
            }
        }
    }

    /// The daemon stands still from this moment on, or its wall clock is set.
    fn on_doubt(&mut self, at: Duration, told: &[Told]) {
        self.was_in_doubt |= may_be_taken_for_empty(told, at);
    }

    fn on_death(&mut self, at: Duration, told: &[Told], tells_joins: bool) {
        let was_known = self.was_in_doubt || may_be_taken_for_empty(told, at);
        self.bridges |= was_known && tells_joins && self.until.is_some();
        if !self.bridges {
            self.breaks(None);
        }
    }

    fn breaks(&mut self, until: Option<Duration>) {
        self.until_before = self.until.or(self.until_before);
        self.until = until;
    }

    fn counts(&mut self, from: Duration, until: Duration) {
        self.counted += until - from;
        self.until = Some(until);
    }

    fn at_most(&self, at: Duration, decided: Duration) -> Duration {
        let until = self.until.filter(|until| *until <= decided).or(self.until_before);
        let since = until.map_or(Duration::ZERO, |until| decided.saturating_sub(until));
        let counted =
            if self.unwritten || self.is_tried_again_at(decided) { Duration::MAX } else { self.counted + since };
        counted.min(at - self.heard_at)
    }
}
