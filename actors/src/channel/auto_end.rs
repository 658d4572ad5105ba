//! The auto-end machine: decides when a stream that nobody hears is ended. No clock, no actor, no
//! store; time is an argument. The laws are numbered in `docs/auto-end.md`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::policy::{INHERITANCE, Policy, STOP_RETRY_EVERY, STOP_VALIDITY};
use crate::clock::Timestamp;

/// What the reporters of a stream, taken together, say of its listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// At least one reporter is silent, hidden or out of date.
    Unknown,
    Known {
        listeners: u32,
        /// When the oldest of the counts in the sum was taken.
        oldest: Timestamp,
        /// Until when every count in the sum is newer than one report interval.
        fresh_until: Timestamp,
        /// Every reporter comes by often enough to collect a stop that is decided between its reports.
        collects_in_time: bool,
        /// Every reporter can be told to end the stream.
        can_stop: bool,
    },
}

/// What an input says of the `joins` counter, which counts everyone who ever came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joins {
    /// A report without a usable counter: somebody may have come.
    Unknown,
    /// The same as before, or the input is no report at all.
    Unchanged,
    Rose,
    /// A session's first report tells of somebody who joined before it, nobody knows when.
    AtFirst,
}

impl Joins {
    pub const fn tell_of_somebody(self) -> bool {
        matches!(self, Self::Rose | Self::AtFirst)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub audience: Audience,
    pub joins: Joins,
    /// So many listeners are known of at least: no fewer than the whole count, and some even where that is not known.
    pub at_least: u32,
    /// The streamer itself says it is paused.
    pub paused: bool,
    /// The input is a report: its answer can carry a command.
    pub reported: bool,
}

/// What holds at the moment of a decision, beside time.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    pub policy: &'a Policy,
    /// False while a decision could not be made durable.
    pub may_stop: bool,
}

/// Why a countdown runs or a stop was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    NeverJoined,
    AllLeft,
    StopFailed,
    Operator,
}

/// Why a countdown was given up or a stop withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Listener,
    CameAndWent,
    StreamPaused,
    StreamEnded,
    NewSession,
    OperatorPaused,
    KeptAlive,
    Disabled,
    Refused,
    NotDurable,
    Undelivered,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Started {
        ends_at: Timestamp,
        reason: Reason,
    },
    Warn {
        seconds: u32,
        ends_at: Timestamp,
    },
    Cancelled(Cause),
    /// An operator's pause began while nothing counted down.
    Held,
    /// An operator's pause is over.
    Released,
    Extended {
        ends_at: Timestamp,
    },
    Rescheduled {
        ends_at: Timestamp,
    },
    Frozen {
        remaining: Duration,
    },
    Unfrozen {
        ends_at: Timestamp,
    },
    WouldStop,
    EndStream {
        generation: u32,
        reason: Reason,
        force: bool,
    },
    Withdrawn {
        generation: u32,
        cause: Cause,
    },
    StopFailed {
        generation: u32,
        detail: StopFailure,
    },
    /// The stream is gone after our stop.
    Ended {
        generation: u32,
    },
}

impl Effect {
    /// It closes something. Where a new session begins, that was the session before.
    pub const fn closes(&self) -> bool {
        matches!(self, Self::Cancelled(_) | Self::Withdrawn { .. } | Self::Ended { .. })
    }
}

pub type Effects = SmallVec<[Effect; 2]>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopFailure {
    /// Nothing confirmed the stop while it was valid.
    Unconfirmed,
    /// The streamer said it could not stop.
    Reported(String),
}

/// An operator asked for what cannot be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    NothingToExtend,
    SomebodyListens,
    CountUnknown,
    AlreadyStopping,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Warned {
    threshold: Duration,
    at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Countdown {
    deadline: Timestamp,
    reason: Reason,
    /// The last known zero.
    zero_at: Timestamp,
    fresh_until: Timestamp,
    collects_in_time: bool,
    can_stop: bool,
    warned: Option<Warned>,
    /// The deadline has passed; only a fresh zero is missing.
    overdue: bool,
    /// What operators added to the timeout.
    extra: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Frozen {
    remaining: Duration,
    reason: Reason,
    warned: Option<Warned>,
    /// The deadline before a restart: it still holds if `joins` proves that nobody came meanwhile.
    if_nobody_joined: Option<Timestamp>,
    extra: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// No countdown: somebody listens, nothing is known yet, or something suppresses it.
    Watching,
    Counting(Countdown),
    Frozen(Frozen),
    /// A dry run came to its end; nothing more until somebody has listened.
    WouldStop,
    Stopping(Stopping),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stopping {
    reason: Reason,
    expires: Timestamp,
    acked: bool,
    /// An operator wants it stopped even though somebody may listen.
    force: bool,
    if_failed: IfFailed,
}

/// What follows a stop that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum IfFailed {
    /// The next fresh zero after [`STOP_RETRY_EVERY`] warns and tries again.
    TriedAgain,
    /// It stays loud, but what was empty for long enough is not any more, or never was: the next zero counts down from
    /// the beginning.
    CountsAnew,
    /// A person wants no end any more, too late to withdraw it before it is known that it did not come true.
    Settled(Cause),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Failed {
    /// The next fresh zero after this moment tries again; `None` where the next zero counts down from the beginning.
    retry_at: Option<Timestamp>,
}

/// What an unheard stream that vanished leaves to its next session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Bequest {
    deadline: Timestamp,
    reason: Reason,
    valid_until: Timestamp,
    extra: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoEnd {
    phase: Phase,
    /// Number of the last stop decided; a stop command's id holds it.
    generation: u32,
    /// A stop failed and neither the stream's end nor a person has settled it.
    failed: Option<Failed>,
    /// An operator's pause.
    held: bool,
    /// An operator's "keep alive": not armed again until someone has joined. Holds the smallest count
    /// known since, for who was there already has not joined.
    kept_alive: Option<u32>,
    /// Somebody has been heard in this session.
    heard: bool,
    /// Seldom, so out of the way of 100 000 channels that have none.
    bequest: Option<Box<Bequest>>,
}

impl Countdown {
    fn begin(
        now: Timestamp,
        deadline: Timestamp,
        (reason, extra): (Reason, Duration),
        warned: Option<Warned>,
        policy: &Policy,
    ) -> Self {
        let mut countdown = Self {
            deadline,
            reason,
            zero_at: now,
            fresh_until: now,
            collects_in_time: false,
            can_stop: false,
            warned,
            overdue: false,
            extra,
        };
        if warned.is_none() {
            countdown.warn_again(now, policy);
        }
        countdown
    }

    /// Every warning that lies ahead is to be sent; the last one always does.
    fn warn_again(&mut self, now: Timestamp, policy: &Policy) {
        self.overdue = false;
        self.deadline = self.deadline.max(now.plus(policy.last_warning(self.reason).unwrap_or_default()));
        let remaining = self.deadline.since(now);
        let passed = policy.warnings(self.reason).rev().skip(1).find(|w| *w > remaining);
        self.warned = passed.map(|threshold| Warned { threshold, at: now });
    }
}

impl Default for AutoEnd {
    fn default() -> Self {
        Self {
            phase: Phase::Watching,
            generation: 0,
            failed: None,
            held: false,
            kept_alive: None,
            heard: false,
            bequest: None,
        }
    }
}

/// The machine's state in the words of docs/auto-end.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum PhaseName {
    Off,
    Watching,
    Counting,
    Frozen,
    Paused,
    Stopping,
    StopFailed,
}

impl PhaseName {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Watching => "watching",
            Self::Counting => "counting",
            Self::Frozen => "frozen",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::StopFailed => "stop_failed",
        }
    }
}

impl AutoEnd {
    /// Takes in what is known now; every input of a channel ends here.
    pub fn on_evidence(&mut self, now: Timestamp, evidence: Evidence, rules: Rules<'_>) -> Effects {
        let mut effects = Effects::new();
        let somebody = evidence.at_least > 0;
        self.kept_alive = self.kept_alive.and_then(|least| match evidence.audience {
            // Nothing was known yet since the operator's word: whoever joined may have come before it. And
            // who had joined before a second reporter's first word is no news.
            _ if evidence.joins == Joins::Rose && least < u32::MAX => None,
            Audience::Known { listeners, .. } => (listeners <= least).then_some(listeners),
            Audience::Unknown => (evidence.at_least <= least).then_some(least),
        });
        if somebody || evidence.joins.tell_of_somebody() {
            self.on_heard();
            self.give_up(if somebody { Cause::Listener } else { Cause::CameAndWent }, &mut effects);
        }
        if let (Joins::Unknown, Phase::Frozen(f)) = (evidence.joins, &mut self.phase) {
            f.if_nobody_joined = None;
        }
        match evidence.audience {
            _ if somebody => {}
            _ if evidence.paused => {
                // Its return to live arms in full: nothing is inherited past a pause.
                self.forget_earned();
                self.give_up(Cause::StreamPaused, &mut effects);
            }
            Audience::Unknown => self.freeze(now, &mut effects),
            Audience::Known { oldest, fresh_until, collects_in_time, can_stop, .. } => {
                self.on_zero(now, can_stop, rules, &mut effects);
                if let Phase::Counting(ref mut c) = self.phase {
                    // The oldest count in the sum is the one that vouches for the zero.
                    c.zero_at = c.zero_at.max(oldest.min(now));
                    c.fresh_until = fresh_until;
                    c.collects_in_time = collects_in_time;
                    c.can_stop = can_stop;
                }
                self.advance(now, evidence.reported, rules, &mut effects);
            }
        }
        effects
    }

    fn on_heard(&mut self) {
        self.heard = true;
        self.forget_earned();
    }

    /// Whatever an emptier time had earned is void: the next zero counts from the beginning. What failed stays loud.
    fn forget_earned(&mut self) {
        self.bequest = None;
        if let Some(failed) = self.failed.as_mut() {
            failed.retry_at = None;
        }
        if let Phase::Stopping(ref mut s) = self.phase
            && s.if_failed == IfFailed::TriedAgain
        {
            s.if_failed = IfFailed::CountsAnew;
        }
    }

    fn retry_at(&self) -> Option<Timestamp> {
        self.failed.and_then(|failed| failed.retry_at)
    }

    fn on_zero(&mut self, now: Timestamp, can_stop: bool, rules: Rules<'_>, effects: &mut Effects) {
        let policy = rules.policy;
        if !can_stop && self.is_stopping() && !self.is_stopping_for_operator() {
            self.call_off(Cause::Disabled, effects);
        }
        if self.held || self.is_kept_alive() || !policy.enabled {
            return;
        }
        if self.phase == Phase::WouldStop && can_stop && !policy.dry_run {
            // A dry run's end stands only while it is one.
            self.phase = Phase::Watching;
        }
        let whole = |reason| now.plus(policy.timeouts.of(reason));
        match self.phase {
            Phase::Watching => {
                let (deadline, reason, extra) = match (self.retry_at(), self.bequest.take()) {
                    (Some(retry_at), _) if now < retry_at => return,
                    // No more than the last warning, which `Countdown::begin` adds.
                    (Some(_), _) => (now, Reason::StopFailed, Duration::ZERO),
                    (None, Some(left)) if now <= left.valid_until => {
                        (left.deadline.min(whole(left.reason).plus(left.extra)), left.reason, left.extra)
                    }
                    (None, _) => (whole(self.reason()), self.reason(), Duration::ZERO),
                };
                let countdown = Countdown::begin(now, deadline, (reason, extra), None, policy);
                effects.push(Effect::Started { ends_at: countdown.deadline, reason });
                self.phase = Phase::Counting(countdown);
            }
            Phase::Frozen(f) => {
                let deadline = f.if_nobody_joined.unwrap_or(now.plus(f.remaining)).min(whole(f.reason).plus(f.extra));
                let countdown = Countdown::begin(now, deadline, (f.reason, f.extra), f.warned, policy);
                effects.push(Effect::Unfrozen { ends_at: countdown.deadline });
                self.phase = Phase::Counting(countdown);
                self.bequest = None;
            }
            Phase::Counting(_) | Phase::WouldStop | Phase::Stopping(_) => {}
        }
    }

    /// Sends what is due and decides the stop when its hour has come.
    fn advance(&mut self, now: Timestamp, reported: bool, rules: Rules<'_>, effects: &mut Effects) {
        let Phase::Counting(ref mut c) = self.phase else { return };
        let policy = rules.policy;
        let last = policy.last_warning(c.reason);
        let remaining = c.deadline.since(now);
        let unsent = |w: &Duration| c.warned.is_none_or(|sent| *w < sent.threshold);
        // A late timer sends only the tightest one that is still true.
        if let Some(due) = policy.warnings(c.reason).rev().filter(unsent).find(|w| *w >= remaining) {
            if Some(due) == last {
                // The last warning's time goes by in full, however late it is sent.
                c.deadline = c.deadline.max(now.plus(due));
                c.overdue = false;
            }
            c.warned = Some(Warned { threshold: due, at: now });
            let seconds = c.deadline.since(now).as_micros().div_ceil(1_000_000) as u32;
            effects.push(Effect::Warn { seconds, ends_at: c.deadline });
        }
        if let (Some(last), Some(sent)) = (last, c.warned) {
            // A countdown resumed from a freeze may end before the warning's time has gone by.
            c.deadline = c.deadline.max(sent.at.plus(last));
        }
        if now < c.deadline {
            return;
        }
        let can_be_collected = c.collects_in_time || reported;
        if now >= c.fresh_until || !can_be_collected || !rules.may_stop {
            c.overdue = true;
            return;
        }
        let reason = c.reason;
        if policy.dry_run || !c.can_stop {
            self.phase = Phase::WouldStop;
            effects.push(Effect::WouldStop);
        } else {
            self.stop(now, reason, false, effects);
        }
    }

    fn stop(&mut self, now: Timestamp, reason: Reason, force: bool, effects: &mut Effects) {
        self.generation += 1;
        let expires = now.plus(STOP_VALIDITY);
        // Of an operator's stop nobody knows for how long it had been empty.
        let if_failed = if reason == Reason::Operator { IfFailed::CountsAnew } else { IfFailed::TriedAgain };
        self.phase = Phase::Stopping(Stopping { reason, expires, acked: false, force, if_failed });
        effects.push(Effect::EndStream { generation: self.generation, reason, force });
    }

    fn reason(&self) -> Reason {
        if self.heard { Reason::AllLeft } else { Reason::NeverJoined }
    }

    fn freeze(&mut self, now: Timestamp, effects: &mut Effects) {
        let (deadline, zero_at, reason, warned, extra) = match self.phase {
            Phase::Counting(c) => (c.deadline, c.zero_at, c.reason, c.warned, c.extra),
            // Where no end is wanted nothing has been left.
            Phase::Watching => match self.bequest.as_deref() {
                // It is this session's from its first word on: how long that hides its count does not matter.
                Some(left) if left.valid_until < Timestamp::NEVER && now <= left.valid_until => {
                    (left.deadline, left.valid_until.minus(INHERITANCE), left.reason, None, left.extra)
                }
                _ => return,
            },
            _ => return,
        };
        let remaining = deadline.since(zero_at);
        self.phase = Phase::Frozen(Frozen { remaining, reason, warned, if_nobody_joined: None, extra });
        effects.push(Effect::Frozen { remaining });
    }

    /// A person or the configuration wants no end: what an earlier countdown left is void too.
    fn call_off(&mut self, cause: Cause, effects: &mut Effects) {
        self.forget_earned();
        self.give_up(cause, effects);
    }

    /// Leaves whatever leads to a stop, unless the streamer has already said it obeyed.
    fn give_up(&mut self, cause: Cause, effects: &mut Effects) {
        use Cause::{CameAndWent, Disabled, KeptAlive, Listener, OperatorPaused, StreamPaused};
        // A failed stop stays loud until the stream is gone or a person settles it.
        let by_a_person = matches!(cause, OperatorPaused | KeptAlive | Disabled);
        match self.phase {
            Phase::Watching if self.failed.is_none() || !by_a_person => return,
            Phase::Stopping(ref mut s) if s.acked && by_a_person => {
                s.if_failed = IfFailed::Settled(cause);
                return;
            }
            Phase::Stopping(s) if s.acked || (s.force && matches!(cause, Listener | CameAndWent)) => return,
            // Who asks for the end of a stream wants a paused one ended too.
            Phase::Stopping(s) if s.reason == Reason::Operator && cause == StreamPaused => return,
            Phase::Stopping(_) => effects.push(Effect::Withdrawn { generation: self.generation, cause }),
            _ => effects.push(Effect::Cancelled(cause)),
        }
        self.phase = Phase::Watching;
        if by_a_person {
            self.failed = None;
        }
    }

    /// Wakes at [`Self::next_timeout`], or late, when [`Self::on_evidence`] has done what a countdown waited for.
    pub fn on_timeout(&mut self, now: Timestamp) -> Effects {
        let mut effects = Effects::new();
        if let Phase::Stopping(s) = self.phase
            && now >= s.expires
        {
            // Counted from its expiry, however late that is noticed.
            self.fail(s, s.expires, StopFailure::Unconfirmed, &mut effects);
        }
        effects
    }

    fn fail(&mut self, stop: Stopping, at: Timestamp, detail: StopFailure, effects: &mut Effects) {
        self.phase = Phase::Watching;
        let retry_at = match stop.if_failed {
            IfFailed::TriedAgain => Some(at.plus(STOP_RETRY_EVERY)),
            IfFailed::CountsAnew => None,
            IfFailed::Settled(cause) => {
                self.failed = None;
                effects.push(Effect::Withdrawn { generation: self.generation, cause });
                return;
            }
        };
        self.failed = Some(Failed { retry_at });
        effects.push(Effect::StopFailed { generation: self.generation, detail });
    }

    /// When this machine next has something to do by itself.
    pub fn next_timeout(&self, policy: &Policy) -> Option<Timestamp> {
        match self.phase {
            Phase::Counting(c) if c.overdue => None,
            Phase::Counting(c) => {
                let next_warning = policy.warnings(c.reason).find(|w| c.warned.is_none_or(|sent| *w < sent.threshold));
                Some(next_warning.map_or(c.deadline, |w| c.deadline.minus(w)))
            }
            Phase::Stopping(s) => Some(s.expires),
            Phase::Watching | Phase::Frozen(_) | Phase::WouldStop => None,
        }
    }

    /// The streamer acknowledged the stop; only seeing the stream gone confirms it.
    pub fn on_acked(&mut self) {
        if let Phase::Stopping(ref mut s) = self.phase {
            s.acked = true;
        }
    }

    /// The streamer would not stop, because somebody is there: the next zero arms in full.
    pub fn on_refused(&mut self) -> Effects {
        let mut effects = Effects::new();
        if let Phase::Stopping(_) = self.phase {
            effects.push(Effect::Withdrawn { generation: self.generation, cause: Cause::Refused });
            self.on_heard();
            self.phase = Phase::Watching;
        }
        effects
    }

    /// The streamer had refused a stop that is over by now: somebody was there when it was told, so that whatever has been
    /// earned since began too early.
    pub fn on_refused_before(&mut self) -> Effects {
        let mut effects = Effects::new();
        if !self.is_stopping() {
            self.on_heard();
            self.give_up(Cause::CameAndWent, &mut effects);
        }
        effects
    }

    /// The streamer could not stop.
    pub fn on_stop_error(&mut self, now: Timestamp, detail: String) -> Effects {
        let mut effects = Effects::new();
        if let Phase::Stopping(stop) = self.phase {
            self.fail(stop, now, StopFailure::Reported(detail), &mut effects);
        }
        effects
    }

    /// The stop could not be written down, so it was never offered to anyone.
    pub fn on_not_durable(&mut self, now: Timestamp, generation: u32) -> Effects {
        let mut effects = Effects::new();
        if generation == self.generation {
            self.decide_anew(now, Cause::NotDurable, &mut effects);
        }
        effects
    }

    /// The stop's validity ended before anyone was offered it: nobody has failed to obey. But whoever asked for it
    /// is told that it has failed.
    pub fn on_undelivered(&mut self, now: Timestamp) -> Effects {
        let mut effects = Effects::new();
        match self.phase {
            Phase::Stopping(s) if s.reason == Reason::Operator => {
                self.fail(s, s.expires, StopFailure::Unconfirmed, &mut effects);
            }
            _ => self.decide_anew(now, Cause::Undelivered, &mut effects),
        }
        effects
    }

    /// The next fresh zero warns once more and decides anew.
    fn decide_anew(&mut self, now: Timestamp, cause: Cause, effects: &mut Effects) {
        let Phase::Stopping(s) = self.phase else { return };
        effects.push(Effect::Withdrawn { generation: self.generation, cause });
        self.phase = Phase::Watching;
        if s.reason != Reason::Operator {
            let valid_until = Timestamp::NEVER;
            let left = Bequest { deadline: now, reason: s.reason, valid_until, extra: Duration::ZERO };
            self.bequest = Some(Box::new(left));
        }
    }

    /// The last reporter's session is over, last seen at `seen_at`.
    pub fn on_stream_gone(&mut self, seen_at: Timestamp, unheard: bool) -> Effects {
        let mut effects = Effects::new();
        self.leave_bequest(seen_at, unheard);
        match self.phase {
            Phase::Stopping(_) => effects.push(Effect::Ended { generation: self.generation }),
            _ if self.retry_at().is_some() => effects.push(Effect::Ended { generation: self.generation }),
            _ => self.give_up(Cause::StreamEnded, &mut effects),
        }
        self.forget_session();
        effects
    }

    /// A reporter began a session while others go on: the stream as a whole is not over, but a stop
    /// that knows nothing of that session must not come true.
    pub fn on_session_beside(&mut self) -> Effects {
        let mut effects = Effects::new();
        if self.is_stopping() {
            self.give_up(Cause::NewSession, &mut effects);
            self.forget_earned();
        }
        effects
    }

    /// The only reporter's stream came back under a new session without an end having been seen.
    pub fn on_new_session(&mut self, seen_at: Timestamp, unheard: bool) -> Effects {
        let mut effects = Effects::new();
        self.leave_bequest(seen_at, unheard);
        match self.phase {
            // The session that was told to stop is gone: that is what confirms it.
            Phase::Stopping(s) if s.acked => effects.push(Effect::Ended { generation: self.generation }),
            _ => self.give_up(Cause::NewSession, &mut effects),
        }
        self.forget_session();
        effects
    }

    /// The last word of a stream that is over tells of somebody: it was not empty to its end.
    pub fn on_heard_at_the_end(&mut self) {
        self.bequest = None;
    }

    fn leave_bequest(&mut self, seen_at: Timestamp, unheard: bool) {
        let left = match self.phase {
            // When it vanished is not known any more.
            _ if seen_at == Timestamp::ZERO => None,
            Phase::Counting(c) => Some((c.deadline, c.reason, c.extra)),
            Phase::Frozen(f) => {
                // What it was left itself, where that stood still from its first word on, ends no sooner for its own.
                let no_sooner = self.bequest.as_ref().map_or(Timestamp::ZERO, |left| left.deadline);
                Some((seen_at.plus(f.remaining).max(no_sooner), f.reason, f.extra))
            }
            // Our own stop, a dry run's end and a session that never armed leave nothing.
            _ => None,
        };
        let valid_until = seen_at.plus(INHERITANCE);
        match left {
            Some((deadline, reason, extra)) if unheard && self.retry_at().is_none() => {
                self.bequest = Some(Box::new(Bequest { deadline, reason, valid_until, extra }));
            }
            // A session that vanished before it was armed passes on what it was left itself.
            _ if unheard && self.retry_at().is_none() && self.phase == Phase::Watching => {
                if let Some(left) = self.bequest.as_mut() {
                    left.valid_until = left.valid_until.min(valid_until);
                }
            }
            _ => self.bequest = None,
        }
    }

    fn forget_session(&mut self) {
        self.phase = Phase::Watching;
        self.failed = None;
        self.held = false;
        self.kept_alive = None;
        self.heard = false;
    }

    /// An operator's pause: holds until `resume` or the session's end.
    pub fn on_pause(&mut self) -> Effects {
        let mut effects = Effects::new();
        let held_before = std::mem::replace(&mut self.held, true);
        self.call_off(Cause::OperatorPaused, &mut effects);
        if effects.is_empty() && !held_before {
            effects.push(Effect::Held);
        }
        effects
    }

    pub fn on_resume(&mut self) -> Effects {
        let mut effects = Effects::new();
        if std::mem::replace(&mut self.held, false) {
            effects.push(Effect::Released);
        }
        effects
    }

    /// An operator's "keep alive".
    pub fn on_cancel(&mut self) -> Effects {
        let mut effects = Effects::new();
        self.kept_alive = Some(u32::MAX);
        self.call_off(Cause::KeptAlive, &mut effects);
        effects
    }

    pub fn on_extend(&mut self, now: Timestamp, by: Duration, policy: &Policy) -> Result<Effects, Refusal> {
        let mut effects = Effects::new();
        match self.phase {
            Phase::Counting(ref mut c) => {
                c.deadline = c.deadline.max(now).plus(by);
                c.extra = c.extra.saturating_add(by);
                c.warn_again(now, policy);
                effects.push(Effect::Extended { ends_at: c.deadline });
            }
            Phase::Frozen(ref mut f) => {
                f.remaining = f.remaining.saturating_add(by);
                f.extra = f.extra.saturating_add(by);
                f.warned = None;
                f.if_nobody_joined = f.if_nobody_joined.map(|deadline| deadline.max(now).plus(by));
                effects.push(Effect::Frozen { remaining: f.remaining });
            }
            _ => return Err(Refusal::NothingToExtend),
        }
        Ok(effects)
    }

    /// An operator's stop: no countdown, but nobody may listen unless it is forced.
    pub fn on_stop(&mut self, now: Timestamp, audience: Audience, force: bool) -> Result<Effects, Refusal> {
        let mut effects = Effects::new();
        if let Phase::Stopping(_) = self.phase {
            return Err(Refusal::AlreadyStopping);
        }
        match audience {
            _ if force => {}
            Audience::Unknown => return Err(Refusal::CountUnknown),
            Audience::Known { listeners: 1.., .. } => return Err(Refusal::SomebodyListens),
            Audience::Known { .. } => {}
        }
        // Should it fail, what was left to decide before is not taken up again.
        self.forget_earned();
        self.stop(now, Reason::Operator, force, &mut effects);
        Ok(effects)
    }

    /// A reload changed the policy: live countdowns follow it, and nobody is ended unwarned. What falls
    /// due by it is decided by the look at the evidence that follows, for that may have come into doubt.
    pub fn on_policy_change(&mut self, now: Timestamp, old: &Policy, new: &Policy) -> Effects {
        let mut effects = Effects::new();
        // An operator's stop is not auto-end's: no policy takes it back.
        if old == new || self.is_stopping_for_operator() {
            return effects;
        }
        let moved = |at: Timestamp, reason| at.plus(new.timeouts.of(reason)).minus(old.timeouts.of(reason));
        if let Some(left) = self.bequest.as_mut().filter(|left| left.reason != Reason::StopFailed) {
            left.deadline = moved(left.deadline, left.reason);
        }
        if !new.enabled || (new.dry_run && self.is_stopping()) {
            self.call_off(Cause::Disabled, &mut effects);
            return effects;
        }
        match self.phase {
            Phase::Counting(ref mut c)
                if c.reason != Reason::StopFailed
                    && (old.timeouts.of(c.reason), old.dry_run) != (new.timeouts.of(c.reason), new.dry_run) =>
            {
                c.deadline = moved(c.deadline, c.reason);
                c.warn_again(now, new);
                effects.push(Effect::Rescheduled { ends_at: c.deadline });
            }
            Phase::Counting(ref mut c) if old.warnings != new.warnings => c.warn_again(now, new),
            Phase::Frozen(ref mut f) => {
                f.warned = None;
                if f.reason != Reason::StopFailed {
                    f.remaining =
                        f.remaining.saturating_add(new.timeouts.of(f.reason)).saturating_sub(old.timeouts.of(f.reason));
                    f.if_nobody_joined = f.if_nobody_joined.map(|at| moved(at, f.reason));
                }
            }
            _ => {}
        }
        effects
    }

    /// After a restart nothing is known: a countdown waits, with what was left when its last zero
    /// was certain, for evidence reported anew.
    pub fn on_restore(&mut self, last_certain_zero: Timestamp, policy: &Policy) {
        if let Phase::Counting(c) = self.phase {
            let zero_at = c.zero_at.max(last_certain_zero);
            self.phase = Phase::Frozen(Frozen {
                remaining: c.deadline.since(zero_at).min(policy.timeouts.of(c.reason).saturating_add(c.extra)),
                reason: c.reason,
                warned: None,
                if_nobody_joined: Some(c.deadline),
                extra: c.extra,
            });
        }
        if let Phase::Frozen(ref mut f) = self.phase {
            // Who heard it may be gone with the old process, and when it was said is told by the old boot's clock.
            f.warned = None;
        }
        // The daemon was started anew to decide nothing: what it had decided must not come true either,
        // unless the streamer has already said that it obeyed.
        let commands_nothing = !policy.enabled || policy.dry_run;
        if let Phase::Stopping(s) = self.phase
            && commands_nothing
            && s.reason != Reason::Operator
            && !s.acked
        {
            self.phase = Phase::Watching;
        }
        if !policy.enabled && !self.is_stopping() {
            // As after a reload: switched on again it counts from the beginning.
            self.call_off(Cause::Disabled, &mut Effects::new());
        }
    }

    /// Moves every stored timestamp onto another boot's clock. A wall clock set back between the two
    /// must not make anything last longer than it may.
    #[must_use]
    pub fn carried(mut self, now: Timestamp, carry: impl Fn(Timestamp) -> Timestamp) -> Self {
        let within = |span: Duration| move |at: Timestamp| at.min(now.plus(span));
        match self.phase {
            Phase::Counting(ref mut c) => {
                c.deadline = carry(c.deadline);
                c.zero_at = carry(c.zero_at);
                c.fresh_until = Timestamp::ZERO;
            }
            Phase::Frozen(ref mut f) => f.if_nobody_joined = f.if_nobody_joined.map(&carry),
            Phase::Stopping(ref mut s) => s.expires = within(STOP_VALIDITY)(carry(s.expires)),
            Phase::Watching | Phase::WouldStop => {}
        }
        if let Some(failed) = self.failed.as_mut() {
            failed.retry_at = failed.retry_at.map(&carry).map(within(STOP_RETRY_EVERY));
        }
        if let Some(left) = self.bequest.as_mut() {
            left.deadline = carry(left.deadline);
            left.valid_until = within(INHERITANCE)(carry(left.valid_until));
        }
        self
    }

    /// The wall clock is behind that of the last boot: how long the daemon was away cannot be told, and what lasts for a
    /// time only has had it.
    pub fn on_time_lost(&mut self, now: Timestamp) {
        self.bequest = None;
        if let Phase::Stopping(ref mut s) = self.phase {
            s.expires = now;
        }
    }

    pub fn phase(&self, policy: &Policy) -> PhaseName {
        match self.phase_beside_failure(policy) {
            PhaseName::Stopping => PhaseName::Stopping,
            _ if self.failed.is_some() => PhaseName::StopFailed,
            beside => beside,
        }
    }

    /// What the countdown does, whether or not a stop has failed before.
    pub fn phase_beside_failure(&self, policy: &Policy) -> PhaseName {
        match self.phase {
            Phase::Stopping(_) => PhaseName::Stopping,
            _ if self.held => PhaseName::Paused,
            _ if !policy.enabled => PhaseName::Off,
            Phase::Counting(_) => PhaseName::Counting,
            Phase::Frozen(_) => PhaseName::Frozen,
            Phase::Watching | Phase::WouldStop => PhaseName::Watching,
        }
    }

    /// When the stream ends if nothing happens; `None` while no clock runs.
    pub fn ends_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Counting(c) => Some(c.deadline),
            _ => None,
        }
    }

    /// A stop has failed, and the next zero that is late enough tries again.
    pub fn is_tried_again(&self) -> bool {
        self.retry_at().is_some()
    }

    pub fn remaining(&self, now: Timestamp) -> Option<Duration> {
        match self.phase {
            Phase::Counting(c) => Some(c.deadline.since(now)),
            Phase::Frozen(f) => Some(f.remaining),
            _ => None,
        }
    }

    pub fn countdown_reason(&self) -> Option<Reason> {
        match self.phase {
            Phase::Counting(c) => Some(c.reason),
            Phase::Frozen(f) => Some(f.reason),
            _ => None,
        }
    }

    /// When a running countdown would have begun had it never stood still.
    pub fn began_at(&self, policy: &Policy) -> Option<Timestamp> {
        match self.phase {
            Phase::Counting(c) => Some(c.deadline.minus(policy.timeouts.of(c.reason).saturating_add(c.extra))),
            _ => None,
        }
    }

    /// The last known zero of a running countdown.
    pub fn zero_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Counting(c) => Some(c.zero_at),
            _ => None,
        }
    }

    /// A dry run came to its end and waits for somebody to listen.
    pub fn would_have_stopped(&self) -> bool {
        self.phase == Phase::WouldStop
    }

    pub fn is_overdue(&self) -> bool {
        matches!(self.phase, Phase::Counting(c) if c.overdue)
    }

    pub fn is_stopping(&self) -> bool {
        matches!(self.phase, Phase::Stopping(_))
    }

    fn is_stopping_for_operator(&self) -> bool {
        matches!(self.phase, Phase::Stopping(s) if s.reason == Reason::Operator)
    }

    /// What must survive the daemon though no effect tells of it.
    pub fn standing(&self) -> impl PartialEq + use<> {
        let within_phase = match self.phase {
            Phase::Stopping(s) => (Some(s.if_failed), false),
            // Once a reporter could not vouch for the time the daemon was down, none can any more.
            Phase::Frozen(f) => (None, f.if_nobody_joined.is_some()),
            _ => (None, false),
        };
        (self.held, self.kept_alive, self.heard, within_phase, self.failed, self.bequest.as_deref().copied())
    }

    /// Until when a stop that is open may be delivered.
    pub fn valid_until(&self) -> Option<Timestamp> {
        if let Phase::Stopping(s) = self.phase { Some(s.expires) } else { None }
    }

    /// A stop is open, but no longer valid.
    pub fn is_past_validity(&self, now: Timestamp) -> bool {
        self.valid_until().is_some_and(|until| now >= until)
    }

    pub fn is_held(&self) -> bool {
        self.held
    }

    pub fn is_kept_alive(&self) -> bool {
        self.kept_alive.is_some()
    }

    pub fn generation(&self) -> u32 {
        self.generation
    }
}
