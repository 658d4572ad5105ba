//! What was measured over time, of each channel and of all together: sampled every 5 s from the channels' cells, kept in
//! a file of its own. No decision rests on it, and nothing waits for it.

mod chunk;
mod series;
mod shelf;
mod tier;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use sattva_actors::{
    channel::cell::{Activity, Cells, NONE},
    clock::{Clock, WallTime},
    identity::ChannelId,
    stats::LatestSample,
};

pub use self::{
    chunk::Point,
    series::{Metric, Series},
};
use self::{
    shelf::{Samples, Shelf, ShelfError},
    tier::{TIERS, tier_for},
};
use crate::health::Health;

/// Channels that are recorded one by one; the totals are always of all.
const CHANNELS_MAX: usize = 10_000;
/// Points one question is answered with at most.
pub const POINTS_MAX: i64 = 20_000;

#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    #[error("the history is not there: {0}")]
    Away(String),
}

pub struct History {
    path: PathBuf,
    /// Nothing before it is opened, and while it fails.
    shelf: Mutex<Option<Shelf>>,
    /// What was measured in the running minute.
    minute: Mutex<Samples>,
    pub health: Health,
}

/// A question: hundredths of one series in steps of so many seconds.
#[derive(Clone, Debug)]
pub struct Question {
    pub series: Series,
    /// Seconds since 1970.
    pub from: i64,
    pub to: i64,
    pub step: i64,
}

/// In steps that may be longer than asked for, where the past is not kept as finely.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub step: i64,
    /// When each step begins, and nothing where nothing is known of it.
    pub points: Vec<(i64, Option<Point>)>,
}

impl History {
    /// Nothing is opened yet.
    pub fn at(path: PathBuf) -> Self {
        Self { path, shelf: Mutex::new(None), minute: Mutex::default(), health: Health::default() }
    }

    /// Opens the file, making it if need be. One that is damaged is put aside, never deleted.
    pub fn open(&self, now: WallTime) {
        let path = &self.path;
        let opened = guarded(|| Shelf::open(path)).or_else(|error| {
            if !matches!(&error, HistoryError::Away(_))
                && !matches!(&error, HistoryError::Shelf(error) if error.is_damage())
            {
                return Err(error);
            }
            let aside = path.with_extension(format!("redb.damaged-{}", now.as_millis()));
            std::fs::rename(path, &aside).map_err(|_| error)?;
            tracing::error!(aside = %aside.display(), "the history was damaged and is put aside; it begins anew");
            guarded(|| Shelf::open(path))
        });
        let trouble = match opened {
            Ok(shelf) => {
                *lock(&self.shelf) = Some(shelf);
                None
            }
            Err(error) => Some(error.to_string()),
        };
        self.tell(trouble);
    }

    fn tell(&self, trouble: Option<String>) {
        if let Some(error) = trouble.as_ref().filter(|error| self.health.trouble().as_ref() != Some(error)) {
            tracing::error!(error, "there is no history for now; everything else goes on");
        }
        self.health.set(trouble);
    }

    /// Takes in what was measured at one moment.
    pub fn sample(&self, at: i64, measured: impl IntoIterator<Item = (Series, i64)>) {
        let mut minute = lock(&self.minute);
        for (series, value) in measured {
            minute.entry(series).or_default().push((at, value));
        }
    }

    /// Writes what was measured since the last time. What cannot be written is lost: it is only history.
    pub fn keep(&self, now: WallTime) {
        let samples = std::mem::take(&mut *lock(&self.minute));
        if lock(&self.shelf).is_none() {
            return self.open(now);
        }
        if let Err(error) = self.with_shelf(|shelf| Ok(shelf.add(&samples, seconds(now))?)) {
            // A file that has failed takes nothing more before it is opened again.
            lock(&self.shelf).take();
            self.tell(Some(error.to_string()));
        }
    }

    pub fn answer(&self, question: &Question, now: i64) -> Result<Answer, HistoryError> {
        let Question { series, from, to, step } = question;
        let tier = tier_for(*from, *step, now);
        let step = (step.max(&tier.step) + tier.step - 1) / tier.step * tier.step;
        let (begin, end) = (from.div_euclid(step) * step, *to);
        let stored = self.with_shelf(|shelf| Ok(shelf.read(&series.name(), tier, begin, end)?))?;
        let mut points: BTreeMap<i64, Point> = stored.into_iter().collect();
        let running = lock(&self.minute).get(series).cloned().unwrap_or_default();
        for together in running.chunk_by(|a, b| a.0.div_euclid(tier.step) == b.0.div_euclid(tier.step)) {
            let beginning = together[0].0.div_euclid(tier.step) * tier.step;
            if let Some(point) = Point::over(together.iter().map(|(_, value)| Point::of(*value))) {
                points.entry(beginning).or_insert(point);
            }
        }
        let steps = (begin..end).step_by(step as usize);
        let points = steps.map(|at| (at, Point::over(points.range(at..at + step).map(|(_, point)| *point)))).collect();
        Ok(Answer { step, points })
    }

    fn with_shelf<T>(&self, act: impl FnOnce(&Shelf) -> Result<T, HistoryError>) -> Result<T, HistoryError> {
        let shelf = lock(&self.shelf);
        let Some(shelf) = shelf.as_ref() else {
            let why = self.health.trouble();
            return Err(HistoryError::Away(why.unwrap_or_else(|| "it is being opened".into())));
        };
        // redb may panic on a file that was damaged after it was opened.
        catch_unwind(AssertUnwindSafe(|| act(shelf)))
            .unwrap_or_else(|_| Err(HistoryError::Away("its file is damaged; move history.redb away".into())))
    }
}

fn guarded(open: impl FnOnce() -> Result<Shelf, ShelfError>) -> Result<Shelf, HistoryError> {
    catch_unwind(AssertUnwindSafe(open))
        .map_or_else(|_| Err(HistoryError::Away("its file is damaged".into())), |opened| Ok(opened?))
}

const fn seconds(at: WallTime) -> i64 {
    at.as_millis().div_euclid(1000)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is measured: of the channels by their cells, of the host by the newest sample.
pub struct Sources {
    pub cells: Arc<Cells>,
    pub sample: LatestSample,
    pub clock: Clock,
}

impl Sources {
    fn measure(&self) -> Vec<(Series, i64)> {
        let hundredths = |value: i64| value.saturating_mul(100);
        let mut channels: Vec<(ChannelId, i64, i64)> = Vec::new();
        self.cells.visit_from(0, |id, cell| {
            if cell.activity() == Activity::Active {
                channels.push((id.clone(), cell.listeners.load(Relaxed), cell.queue_size.load(Relaxed)));
            }
            channels.len() < CHANNELS_MAX
        });
        let mut measured = Vec::with_capacity(2 * channels.len() + 5);
        for (id, listeners, queue) in channels {
            if listeners != NONE {
                measured.push((Series::of(Metric::Listeners, id.clone()), hundredths(listeners)));
            }
            if queue != NONE {
                measured.push((Series::of(Metric::Queue, id), hundredths(queue)));
            }
        }
        let (totals, host) = (self.cells.totals(), self.sample.get());
        for (metric, count) in [
            (Metric::Listeners, totals.total_listeners),
            (Metric::Queue, totals.queue_items),
            (Metric::Streams, totals.active_streams),
        ] {
            measured.push((Series::of_all(metric), hundredths(i64::try_from(count).unwrap_or(i64::MAX))));
        }
        for (metric, percent) in [(Metric::Cpu, host.cpu_percent), (Metric::Memory, host.memory_percent)] {
            measured.extend(percent.map(|percent| (Series::of_all(metric), (percent * 100.0).round() as i64)));
        }
        measured
    }

    fn now(&self) -> WallTime {
        self.clock.now().wall
    }
}

/// The thread that records.
pub struct Recorder {
    end: Sender<()>,
    thread: JoinHandle<()>,
}

impl Recorder {
    pub fn start(history: Arc<History>, sources: Sources) -> std::io::Result<Self> {
        let (end, ends) = channel();
        let work = move || record(&history, &sources, &ends);
        Ok(Self { thread: std::thread::Builder::new().name("history".into()).spawn(work)?, end })
    }

    /// Waits until everything is written.
    pub fn stop(self) {
        drop(self.end);
        // A thread that has panicked has said so.
        let _ = self.thread.join();
    }
}

/// Opens the history and samples until `end` is told or dropped; then writes what is left.
fn record(history: &History, sources: &Sources, end: &Receiver<()>) {
    history.open(sources.now());
    let step = TIERS[0].step * 1000;
    let mut minute = seconds(sources.now()).div_euclid(60);
    loop {
        // At whole steps, so that each has its sample.
        let wait = step - sources.now().as_millis().rem_euclid(step);
        let ended = end.recv_timeout(Duration::from_millis(wait.unsigned_abs())) != Err(RecvTimeoutError::Timeout);
        let now = sources.now();
        if ended {
            return history.keep(now);
        }
        let before = std::mem::replace(&mut minute, seconds(now).div_euclid(60));
        // One that fails is tried again at once: there is nothing to be saved for later.
        if before != minute || history.health.trouble().is_some() {
            history.keep(now);
        }
        history.sample(seconds(now), sources.measure());
    }
}

#[cfg(test)]
mod tests;
