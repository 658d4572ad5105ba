//! Evidence: what each reporter of a stream last said, and how long that can be believed.

use std::{collections::HashSet, sync::Arc};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{
    auto_end::{Audience, Joins},
    policy::COLLECTS_WITHIN,
};
use crate::{
    clock::{Now, Span, Timestamp, WallTime},
    identity::{SessionId, SourceId},
    protocol::{Identity, QueueOps, Report, Status},
    wire::Track,
};

/// Evidence is believed for this many of its source's report intervals.
pub const INTERVALS_BELIEVED: u32 = 3;
/// Sessions that were superseded and never return; the oldest is forgotten first.
const PAST_SESSIONS: usize = 16;

/// One source's account of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reporter {
    pub source: SourceId,
    pub session: SessionId,
    pub started_at: Option<WallTime>,
    pub seq: u64,
    pub status: Status,
    pub listeners: Option<u32>,
    /// The highest `joins` accepted in this session.
    pub joins: Option<u64>,
    /// The last report carried a usable `joins`.
    pub joins_usable: bool,
    /// When the count was taken, as far as that can be told; `ZERO` until reported anew.
    #[serde(skip)]
    pub at: Timestamp,
    pub interval: Span,
    /// It can be told to end the stream, as it last said.
    #[serde(skip)]
    pub can_stop: bool,
    #[serde(skip)]
    pub queue_size: Option<u32>,
    #[serde(skip)]
    pub track: Option<Arc<Track>>,
    #[serde(skip)]
    queue_ops: Option<Box<QueueOps>>,
    past: Past,
}

/// Hashes of superseded session ids.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Past(Box<[u64]>);

impl Past {
    fn contains(&self, session: &str) -> bool {
        self.0.contains(&fingerprint(session))
    }

    fn push(&mut self, session: &str) {
        let forgotten = (self.0.len() + 1).saturating_sub(PAST_SESSIONS);
        let kept = self.0.iter().skip(forgotten).copied();
        self.0 = kept.chain([fingerprint(session)]).collect();
    }
}

/// FNV-1a: the same on every machine and in every version, because it is stored.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// What became of one report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accepted(Accepted),
    /// Seen before, or older than what is known.
    Duplicate,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub session: Progress,
    pub joins: Joins,
    /// Queue operations since the report before.
    pub queue_ops: QueueOps,
}

/// What a report did to its reporter's session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    Continued,
    /// The first session of this reporter, or one after its stream had ended.
    Began,
    /// A newer session without an end of the one before.
    Replaced {
        seen_at: Timestamp,
        unheard: bool,
    },
    /// The reporter says its stream is over.
    Ended {
        seen_at: Timestamp,
        unheard: bool,
    },
    /// A stream that never ran, as far as we know, is over.
    NeverRan,
}

impl Reporter {
    fn new(source: &SourceId, session: SessionId, started_at: Option<WallTime>, past: Past) -> Self {
        Self {
            source: source.clone(),
            session,
            started_at,
            seq: 0,
            status: Status::Stopped,
            listeners: None,
            joins: None,
            joins_usable: false,
            at: Timestamp::ZERO,
            interval: Span::ZERO,
            can_stop: false,
            queue_size: None,
            track: None,
            queue_ops: None,
            past,
        }
    }

    pub fn is_gone(&self) -> bool {
        self.status == Status::Stopped
    }

    pub fn expires_at(&self) -> Timestamp {
        if self.at == Timestamp::ZERO {
            Timestamp::ZERO
        } else {
            self.at.plus(self.interval.get().saturating_mul(INTERVALS_BELIEVED))
        }
    }

    fn is_believed(&self, now: Timestamp, trusted_since: Timestamp) -> bool {
        self.at >= trusted_since && now < self.expires_at()
    }

    /// The count, if it can be believed now.
    pub fn believed(&self, now: Timestamp, trusted_since: Timestamp) -> Option<u32> {
        self.listeners.filter(|_| self.is_believed(now, trusted_since))
    }

    /// Is a session that is not ours older than ours?
    fn supersedes(&self, session: &str, started_at: Option<WallTime>) -> bool {
        // Without two starts to compare, the one that arrived first is the older one; and one that was
        // superseded once stays so, whatever start it claims later.
        let began_earlier = self.started_at.zip(started_at).is_some_and(|(ours, theirs)| theirs < ours);
        began_earlier || self.past.contains(session)
    }

    /// The stream was last known to be empty, by a report of this process.
    fn unheard(&self) -> bool {
        self.listeners == Some(0) && self.at > Timestamp::ZERO
    }

    fn take(&mut self, report: &Report, seq: u64, at: Timestamp) -> (Joins, QueueOps) {
        self.seq = seq;
        self.status = report.status;
        self.listeners = report.listeners;
        self.queue_size = report.queue_size;
        self.interval = report.interval.into();
        self.can_stop = report.can_stop;
        self.at = at;
        if self.track.as_deref() != report.track.as_deref() {
            self.track.clone_from(&report.track);
        }
        let joins = match (self.joins, report.joins) {
            (Some(before), Some(now)) if now > before => Joins::Rose,
            (Some(before), Some(now)) if now == before => Joins::Unchanged,
            _ => Joins::Unknown,
        };
        // A counter that went down is unknown; the highest one stays the mark.
        self.joins_usable = report.joins.is_some() && report.joins >= self.joins;
        self.joins = self.joins.max(report.joins);
        let ops = match (&report.queue_ops, &self.queue_ops) {
            (Some(totals), Some(before)) => totals.since(before),
            _ => QueueOps::default(),
        };
        if let Some(totals) = &report.queue_ops {
            match &mut self.queue_ops {
                Some(before) => **before = **totals,
                none => *none = Some(totals.clone()),
            }
        }
        (joins, ops)
    }
}

/// All reporters of one stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidences(pub SmallVec<[Reporter; 1]>);

impl Evidences {
    /// Takes in one report, `at` being when its count was taken.
    pub fn accept(&mut self, source: &SourceId, report: &Report, now: Now, at: Timestamp) -> Verdict {
        let known = self.0.iter().position(|r| r.source == *source);
        let (session, started_at, seq) = match &report.identity {
            Identity::Numbered { session, started_at, seq } => (session.clone(), *started_at, *seq),
            // The simple report has no session of its own: the daemon keeps one while it lasts.
            Identity::Simple => match known.map(|i| &self.0[i]) {
                Some(r) if !r.is_gone() => (r.session.clone(), r.started_at, r.seq + 1),
                // A wall clock that was set back must not make the new session the older one.
                last => {
                    let after_last = last.and_then(|r| r.started_at).map_or(i64::MIN, |at| at.as_millis() + 1);
                    let began = now.wall.max(WallTime::from_millis(after_last));
                    (format!("simple-{}", began.as_millis()).into(), Some(began), 1)
                }
            },
        };
        let Some(index) = known else {
            let reporter = Reporter::new(source, session, started_at, Past::default());
            self.0.push(reporter);
            let index = self.0.len() - 1;
            return Verdict::Accepted(self.begin(index, report, seq, at, None));
        };
        let reporter = &mut self.0[index];
        if reporter.session == session {
            if seq <= reporter.seq {
                return Verdict::Duplicate;
            }
            if reporter.is_gone() && report.status != Status::Stopped {
                // The same session rose again; what it said before its end no longer counts.
                reporter.joins = None;
                return Verdict::Accepted(self.begin(index, report, seq, at, None));
            }
            let was_gone = reporter.is_gone();
            let unheard = reporter.unheard();
            let (joins, queue_ops) = reporter.take(report, seq, at);
            let session = match (was_gone, report.status) {
                (false, Status::Stopped) => Progress::Ended { seen_at: at, unheard },
                _ => Progress::Continued,
            };
            return Verdict::Accepted(Accepted { session, joins, queue_ops });
        }
        if reporter.supersedes(&session, started_at) {
            return Verdict::Duplicate;
        }
        let left = (!reporter.is_gone()).then(|| (reporter.at, reporter.unheard()));
        let mut past = std::mem::take(&mut reporter.past);
        past.push(&reporter.session);
        *reporter = Reporter::new(source, session, started_at, past);
        Verdict::Accepted(self.begin(index, report, seq, at, left))
    }

    fn begin(
        &mut self,
        index: usize,
        report: &Report,
        seq: u64,
        at: Timestamp,
        left: Option<(Timestamp, bool)>,
    ) -> Accepted {
        let reporter = &mut self.0[index];
        // A session's totals start at nothing, so its first report counts in full.
        reporter.queue_ops = Some(Box::default());
        let (_, queue_ops) = reporter.take(report, seq, at);
        if report.queue_ops.is_none() {
            reporter.queue_ops = None;
        }
        // Whoever joined before this first report has come: it is news to the countdown.
        let joins = if report.joins.is_some_and(|joins| joins > 0) { Joins::AtFirst } else { Joins::Unknown };
        let session = match (report.status, left) {
            (Status::Stopped, None) => Progress::NeverRan,
            (Status::Stopped, Some((seen_at, unheard))) => Progress::Ended { seen_at, unheard },
            (_, None) => Progress::Began,
            (_, Some((seen_at, unheard))) => Progress::Replaced { seen_at, unheard },
        };
        Accepted { session, joins, queue_ops }
    }

    /// Reporters whose stream is not over.
    pub fn active(&self) -> impl Iterator<Item = &Reporter> {
        self.0.iter().filter(|r| !r.is_gone())
    }

    pub fn is_over(&self) -> bool {
        self.active().next().is_none()
    }

    /// The sum over the reporters; unknown while one of them is.
    pub fn audience(&self, now: Timestamp, trusted_since: Timestamp) -> Audience {
        if self.is_over() {
            return Audience::Unknown;
        }
        let mut sum = 0u32;
        let mut oldest = Timestamp::NEVER;
        let mut fresh_until = Timestamp::NEVER;
        let (mut collects_in_time, mut can_stop) = (true, true);
        for reporter in self.active() {
            let Some(listeners) = reporter.believed(now, trusted_since) else { return Audience::Unknown };
            sum = sum.saturating_add(listeners);
            oldest = oldest.min(reporter.at);
            fresh_until = fresh_until.min(reporter.at.plus(reporter.interval.get()));
            collects_in_time &= reporter.interval.get() <= COLLECTS_WITHIN;
            can_stop &= reporter.can_stop;
        }
        Audience::Known { listeners: sum, oldest, fresh_until, collects_in_time, can_stop }
    }

    /// So many are known to listen, whatever other reporters may hide.
    pub fn at_least(&self, now: Timestamp, trusted_since: Timestamp) -> u32 {
        let known = self.active().filter_map(|r| r.believed(now, trusted_since));
        known.fold(0, u32::saturating_add)
    }

    /// The last counts heard, believed or not.
    pub fn last_known(&self) -> u32 {
        self.active().fold(0, |sum, r| sum.saturating_add(r.listeners.unwrap_or(0)))
    }

    /// When the first of the counts in the sum expires.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.active().map(Reporter::expires_at).min()
    }

    /// When the oldest count in the sum was taken.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.active().map(|r| r.at).min()
    }

    pub fn is_paused(&self) -> bool {
        // One paused reporter is doubt enough: a stop is what must not be wrong.
        self.active().any(|r| r.status == Status::Paused)
    }

    /// The sum of the queues that are told; unknown while one of them is out of date.
    pub fn queue_size(&self, now: Timestamp, trusted_since: Timestamp) -> Option<u32> {
        let told = self.active().filter(|r| r.queue_size.is_some());
        let sizes = told.map(|r| r.queue_size.filter(|_| r.is_believed(now, trusted_since)));
        sizes.reduce(|sum, size| Some(sum?.saturating_add(size?))).flatten()
    }

    /// The sum of `joins`, if every reporter counts them.
    pub fn joins(&self) -> Option<u64> {
        if self.is_over() {
            return None;
        }
        self.active().try_fold(0u64, |sum, r| Some(sum.saturating_add(r.joins.filter(|_| r.joins_usable)?)))
    }

    pub fn track(&self) -> Option<&Arc<Track>> {
        self.active().find_map(|r| r.track.as_ref())
    }

    /// Sources of many channels bear one name: it is kept once.
    pub fn share_names(&mut self, names: &mut HashSet<SourceId>) {
        for reporter in &mut self.0 {
            match names.get(&reporter.source) {
                Some(name) => reporter.source = name.clone(),
                None => drop(names.insert(reporter.source.clone())),
            }
        }
    }

    /// Takes a reporter out of the sum; true if it was in it.
    pub fn forget(&mut self, source: &str) -> Option<bool> {
        let index = self.0.iter().position(|r| r.source.as_str() == source)?;
        Some(!self.0.remove(index).is_gone())
    }
}
