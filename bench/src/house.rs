//! The house of actors in a process of its own, on the measured core, with its store on disk; this side
//! looks on from the other core.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use actix::Arbiter;
use anyhow::{Context, Result, ensure};
use prometheus::Registry;
use sattva_actors::{
    channel::{
        cell::Cells,
        policy::{Policy, Timeouts},
    },
    clock::{BootId, Clock, Timestamp},
    house::{self, Foundations, HouseMetrics},
    identity::{ChannelId, SourceId},
    protocol::{Ack, Batch, BatchAnswer, Collect, Flush, Identity, Outcome, Report, Rulebook, Status, Tally},
    stats::{LatestSample, Rhythm},
    store::{StoreHealth, redb::RedbStore},
    stream_control::CommandsWaiting,
    wire::Track,
};
use tokio::sync::{mpsc, oneshot};

use crate::cores;

/// Channels of one source.
pub const PER_SOURCE: usize = 1000;
/// Looks at whether something has come to its end.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Nothing takes longer, but for countdowns.
const PATIENCE: Duration = Duration::from_secs(60);
/// A streamer waits this long for a command before it asks again.
const WAIT: Duration = Duration::from_secs(30);

pub struct House {
    /// Its thread ends with it.
    _core: Arbiter,
    cells: Arc<Cells>,
    house: house::House,
    /// The rhythm its sources claim.
    interval: Duration,
    /// From before the store was opened until the last channel had started.
    pub took: Duration,
}

/// A stop that has become available to its streamer.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    pub channel: usize,
    pub decided_at: Timestamp,
    pub available_at: Timestamp,
}

/// An empty stream's report.
fn empty(number: usize, seq: u64, interval: Duration) -> Report {
    let track = Track {
        title: format!("Track {number}").into(),
        artist: Some(format!("Artist {number}").into()),
        ..Track::default()
    };
    Report {
        identity: Identity::Numbered { session: "s1".into(), started_at: None, seq },
        status: Status::Live,
        listeners: Some(0),
        joins: Some(3),
        queue_size: Some(5),
        queue_ops: None,
        track: Some(Arc::new(track)),
        observed_at: None,
        interval,
        can_stop: true,
    }
}

fn hand_in(
    house: &house::House,
    source: SourceId,
    reports: Vec<(ChannelId, Report)>,
    acks: Vec<Ack>,
) -> Result<oneshot::Receiver<BatchAnswer>> {
    let (tally, answer) = Tally::new();
    let batch = Batch { source, received: Clock::System.now().at, reports, acks, tally };
    house.supervisor.try_send(batch).map_err(|error| anyhow::anyhow!("the supervisor is full: {error}"))?;
    Ok(answer)
}

/// One streamer: takes its commands as soon as there are any, says that it obeyed, and that the streams are over.
async fn collect(house: house::House, source: SourceId, stops: mpsc::UnboundedSender<Stop>) -> Result<()> {
    loop {
        let (reply, commands) = oneshot::channel();
        house.control.send(Collect { source: source.clone(), only: None, wait: WAIT, reply }).await?;
        let commands = commands.await?;
        let available_at = Clock::System.now().at;
        let (mut reports, mut acks) = (Vec::new(), Vec::new());
        for command in commands {
            let channel = number_of(command.channel.as_str());
            stops.send(Stop { channel, decided_at: command.decided_at, available_at })?;
            acks.push(Ack { id: command.id, outcome: Outcome::Ok, detail: None });
            reports.push((
                command.channel,
                Report { status: Status::Stopped, ..empty(channel, u64::MAX >> 1, Duration::from_secs(5)) },
            ));
        }
        if !acks.is_empty() {
            drop(hand_in(&house, source.clone(), reports, acks)?);
        }
    }
}

fn source_of(channel: usize) -> Result<SourceId> {
    Ok(SourceId::new(&format!("streamer-{}", channel / PER_SOURCE))?)
}

fn name_of(number: usize) -> String {
    format!("-{}", 1_001_000_000_000 + number)
}

fn number_of(name: &str) -> usize {
    name.trim_start_matches('-').parse::<usize>().map_or(usize::MAX, |id| id - 1_001_000_000_000)
}

impl House {
    /// Opens the store and starts everything that it remembers.
    pub async fn build(state_dir: &Path, timeout: Duration, interval: Duration) -> Result<Self> {
        let policy = Policy { timeouts: Timeouts::both(timeout), ..Policy::default() };
        let rules = Rulebook { policy: policy.into(), ..Rulebook::default() };
        let boot = BootId::of_this_boot().context("no boot id in /proc")?;
        let cells = Arc::<Cells>::default();
        let core = Arbiter::new();
        let (built, house) = oneshot::channel();
        let (state_dir, own_cells) = (state_dir.to_owned(), Arc::clone(&cells));
        let began = Instant::now();
        core.spawn_fn(move || {
            let build = || -> Result<(house::House, usize)> {
                // The blocking threads are started from here and stay on this core, too.
                cores::pin(cores::MEASURED)?;
                let (store, loaded) = RedbStore::open(&state_dir, Clock::System.now().wall)?;
                let stored = loaded.records.len();
                let house = house::build(Foundations {
                    clock: Clock::System,
                    boot,
                    rules: Arc::new(rules),
                    store: Box::new(store),
                    loaded,
                    rhythm: Rhythm { sample: Duration::from_secs(5), broadcast: Duration::from_secs(5) },
                    cells: own_cells,
                    chronicle: Arc::default(),
                    traces: Default::default(),
                    metrics: HouseMetrics::register(&Registry::new())?,
                    health: Arc::<StoreHealth>::default(),
                    sample: LatestSample::default(),
                    commands_waiting: CommandsWaiting::default(),
                    fleet: None,
                    elsewhere: Arc::default(),
                    watchdog: None,
                });
                Ok((house, stored))
            };
            // Whoever builds waits for it.
            let _ = built.send(build());
        });
        let (house, stored) = house.await??;
        ensure!(house.restored == stored, "{} of {stored} channels were restored", house.restored);
        let mut house = Self { _core: core, cells, house, interval, took: Duration::ZERO };
        house.wait(|house| house.cells.totals().active_streams as usize == stored).await?;
        house.took = began.elapsed();
        Ok(house)
    }

    async fn wait(&self, done: impl Fn(&Self) -> bool) -> Result<()> {
        let began = Instant::now();
        while !done(self) {
            ensure!(began.elapsed() < PATIENCE, "it did not come to its end within {PATIENCE:?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Reports these channels as empty. Dropping the answer is allowed: the reports are taken in all the same.
    pub fn report(&self, channels: std::ops::Range<usize>, seq: u64) -> Result<oneshot::Receiver<BatchAnswer>> {
        let source = source_of(channels.start)?;
        let reports = channels.map(|number| Ok((ChannelId::new(&name_of(number))?, empty(number, seq, self.interval))));
        hand_in(&self.house, source, reports.collect::<Result<_>>()?, Vec::new())
    }

    /// Reports all channels as empty, one source after the other, until all count down and that is on disk.
    pub async fn report_all(&self, channels: usize, seq: u64) -> Result<()> {
        for first in (0..channels).step_by(PER_SOURCE) {
            let answer = self.report(first..channels.min(first + PER_SOURCE), seq)?.await?;
            ensure!(
                answer.duplicates == 0 && answer.refused == 0 && !answer.busy,
                "the reports were not accepted: {answer:?}"
            );
        }
        let counting = self.cells.totals().counting as usize;
        ensure!(counting == channels, "{counting} of {channels} channels count down");
        Ok(())
    }

    /// How many count down.
    pub fn counting(&self) -> usize {
        self.cells.totals().counting as usize
    }

    /// When these channels' countdowns end; nothing where none runs. Only of a house that began empty, where
    /// channels have their places in the order of their numbers.
    pub fn deadlines(&self, channels: std::ops::Range<usize>) -> Vec<Option<Timestamp>> {
        let mut deadlines = Vec::with_capacity(channels.len());
        self.cells.visit_from(channels.start, |channel, cell| {
            debug_assert_eq!(channel.as_str(), name_of(channels.start + deadlines.len()));
            let ends_at = cell.ends_at.load(Relaxed);
            deadlines.push((ends_at > 0).then(|| Timestamp::from_micros(ends_at)));
            deadlines.len() < channels.len()
        });
        deadlines
    }

    /// Every stop from now on, as it becomes available: each source waits for its commands, as a streamer
    /// does with `wait_seconds`, and obeys them.
    pub fn stops(&self, channels: usize) -> Result<mpsc::UnboundedReceiver<Stop>> {
        let (stops, heard) = mpsc::unbounded_channel();
        for number in 0..channels.div_ceil(PER_SOURCE) {
            actix_rt::spawn(collect(self.house.clone(), source_of(number * PER_SOURCE)?, stops.clone()));
        }
        Ok(heard)
    }

    /// Everything is on disk.
    pub async fn flush(&self) -> Result<()> {
        let (reply, flushed) = oneshot::channel();
        self.house.store.send(Flush { reply }).await?;
        Ok(flushed.await?)
    }
}
