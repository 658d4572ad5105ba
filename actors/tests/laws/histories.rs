//! Random histories of up to three reporters against a ledger that is kept from the contract (docs/auto-end.md) alone:
//! never a wrong stop, never an early one, never two at once, and none missed in the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::prelude::*;
use sattva_actors::{
    channel::{
        auto_end::{Cause, Effect, PhaseName, Reason},
        policy::Policy,
    },
    clock::Timestamp,
    protocol::{Action, Outcome, Status, StopCommand},
};

use crate::{
    cases,
    subject::{INTERVAL, Said, Subject, says, secs},
};

const WARNINGS: [&[u64]; 3] = [&[60, 30, 10], &[10], &[120, 20]];

/// One thing that happens to the world.
#[derive(Clone, Debug)]
enum Event {
    /// Every source that speaks reports in its rhythm for so many milliseconds.
    Time(u64),
    /// Time without any timer firing; then they all fire late.
    Slept(u64),
    Join(usize),
    Leave(usize),
    /// Someone comes and goes between two reports.
    Blip(usize),
    Hide(usize, bool),
    Silence(usize, bool),
    Paused(usize, bool),
    Begins(usize),
    Ends(usize),
    /// The last report arrives once more.
    Again(usize),
    /// A report that was held up for so many milliseconds.
    Late(usize, u64),
    Operator(Action),
    Answer(Outcome),
    Obeys,
    Forget(usize),
    Doubt(usize),
    Stall,
    Disk(bool),
    Reload {
        timeout: u64,
        enabled: bool,
        dry_run: bool,
        warnings: &'static [u64],
    },
    Restart {
        down: u64,
        reboot: bool,
    },
    /// The daemon is killed while it takes in this report, before anything reaches the disk.
    KilledHearing(usize, u64),
}

fn event(sources: usize) -> impl Strategy<Value = Event> {
    let source = 0..sources;
    prop_oneof![
        12 => (1u64..90_000).prop_map(Event::Time),
        3 => (1u64..20_000).prop_map(Event::Time),
        2 => (250_000u64..420_000).prop_map(Event::Time),
        1 => (1u64..30_000).prop_map(Event::Slept),
        2 => source.clone().prop_map(Event::Join),
        3 => source.clone().prop_map(Event::Leave),
        1 => source.clone().prop_map(Event::Blip),
        2 => (source.clone(), any::<bool>()).prop_map(|(i, on)| Event::Hide(i, on)),
        2 => (source.clone(), any::<bool>()).prop_map(|(i, on)| Event::Silence(i, on)),
        1 => (source.clone(), any::<bool>()).prop_map(|(i, on)| Event::Paused(i, on)),
        2 => source.clone().prop_map(Event::Begins),
        1 => source.clone().prop_map(Event::Ends),
        1 => source.clone().prop_map(Event::Again),
        1 => (source.clone(), 1u64..40_000).prop_map(|(i, age)| Event::Late(i, age)),
        1 => prop_oneof![
            Just(Action::Pause),
            Just(Action::Resume),
            Just(Action::Resume),
            Just(Action::Cancel),
            (1u64..600).prop_map(|s| Action::Extend(secs(s))),
            any::<bool>().prop_map(|force| Action::Stop { force }),
        ].prop_map(Event::Operator),
        1 => prop_oneof![Just(Outcome::Ok), Just(Outcome::Refused), Just(Outcome::Error)].prop_map(Event::Answer),
        1 => Just(Event::Obeys),
        1 => source.clone().prop_map(Event::Forget),
        1 => source.clone().prop_map(Event::Doubt),
        1 => Just(Event::Stall),
        1 => any::<bool>().prop_map(Event::Disk),
        1 => (30u64..600, prop::bool::weighted(0.9), prop::bool::weighted(0.1), prop::sample::select(&WARNINGS[..]))
            .prop_map(|(timeout, enabled, dry_run, warnings)| Event::Reload { timeout, enabled, dry_run, warnings }),
        2 => (0u64..200_000, prop::bool::weighted(0.2)).prop_map(|(down, reboot)| Event::Restart { down, reboot }),
        1 => (source, 0u64..100_000).prop_map(|(i, down)| Event::KilledHearing(i, down)),
    ]
}

/// A streamer as it really is.
#[derive(Clone, Debug, Default)]
struct Streamer {
    runs: bool,
    session: u32,
    listeners: u32,
    joins: u64,
    tells_joins: bool,
    hides: bool,
    silent: bool,
    paused: bool,
    next_report: Timestamp,
    last_said: Option<Said>,
    seq: u64,
}

/// What the daemon has been told by one source, kept from its reports alone.
#[derive(Clone, Debug)]
struct Entry {
    session: String,
    count: Option<u32>,
    joins: Option<u64>,
    /// As a restart would find it.
    joins_on_disk: Option<u64>,
    at: Timestamp,
    status: Status,
    /// Has said since the last restart that nobody joined meanwhile.
    vouched: bool,
}

impl Entry {
    fn believed(&self, now: Timestamp, trusted: Timestamp) -> Option<u32> {
        self.count.filter(|_| self.at >= trusted && now < self.at.plus(INTERVAL * 3))
    }
}

/// What anyone may know from the reports, by the contract's words.
#[derive(Clone, Debug, Default)]
struct Ledger {
    entries: BTreeMap<usize, Entry>,
    /// Zero proven in the runs that are over.
    credit: Duration,
    /// The current run of known zero: its begin and its newest proof.
    run: Option<(Timestamp, Timestamp)>,
    extra: Duration,
    held: bool,
    /// The smallest whole count since an operator's keep-alive.
    kept_alive: Option<u32>,
    /// What the last session left: when it vanished.
    left_at: Option<Timestamp>,
    /// The last proof of zero before a restart, while nobody has spoiled it.
    before_restart: Option<Timestamp>,
    open: Option<Open>,
    acked: bool,
    /// Since the last stop was decided somebody was heard, or it was paused or kept alive.
    settled_since_stop: bool,
    /// For so long it had been empty when a stop was decided first.
    empty_for: Duration,
    failed_at: Option<Timestamp>,
    would_stop: bool,
    /// A stop was decided by right, but reached nobody.
    due: bool,
}

/// A stop that is decided and not settled.
#[derive(Clone, Copy, Debug)]
struct Open {
    generation: u32,
    forced: bool,
    by_operator: bool,
}

impl Ledger {
    fn active(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|e| e.status != Status::Stopped)
    }

    fn count(&self, now: Timestamp, trusted: Timestamp) -> Option<u32> {
        self.active().next()?;
        self.active().try_fold(0, |sum, e| Some(sum + e.believed(now, trusted)?))
    }

    /// Every reporter says that nobody listens, and is believed.
    fn is_empty(&self, now: Timestamp, trusted: Timestamp) -> bool {
        self.active().next().is_some() && self.active().all(|e| e.believed(now, trusted) == Some(0))
    }

    /// The listeners of those who are believed.
    fn at_least(&self, now: Timestamp, trusted: Timestamp) -> u32 {
        self.active().filter_map(|e| e.believed(now, trusted)).sum()
    }

    fn is_zero(&self, now: Timestamp, trusted: Timestamp) -> bool {
        self.is_empty(now, trusted) && self.active().all(|e| e.status != Status::Paused)
    }

    fn arm_anew(&mut self) {
        self.credit = Duration::ZERO;
        self.run = None;
        self.extra = Duration::ZERO;
        self.left_at = None;
        self.before_restart = None;
        self.would_stop = false;
        self.due = false;
    }

    fn close_run(&mut self) {
        if let Some((begin, proof)) = self.run.take() {
            self.credit += proof.since(begin);
        }
    }

    /// What is known at this moment, by the reports taken in so far.
    fn observe(&mut self, now: Timestamp, trusted: Timestamp) {
        self.kept_alive = self.kept_alive.and_then(|least| match self.count(now, trusted) {
            Some(count) => (count <= least).then_some(count),
            // Whoever hides has at least nobody.
            None => (self.at_least(now, trusted) <= least).then_some(least),
        });
        if !self.is_zero(now, trusted) {
            self.close_run();
            if self.active().next().is_some()
                && let Some(left) = self.left_at.take()
                && now.since(left) > secs(60)
            {
                self.arm_anew();
            }
            return;
        }
        let proof = self.active().map(|e| e.at).min().unwrap();
        if self.run.is_none() {
            if let Some(left) = self.left_at.take() {
                if now.since(left) <= secs(60) {
                    self.credit += now.since(left);
                } else {
                    self.arm_anew();
                }
            }
            if let Some(before) = self.before_restart.take()
                && self.active().all(|e| e.vouched)
            {
                self.credit += now.since(before);
            }
            self.run = Some((now, now));
        }
        let (begin, before) = self.run.unwrap();
        self.run = Some((begin, before.max(proof)));
    }

    /// What failed, or fails, is not tried again before a whole countdown.
    fn next_try_is_void(&mut self) {
        self.failed_at = None;
        self.settled_since_stop = true;
    }

    /// The longest anyone can say that nobody has listened.
    fn unheard_for(&self, now: Timestamp) -> Duration {
        self.credit + self.run.map_or(Duration::ZERO, |(begin, _)| now.since(begin))
    }

    /// The stream as a whole vanished, last seen at `seen`.
    fn gone(&mut self, seen: Timestamp, unheard: bool) {
        // Its deadline is inherited, so the time until it vanished counts.
        if let Some((begin, _)) = self.run.take() {
            self.credit += seen.since(begin);
        }
        let inherits = unheard && self.open.is_none() && self.failed_at.is_none() && !self.would_stop;
        let left_at = self.left_at.unwrap_or(seen);
        if inherits && !self.held && self.kept_alive.is_none() {
            self.left_at = Some(left_at);
        } else {
            self.arm_anew();
        }
        self.held = false;
        self.kept_alive = None;
        self.failed_at = None;
    }
}

struct World {
    streamers: Vec<Streamer>,
    jazz: Subject,
    ledger: Ledger,
    told: usize,
    saves: u64,
    offered: usize,
    ids: BTreeMap<String, StopCommand>,
    generations: BTreeSet<(u64, u32)>,
    last_stop: Option<Timestamp>,
}

impl World {
    fn new(sources: usize, tells_joins: &[bool]) -> Self {
        let jazz = Subject::default();
        let streamers = (0..sources).map(|i| Streamer {
            runs: true,
            session: 1,
            tells_joins: tells_joins[i],
            next_report: jazz.now.plus(Duration::from_millis(1 + 1300 * i as u64)),
            ..Streamer::default()
        });
        Self {
            streamers: streamers.collect(),
            jazz,
            ledger: Ledger::default(),
            told: 0,
            saves: 0,
            offered: 0,
            ids: BTreeMap::new(),
            generations: BTreeSet::new(),
            last_stop: None,
        }
    }

    fn said(&self, i: usize) -> Said {
        let s = &self.streamers[i];
        let status = match (s.runs, s.paused) {
            (false, _) => Status::Stopped,
            (true, true) => Status::Paused,
            (true, false) => Status::Live,
        };
        Said {
            status,
            listeners: (!s.hides).then_some(if s.runs { s.listeners } else { 0 }),
            joins: s.tells_joins.then_some(s.joins),
            ..says(0).of(&format!("s{}-{i}", s.session)).started(i64::from(s.session))
        }
    }

    fn report(&mut self, i: usize, age: Duration) {
        self.streamers[i].seq += 1;
        let said = self.said(i).seq(self.streamers[i].seq).aged(age);
        self.streamers[i].last_said = Some(said.clone());
        self.hear(i, &said);
    }

    /// Writes a report into the ledger as the contract reads, and hands it to the stream.
    fn hear(&mut self, i: usize, said: &Said) {
        let (now, trusted) = (self.jazz.now, self.jazz.trusted_since);
        self.ledger.observe(now, trusted);
        let (_, reaction) = self.jazz.hear(&format!("radio-{i}"), said);
        if reaction.accepted {
            self.note(i, said);
        }
        self.check();
        self.ledger.observe(now, trusted);
        let heard = said.listeners.is_some_and(|n| n > 0) && said.status != Status::Stopped;
        if reaction.accepted && heard {
            let forced = self.ledger.open.is_some_and(|open| open.forced);
            assert!(
                !self.jazz.stream.auto_end().is_stopping() || forced || self.ledger.acked,
                "a stop stands though somebody listens"
            );
            assert!(self.jazz.ends_at().is_none(), "a countdown runs though somebody listens");
        }
    }

    fn note(&mut self, i: usize, said: &Said) {
        let at = self.jazz.now.minus(said.age);
        let l = &mut self.ledger;
        let was = l.entries.get(&i).cloned();
        // A session that rises again begins anew; one that repeats its end goes on.
        let rises = |e: &Entry| e.status == Status::Stopped && said.status != Status::Stopped;
        let same = was.as_ref().filter(|e| e.session == said.session && !rises(e));
        let known_joins = same.and_then(|e| e.joins);
        let rose = match same {
            Some(_) => said.joins.zip(known_joins).is_some_and(|(now, before)| now > before),
            None => said.joins.is_some_and(|joins| joins > 0),
        };
        let unchanged = same.is_some() && said.joins.is_some() && said.joins == known_joins;
        let before = was.as_ref().is_some_and(|e| e.status != Status::Stopped);
        let alone = l.active().filter(|e| Some(&e.session) != was.as_ref().map(|w| &w.session)).count() == 0;
        let came = said.listeners.is_some_and(|n| n > 0) || rose;
        let goes_on = same.is_some();
        // The end of the old session, by its own word or by a newer one.
        if alone && before && (same.is_none() || said.status == Status::Stopped) {
            let old = was.as_ref().unwrap();
            let unheard = old.count == Some(0) && !(same.is_some() && came);
            let seen = if same.is_some() { self.jazz.now } else { old.at };
            // What was only known before a restart is not known.
            l.gone(seen, unheard && old.at > Timestamp::ZERO);
        }
        let vouched = was.as_ref().is_none_or(|e| e.vouched || e.at == Timestamp::ZERO) && unchanged;
        let entry = Entry {
            session: said.session.clone(),
            count: said.listeners,
            joins: known_joins.max(said.joins),
            joins_on_disk: same.and_then(|e| e.joins_on_disk),
            at,
            status: said.status,
            vouched,
        };
        l.entries.insert(i, entry);
        if came {
            l.arm_anew();
            let somebody = said.listeners.is_some_and(|n| n > 0);
            // Who had joined before a second reporter's first word is no news.
            let joined = rose && goes_on && l.kept_alive != Some(u32::MAX);
            if joined || somebody && l.kept_alive == Some(0) {
                l.kept_alive = None;
            }
            l.next_try_is_void();
        }
        if !vouched {
            l.before_restart = None;
        }
        if l.active().any(|e| e.status == Status::Paused) {
            l.arm_anew();
        }
        // A pause that changed nothing is not written, so a restart may forget it.
        if l.active().any(|e| e.status == Status::Paused && e.at > Timestamp::ZERO) {
            l.next_try_is_void();
        }
    }

    /// Looks at everything the stream has said since the last look.
    fn check(&mut self) {
        if std::mem::replace(&mut self.saves, self.jazz.saves) != self.jazz.saves {
            self.ledger.entries.values_mut().for_each(|e| e.joins_on_disk = e.joins);
        }
        let policy = self.jazz.policy.clone();
        let new: Vec<_> = self.jazz.told[self.told..].to_vec();
        self.told = self.jazz.told.len();
        for (index, (at, effect)) in new.iter().enumerate() {
            let (at, trusted) = (*at, self.jazz.trusted_since);
            self.ledger.observe(at, trusted);
            let earlier = &self.jazz.told[..self.told - new.len() + index];
            match effect {
                Effect::EndStream { generation, reason, force } => {
                    self.check_decision(at, *reason, *force, earlier, &policy);
                    assert!(self.ledger.open.is_none(), "two stops at once");
                    assert!(self.generations.insert((self.jazz.fence, *generation)), "a generation was used twice");
                    let by_operator = *reason == Reason::Operator;
                    self.ledger.open = Some(Open { generation: *generation, forced: *force, by_operator });
                    self.ledger.acked = false;
                    // For how long it was empty before an operator's stop, nobody knows.
                    self.ledger.settled_since_stop = by_operator;
                    if !by_operator && *reason != Reason::StopFailed && !self.ledger.due {
                        self.ledger.empty_for = policy.timeouts.all_left.get();
                    }
                    self.last_stop = Some(at);
                }
                Effect::WouldStop => {
                    assert!(policy.dry_run && !self.ledger.would_stop, "one would_stop per countdown");
                    let reason = self.ledger.failed_at.map_or(Reason::AllLeft, |_| Reason::StopFailed);
                    self.check_decision(at, reason, false, earlier, &policy);
                    self.ledger.would_stop = true;
                }
                Effect::Withdrawn { generation, cause } => {
                    let open = self.ledger.open.take().expect("a stop that was open");
                    assert_eq!(open.generation, *generation, "not the open stop: {cause:?}");
                    if *cause == Cause::NewSession {
                        // The next try was for those who were there before.
                        self.ledger.failed_at = None;
                    }
                    match cause {
                        Cause::Refused => {
                            self.ledger.arm_anew();
                            self.ledger.failed_at = None;
                        }
                        // An operator's word ended the countdown before it; what follows is another.
                        _ if open.by_operator => {
                            self.ledger.would_stop = false;
                            self.ledger.extra = Duration::ZERO;
                        }
                        // Who switches auto-end off settles what had failed.
                        Cause::Disabled => self.ledger.failed_at = None,
                        // It was due, and stays so.
                        Cause::NotDurable | Cause::Undelivered => self.ledger.due = true,
                        _ => {}
                    }
                }
                Effect::StopFailed { generation, .. } => {
                    assert_eq!(self.ledger.open.take().map(|o| o.generation), Some(*generation));
                    self.ledger.failed_at = self.last_stop.filter(|_| !self.ledger.settled_since_stop);
                    // What follows is a countdown of its own.
                    self.ledger.would_stop = false;
                    self.ledger.extra = Duration::ZERO;
                }
                Effect::Ended { .. } => {
                    self.ledger.open = None;
                    self.ledger.failed_at = None;
                    self.ledger.arm_anew();
                }
                Effect::Cancelled(cause) if *cause == Cause::Disabled => self.ledger.failed_at = None,
                _ => {}
            }
        }
        for (at, command) in self.jazz.offered[self.offered..].to_vec() {
            let known = self.ids.entry(command.id.clone()).or_insert_with(|| command.clone());
            assert_eq!((&known.session, &known.only_if), (&command.session, &command.only_if), "one id, one command");
            if let Some(guard) = command.only_if {
                assert!(self.ledger.is_empty(at, self.jazz.trusted_since), "offered though the count is not zero");
                assert_eq!(guard.listeners_at_most, 0);
            }
            let entry = self.ledger.active().find(|e| e.session == command.session.as_str());
            assert!(entry.is_some(), "a command for a session that does not run: {}", command.id);
            assert!(command.valid_until.since(command.decided_at) == secs(60) && at < command.valid_until);
        }
        self.offered = self.jazz.offered.len();
    }

    fn check_decision(
        &self,
        at: Timestamp,
        reason: Reason,
        force: bool,
        earlier: &[(Timestamp, Effect)],
        policy: &Policy,
    ) {
        let l = &self.ledger;
        if force {
            return;
        }
        let listeners: Vec<_> = l.active().map(|e| e.count).collect();
        assert!(!listeners.is_empty() && listeners.iter().all(|n| *n == Some(0)), "somebody may listen: {listeners:?}");
        assert!(l.active().all(|e| e.at >= self.jazz.trusted_since), "on evidence in doubt");
        if reason == Reason::Operator {
            return;
        }
        assert!(l.active().all(|e| at.since(e.at) < INTERVAL), "a zero is older than one report interval");
        assert!(l.active().all(|e| e.status != Status::Paused), "the streamer is paused");
        assert!(!l.held && l.kept_alive.is_none(), "an operator holds it");
        assert!(policy.enabled && self.jazz.may_stop, "not allowed");
        let last = policy.last_warning(reason).unwrap();
        let warned = earlier.iter().rposition(|(_, e)| matches!(e, Effect::Warn { .. })).expect("never warned");
        let (when, Effect::Warn { seconds, .. }) = &earlier[warned] else { unreachable!() };
        assert!(at.since(*when) >= last, "the last warning's time has not gone by");
        assert_eq!(u64::from(*seconds), last.as_secs(), "that was not the last warning");
        let again =
            |e: &Effect| matches!(e, Effect::Started { .. } | Effect::Extended { .. } | Effect::Rescheduled { .. });
        assert!(!earlier[warned..].iter().any(|(_, e)| again(e)), "not warned since it was armed or moved");
        if reason == Reason::StopFailed {
            let failed = l.failed_at.expect("a retry without a failure");
            assert!(at.since(failed) >= secs(300), "retried after {:?}", at.since(failed));
            let unheard = l.unheard_for(at);
            assert!(unheard >= l.empty_for, "retried early: unheard for {unheard:?} of {:?}", l.empty_for);
        } else if !l.due {
            let unheard = l.unheard_for(at);
            assert!(
                unheard >= policy.timeouts.all_left.get() + l.extra,
                "early: unheard for {unheard:?} of {:?}",
                policy.timeouts.all_left.get()
            );
        }
    }

    /// Time goes by; streamers report in their rhythm and timers fire.
    fn time(&mut self, millis: u64, timers: bool) {
        let until = self.jazz.now.plus(Duration::from_millis(millis));
        loop {
            let speaks = |s: &Streamer| s.runs && !s.silent;
            let report = (0..self.streamers.len())
                .filter(|i| speaks(&self.streamers[*i]))
                .map(|i| (self.streamers[i].next_report.max(self.jazz.now), i))
                .min()
                .filter(|(at, _)| timers && *at <= until);
            let timeout = self.jazz.stream.next_timeout(&self.jazz.policy);
            let expiry = self.jazz.stream.expires_at().filter(|at| *at > self.jazz.now);
            let wake = [timeout, expiry].into_iter().flatten().map(|at| at.max(self.jazz.now)).min();
            let wake = wake.filter(|at| timers && *at <= until);
            match (report, wake) {
                (Some((at, _)), Some(wake)) if wake <= at => self.wake_at(wake),
                (None, Some(wake)) => self.wake_at(wake),
                (Some((at, i)), _) => {
                    self.jazz.sleep(at.since(self.jazz.now));
                    self.streamers[i].next_report = at.plus(INTERVAL);
                    self.report(i, Duration::ZERO);
                }
                (None, None) => break,
            }
        }
        self.jazz.sleep(until.since(self.jazz.now));
    }

    fn wake_at(&mut self, at: Timestamp) {
        self.jazz.sleep(at.since(self.jazz.now));
        self.wake();
    }

    fn wake(&mut self) {
        self.ledger.observe(self.jazz.now, self.jazz.trusted_since);
        self.jazz.wake();
        self.check();
    }

    fn restart(&mut self, down: u64, reboot: bool) {
        self.ledger.observe(self.jazz.now, self.jazz.trusted_since);
        let proof = self.ledger.run.map(|(_, proof)| proof);
        self.ledger.close_run();
        self.ledger.before_restart = proof.or(self.ledger.before_restart);
        // A moment on the old boot's clock cannot be compared with one on the new.
        let before = self.jazz.now.plus(Duration::from_millis(down));
        if reboot {
            self.jazz.reboot(Duration::from_millis(down), secs(200_000), 0, None);
        } else {
            self.jazz.restart(Duration::from_millis(down), None);
        }
        let now = self.jazz.now;
        let carry = |at: Timestamp| if reboot { now.minus(before.since(at)) } else { at };
        self.ledger.before_restart = self.ledger.before_restart.map(carry);
        self.ledger.left_at = self.ledger.left_at.map(carry);
        self.ledger.failed_at = self.ledger.failed_at.map(carry);
        self.last_stop = self.last_stop.map(carry);
        for entry in self.ledger.entries.values_mut() {
            entry.at = Timestamp::ZERO;
            entry.vouched = false;
            entry.joins = entry.joins_on_disk;
        }
        for streamer in &mut self.streamers {
            streamer.next_report = now.plus(Duration::from_millis(1 + streamer.next_report.as_micros() % 4_000));
        }
        for (at, _) in &mut self.jazz.told {
            *at = carry(*at);
        }
        self.wake();
    }

    fn happen(&mut self, event: &Event) {
        self.ledger.observe(self.jazz.now, self.jazz.trusted_since);
        match event {
            Event::Time(millis) => self.time(*millis, true),
            Event::Slept(millis) => {
                self.time(*millis, false);
                self.wake();
            }
            Event::Join(i) => {
                self.streamers[*i].listeners += 1;
                self.streamers[*i].joins += 1;
            }
            Event::Leave(i) => self.streamers[*i].listeners = 0,
            Event::Blip(i) => self.streamers[*i].joins += 1,
            Event::Hide(i, on) => self.streamers[*i].hides = *on,
            Event::Silence(i, on) => self.streamers[*i].silent = *on,
            Event::Paused(i, on) => self.streamers[*i].paused = *on,
            Event::Begins(i) => {
                let s = &mut self.streamers[*i];
                (s.runs, s.session, s.listeners, s.joins) = (true, s.session + 1, 0, 0);
            }
            Event::Ends(i) if self.streamers[*i].runs => {
                self.streamers[*i].runs = false;
                self.report(*i, Duration::ZERO);
            }
            Event::Again(i) => {
                if let Some(said) = self.streamers[*i].last_said.clone() {
                    self.hear(*i, &said);
                }
            }
            Event::Late(i, age) if self.streamers[*i].runs => self.report(*i, Duration::from_millis(*age)),
            Event::Operator(action) => self.operate(*action),
            Event::Answer(outcome) => {
                if self.ledger.open.is_some()
                    && let Some((_, command)) = self.jazz.offered.last().cloned()
                {
                    let refused = *outcome == Outcome::Refused;
                    self.ledger.acked |= *outcome == Outcome::Ok;
                    self.jazz.ack(&command.id, command.source.as_str(), *outcome);
                    if *outcome == Outcome::Error {
                        self.last_stop = Some(self.jazz.now);
                    }
                    self.check();
                    if refused && !self.jazz.stream.auto_end().is_stopping() {
                        self.ledger.observe(self.jazz.now, self.jazz.trusted_since);
                    }
                }
            }
            Event::Obeys => {
                if self.jazz.stream.auto_end().is_stopping() {
                    for i in 0..self.streamers.len() {
                        if self.streamers[i].runs && self.streamers[i].listeners == 0 {
                            self.streamers[i].runs = false;
                            self.report(i, Duration::ZERO);
                        }
                    }
                }
            }
            Event::Forget(i) => {
                let was = self.ledger.entries.remove(i);
                if was.as_ref().is_some_and(|e| e.status != Status::Stopped && !e.vouched) {
                    // Nobody can say any more whether somebody joined there while the daemon was down.
                    self.ledger.before_restart = None;
                }
                if was.is_some_and(|e| e.status != Status::Stopped) && self.ledger.active().next().is_none() {
                    self.ledger.gone(self.jazz.now, false);
                }
                self.jazz.forget(&format!("radio-{i}"));
                self.check();
            }
            Event::Doubt(i) => {
                if let Some(entry) = self.ledger.entries.get_mut(i) {
                    entry.at = Timestamp::ZERO;
                }
                self.jazz.doubt(&format!("radio-{i}"));
                self.check();
            }
            Event::Stall => {
                self.jazz.sleep(secs(3));
                self.jazz.trusted_since = self.jazz.now;
                self.wake();
            }
            Event::Disk(works) => {
                if *works && !self.jazz.disk_works {
                    self.jazz.trusted_since = self.jazz.now.plus(Duration::from_micros(1));
                    self.jazz.sleep(Duration::from_micros(1));
                }
                // The daemon learns of it with its next write.
                (self.jazz.disk_works, self.jazz.may_stop) = (*works, *works);
                if *works {
                    // What it could not write waits in memory until it can.
                    self.jazz.input(|_, _| (sattva_actors::channel::auto_end::Effects::new(), true, ()));
                }
                self.wake();
            }
            Event::Reload { timeout, enabled, dry_run, warnings } => {
                let policy = Policy { enabled: *enabled, dry_run: *dry_run, ..Policy::new(secs(*timeout), warnings) };
                if !enabled {
                    self.ledger.arm_anew();
                }
                if !dry_run && self.ledger.would_stop {
                    self.ledger.arm_anew();
                    // The next try is another countdown of what had been empty for long enough.
                    self.ledger.empty_for = Duration::ZERO;
                }
                self.ledger.observe(self.jazz.now, self.jazz.trusted_since);
                self.jazz.reload(policy);
                self.check();
            }
            Event::Restart { down, reboot } if self.jazz.disk_works => self.restart(*down, *reboot),
            Event::KilledHearing(i, down) if self.jazz.disk_works && self.streamers[*i].runs => {
                let ledger = self.ledger.clone();
                let (told, last_stop) = (self.jazz.told.len(), self.last_stop);
                self.jazz.dying = true;
                self.report(*i, Duration::ZERO);
                // Nobody was answered: for everyone else this report was never taken in.
                self.ledger = ledger;
                self.last_stop = last_stop;
                self.jazz.told.truncate(told);
                self.told = told;
                self.restart(*down, false);
            }
            _ => {}
        }
    }

    fn operate(&mut self, action: Action) {
        let over = self.ledger.active().next().is_none();
        self.ledger.observe(self.jazz.now, self.jazz.trusted_since);
        // By the contract these take effect before anything is decided.
        let before = self.ledger.clone();
        match action {
            _ if over => {}
            Action::Pause => {
                self.ledger.arm_anew();
                self.ledger.held = true;
                self.ledger.next_try_is_void();
            }
            Action::Resume => self.ledger.held = false,
            Action::Cancel => {
                self.ledger.arm_anew();
                self.ledger.kept_alive = Some(u32::MAX);
                self.ledger.next_try_is_void();
            }
            Action::Extend(by) => self.ledger.extra += by,
            Action::Stop { .. } => {}
        }
        let (_, answer) = self.jazz.operate(action);
        if answer.is_err() {
            self.ledger = before;
        }
        self.check();
    }

    /// Everything is well and nobody listens: the stream must be stopped, in time.
    fn all_is_well(&mut self) {
        let policy = Policy::default();
        self.happen(&Event::Disk(true));
        self.happen(&Event::Reload { timeout: 300, enabled: true, dry_run: false, warnings: WARNINGS[0] });
        if self.streamers.iter().all(|s| !s.runs) {
            self.happen(&Event::Begins(0));
        }
        for i in 0..self.streamers.len() {
            let s = &mut self.streamers[i];
            (s.hides, s.silent, s.paused, s.listeners) = (false, false, false, 0);
            s.next_report = self.jazz.now.plus(Duration::from_millis(1 + 1300 * i as u64));
        }
        // Whoever no longer runs says so, or is forgotten.
        for i in 0..self.streamers.len() {
            if !self.streamers[i].runs {
                self.report(i, Duration::ZERO);
            }
        }
        self.time(6_000, true);
        self.operate(Action::Resume);
        // Only where an operator keeps it alive somebody has to come and go.
        let heard = self.ledger.kept_alive.is_some();
        if heard {
            let first = (0..self.streamers.len()).find(|i| self.streamers[*i].runs).unwrap();
            self.happen(&Event::Join(first));
            self.time(6_000, true);
            self.happen(&Event::Leave(first));
        }
        let told = self.jazz.told.len();
        let stop_was_open = self.jazz.stream.auto_end().is_stopping();
        let has_failed = self.jazz.phase() == PhaseName::StopFailed;
        let extended = if heard { Duration::ZERO } else { self.ledger.extra };
        let (at, longest) = (self.jazz.now, policy.timeouts.all_left.get() + extended);
        self.time(320_000 + extended.as_millis() as u64, true);
        let stops = |w: &Self| {
            let decided = w.jazz.told[told..].iter().filter(|(_, e)| matches!(e, Effect::EndStream { .. }));
            decided.map(|(at, _)| *at).collect::<Vec<_>>()
        };
        if stop_was_open || has_failed {
            // An earlier stop first has to fail, or has failed already, and is then tried again.
            self.time(60_000 + 300_000 + 20_000, true);
        } else if !heard {
            // It may have counted down for a while.
            let stop = *stops(self).first().expect("an empty stream was not stopped");
            assert!(stop.since(at) <= longest + secs(2), "stopped {:?} late", stop.since(at).saturating_sub(longest));
        } else {
            let armed = self.jazz.told[told..].iter().find(|(_, e)| matches!(e, Effect::Started { .. }));
            let armed = armed.expect("an empty stream was not armed").0;
            let stop = *stops(self).first().expect("an empty stream was not stopped");
            assert!(
                stop.since(armed) >= policy.timeouts.all_left.get()
                    && stop.since(armed) <= policy.timeouts.all_left.get() + secs(2)
            );
        }
        assert!(!stops(self).is_empty(), "an empty stream was not stopped");
    }
}

fn live_through(sources: usize, tells_joins: &[bool], events: &[Event]) {
    let mut world = World::new(sources, tells_joins);
    for event in events {
        world.happen(event);
    }
    world.all_is_well();
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn one_reporters_random_histories_keep_every_law(
        joins: bool, events in proptest::collection::vec(event(1), 1..60),
    ) {
        live_through(1, &[joins], &events);
    }

    #[test]
    fn three_reporters_random_histories_keep_every_law(
        joins in proptest::collection::vec(any::<bool>(), 3),
        (sources, events) in (2usize..4).prop_flat_map(|n| (Just(n), proptest::collection::vec(event(n), 1..60))),
    ) {
        live_through(sources, &joins, &events);
    }
}
