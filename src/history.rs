//! What was measured over time, of each channel and of all together, sampled every 5 s from the channels' cells, and what
//! happened to them, kept in a file of its own. No decision rests on it, and nothing waits for it.

mod chunk;
mod event;
mod report;
mod series;
mod shelf;
mod tier;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, TryLockError,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use sattva_actors::{
    channel::cell::{Activity, Cells, NONE},
    chronicle::{Chronicle, Entry},
    clock::{Clock, WallTime},
    identity::ChannelId,
    stats::LatestSample,
};

pub use self::{
    chunk::Point,
    event::{Event, Played, What},
    report::{By, Figures, Key, Row, TrackFigures},
    series::{Metric, Series},
};
use self::{
    report::{LOOK_BACK, Ledger, Span, by_track},
    shelf::{Samples, Shelf, ShelfError},
    tier::{TIERS, Tier, tier_for},
};
use crate::health::Health;

/// Channels that are recorded one by one; the totals are always of all.
const CHANNELS_MAX: usize = 10_000;
/// Points one question is answered with at most.
pub const POINTS_MAX: i64 = 20_000;
/// Of one series in a minute.
const SAMPLES: usize = 60 / TIERS[0].step as usize;
/// A report over more seconds than this is made of whole hours, else of whole minutes.
const FINE_REPORT: i64 = 2 * 86_400;

#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    #[error("the history is not there: {0}")]
    Away(String),
    #[error("another report of all channels is being made; ask again when it is done")]
    Busy,
}

pub struct History {
    path: PathBuf,
    /// Nothing before it is opened, and while it fails.
    shelf: Mutex<Option<Arc<Shelf>>>,
    minute: Mutex<Minute>,
    /// Held by a report of all channels: there is one at a time.
    reporting: Mutex<()>,
    pub health: Health,
}

/// The running minute: what was measured in it, and what happened.
#[derive(Default)]
struct Minute {
    samples: Samples,
    entries: Vec<Entry>,
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

/// What a report is to be made of.
#[derive(Clone, Debug)]
pub struct Inquiry {
    pub by: By,
    /// Absent = all of them.
    pub channel: Option<ChannelId>,
    /// Seconds since 1970.
    pub from: i64,
    pub to: i64,
}

pub struct Report {
    /// What was asked for, in whole steps.
    pub from: i64,
    pub to: i64,
    pub step: i64,
    pub rows: Rows,
    pub total: Row,
}

pub enum Rows {
    Figures(BTreeMap<Key, Row>),
    Tracks(BTreeMap<Played, TrackFigures>),
}

impl History {
    /// Nothing is opened yet.
    pub fn at(path: PathBuf) -> Self {
        Self {
            path,
            shelf: Mutex::new(None),
            minute: Mutex::default(),
            reporting: Mutex::default(),
            health: Health::default(),
        }
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
                *lock(&self.shelf) = Some(Arc::new(shelf));
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

    /// Takes in what was measured at one moment; of a stream on the air nothing may be known.
    pub fn sample(&self, at: i64, measured: impl IntoIterator<Item = (Series, Option<i64>)>) {
        let mut minute = lock(&self.minute);
        for (series, value) in measured {
            minute.samples.entry(series).or_insert_with(|| Vec::with_capacity(SAMPLES)).push((at, value));
        }
    }

    /// Takes in what happened since the last time, in its order.
    pub fn happened(&self, entries: Vec<Entry>) {
        lock(&self.minute).entries.extend(entries);
    }

    /// Writes what was measured since the last time. What cannot be written is lost: it is only history.
    pub fn keep(&self, now: WallTime) {
        let Minute { mut samples, entries } = std::mem::take(&mut *lock(&self.minute));
        if lock(&self.shelf).is_none() {
            return self.open(now);
        }
        if let Err(error) = self.with_shelf(|shelf| Ok(shelf.add(&samples, &entries, seconds(now))?)) {
            // A file that has failed takes nothing more before it is opened again.
            lock(&self.shelf).take();
            self.tell(Some(error.to_string()));
        }
        // The next minute measures much the same series: given back and asked for again every minute, the memory of ten
        // thousand channels never comes together, and the daemon grows for hours.
        samples.retain(|_, points| {
            let was_measured = !points.is_empty();
            points.clear();
            was_measured
        });
        let mut minute = lock(&self.minute);
        if minute.samples.is_empty() {
            minute.samples = samples;
        }
    }

    pub fn answer(&self, question: &Question, now: i64) -> Result<Answer, HistoryError> {
        let Question { series, from, to, step } = question;
        let tier = tier_for(*from, *step, now);
        let step = (step.max(&tier.step) + tier.step - 1) / tier.step * tier.step;
        let (begin, end) = (from.div_euclid(step) * step, *to);
        let points = self.points(series, tier, begin, end)?;
        let steps = (begin..end).step_by(step as usize);
        let point = |at| Point::over(points.range(at..at + step).map(|(_, point)| *point));
        let points = steps.map(|at| (at, point(at).filter(Point::is_known))).collect();
        Ok(Answer { step, points })
    }

    /// What is on disk and what is not yet.
    fn points(&self, series: &Series, tier: &Tier, from: i64, to: i64) -> Result<BTreeMap<i64, Point>, HistoryError> {
        let stored = self.with_shelf(|shelf| Ok(shelf.read(&series.name(), tier, from, to)?))?;
        let mut points: BTreeMap<i64, Point> = stored.into_iter().collect();
        for (at, value) in lock(&self.minute).samples.get(series).into_iter().flatten() {
            let (beginning, sample) = (at.div_euclid(tier.step) * tier.step, Point::of(*value));
            let point = Point::over(points.get(&beginning).copied().into_iter().chain([sample]));
            points.extend(point.map(|point| (beginning, point)));
        }
        Ok(points)
    }

    /// What happened to a channel from `from` on and before `to`, in milliseconds.
    pub fn events(&self, channel: &ChannelId, from: i64, to: i64) -> Result<Vec<Event>, HistoryError> {
        let mut events = self.with_shelf(|shelf| Ok(shelf.events(channel, from, to)?))?;
        let minute = lock(&self.minute);
        let recent = minute.entries.iter().filter(|entry| entry.channel == *channel);
        for entry in recent.filter(|entry| (from..to).contains(&entry.at.as_millis())) {
            if !Event::tells_again(&entry.what, &events) {
                events.push(Event { at: entry.at.as_millis(), what: What::of(&entry.what) });
            }
        }
        events.sort_by_key(|event| event.at);
        Ok(events)
    }

    /// `now` is in seconds, and so is everything asked for.
    pub fn report(&self, inquiry: &Inquiry, now: i64) -> Result<Report, HistoryError> {
        let Inquiry { by, channel, from, to } = inquiry;
        let wanted = match by {
            By::Track => TIERS[0].step,
            By::Channel | By::Day if to - from > FINE_REPORT => TIERS[2].step,
            By::Channel | By::Day => TIERS[1].step,
        };
        let tier = tier_for(*from, wanted, now);
        let whole = |at: i64| at.div_euclid(tier.step) * tier.step;
        let (from, to) = (whole(*from), whole(to + tier.step - 1));
        // What is still to come is not saved yet.
        let span = Span { from: from * 1000, to: to.min(now) * 1000 };
        let mut ledger = Ledger::new(*by, span);
        let Some(channel) = channel else {
            let _one_at_a_time = match self.reporting.try_lock() {
                Ok(held) => held,
                Err(TryLockError::Poisoned(held)) => held.into_inner(),
                Err(TryLockError::WouldBlock) => return Err(HistoryError::Busy),
            };
            self.report_on_all(&mut ledger, tier, span)?;
            return Ok(Report { from, to, step: tier.step, rows: Rows::Figures(ledger.rows), total: ledger.total });
        };
        let events = self.events(channel, span.from - LOOK_BACK, span.to)?;
        let points = self.points(&Series::of(Metric::Listeners, channel.clone()), tier, from, to)?;
        for (at, point) in &points {
            ledger.hear(Some(channel), *at, point);
        }
        ledger.happen(channel, &events);
        let rows = if *by == By::Track {
            let points: Vec<_> = points.into_iter().collect();
            Rows::Tracks(by_track(&events, &points, tier.step, span))
        } else {
            Rows::Figures(ledger.rows)
        };
        Ok(Report { from, to, step: tier.step, rows, total: ledger.total })
    }

    fn report_on_all(&self, ledger: &mut Ledger, tier: &Tier, span: Span) -> Result<(), HistoryError> {
        let (from, to) = (span.from.div_euclid(1000), span.to.div_euclid(1000));
        let mut events = self.with_shelf(|shelf| {
            shelf.visit_listeners(tier, from, to, &mut |channel, at, point| ledger.hear(channel, at, &point))?;
            Ok(shelf.all_events(span.from - LOOK_BACK, span.to)?)
        })?;
        let minute = lock(&self.minute);
        for (series, samples) in minute.samples.iter().filter(|(series, _)| series.metric == Metric::Listeners) {
            for (at, value) in samples {
                ledger.hear(series.channel.as_ref(), *at, &Point::of(*value));
            }
        }
        for entry in minute.entries.iter().filter(|entry| entry.at.as_millis() < span.to) {
            let event = Event { at: entry.at.as_millis(), what: What::of(&entry.what) };
            events.entry(entry.channel.clone()).or_default().push(event);
        }
        drop(minute);
        for (channel, events) in &events {
            ledger.happen(channel, events);
        }
        Ok(())
    }

    fn with_shelf<T>(&self, act: impl FnOnce(&Shelf) -> Result<T, HistoryError>) -> Result<T, HistoryError> {
        // Not held while it is read: what is being recorded waits for nobody.
        let shelf = lock(&self.shelf).clone();
        let Some(shelf) = shelf else {
            let why = self.health.trouble();
            return Err(HistoryError::Away(why.unwrap_or_else(|| "it is being opened".into())));
        };
        // redb may panic on a file that was damaged after it was opened.
        catch_unwind(AssertUnwindSafe(|| act(&shelf)))
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

/// What is measured: of the channels by their cells, of the host by the newest sample. What happened is written in the
/// chronicle.
pub struct Sources {
    pub cells: Arc<Cells>,
    pub chronicle: Arc<Chronicle>,
    pub sample: LatestSample,
    pub clock: Clock,
}

impl Sources {
    fn measure(&self) -> Vec<(Series, Option<i64>)> {
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
            let known = (listeners != NONE).then(|| hundredths(listeners));
            measured.push((Series::of(Metric::Listeners, id.clone()), known));
            if queue != NONE {
                measured.push((Series::of(Metric::Queue, id), Some(hundredths(queue))));
            }
        }
        let (totals, host) = (self.cells.totals(), self.sample.get());
        // Where nobody's count is known, neither is their sum; after a start that is so until something has been reported.
        let known = totals.active_streams == 0 || totals.unknown_streams < totals.active_streams;
        for (metric, count) in [
            (Metric::Listeners, known.then_some(totals.total_listeners)),
            (Metric::Queue, Some(totals.queue_items)),
            (Metric::Streams, Some(totals.active_streams)),
        ] {
            let count = count.map(|count| hundredths(i64::try_from(count).unwrap_or(i64::MAX)));
            measured.push((Series::of_all(metric), count));
        }
        for (metric, percent) in [(Metric::Cpu, host.cpu_percent), (Metric::Memory, host.memory_percent)] {
            measured.extend(percent.map(|percent| (Series::of_all(metric), Some((percent * 100.0).round() as i64))));
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
    sources.chronicle.open();
    history.open(sources.now());
    let step = TIERS[0].step * 1000;
    let mut minute = seconds(sources.now()).div_euclid(60);
    loop {
        // At whole steps, so that each has its sample.
        let wait = step - sources.now().as_millis().rem_euclid(step);
        let ended = end.recv_timeout(Duration::from_millis(wait.unsigned_abs())) != Err(RecvTimeoutError::Timeout);
        let now = sources.now();
        let (entries, lost) = sources.chronicle.fetch();
        if lost > 0 {
            tracing::warn!(lost, "more happened at once than the history can take in; reports will not count it");
        }
        history.happened(entries);
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
