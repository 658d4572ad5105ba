//! What goes wrong, and when: drawn from the seed, so that a run can be played again.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    time::{Duration, Instant},
};

use rand::{Rng, rngs::StdRng};

use crate::{fleet::Fleet, proxy::Passage, world::World};

/// From when until when faults begin, counted from the first report.
const BEGIN: Range<u64> = 1_000..18_000;
const APART: Range<u64> = 1_000..3_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// kill -9; started again when it is over.
    Kill {
        daemon: usize,
    },
    /// SIGTERM; started again when it is over.
    Leave {
        daemon: usize,
    },
    /// SIGSTOP; mostly for longer than its lease.
    Sleep {
        daemon: usize,
    },
    /// Its wall clock is set.
    Clock {
        daemon: usize,
        milliseconds: i64,
    },
    /// There is no room on the disk.
    DiskFull,
    /// What the daemon asks of the disk ends with EIO.
    DiskFails {
        daemon: usize,
        calls: &'static str,
    },
    Network {
        daemon: usize,
        passage: Passage,
    },
    RedisSleeps,
    /// Killed; back and empty when it is over.
    RedisLost,
    RedisClock {
        milliseconds: i64,
    },
}

/// A fault begins.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    pub at: Duration,
    pub lasts: Duration,
    pub fault: Fault,
}

impl Fault {
    /// What is counted together.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Kill { .. } => "kill",
            Self::Leave { .. } => "leave",
            Self::Sleep { .. } => "sleep",
            Self::Network { passage: Passage::Nothing, .. } => "cut",
            Self::Network { passage: Passage::Torn, .. } => "torn",
            Self::Network { .. } => "stall",
            Self::RedisSleeps => "redis sleeps",
            Self::RedisLost => "redis lost",
            Self::RedisClock { .. } => "redis clock",
            Self::Clock { .. } => "clock",
            Self::DiskFull => "disk full",
            Self::DiskFails { .. } => "disk fails",
        }
    }

    /// What can suffer only one fault at a time: a process, or a network.
    const fn victim(&self) -> Option<(&'static str, usize)> {
        match *self {
            Self::Kill { daemon } | Self::Leave { daemon } | Self::Sleep { daemon } => Some(("daemon", daemon)),
            Self::Network { daemon, .. } => Some(("network", daemon)),
            Self::RedisSleeps | Self::RedisLost => Some(("redis", 0)),
            Self::DiskFull | Self::DiskFails { .. } => Some(("disk", 0)),
            Self::Clock { .. } | Self::RedisClock { .. } => None,
        }
    }

    fn draw(fleet: Fleet, random: &mut StdRng) -> (Self, Duration) {
        let daemon = random.random_range(0..fleet.daemons());
        // A Redis and the way to it have more ways to fail than a disk.
        let ways = if fleet == Fleet::Alone { 16 } else { 22 };
        let (fault, lasts) = match random.random_range(0..ways) {
            0..3 => (Self::Kill { daemon }, 0..3_000),
            3..6 => (Self::Sleep { daemon }, 1_000..6_000),
            6..8 => (Self::Leave { daemon }, 500..4_000),
            8..10 => (Self::Clock { daemon, milliseconds: jump(random) }, 0..1),
            _ if fleet == Fleet::Alone => Self::draw_of_a_disk(daemon, random),
            _ => Self::draw_of_a_redis(daemon, random),
        };
        (fault, Duration::from_millis(random.random_range(lasts)))
    }

    fn draw_of_a_disk(daemon: usize, random: &mut StdRng) -> (Self, Range<u64>) {
        match random.random_range(0..2) {
            0 => (Self::DiskFull, 200..4_000),
            _ => {
                let calls = ["fdatasync", "pwrite64", "fdatasync,pwrite64", "pread64"][random.random_range(0..4)];
                (Self::DiskFails { daemon, calls }, 200..4_000)
            }
        }
    }

    fn draw_of_a_redis(daemon: usize, random: &mut StdRng) -> (Self, Range<u64>) {
        match random.random_range(0..12) {
            0..2 => (Self::Network { daemon, passage: Passage::Nothing }, 1_000..5_000),
            2..4 => (Self::Network { daemon, passage: Passage::Torn }, 200..3_000),
            4..6 => {
                let (requests, answers) = [(true, true), (true, false), (false, true)][random.random_range(0..3)];
                (Self::Network { daemon, passage: Passage::Late { requests, answers } }, 1_000..5_000)
            }
            6..8 => (Self::RedisSleeps, 1_000..4_000),
            8..10 => (Self::RedisLost, 0..2_000),
            _ => (Self::RedisClock { milliseconds: jump(random) }, 0..1),
        }
    }

    /// Whether it could be made.
    pub fn begin(&self, world: &mut World) -> bool {
        match *self {
            Self::Kill { daemon } => world.daemons[daemon].kill(),
            Self::Leave { daemon } => world.daemons[daemon].leave(),
            Self::Sleep { daemon } => world.daemons[daemon].sleep(),
            Self::Network { daemon, passage } => world.networks[daemon].let_pass(passage),
            Self::Clock { daemon, milliseconds } => world.daemons[daemon].clock.jump(milliseconds),
            Self::DiskFull => return world.fill_the_disk(),
            Self::DiskFails { daemon, calls } => world.daemons[daemon].set_failing(Some(calls)),
            Self::RedisSleeps => world.redis().sleep(),
            Self::RedisLost => world.redis().kill(),
            Self::RedisClock { milliseconds } => world.redis().clock.jump(milliseconds),
        }
        true
    }

    pub fn end(&self, world: &mut World) {
        match *self {
            Self::Kill { daemon } | Self::Leave { daemon } => world.daemons[daemon].start_again(),
            Self::Sleep { daemon } => world.daemons[daemon].wake(),
            Self::Network { daemon, .. } => world.networks[daemon].let_pass(Passage::Everything),
            Self::DiskFull => world.make_room(),
            Self::DiskFails { daemon, .. } => world.daemons[daemon].set_failing(None),
            Self::RedisSleeps => world.redis().wake(),
            Self::RedisLost => world.redis().start_again(),
            Self::Clock { .. } | Self::RedisClock { .. } => {}
        }
    }
}

/// By how much a clock is set, in milliseconds: as many are of seconds as of minutes or of hours, and some too small to be noticed.
fn jump(random: &mut StdRng) -> i64 {
    let by = 500.0 * 30_000_f64.powf(random.random());
    by as i64 * if random.random() { 1 } else { -1 }
}

/// What can suffer one fault at a time, and until when it does.
#[derive(Default)]
struct Busy(BTreeMap<(&'static str, usize), Duration>);

impl Busy {
    /// False if it would be one too many.
    fn take(&mut self, event: &Event) -> bool {
        let Some(victim) = event.fault.victim() else { return true };
        let until = self.0.entry(victim).or_default();
        let free = *until <= event.at;
        if free {
            *until = event.at + event.lasts;
        }
        free
    }
}

/// The faults of one run, in their order.
pub fn draw(fleet: Fleet, random: &mut StdRng) -> Vec<Event> {
    let mut busy = Busy::default();
    let mut events: Vec<Event> = Vec::new();
    let mut at = BEGIN.start + random.random_range(APART);
    while at < BEGIN.end {
        let (fault, lasts) = Fault::draw(fleet, random);
        let event = Event { at: Duration::from_millis(at), lasts, fault };
        if !busy.take(&event) {
            // Something else, a little later.
            at += 50;
            continue;
        }
        events.push(event);
        if fleet != Fleet::Alone && matches!(fault, Fault::Leave { .. }) && random.random() {
            // Redis forgets what it gives back while that is on its way to the others.
            let [after, lasts] = [400, 1_000].map(|most| Duration::from_millis(random.random_range(0..most)));
            let event = Event { at: event.at + after, lasts, fault: Fault::RedisLost };
            events.extend(busy.take(&event).then_some(event));
        }
        at += random.random_range(APART);
    }
    events
}

/// Lets the faults of a run happen at their time.
pub struct Course {
    began: Instant,
    ahead: std::vec::IntoIter<Event>,
    next: Option<Event>,
    open: Vec<(Duration, Fault)>,
    pub happened: Vec<Event>,
}

impl Course {
    pub fn new(began: Instant, events: Vec<Event>) -> Self {
        let mut ahead = events.into_iter();
        let next = ahead.next();
        Self { began, ahead, next, open: Vec::new(), happened: Vec::new() }
    }

    /// Ends what is over, begins what is due; true when nothing is left to come.
    pub fn go_on(&mut self, world: &mut World) -> bool {
        let now = self.began.elapsed();
        self.open.retain(|(until, fault)| {
            let over = *until <= now;
            if over {
                fault.end(world);
            }
            !over
        });
        // One at a time: what begins late must still be over before the next of the same victim begins.
        if let Some(mut event) = self.next.take_if(|event| event.at <= now) {
            if event.fault.begin(world) {
                self.open.push((event.at + event.lasts, event.fault));
                event.at = self.began.elapsed();
                self.happened.push(event);
            }
            self.next = self.ahead.next();
        }
        self.next.is_none() && self.open.is_empty()
    }

    /// When Redis lost everything, the last time.
    pub fn redis_lost(&self) -> Option<Duration> {
        self.last(|fault| matches!(fault, Fault::RedisLost)).map(|event| event.at)
    }

    /// Until when a daemon that ended may have said something, the last time.
    pub fn daemon_ended(&self) -> Option<Duration> {
        self.last(|fault| matches!(fault, Fault::Kill { .. } | Fault::Leave { .. })).map(|event| event.at + event.lasts)
    }

    fn last(&self, is: impl Fn(&Fault) -> bool) -> Option<&Event> {
        self.happened.iter().rev().find(|event| is(&event.fault))
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, lasts) = (self.at.as_secs_f64(), self.lasts.as_secs_f64());
        write!(f, "{at:7.3}  ")?;
        match self.fault {
            Fault::Kill { daemon } => write!(f, "daemon {daemon} is killed, and started again after {lasts:.3} s"),
            Fault::Leave { daemon } => {
                write!(f, "daemon {daemon} is told to end, and started again after {lasts:.3} s")
            }
            Fault::Sleep { daemon } => write!(f, "daemon {daemon} is stopped for {lasts:.3} s"),
            Fault::Clock { daemon, milliseconds } => write!(f, "daemon {daemon}'s clock jumps by {milliseconds} ms"),
            Fault::DiskFull => write!(f, "the disk is full for {lasts:.3} s"),
            Fault::DiskFails { daemon, calls } => write!(f, "daemon {daemon}'s {calls} fails for {lasts:.3} s"),
            Fault::Network { daemon, passage } => {
                write!(f, "between daemon {daemon} and Redis passes {passage:?} for {lasts:.3} s")
            }
            Fault::RedisSleeps => write!(f, "Redis is stopped for {lasts:.3} s"),
            Fault::RedisLost => write!(f, "Redis is killed, and back and empty after {lasts:.3} s"),
            Fault::RedisClock { milliseconds } => write!(f, "Redis's clock jumps by {milliseconds} ms"),
        }
    }
}
