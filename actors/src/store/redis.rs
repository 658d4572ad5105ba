//! The store that several daemons share: a Redis. Whatever is written there is written by a script, on Redis's own
//! clock and under the fences of the slots it is in; what belongs to another daemon by now is refused.

pub mod leases;
mod link;
pub mod wishes;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
    time::{Duration, Instant},
};

use redis::{FromRedisValue, Script, ScriptInvocation};

pub use self::link::Link;
use self::{
    leases::{Leases, Tenures},
    link::Line,
    wishes::Wishes,
};
use super::{Committed, Group, Handover, Loaded, Store, StoreError, failed};
use crate::{
    channel::journal::{DECISIONS_KEPT, Decision},
    clock::{Clock, Stamp, Timestamp},
    identity::ChannelId,
    territory::{SLOTS, Slot},
};

const LEASES: &str = "sattva:leases";
const PULSES: &str = "sattva:pulses";
const FENCE: &str = "sattva:fence";
const BORN: &str = "sattva:born";
const LIFE: &str = "sattva:life";
/// The number of the last write in each slot.
const WRITES: &str = "sattva:writes";
/// The daemons that share the slots.
const DAEMONS: &str = "sattva:daemons";
/// The channels whose paused key was written by a daemon.
const MIRROR: &str = "sattva:paused";
const RECORDS: &str = "sattva:records:";
const JOURNAL: &str = "sattva:journal:";

/// Leases are renewed, and free slots taken, this often.
const RENEW_EVERY: Duration = Duration::from_millis(500);
/// After Redis has lost its data or was away, whoever held a slot has this long to come back before others take it; on
/// an empty one, twice as long: whoever was cut off waits so long for whoever held it later.
const GRACE: Duration = Duration::from_secs(3);
/// Redis is spoken with without a break while no longer passes between two answers.
const SILENCE: Duration = Duration::from_secs(2);
/// What one call writes at most: more would keep Redis from everybody else for too long.
const OPERATIONS_TOGETHER: usize = 1000;
/// Redis's clock may run apart from this machine's by so much between two looks.
const CLOCK_STEP: Duration = Duration::from_secs(2);

static TENURE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/tenure.lua")));
static COMMIT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/commit.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/release.lua")));

/// What `commit.lua` answers: Redis's time in milliseconds since 1970, the slots that are another's, those of which it has
/// lost the data, and what operators have left in Redis for a channel.
pub type Written = (i64, BTreeSet<u16>, BTreeSet<u16>, Vec<(String, String)>);

/// Who has the slots, of several daemons on one Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One has all, the others stand by.
    Standby,
    /// Each has a part, and brings the others what is theirs.
    Active,
}

pub struct RedisStore {
    link: Link,
    /// This start of this daemon.
    me: String,
    lease: Duration,
    sharing: Sharing,
    line: Option<Line>,
    leases: Leases,
    /// Since when Redis has had the data that told of them, see `tenure.lua`.
    life: i64,
    wishes: Wishes,
    pulse: Option<(Stamp, Timestamp)>,
    /// When the next renewal is due is counted from here; `None` = at once.
    renewed: Option<Instant>,
    /// When the last renewal began that was answered: whatever is held has been leased at least since then.
    held_since: Option<Instant>,
    clock: RemoteClock,
    contact: Contact,
    /// What was held has been given back; nothing is taken any more.
    closed: bool,
    started: Instant,
    /// Writes so far, those that were given up among them.
    writes: u64,
    /// Which start of which Redis was spoken with last.
    server: Option<String>,
    /// What has come about and not been told, because something else failed meanwhile.
    untold: Committed,
}

impl RedisStore {
    /// Nothing is asked of Redis yet: a daemon starts without it, and waits. `me` names this start of the daemon,
    /// without spaces.
    pub fn new(link: Link, me: String, lease: Duration, sharing: Sharing) -> Self {
        Self {
            link,
            me,
            lease,
            sharing,
            line: None,
            leases: Leases::default(),
            life: 0,
            wishes: Wishes::default(),
            pulse: None,
            renewed: None,
            held_since: None,
            clock: RemoteClock::default(),
            contact: Contact::default(),
            closed: false,
            started: Instant::now(),
            writes: 0,
            server: None,
            untold: Committed::default(),
        }
    }

    fn line(&mut self) -> Result<&mut Line, StoreError> {
        if self.line.is_none() {
            let line = self.link.connect()?;
            self.meet(&line);
            self.line = Some(line);
            // What was changed meanwhile has not been told of.
            self.wishes.look_into(self.leases.slots());
            // It may have lost its data, and is first to hear what is ours.
            self.renewed = None;
        }
        self.line.as_mut().ok_or_else(|| StoreError::Failed("the connection to Redis is closed".into()))
    }

    /// Another Redis than before, or one that was started anew, may lack what was written last: it is written anew.
    fn meet(&mut self, line: &Line) {
        let before = self.server.replace(line.server.clone());
        if before.as_ref() == Some(&line.server) {
            return;
        }
        if let Some(policy) = &line.eviction {
            let redis = self.link.address();
            tracing::warn!(
                redis,
                policy,
                "this Redis drops keys when it is full, ours among them; set maxmemory-policy noeviction"
            );
        }
        let anew: Vec<Slot> = self.leases.slots().collect();
        if before.is_some() && !anew.is_empty() {
            self.hand_over(Vec::new(), Vec::new(), anew);
        }
    }

    fn hand_over(&mut self, lost: Vec<Slot>, gained: Vec<Loaded>, anew: Vec<Slot>) {
        let territory = self.leases.territory();
        self.untold.handovers.push(Handover { territory, lost, leaving: Vec::new(), gained, anew });
    }

    /// Too many slots for one of several daemons: some are to be made ready for another one. They are held until their
    /// channels have left, see [`Store::give_back`].
    fn make_room(&mut self, surplus: usize) {
        let leaving = self.leases.give_up(surplus);
        if !leaving.is_empty() {
            let territory = self.leases.territory();
            self.untold.handovers.push(Handover { territory, leaving, ..Handover::default() });
        }
    }

    fn call<T: FromRedisValue>(&mut self, call: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        let answer = call.invoke(&mut self.line()?.connection);
        self.answered(answer)
    }

    /// A connection on which anything went wrong is not used again: its next answer might be an older one.
    fn answered<T>(&mut self, answer: redis::RedisResult<T>) -> Result<T, StoreError> {
        answer.map_err(|error| {
            self.line = None;
            self.contact.broke();
            StoreError::Failed(self.link.explain(&error))
        })
    }

    /// Takes note of Redis's clock; one that jumps is told of.
    fn read_clock(&mut self, redis: i64) {
        self.untold.clock_jumped |= self.clock.jumped(redis, self.started.elapsed());
    }

    // ---- what is ours ----

    fn renew(&mut self) -> Result<(), StoreError> {
        if self.renewed.is_some_and(|at| at.elapsed() < RENEW_EVERY) {
            return Ok(());
        }
        let pulse = self.pulse.as_ref().map(postcard::to_stdvec).transpose().map_err(failed)?.unwrap_or_default();
        let began = Instant::now();
        // Right after an outage nobody's lease has been renewed, and whoever held a slot knows it best.
        let settled = self.contact.unbroken(self.started.elapsed()) >= GRACE;
        let mut call = TENURE.prepare_invoke();
        call.key(LEASES).key(PULSES).key(FENCE).key(BORN).key(WRITES).key(DAEMONS).key(LIFE);
        call.arg(&self.me).arg(self.lease.as_millis() as u64).arg(GRACE.as_millis() as u64);
        call.arg(u8::from(settled)).arg(u8::from(self.is_current()));
        call.arg(u8::from(self.sharing == Sharing::Active)).arg(pulse).arg(SLOTS);
        call.arg(Clock::System.now().wall.as_millis()).arg(self.life);
        for (slot, fence, tenure, leaving) in self.leases.tenures() {
            call.arg(slot.number()).arg(fence).arg(tenure).arg(u8::from(leaving));
        }
        let (now, life, slots, surplus): Tenures = self.call(&call)?;
        self.read_clock(now);
        self.contact.answered(self.started.elapsed());
        self.renewed = Some(began);
        let waits = slots.iter().any(|(_, _, how)| how == "waits");
        if !waits {
            self.life = life;
            self.held_since = Some(began);
            self.untold.leased = Some(self.lease);
        }
        let change = self.leases.renewed(slots);
        let new: Vec<Slot> = self.leases.unread().collect();
        // What is lost is told of even where what is new cannot be read.
        if !change.lost.is_empty() || !change.anew.is_empty() {
            self.hand_over(change.lost, Vec::new(), change.anew);
        }
        if !new.is_empty() {
            let gained = self.load(&new)?;
            self.leases.read(&new);
            // What was vouched for so far knew nothing of what has just been read.
            self.pulse = None;
            self.wishes.look_into(new);
            self.hand_over(Vec::new(), gained, Vec::new());
        }
        self.make_room(surplus);
        if waits {
            return Err(StoreError::Failed(format!(
                "the Redis at {} has lost its data while this daemon was cut off; whoever held them last is waited for",
                self.link.address()
            )));
        }
        Ok(())
    }

    /// Nobody else can have had what is held here, as far as this machine's clock tells.
    fn is_current(&self) -> bool {
        self.held_since.is_some_and(|since| since.elapsed() < self.lease)
    }

    /// What was left in slots that have just been taken, in one round trip: a lease may be short.
    fn load(&mut self, slots: &[Slot]) -> Result<Vec<Loaded>, StoreError> {
        let mut pipe = redis::pipe();
        for slot in slots {
            pipe.hget(PULSES, slot.number()).hgetall(format!("{RECORDS}{}", slot.number()));
        }
        let answer = pipe.query(&mut self.line()?.connection);
        type Left = (Option<Vec<u8>>, BTreeMap<String, Vec<u8>>);
        let rows: Vec<Left> = self.answered(answer)?;
        Ok(rows.into_iter().map(|(pulse, records)| loaded(pulse, records)).collect())
    }

    fn release(&mut self, held: &[(Slot, u64)], ends: bool) {
        let mut call = RELEASE.prepare_invoke();
        call.key(LEASES).key(DAEMONS).arg(&self.me).arg(u8::from(ends));
        for (slot, fence) in held {
            call.arg(slot.number()).arg(*fence);
        }
        if let Err(error) = self.call::<()>(&call) {
            tracing::warn!(%error, "slots could not be given back; they are free when their lease ends");
        }
    }

    // ---- what is written ----

    fn write(&mut self, group: &Group) -> Result<(), StoreError> {
        let mut operations = Vec::new();
        let mut refused = Vec::new();
        let tenure = |channel: &ChannelId| group.tenures.get(channel).copied();
        let mut add = |channel: &ChannelId, what| match self.leases.fence_of(channel, tenure(channel)) {
            Some((slot, fence)) => operations.push(Operation { slot, fence, channel: channel.clone(), what }),
            None => refused.push(channel.clone()),
        };
        // The journal first: a stop that is kept always has its decision beside it.
        group.forgotten.iter().for_each(|channel| add(channel, What::Forget));
        for (channel, decision) in &group.decisions {
            add(channel, What::Decide(serde_json::to_vec(decision).map_err(failed)?));
        }
        for (channel, record) in &group.records {
            add(channel, record.as_ref().map_or(What::Erase, |record| What::Record(record)));
        }
        for (channel, view) in &group.views {
            add(channel, What::View(view));
        }
        self.untold.refused.extend(refused);
        for together in operations.chunks(OPERATIONS_TOGETHER) {
            self.write_together(together)?;
        }
        Ok(())
    }

    /// An error where Redis has forgotten what is ours: it is told so before this is written again.
    fn write_together(&mut self, operations: &[Operation<'_>]) -> Result<(), StoreError> {
        let slots: BTreeMap<Slot, u64> = operations.iter().map(|operation| (operation.slot, operation.fence)).collect();
        let mut call = COMMIT.prepare_invoke();
        self.writes += 1;
        call.key(LEASES).key(MIRROR).key(WRITES).arg(&self.me).arg(self.writes).arg(slots.len());
        for (slot, fence) in &slots {
            call.arg(slot.number()).arg(*fence);
        }
        operations.iter().for_each(|operation| operation.write_to(&mut call));
        let (now, lost, forgotten, wishes): Written = self.call(&call)?;
        self.read_clock(now);
        let lost: BTreeSet<Slot> = lost.into_iter().filter_map(Slot::numbered).collect();
        self.untold.refused.extend(
            operations
                .iter()
                .filter(|operation| lost.contains(&operation.slot))
                .map(|operation| operation.channel.clone()),
        );
        let lost = self.leases.lose(&lost);
        if !lost.is_empty() {
            self.hand_over(lost, Vec::new(), Vec::new());
        }
        self.untold.wishes.extend(self.wishes.told(wishes));
        if forgotten.is_empty() {
            return Ok(());
        }
        self.renewed = None;
        Err(StoreError::Failed(format!("the Redis at {} has lost its data; it is written anew", self.link.address())))
    }
}

/// What was left in one slot: its pulse, and the records of its channels.
pub fn loaded(pulse: Option<Vec<u8>>, records: BTreeMap<String, Vec<u8>>) -> Loaded {
    let mut loaded = Loaded { pulse: pulse.and_then(|bytes| postcard::from_bytes(&bytes).ok()), ..Loaded::default() };
    for (id, record) in records {
        match ChannelId::new(&id) {
            Ok(id) => loaded.records.push((id, record)),
            Err(error) => tracing::error!(%error, "a stored channel has an impossible name and is left out"),
        }
    }
    loaded
}

/// The journal of a channel, in order.
pub fn decisions(rows: &[Vec<u8>]) -> Result<Vec<Decision>, StoreError> {
    let decisions: Result<Vec<Decision>, _> = rows.iter().map(|row| serde_json::from_slice(row)).collect();
    let mut decisions = decisions.map_err(failed)?;
    decisions.sort_by_key(|decision| (decision.at, decision.seq));
    // What was written and not answered has been written once more.
    decisions.dedup_by_key(|decision| (decision.at, decision.seq));
    Ok(decisions)
}

/// Redis's clock beside this machine's, at the last look.
#[derive(Debug, Default)]
struct RemoteClock(Option<(i64, Duration)>);

impl RemoteClock {
    /// `redis` is what it shows, in milliseconds, `here` the time on a clock of ours that nobody can set.
    fn jumped(&mut self, redis: i64, here: Duration) -> bool {
        let Some((redis_then, then)) = self.0.replace((redis, here)) else { return false };
        let passed = here.saturating_sub(then).as_millis() as i64;
        (redis - redis_then - passed).unsigned_abs() > CLOCK_STEP.as_millis() as u64
    }
}

/// For how long Redis has been spoken with, on a clock of ours that nobody can set.
#[derive(Debug, Default)]
struct Contact(Option<(Duration, Duration)>);

impl Contact {
    fn answered(&mut self, now: Duration) {
        let since = now.saturating_sub(self.unbroken(now));
        self.0 = Some((since, now));
    }

    fn broke(&mut self) {
        self.0 = None;
    }

    fn unbroken(&self, now: Duration) -> Duration {
        match self.0 {
            Some((since, last)) if now.saturating_sub(last) <= SILENCE => now.saturating_sub(since),
            _ => Duration::ZERO,
        }
    }
}

/// One thing that is written.
struct Operation<'a> {
    slot: Slot,
    fence: u64,
    channel: ChannelId,
    what: What<'a>,
}

enum What<'a> {
    Forget,
    Decide(Vec<u8>),
    Record(&'a [u8]),
    Erase,
    View(&'a super::View),
}

impl Operation<'_> {
    /// As `commit.lua` reads it.
    fn write_to(&self, call: &mut ScriptInvocation<'_>) {
        let name = match self.what {
            What::Forget => "forget",
            What::Decide(_) => "decide",
            What::Record(_) => "record",
            What::Erase => "erase",
            What::View(_) => "view",
        };
        call.arg(name).arg(self.slot.number()).arg(self.channel.as_str());
        match &self.what {
            What::Forget | What::Erase => {}
            What::Decide(decision) => {
                call.arg(decision).arg(DECISIONS_KEPT);
            }
            What::Record(record) => {
                call.arg(*record);
            }
            What::View(view) => {
                call.arg(u8::from(view.held)).arg(view.at.to_string());
                match view.timer {
                    Some((since, left)) => {
                        // Rounded up, and never so little that it would be none.
                        call.arg(since.to_string()).arg(left.as_millis().div_ceil(1000).max(1) as u64);
                    }
                    None => {
                        call.arg("").arg(0);
                    }
                }
            }
        }
    }
}

impl Store for RedisStore {
    fn is_shared(&self) -> bool {
        true
    }

    fn commit(&mut self, group: &Group) -> Result<Committed, StoreError> {
        if self.closed {
            return Ok(Committed { refused: group.channels().cloned().collect(), ..Committed::default() });
        }
        // Of an earlier visit, in which something failed afterwards.
        self.untold.leased = None;
        self.line()?;
        self.renew()?;
        self.write(group)?;
        // Goes out with the next renewal: what it vouches for is to be there before it.
        if self.untold.handovers.iter().all(|handover| handover.gained.is_empty()) {
            self.pulse = group.pulse.or(self.pulse);
        }
        self.look_for_wishes()?;
        Ok(std::mem::take(&mut self.untold))
    }

    fn record(&mut self, channel: &ChannelId) -> Result<Option<Vec<u8>>, StoreError> {
        let key = format!("{RECORDS}{}", Slot::of(channel.as_str()).number());
        let answer = redis::cmd("HGET").arg(key).arg(channel.as_str()).query(&mut self.line()?.connection);
        self.answered(answer)
    }

    fn journal(&mut self, channel: &ChannelId) -> Result<Vec<Decision>, StoreError> {
        let range = redis::cmd("LRANGE").arg(format!("{JOURNAL}{channel}")).arg(0).arg(-1).to_owned();
        let answer = range.query(&mut self.line()?.connection);
        let rows: Vec<Vec<u8>> = self.answered(answer)?;
        decisions(&rows)
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        self.line = None;
        self.line().map(|_| ())
    }

    fn give_back(&mut self, slots: &[Slot]) {
        let held = self.leases.let_go(slots);
        self.release(&held, false);
    }

    fn close(&mut self) {
        let held: Vec<(Slot, u64)> = self.leases.held().collect();
        self.release(&held, true);
        self.leases = Leases::default();
        self.closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_goes_otherwise_than_ours_has_jumped() {
        let mut clock = RemoteClock::default();
        let secs = Duration::from_secs;
        assert!(!clock.jumped(1_000_000, secs(5)));
        assert!(!clock.jumped(1_010_000, secs(15)), "as time goes by");
        assert!(!clock.jumped(1_011_500, secs(15)), "an answer that took long");
        assert!(clock.jumped(1_041_500, secs(16)), "set forward");
        assert!(!clock.jumped(1_042_500, secs(17)), "and goes on from there");
        assert!(clock.jumped(1_000_000, secs(18)), "set back");
    }

    #[test]
    fn an_error_or_a_long_silence_breaks_the_contact() {
        let millis = Duration::from_millis;
        let mut contact = Contact::default();
        assert_eq!(contact.unbroken(millis(700)), Duration::ZERO);
        (1..=8).for_each(|half| contact.answered(millis(half * 500)));
        assert_eq!(contact.unbroken(millis(4500)), millis(4000), "since the first answer");
        contact.broke();
        assert_eq!(contact.unbroken(millis(4500)), Duration::ZERO, "after an error");
        contact.answered(millis(5000));
        contact.answered(millis(6000));
        assert_eq!(contact.unbroken(millis(6000)), millis(1000));
        contact.answered(millis(9000));
        assert_eq!(contact.unbroken(millis(9500)), millis(500), "it slept in between");
    }
}
