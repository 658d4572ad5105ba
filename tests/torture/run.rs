//! One run, which is one seed: faults for eighteen seconds, then calm, in which everything must come out right.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use rand::{SeedableRng, rngs::StdRng};

use crate::{
    faults::{self, Course},
    fleet::Fleet,
    operator::Word,
    oracle::Verdict,
    stream::Stream,
    truth::Kind,
    world::{TIMEOUT, World},
};

const STREAMS: usize = 20;
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A run that lasts longer is out of hand.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// After the last thing has come right it is looked for so long whether anything goes wrong after all.
const AFTERWARDS: Duration = TIMEOUT.saturating_add(Duration::from_secs(2));

/// Where the run stands, for its streamers: milliseconds since it began.
#[derive(Debug)]
pub struct Progress {
    began: Instant,
    calm: AtomicU64,
    /// When Redis lost everything, the last time.
    lost: AtomicU64,
    /// When a daemon ended, the last time.
    ended: AtomicU64,
    over: AtomicBool,
    /// A bit for each stream that has come to its right end, or never will.
    settled: AtomicU64,
}

const NOT_YET: u64 = u64::MAX;

impl Progress {
    fn new() -> Self {
        let [calm, lost, ended] = [NOT_YET; 3].map(AtomicU64::new);
        Self { began: Instant::now(), calm, lost, ended, over: AtomicBool::new(false), settled: AtomicU64::new(0) }
    }

    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// When the last fault was over, if it is.
    pub fn calm(&self) -> Option<Duration> {
        told(&self.calm)
    }

    /// Whether Redis has lost since then what it was told.
    pub fn has_lost_since(&self, then: Duration) -> bool {
        told(&self.lost).is_some_and(|at| at >= then)
    }

    /// Whether everybody who knew of it may have forgotten it.
    pub fn may_have_forgotten(&self, word: Word) -> bool {
        self.has_lost_since(word.since) || (!word.durable && told(&self.ended).is_some_and(|at| at >= word.since))
    }

    pub fn is_over(&self) -> bool {
        self.over.load(SeqCst)
    }

    pub fn settle(&self, stream: usize, settled: bool) {
        if settled {
            self.settled.fetch_or(1 << stream, SeqCst);
        } else {
            self.settled.fetch_and(!(1 << stream), SeqCst);
        }
    }

    fn are_settled(&self) -> bool {
        self.settled.load(SeqCst) == (1 << STREAMS) - 1
    }

    fn end(&self) {
        self.over.store(true, SeqCst);
    }
}

fn told(at: &AtomicU64) -> Option<Duration> {
    Some(at.load(SeqCst)).filter(|at| *at != NOT_YET).map(Duration::from_millis)
}

/// Streamers end with the run, also where it panics.
struct Ending(Arc<Progress>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

pub fn run(seed: u64) -> Verdict {
    let mut random = StdRng::seed_from_u64(seed);
    let fleet = Fleet::of(seed);
    let events = faults::draw(fleet, &mut random);
    let mut world = World::start(fleet);
    let progress = Arc::new(Progress::new());
    let (died, happened, ledgers) = thread::scope(|scope| {
        let ending = Ending(Arc::clone(&progress));
        let streams: Vec<_> = (0..STREAMS)
            .map(|index| {
                let stream = Stream::new(index, Kind::of(index), &mut random, world.doors(), Arc::clone(&progress));
                scope.spawn(move || stream.play())
            })
            .collect();
        let mut course = Course::new(progress.began, events);
        let died = see_through(seed, &mut world, &mut course, &progress);
        drop(ending);
        let ledgers: Vec<_> =
            streams.into_iter().map(|s| s.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect();
        (died, course.happened, ledgers)
    });
    let calm = progress.calm().unwrap_or_default();
    let mut verdict = Verdict { seed, fleet, took: progress.now(), calm, faults: happened, ledgers, died, logs: None };
    if !verdict.is_clean() {
        verdict.logs = Some(world.keep_logs());
    }
    verdict
}

/// Lets everything happen until all has come right; answers which daemons ended by themselves.
fn see_through(seed: u64, world: &mut World, course: &mut Course, progress: &Progress) -> Vec<String> {
    let mut died = Vec::new();
    let mut right_since = None;
    loop {
        let now = progress.now();
        let settled = progress.settled.load(SeqCst);
        assert!(now < ENDS_WITHIN, "the run of seed {seed} is not over after {now:?}; settled: {settled:b}");
        let nothing_left = course.go_on(world);
        if let Some(at) = course.redis_lost() {
            progress.lost.store(at.as_millis() as u64, SeqCst);
        }
        if let Some(at) = course.daemon_ended() {
            progress.ended.store(at.as_millis() as u64, SeqCst);
        }
        let mut all_serve = true;
        for (number, daemon) in world.daemons.iter_mut().enumerate() {
            all_serve &= daemon.look().unwrap_or_else(|how| {
                died.push(format!("{:7.3}  daemon {number} {how}", now.as_secs_f64()));
                daemon.start_again();
                false
            });
        }
        if nothing_left && all_serve && progress.calm().is_none() {
            progress.calm.store(now.as_millis() as u64, SeqCst);
        }
        let right = progress.calm().is_some() && progress.are_settled();
        right_since = right_since.filter(|_| right).or(right.then_some(now));
        if right_since.is_some_and(|since| now >= since + AFTERWARDS) {
            return died;
        }
        sleep(LOOK_EVERY);
    }
}
