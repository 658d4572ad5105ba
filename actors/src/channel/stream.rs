//! One stream as a whole: its evidence, its countdown and its stop, still without actor or clock.

use std::{collections::HashSet, time::Duration};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{
    auto_end::{Audience, AutoEnd, Effect, Effects, Evidence, Joins, PhaseName, Reason, Refusal, Rules},
    evidence::{Evidences, Progress, Reporter, Verdict},
    policy::{Policy, Timeouts},
    stop::{AckVerdict, Fence, Stop},
};
use crate::{
    clock::{Now, Stamp, Timestamp, WallTime},
    identity::{ChannelId, SourceId},
    protocol::{
        Ack, Action, ActionError, Inspection, KnownSession, QueueOps, Report, ReporterView, Retract, Status,
        StopCommand,
    },
    wire::{AutoEndState, StreamState, StreamStatus, Why},
};

/// What holds around a stream when an input arrives.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    pub now: Now,
    /// Evidence from before is not believed: the daemon started, stalled or doubts its clock.
    pub trusted_since: Timestamp,
    pub rules: Rules<'a>,
    /// A stop's id holds it.
    pub fence: Fence,
}

/// The part of a stream that survives the daemon.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Kept {
    evidences: Evidences,
    auto_end: AutoEnd,
    stop: Option<Box<Stop>>,
    /// When this session began, as its source or our first sight of it says.
    began: Option<WallTime>,
    /// When the last session was over.
    ended: Option<Timestamp>,
    journal_seq: u32,
    /// What its countdown was armed by.
    timeouts: Timeouts,
}

#[derive(Clone, Debug)]
pub struct Stream {
    pub id: ChannelId,
    kept: Kept,
    unknown_since: Option<Timestamp>,
    /// Sessions of the stream as a whole that began in this process.
    sessions: u32,
}

/// What became of one report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reaction {
    pub accepted: bool,
    pub queue_ops: QueueOps,
    pub effects: Effects,
    /// Something that must survive the daemon changed, beside what the effects tell.
    pub session_changed: bool,
}

/// How the time is counted that went by on another clock: before a reboot, or on another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// By the wall clock, which went on through the reboot.
    WallClock,
    /// A countdown stood still: no clock of another machine is trusted with one.
    StoodStill,
}

#[derive(Debug)]
pub struct Restored {
    pub stream: Stream,
    /// The last certain zero of a countdown that stands still since the restart.
    pub pinned_zero: Option<Timestamp>,
}

/// The version of the stored record.
const RECORD_VERSION: u8 = 3;

#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("the record cannot be read: {0}")]
    Unreadable(#[from] postcard::Error),
    #[error("the record has version {0}, which this daemon does not know")]
    UnknownVersion(u8),
}

impl Stream {
    pub fn new(id: ChannelId) -> Self {
        Self { id, kept: Kept::default(), unknown_since: None, sessions: 0 }
    }

    /// The record that [`Self::restore`] reads.
    pub fn record(&self, stamp: Stamp) -> Result<Vec<u8>, RecordError> {
        Ok(postcard::to_stdvec(&(RECORD_VERSION, stamp, &self.kept))?)
    }

    /// A stream as it was before a restart. `pulse` is the last proof of life: when it was written, and
    /// until when every stored countdown was certain of its zero.
    pub fn restore(
        id: ChannelId,
        record: &[u8],
        pulse: Option<(Stamp, Timestamp)>,
        here: Stamp,
        absence: Absence,
        policy: &Policy,
    ) -> Result<Restored, RecordError> {
        match record.first() {
            Some(&RECORD_VERSION) => {}
            other => return Err(RecordError::UnknownVersion(other.copied().unwrap_or(0))),
        }
        let (_, stamp, mut kept): (u8, Stamp, Kept) = postcard::from_bytes(record)?;
        // A pulse of another boot than the record's is on another clock.
        let certain_until = pulse.filter(|(at, _)| at.boot == stamp.boot).map(|(_, until)| until);
        let mut pinned_zero = kept.auto_end.zero_at().map(|zero| zero.max(certain_until.unwrap_or(zero)));
        // A configuration that changed meanwhile moves what is left, as a reload would have.
        let then = Policy { timeouts: kept.timeouts, ..policy.clone() };
        kept.auto_end.on_restore(pinned_zero.unwrap_or(Timestamp::ZERO), &then);
        kept.auto_end.on_policy_change(stamp.now.at, &then, policy);
        if !kept.auto_end.is_stopping()
            && let Some(stop) = kept.stop.as_mut()
        {
            stop.withdraw(&id);
        }
        if stamp.boot != here.boot {
            let by_wall = |at: Timestamp| stamp.carry(at, here);
            // The last proof of life was given just now.
            let alive = pulse.map(|(at, _)| at).filter(|at| at.boot == stamp.boot).unwrap_or(stamp);
            let stood_still = |at: Timestamp| alive.at_once(at, here);
            let now = here.now.at;
            kept.auto_end = match absence {
                Absence::WallClock => kept.auto_end.carried(now, by_wall),
                Absence::StoodStill => kept.auto_end.carried(now, stood_still),
            };
            if matches!(absence, Absence::WallClock) && here.now.wall < alive.now.wall {
                kept.auto_end.on_time_lost(now);
            }
            // Of two clocks the one by which it was decided earlier: what may be delivered no longer is not made to last.
            kept.stop = kept.stop.map(|stop| Box::new(stop.carried(|at| by_wall(at).min(stood_still(at)).min(now))));
            kept.ended = kept.ended.map(|at| by_wall(at).min(now));
            pinned_zero = pinned_zero.map(|zero| match absence {
                Absence::WallClock => by_wall(zero).min(now),
                Absence::StoodStill => stood_still(zero).min(now),
            });
        }
        let unknown_since = (!kept.evidences.is_over()).then_some(here.now.at);
        Ok(Restored { stream: Self { id, kept, unknown_since, sessions: 0 }, pinned_zero })
    }

    pub fn share_names(&mut self, names: &mut HashSet<SourceId>) {
        self.kept.evidences.share_names(names);
    }

    /// Takes in one report whose count was taken at `at`.
    pub fn on_report(&mut self, m: Moment<'_>, source: &SourceId, report: &Report, at: Timestamp) -> Reaction {
        let was_over = self.kept.evidences.is_over();
        // What expired unnoticed before this report stood still until it.
        let mut effects = Effects::new();
        if self.kept.auto_end.zero_at().is_some() && self.audience(m) == Audience::Unknown {
            effects = self.settle(m);
        }
        let accepted = match self.kept.evidences.accept(source, report, m.now, at) {
            Verdict::Accepted(accepted) => accepted,
            Verdict::Duplicate => return Reaction { effects, ..Reaction::default() },
        };
        let auto_end = &mut self.kept.auto_end;
        let standing = auto_end.standing();
        let alone = self.kept.evidences.active().nth(1).is_none();
        let over = self.kept.evidences.is_over();
        if !over && (was_over || (alone && matches!(accepted.session, Progress::Replaced { .. }))) {
            self.sessions = self.sessions.wrapping_add(1);
        }
        effects.extend(match accepted.session {
            Progress::Replaced { seen_at, unheard } if alone => auto_end.on_new_session(seen_at, unheard),
            Progress::Began | Progress::Replaced { .. } if !was_over => auto_end.on_session_beside(),
            Progress::Ended { seen_at, unheard } if self.kept.evidences.is_over() => {
                auto_end.on_stream_gone(seen_at, unheard)
            }
            _ => Effects::new(),
        });
        if over && (!was_over || self.kept.ended.is_none()) {
            self.kept.ended = Some(m.now.at);
        } else if !over && (was_over || matches!(accepted.session, Progress::Replaced { .. })) {
            self.kept.ended = None;
            self.kept.began = self.kept.evidences.active().find_map(|r| r.started_at).or(Some(m.now.wall));
        }
        // A listener counts even where the report that tells of it came too late to be believed.
        let somebody = report.listeners.is_some_and(|n| n > 0);
        effects.extend(self.look(m, accepted.joins, somebody, true));
        let session_changed = accepted.session != Progress::Continued || self.kept.auto_end.standing() != standing;
        Reaction { accepted: true, queue_ops: accepted.queue_ops, effects, session_changed }
    }

    /// Looks at what is known now, after an input that is no report.
    fn settle(&mut self, m: Moment<'_>) -> Effects {
        self.look(m, Joins::Unchanged, false, false)
    }

    fn look(&mut self, m: Moment<'_>, joins: Joins, somebody: bool, reported: bool) -> Effects {
        self.kept.timeouts = m.rules.policy.timeouts;
        let audience = self.audience(m);
        self.unknown_since = match audience {
            Audience::Unknown if !self.kept.evidences.is_over() => self.unknown_since.or(Some(m.now.at)),
            _ => None,
        };
        if self.kept.evidences.is_over() {
            if somebody || joins.tell_of_somebody() {
                self.kept.auto_end.on_heard_at_the_end();
            }
            return Effects::new();
        }
        let at_least = self.kept.evidences.at_least(m.now.at, m.trusted_since).max(u32::from(somebody));
        let evidence = Evidence { audience, joins, at_least, paused: self.kept.evidences.is_paused(), reported };
        let effects = self.kept.auto_end.on_evidence(m.now.at, evidence, m.rules);
        self.follow(m, &effects);
        effects
    }

    /// Keeps the stop in step with the machine.
    fn follow(&mut self, m: Moment<'_>, effects: &Effects) {
        for effect in effects {
            if let Effect::EndStream { generation, reason, force } = *effect {
                let evidences = &self.kept.evidences;
                self.kept.stop = Some(Box::new(Stop::new(generation, m.fence, reason, force, m.now.at, evidences)));
            }
        }
    }

    /// A timer or the sweep: evidence may have expired, a deadline may have passed.
    pub fn on_wake(&mut self, m: Moment<'_>) -> Effects {
        let mut effects = self.settle(m);
        let auto_end = &mut self.kept.auto_end;
        let reached_nobody = self.kept.stop.as_ref().is_some_and(|stop| stop.reached_nobody());
        let due = if reached_nobody && auto_end.is_past_validity(m.now.at) {
            auto_end.on_undelivered(m.now.at)
        } else {
            auto_end.on_timeout(m.now.at)
        };
        self.follow(m, &due);
        effects.extend(due);
        effects
    }

    /// An answer to a stop; `None` if it is to none of ours, or comes too late.
    pub fn on_ack(&mut self, m: Moment<'_>, source: &SourceId, ack: &Ack) -> Option<Effects> {
        let verdict = self.kept.stop.as_mut()?.ack(m.now.at, &self.id, source, ack);
        let mut effects = Effects::new();
        match verdict {
            AckVerdict::Unknown => return None,
            AckVerdict::Noted => return Some(effects),
            AckVerdict::AllAcked => self.kept.auto_end.on_acked(),
            AckVerdict::Refused => effects = self.kept.auto_end.on_refused(),
            AckVerdict::RefusedBefore => effects = self.kept.auto_end.on_refused_before(),
            AckVerdict::Failed(detail) => effects = self.kept.auto_end.on_stop_error(m.now.at, detail),
        }
        effects.extend(self.settle(m));
        Some(effects)
    }

    pub fn on_delivered(&mut self, m: Moment<'_>, id: &str) -> bool {
        self.kept.stop.as_mut().is_some_and(|stop| stop.delivered(m.now.at, &self.id, id))
    }

    pub fn on_durable(&mut self, m: Moment<'_>, generation: u32, written: bool) -> Effects {
        if !written {
            return self.kept.auto_end.on_not_durable(m.now.at, generation);
        }
        if let Some(stop) = self.kept.stop.as_mut() {
            stop.on_disk(generation);
        }
        Effects::new()
    }

    /// The commands that may go out now. Those restored from the store wait until every reporter has
    /// said anew that nobody is there.
    pub fn offer(&mut self, m: Moment<'_>) -> Vec<StopCommand> {
        let Some(until) = self.kept.auto_end.valid_until().filter(|until| m.now.at < *until) else { return Vec::new() };
        let empty = matches!(self.audience(m), Audience::Known { listeners: 0, .. });
        match self.kept.stop.as_mut() {
            Some(stop) if empty || stop.is_forced() => stop.offer(&self.id, until, &self.kept.evidences),
            _ => Vec::new(),
        }
    }

    /// What nobody may hear any more, because it is not known now that nobody listens.
    pub fn hold_back(&mut self, m: Moment<'_>) -> Vec<Retract> {
        if !self.kept.auto_end.is_stopping() || self.audience(m) != Audience::Unknown {
            return Vec::new();
        }
        let doubted = self.doubted(m).map(|r| r.source.clone()).collect::<SmallVec<[_; 2]>>();
        match self.kept.stop.as_mut() {
            Some(stop) if !stop.is_forced() => stop.hold_back(&self.id, &doubted),
            _ => Vec::new(),
        }
    }

    /// Whose counts cannot be believed now.
    fn doubted(&self, m: Moment<'_>) -> impl Iterator<Item = &Reporter> {
        self.kept.evidences.active().filter(move |r| r.believed(m.now.at, m.trusted_since).is_none())
    }

    /// Whether a stop waits to be offered.
    pub fn has_stop_to_offer(&self) -> bool {
        self.kept.auto_end.is_stopping() && self.kept.stop.as_ref().is_some_and(|stop| stop.may_be_offered())
    }

    /// The way to the streamers was full.
    pub fn offer_again(&mut self) {
        if let Some(stop) = self.kept.stop.as_mut() {
            stop.offer_again();
        }
    }

    pub fn stop_mut(&mut self) -> Option<&mut Stop> {
        self.kept.stop.as_deref_mut()
    }

    pub fn operate(&mut self, m: Moment<'_>, action: Action) -> Result<Effects, ActionError> {
        if self.kept.evidences.is_over() {
            return Err(ActionError::StreamIsOver);
        }
        if matches!(action, Action::Stop { .. }) && !m.rules.may_stop {
            // It could only be withdrawn again.
            return Err(ActionError::StoreFailing);
        }
        let audience = self.audience(m);
        let auto_end = &mut self.kept.auto_end;
        let now = m.now.at;
        let mut effects = match action {
            Action::Pause => auto_end.on_pause(),
            Action::Resume => auto_end.on_resume(),
            Action::Cancel => auto_end.on_cancel(),
            Action::Extend(by) => auto_end.on_extend(now, by, m.rules.policy).map_err(refused)?,
            Action::Stop { force } => auto_end.on_stop(now, audience, force).map_err(refused)?,
        };
        self.follow(m, &effects);
        effects.extend(self.settle(m));
        Ok(effects)
    }

    pub fn on_policy_change(&mut self, m: Moment<'_>, old: &Policy) -> Effects {
        let mut effects = self.kept.auto_end.on_policy_change(m.now.at, old, m.rules.policy);
        effects.extend(self.settle(m));
        effects
    }

    /// One of its sources was reloaded: what it said before is not believed.
    pub fn on_doubt(&mut self, m: Moment<'_>, source_prefix: &str) -> Effects {
        for reporter in &mut self.kept.evidences.0 {
            if reporter.source.as_str().starts_with(source_prefix) {
                reporter.at = Timestamp::ZERO;
            }
        }
        self.settle(m)
    }

    /// An operator takes a reporter out of the sum.
    pub fn on_forget(&mut self, m: Moment<'_>, source: &str) -> Result<Effects, ActionError> {
        // Not heard since a restart, it has not said that nobody joined meanwhile.
        let vouched = self.kept.evidences.0.iter().any(|r| r.source.as_str() == source && r.at >= m.trusted_since);
        let was_active = self.kept.evidences.forget(source).ok_or(ActionError::NoSuchSource)?;
        let mut effects = Effects::new();
        if was_active && self.kept.evidences.is_over() {
            effects.extend(self.kept.auto_end.on_stream_gone(m.now.at, false));
            self.kept.ended = Some(m.now.at);
        }
        let joins = if was_active && !vouched { Joins::Unknown } else { Joins::Unchanged };
        effects.extend(self.look(m, joins, false, false));
        Ok(effects)
    }

    pub fn audience(&self, m: Moment<'_>) -> Audience {
        self.kept.evidences.audience(m.now.at, m.trusted_since)
    }

    pub fn next_timeout(&self, policy: &Policy) -> Option<Timestamp> {
        self.kept.auto_end.next_timeout(policy)
    }

    /// When what is known stops being believed.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.kept.evidences.expires_at()
    }

    pub fn evidence_at(&self) -> Option<Timestamp> {
        self.kept.evidences.oldest().filter(|at| *at > Timestamp::ZERO)
    }

    pub fn auto_end(&self) -> &AutoEnd {
        &self.kept.auto_end
    }

    pub fn evidences(&self) -> &Evidences {
        &self.kept.evidences
    }

    /// A source that cannot be told to end the stream.
    pub fn untouchable(&self) -> Option<&SourceId> {
        self.kept.evidences.active().find(|r| !r.can_stop).map(|r| &r.source)
    }

    pub fn is_over(&self) -> bool {
        self.kept.evidences.is_over()
    }

    /// Tells one session of the stream from the next.
    pub fn sessions(&self) -> u32 {
        self.sessions
    }

    pub fn ended(&self) -> Option<Timestamp> {
        self.kept.ended
    }

    pub fn unknown_since(&self) -> Option<Timestamp> {
        self.unknown_since
    }

    pub fn next_journal_seq(&mut self) -> u32 {
        self.kept.journal_seq = self.kept.journal_seq.wrapping_add(1);
        self.kept.journal_seq
    }

    pub fn status(&self, lost: bool) -> StreamStatus {
        let mut statuses = self.kept.evidences.active().map(|r| r.status);
        match statuses.next() {
            None => StreamStatus::Stopped,
            Some(_) if lost => StreamStatus::Lost,
            Some(_) if self.kept.evidences.is_paused() => StreamStatus::Paused,
            Some(Status::Idle) if statuses.all(|s| s == Status::Idle) => StreamStatus::Idle,
            Some(_) => StreamStatus::Live,
        }
    }

    /// Who reports it.
    pub fn sources(&self) -> Vec<SourceId> {
        self.kept.evidences.active().map(|r| r.source.clone()).collect()
    }

    /// When this session began, as its source or our first sight of it says.
    pub fn began(&self) -> Option<WallTime> {
        self.kept.began
    }

    pub fn session(&self) -> Option<String> {
        self.kept.evidences.active().next().map(|r| r.session.to_string())
    }

    pub fn state(&self, m: Moment<'_>, lost: bool) -> StreamState {
        let evidences = &self.kept.evidences;
        let (listeners, listeners_known) = match self.audience(m) {
            Audience::Known { listeners, .. } => (listeners, true),
            Audience::Unknown if self.is_over() => (0, true),
            Audience::Unknown => (evidences.last_known(), false),
        };
        let auto_end = &self.kept.auto_end;
        StreamState {
            channel_id: self.id.clone(),
            sources: self.sources(),
            session: self.session(),
            state: self.status(lost),
            started_at: self.began(),
            listeners,
            listeners_known,
            evidence_age_seconds: self.evidence_at().map(|at| m.now.at.since(at).as_secs_f64()),
            joins: evidences.joins(),
            queue_size: evidences.queue_size(m.now.at, m.trusted_since),
            current_track: evidences.track().cloned(),
            auto_end: AutoEndState {
                phase: auto_end.phase(m.rules.policy),
                ends_at: auto_end.ends_at().map(|at| m.now.wall_of(at)),
                remaining_seconds: auto_end.remaining(m.now.at).map(|left| left.as_secs_f64()),
                reason: Why::of(auto_end),
                dry_run: m.rules.policy.dry_run,
            },
        }
    }

    pub fn inspect(&self, m: Moment<'_>, lost: bool) -> Inspection {
        let reporters = self.kept.evidences.0.iter().map(|r| ReporterView {
            source: r.source.clone(),
            session: r.session.to_string(),
            state: r.status,
            seq: r.seq,
            listeners: r.listeners,
            joins: r.joins,
            age_seconds: (r.at > Timestamp::ZERO).then(|| m.now.at.since(r.at).as_secs_f64()),
            interval_seconds: r.interval.get().as_secs_f64(),
            believed: r.believed(m.now.at, m.trusted_since).is_some(),
        });
        Inspection {
            state: self.state(m, lost),
            policy: m.rules.policy.clone(),
            why: self.explain(m),
            held: self.kept.auto_end.is_held(),
            reporters: reporters.collect(),
            commands: self.kept.stop.as_ref().map_or_else(Vec::new, |stop| stop.view(&self.id, m.now)),
        }
    }

    pub fn known_sessions(&self, source_prefix: &str) -> Vec<KnownSession> {
        let of_prefix = self.kept.evidences.active().filter(|r| r.source.as_str().starts_with(source_prefix));
        let session = |r: &Reporter| KnownSession {
            channel: self.id.clone(),
            source: r.source.clone(),
            session: r.session.clone(),
            started_at: r.started_at,
            seq: r.seq,
        };
        of_prefix.map(session).collect()
    }

    /// The state in one sentence.
    pub fn explain(&self, m: Moment<'_>) -> String {
        if self.is_over() {
            return "The stream is over: no source reports it as running.".into();
        }
        let countdown = self.explain_countdown(m);
        match self.kept.auto_end.phase(m.rules.policy) {
            PhaseName::StopFailed => format!("A stop has failed and the stream is still there: {countdown}"),
            _ => countdown,
        }
    }

    fn explain_countdown(&self, m: Moment<'_>) -> String {
        let auto_end = &self.kept.auto_end;
        let now = m.now.at;
        let silent = || {
            self.doubted(m).next().map_or_else(String::new, |r| {
                let source = &r.source;
                if r.at == Timestamp::ZERO || r.at < m.trusted_since {
                    format!("{source} has not reported since the daemon started, stalled or doubted its clock")
                } else if r.listeners.is_none() {
                    format!("{source} does not say how many listen")
                } else {
                    format!(
                        "{source} last reported {:.0} s ago, and its reports are believed for {:.0} s",
                        now.since(r.at).as_secs_f64(),
                        r.expires_at().since(r.at).as_secs_f64()
                    )
                }
            })
        };
        let seconds = |d: Duration| d.as_secs_f64().ceil();
        match (auto_end.phase_beside_failure(m.rules.policy), self.audience(m)) {
            (PhaseName::Stopping, Audience::Unknown)
                if self.kept.stop.as_ref().is_some_and(|stop| !stop.is_forced() && stop.is_held_back()) =>
            {
                if self.kept.stop.as_ref().is_some_and(|stop| stop.is_left_to_outlet()) {
                    format!(
                        "A stop has been decided; in doubt only an adapter that sees for itself who listens goes on: {}.",
                        silent()
                    )
                } else {
                    format!("A stop has been decided, and is held back until nobody is known to listen: {}.", silent())
                }
            }
            (PhaseName::Stopping, _) => {
                "A stop has been decided; it counts as done when the stream is seen gone.".into()
            }
            (PhaseName::Paused, _) => {
                "An operator has paused auto-end; it holds until resume or the session's end.".into()
            }
            (PhaseName::Off, _) => "Auto-end is switched off for this channel by the configuration.".into(),
            (_, _) if self.kept.evidences.is_paused() => {
                "The streamer itself is paused, which suppresses auto-end.".into()
            }
            (PhaseName::Counting, _) if auto_end.is_overdue() && !m.rules.may_stop => {
                "The time is up, but the store cannot be written, so no stop is decided.".into()
            }
            (PhaseName::Counting, _) if auto_end.is_overdue() => {
                "The time is up; the stop waits for a zero newer than one report interval.".into()
            }
            (PhaseName::Counting, _) => {
                let left = auto_end.remaining(now).map(seconds).unwrap_or_default();
                let why = match auto_end.countdown_reason() {
                    Some(Reason::NeverJoined) => "nobody has joined since it started",
                    Some(Reason::StopFailed) => "an earlier stop failed",
                    _ => "the last listener has left",
                };
                format!("Counting down: {why}; it ends in {left} s unless somebody listens.")
            }
            (PhaseName::Frozen, _) => {
                let left = auto_end.remaining(now).map(seconds).unwrap_or_default();
                format!("The count is unknown ({}), so the countdown stands still with {left} s left.", silent())
            }
            (_, Audience::Unknown) => format!("The count is unknown: {}; nothing is stopped in doubt.", silent()),
            (_, Audience::Known { listeners: 0, .. }) if auto_end.is_kept_alive() => {
                "An operator keeps it alive: no countdown until somebody has joined.".into()
            }
            (_, Audience::Known { listeners: 0, .. }) if auto_end.would_have_stopped() => {
                let why = match self.untouchable().filter(|_| !m.rules.policy.dry_run) {
                    Some(source) => format!("{source} may not be told to stop"),
                    None => "this is a dry run".into(),
                };
                format!("It would have been stopped, but {why}; nothing more happens until somebody has listened.")
            }
            (_, Audience::Known { listeners: 0, .. }) if auto_end.is_tried_again() => {
                "It is tried again at a fresh zero, at most every 5 minutes, until the stream is gone or an operator \
                 settles it."
                    .into()
            }
            (_, Audience::Known { listeners, .. }) => {
                format!("{listeners} listening, so nothing counts down.")
            }
        }
    }
}

fn refused(refusal: Refusal) -> ActionError {
    match refusal {
        Refusal::NothingToExtend => ActionError::NothingToExtend,
        Refusal::SomebodyListens => ActionError::SomebodyListens,
        Refusal::CountUnknown => ActionError::CountUnknown,
        Refusal::AlreadyStopping => ActionError::AlreadyStopping,
    }
}
