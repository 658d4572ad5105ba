//! One stream with an actor's habits around it: a clock, a disk, timers, and what was told and offered.

use std::time::Duration;

use sattva_actors::{
    channel::{
        auto_end::{Effect, Effects, PhaseName, Rules},
        policy::Policy,
        stop::Fence,
        stream::{Absence, Moment, Reaction, Stream},
    },
    clock::{BootId, Now, Stamp, Timestamp, WallTime},
    identity::{ChannelId, SourceId},
    protocol::{Ack, Action, ActionError, Identity, Outcome, Report, Retract, Status, StopCommand},
};

pub const INTERVAL: Duration = Duration::from_secs(5);

pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What a source says in one report.
#[derive(Clone, Debug)]
pub struct Said {
    pub session: String,
    pub seq: Option<u64>,
    pub started_at: Option<i64>,
    pub status: Status,
    pub listeners: Option<u32>,
    pub joins: Option<u64>,
    pub interval: Duration,
    /// How old the count is when it arrives.
    pub age: Duration,
    pub can_stop: bool,
}

pub fn says(listeners: impl Into<Option<u32>>) -> Said {
    Said {
        session: "s1".into(),
        seq: None,
        started_at: None,
        status: Status::Live,
        listeners: listeners.into(),
        joins: None,
        interval: INTERVAL,
        age: Duration::ZERO,
        can_stop: true,
    }
}

pub fn is(status: Status) -> Said {
    Said { status, ..says(0) }
}

impl Said {
    pub fn joins(self, joins: u64) -> Self {
        Self { joins: Some(joins), ..self }
    }

    pub fn of(self, session: &str) -> Self {
        Self { session: session.into(), ..self }
    }

    pub fn started(self, at: i64) -> Self {
        Self { started_at: Some(at), ..self }
    }

    pub fn seq(self, seq: u64) -> Self {
        Self { seq: Some(seq), ..self }
    }

    pub fn aged(self, age: Duration) -> Self {
        Self { age, ..self }
    }

    /// By a source that may not be told to stop.
    pub fn untouchable(self) -> Self {
        Self { can_stop: false, ..self }
    }

    pub fn every(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }
}

#[derive(Clone)]
pub struct Subject {
    pub stream: Stream,
    pub policy: Policy,
    pub now: Timestamp,
    pub wall: i64,
    pub trusted_since: Timestamp,
    pub may_stop: bool,
    pub disk_works: bool,
    /// The process is about to die: nothing reaches the disk any more.
    pub dying: bool,
    pub fence: u64,
    pub boot: u128,
    pub disk: Option<Vec<u8>>,
    /// Writes that reached the disk.
    pub saves: u64,
    pub seq: u64,
    pub told: Vec<(Timestamp, Effect)>,
    pub offered: Vec<(Timestamp, StopCommand)>,
    /// What was taken back because the count had come into doubt.
    pub held_back: Vec<(Timestamp, Retract)>,
}

impl Default for Subject {
    fn default() -> Self {
        Self::under(Policy::default())
    }
}

impl Subject {
    pub fn under(policy: Policy) -> Self {
        let now = Timestamp::from_secs(100_000);
        Self {
            stream: Stream::new(ChannelId::new("jazz").unwrap()),
            policy,
            now,
            wall: 1_800_000_000_000,
            trusted_since: now,
            may_stop: true,
            disk_works: true,
            dying: false,
            fence: 1,
            boot: 1,
            disk: None,
            saves: 0,
            seq: 0,
            told: Vec::new(),
            offered: Vec::new(),
            held_back: Vec::new(),
        }
    }

    fn clock(&self) -> Now {
        Now { at: self.now, wall: WallTime::from_millis(self.wall) }
    }

    fn stamp(&self) -> Stamp {
        Stamp { boot: BootId::from_u128(self.boot), now: self.clock() }
    }

    fn moment<'a>(&self, policy: &'a Policy) -> Moment<'a> {
        let rules = Rules { policy, may_stop: self.may_stop };
        let fence = Fence { start: self.fence, life: 0 };
        Moment { now: self.clock(), trusted_since: self.trusted_since, rules, fence }
    }

    /// Lets one input act at this moment.
    pub fn input<T>(&mut self, act: impl FnOnce(&mut Stream, Moment<'_>) -> (Effects, bool, T)) -> (Vec<Effect>, T) {
        let policy = self.policy.clone();
        let m = self.moment(&policy);
        let (effects, save, answer) = act(&mut self.stream, m);
        (self.carry_out(effects, save), answer)
    }

    fn carry_out(&mut self, effects: Effects, save: bool) -> Vec<Effect> {
        self.told.extend(effects.iter().map(|e| (self.now, e.clone())));
        let mut decided = None;
        for effect in &effects {
            let id = self.stream.id.clone();
            match (effect, self.stream.stop_mut()) {
                (Effect::Withdrawn { .. }, Some(stop)) => drop(stop.withdraw(&id)),
                (Effect::StopFailed { .. }, Some(stop)) => drop(stop.fail(&id)),
                (Effect::Ended { .. }, Some(stop)) => drop(stop.confirm(&id)),
                (Effect::EndStream { generation, .. }, _) => decided = Some(*generation),
                _ => {}
            }
        }
        if (save || !effects.is_empty()) && self.disk_works && !self.dying {
            self.disk = Some(self.stream.record(self.stamp()).unwrap());
            self.saves += 1;
        }
        let mut all = effects.to_vec();
        if self.dying {
            return all;
        }
        let policy = self.policy.clone();
        if let Some(generation) = decided {
            let m = self.moment(&policy);
            let more = self.stream.on_durable(m, generation, self.disk_works);
            all.extend(self.carry_out(more, false));
        }
        let m = self.moment(&policy);
        self.held_back.extend(self.stream.hold_back(m).into_iter().map(|retract| (self.now, retract)));
        if self.stream.has_stop_to_offer() {
            let m = self.moment(&policy);
            self.offered.extend(self.stream.offer(m).into_iter().map(|c| (self.now, c)));
        }
        all
    }

    pub fn hear(&mut self, source: &str, said: &Said) -> (Vec<Effect>, Reaction) {
        self.seq += 1;
        let seq = said.seq.unwrap_or(self.seq);
        let report = Report {
            identity: Identity::Numbered {
                session: said.session.as_str().into(),
                started_at: said.started_at.map(WallTime::from_millis),
                seq,
            },
            status: said.status,
            listeners: said.listeners,
            joins: said.joins,
            queue_size: None,
            queue_ops: None,
            track: None,
            observed_at: None,
            interval: said.interval,
            can_stop: said.can_stop,
        };
        let source = SourceId::new(source).unwrap();
        let at = self.now.minus(said.age);
        self.input(|stream, m| {
            let reaction = stream.on_report(m, &source, &report, at);
            (reaction.effects.clone(), reaction.session_changed, reaction)
        })
    }

    /// A report of the one source most laws need.
    pub fn say(&mut self, said: Said) -> Vec<Effect> {
        self.hear("radio", &said).0
    }

    pub fn wake(&mut self) -> Vec<Effect> {
        self.input(|stream, m| (stream.on_wake(m), false, ())).0
    }

    /// Time goes by without a timer firing.
    pub fn sleep(&mut self, time: Duration) {
        self.now = self.now.plus(time);
        self.wall += time.as_millis() as i64;
    }

    /// Time goes by and timers fire when they are due.
    pub fn pass(&mut self, time: Duration) -> Vec<Effect> {
        let until = self.now.plus(time);
        let mut effects = Vec::new();
        loop {
            let timeout = self.stream.next_timeout(&self.policy);
            let expiry = self.stream.expires_at().filter(|at| *at > self.now);
            let next = [timeout, expiry].into_iter().flatten().map(|at| at.max(self.now)).min();
            let Some(next) = next.filter(|at| *at <= until) else { break };
            self.sleep(next.since(self.now));
            let before = self.stream.next_timeout(&self.policy);
            effects.extend(self.wake());
            assert!(
                self.stream.next_timeout(&self.policy) != before || before.is_none_or(|at| at > self.now),
                "a timer that fires must move on"
            );
        }
        self.sleep(until.since(self.now));
        effects
    }

    /// The source repeats itself in its rhythm for so long.
    pub fn keep_saying(&mut self, said: &Said, time: Duration) -> Vec<Effect> {
        let until = self.now.plus(time);
        let mut effects = self.say(said.clone());
        while self.now.plus(said.interval) <= until {
            effects.extend(self.pass(said.interval));
            effects.extend(self.say(said.clone()));
        }
        effects.extend(self.pass(until.since(self.now)));
        effects
    }

    pub fn operate(&mut self, action: Action) -> (Vec<Effect>, Result<(), ActionError>) {
        self.input(|stream, m| match stream.operate(m, action) {
            Ok(effects) => (effects, true, Ok(())),
            Err(error) => (Effects::new(), false, Err(error)),
        })
    }

    pub fn ack(&mut self, id: &str, source: &str, outcome: Outcome) -> Vec<Effect> {
        let ack = Ack { id: id.into(), outcome, detail: None };
        let source = SourceId::new(source).unwrap();
        self.input(|stream, m| match stream.on_ack(m, &source, &ack) {
            Some(effects) => (effects, true, ()),
            None => (Effects::new(), false, ()),
        })
        .0
    }

    pub fn delivers(&mut self, id: &str) -> bool {
        self.input(|stream, m| {
            let first = stream.on_delivered(m, id);
            (Effects::new(), first, first)
        })
        .1
    }

    pub fn reload(&mut self, policy: Policy) -> Vec<Effect> {
        let old = std::mem::replace(&mut self.policy, policy);
        self.input(|stream, m| (stream.on_policy_change(m, &old), old != *m.rules.policy, ())).0
    }

    pub fn forget(&mut self, source: &str) -> Vec<Effect> {
        self.input(|stream, m| match stream.on_forget(m, source) {
            Ok(effects) => (effects, true, ()),
            Err(_) => (Effects::new(), false, ()),
        })
        .0
    }

    pub fn doubt(&mut self, prefix: &str) -> Vec<Effect> {
        self.input(|stream, m| (stream.on_doubt(m, prefix), false, ())).0
    }

    /// The daemon dies and comes back after `down`; every countdown was certain until `certain`.
    pub fn restart(&mut self, down: Duration, certain: Option<Timestamp>) {
        let pulse = certain.map(|certain| (self.stamp(), certain));
        self.sleep(down);
        self.rise(pulse, Absence::WallClock);
    }

    /// The machine reboots: its boot clock starts anew, and its wall clock may have been set.
    pub fn reboot(&mut self, down: Duration, uptime: Duration, wall_step: i64, certain: Option<Timestamp>) {
        let pulse = certain.map(|certain| (self.stamp(), certain));
        self.sleep(down);
        self.boot += 1;
        self.now = Timestamp::ZERO.plus(uptime);
        self.wall += wall_step;
        self.rise(pulse, Absence::WallClock);
    }

    /// The daemon dies, having given a sign of life just before, and `after` that another machine takes the channel
    /// over, up for so long and with another wall clock.
    pub fn taken_over(&mut self, after: Duration, uptime: Duration, wall_step: i64) {
        let pulse = Some((self.stamp(), self.now));
        self.sleep(after);
        self.boot += 1;
        self.now = Timestamp::ZERO.plus(uptime);
        self.wall += wall_step;
        self.rise(pulse, Absence::StoodStill);
    }

    fn rise(&mut self, pulse: Option<(Stamp, Timestamp)>, absence: Absence) {
        self.fence += 1;
        self.dying = false;
        self.trusted_since = self.now;
        let id = self.stream.id.clone();
        self.stream = match &self.disk {
            Some(record) => Stream::restore(id, record, pulse, self.stamp(), absence, &self.policy).unwrap().stream,
            None => Stream::new(id),
        };
    }

    /// Nobody listens until it is told to stop, and it says that it does.
    pub fn until_it_has_answered(&mut self) {
        while self.offered.is_empty() {
            self.keep_saying(&says(0), secs(4));
        }
        let id = self.last_command().id;
        self.ack(&id, "radio", Outcome::Ok);
    }

    pub fn phase(&self) -> PhaseName {
        self.stream.auto_end().phase(&self.policy)
    }

    pub fn explains(&self) -> String {
        self.stream.explain(self.moment(&self.policy))
    }

    pub fn ends_at(&self) -> Option<Timestamp> {
        self.stream.auto_end().ends_at()
    }

    pub fn last_command(&self) -> StopCommand {
        self.offered.last().expect("a command was offered").1.clone()
    }
}

pub fn stops(effects: &[Effect]) -> usize {
    effects.iter().filter(|e| matches!(e, Effect::EndStream { .. })).count()
}

pub fn warnings(effects: &[Effect]) -> Vec<u32> {
    let seconds = |e: &Effect| match e {
        Effect::Warn { seconds, .. } => Some(*seconds),
        _ => None,
    };
    effects.iter().filter_map(seconds).collect()
}
