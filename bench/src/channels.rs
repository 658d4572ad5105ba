//! 100 000 channels on one core: their start, their memory, their countdowns.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use sattva_actors::clock::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    figure::{Figure, Goal, Measured},
    house::{House, PER_SOURCE},
    process::Process,
};

/// A countdown nobody waits for, and sources that report once an hour: nothing has to be reported anew
/// while something else is measured.
const LONG: Duration = Duration::from_secs(7200);
const HOURLY: Duration = Duration::from_secs(3600);
/// The countdowns that are waited for, and their last warning ten seconds before the end.
const SHORT: Duration = Duration::from_secs(20);
/// One report vouches for the whole of it.
const ONCE: Duration = Duration::from_secs(30);
/// What filling the house has set in motion has come to rest.
const SETTLING: Duration = Duration::from_secs(5);
/// After the last deadline, for the last command.
const STRAGGLERS: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[arg(long, default_value_t = 100_000)]
    channels: usize,
    /// Seconds over which the CPU of counting down is measured; no less than the longest sleep of a
    /// channel, 60 s.
    #[arg(long, default_value_t = 60)]
    idle_seconds: u64,
    /// Seconds over which the deadlines are spread.
    #[arg(long, default_value_t = 30)]
    spread_seconds: u64,
    /// Restarts, and measurements of each kind of lateness; the medians count.
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
}

/// One measurement, in a process of its own: memory that one leaves behind must not count in the next.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Part {
    /// Fills a store.
    Store { state_dir: PathBuf, channels: usize },
    /// Restores what is stored, counts it all down, and waits.
    Restore { state_dir: PathBuf, channels: usize, idle_seconds: u64 },
    /// Waits for every countdown's end.
    Lateness { state_dir: PathBuf, channels: usize, spread_seconds: u64 },
}

#[derive(Debug, Serialize, Deserialize)]
struct Restored {
    seconds: f64,
    bytes_per_restored: f64,
    bytes_per_counting: f64,
    /// Percent of the core; nothing where it was not waited for.
    idle: Option<f64>,
}

/// Milliseconds after the deadline.
#[derive(Debug, Serialize, Deserialize)]
struct Lateness {
    decided: Percentiles,
    available: Percentiles,
}

#[derive(Debug, Serialize, Deserialize)]
struct Percentiles {
    p50: f64,
    p99: f64,
    max: f64,
}

impl Percentiles {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[((values.len() - 1) as f64 * share).ceil() as usize];
        Self { p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

/// Runs one part in a process of its own.
fn apart<T: DeserializeOwned>(part: &str, state_dir: &Path, numbers: &[u64]) -> Result<T> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["part", part]).arg(state_dir).args(numbers.iter().map(u64::to_string));
    command.stderr(std::process::Stdio::inherit());
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?} failed");
    serde_json::from_slice(&output.stdout).with_context(|| format!("{command:?}"))
}

pub fn run(args: &Args) -> Result<Vec<Figure>> {
    let channels = args.channels as u64;
    let home = tempfile::tempdir()?;
    let stored = home.path().join("state");
    let () = apart("store", &stored, &[channels])?;
    let (mut restored, mut spread, mut together) = (Vec::new(), Vec::new(), Vec::new());
    let repetitions = args.repetitions.max(1);
    for repetition in 0..repetitions {
        // Waiting takes longest and varies least.
        let idle = if repetition == 0 { args.idle_seconds } else { 0 };
        restored.push(apart::<Restored>("restore", &stored, &[channels, idle])?);
        for (kind, seconds) in [(&mut spread, args.spread_seconds), (&mut together, 0)] {
            let fresh = tempfile::tempdir()?;
            kind.push(apart::<Lateness>("lateness", fresh.path(), &[channels, seconds])?);
        }
    }
    let name = format!("{channels} channels");
    let of = |value: fn(&Restored) -> f64| Measured::of(restored.iter().map(value));
    let mut figures = vec![
        Figure::alone(
            format!("{name}: store checked, all restored and started"),
            of(|r| r.seconds),
            3,
            Goal::AtMost(0.3, "s"),
            "s",
        ),
        Figure::alone(
            format!("{name}: memory of each, restored"),
            of(|r| r.bytes_per_restored / 1e3),
            2,
            Goal::AtMost(1.8, "KB"),
            "KB",
        ),
        Figure::alone(
            format!("{name}: memory of each, counting down"),
            of(|r| r.bytes_per_counting / 1e3),
            2,
            Goal::AtMost(1.8, "KB"),
            "KB",
        ),
    ];
    let idle: Vec<f64> = restored.iter().filter_map(|r| r.idle).collect();
    if !idle.is_empty() {
        let what = format!("{name}: CPU while all count down, of one core over {} s", args.idle_seconds);
        figures.push(Figure::alone(what, Measured::of(idle), 3, Goal::AtMost(0.3, "%"), "%"));
    }
    let spread_how = format!("deadlines spread over {} s", args.spread_seconds);
    for (how, lateness) in [(spread_how.as_str(), &spread), ("all armed, and due, at once", &together)] {
        for (stage, of) in [
            ("decided", (|l| &l.decided) as fn(&Lateness) -> &Percentiles),
            ("command on disk and available", |l| &l.available),
        ] {
            let median = |value: fn(&Percentiles) -> f64| Measured::of(lateness.iter().map(|l| value(of(l))));
            let p99 = median(|p| p.p99);
            figures.push(Figure {
                what: format!("{name}, {how}: deadline to {stage}, p99"),
                measured: format!(
                    "{}; p50 {:.1}, max {:.1}",
                    p99.with_digits(1, "ms"),
                    median(|p| p.p50).median,
                    median(|p| p.max).median
                ),
                peer: None,
                compared: p99.median,
                goal: Some(Goal::AtMost(50.0, "ms")),
            });
        }
    }
    Ok(figures)
}

/// Runs one part here; what it answers is printed as JSON.
pub fn run_part(part: &Part) -> Result<String> {
    actix_rt::System::new().block_on(async {
        Ok(match part {
            Part::Store { state_dir, channels } => serde_json::to_string(&store(state_dir, *channels).await?)?,
            Part::Restore { state_dir, channels, idle_seconds } => {
                serde_json::to_string(&restore(state_dir, *channels, Duration::from_secs(*idle_seconds)).await?)?
            }
            Part::Lateness { state_dir, channels, spread_seconds } => {
                serde_json::to_string(&lateness(state_dir, *channels, Duration::from_secs(*spread_seconds)).await?)?
            }
        })
    })
}

async fn store(state_dir: &Path, channels: usize) -> Result<()> {
    let house = House::build(state_dir, LONG, HOURLY).await?;
    house.report_all(channels, 1).await?;
    house.flush().await
}

async fn restore(state_dir: &Path, channels: usize, idle: Duration) -> Result<Restored> {
    // As the daemon.
    rustix::thread::disable_transparent_huge_pages(true)?;
    let process = Process::this();
    let empty = process.written()?;
    let house = House::build(state_dir, LONG, HOURLY).await?;
    let per_channel = |written: u64| written.saturating_sub(empty) as f64 / channels as f64;
    let bytes_per_restored = per_channel(process.written()?);
    // Every run reports with a seq of its own.
    let seq = sattva_actors::clock::Clock::System.now().wall.as_millis() as u64;
    house.report_all(channels, seq).await?;
    house.flush().await?;
    tokio::time::sleep(SETTLING).await;
    let bytes_per_counting = per_channel(process.written()?);
    let idle = if idle.is_zero() {
        None
    } else {
        let (began, before) = (Instant::now(), cpu());
        tokio::time::sleep(idle).await;
        let used = cpu() - before;
        let counting = house.counting();
        ensure!(counting == channels, "{counting} of {channels} channels still count down");
        Some(used.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0)
    };
    Ok(Restored { seconds: house.took.as_secs_f64(), bytes_per_restored, bytes_per_counting, idle })
}

/// The CPU time of this process, finer than the kernel's ticks.
fn cpu() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
}

async fn lateness(state_dir: &Path, channels: usize, spread: Duration) -> Result<Lateness> {
    let house = Rc::new(House::build(state_dir, SHORT, ONCE).await?);
    let mut heard = house.stops(channels)?;
    let deadlines = Rc::new(RefCell::new(vec![None; channels]));
    // In small bunches, each when its time has come: their deadlines are as far apart as they are.
    let bunch = if spread.is_zero() { PER_SOURCE } else { 50 };
    let began = tokio::time::Instant::now();
    for first in (0..channels).step_by(bunch) {
        tokio::time::sleep_until(began + spread.mul_f64(first as f64 / channels as f64)).await;
        let bunch = first..channels.min(first + bunch);
        let armed = house.report(bunch.clone(), 1)?;
        let (house, deadlines) = (Rc::clone(&house), Rc::clone(&deadlines));
        // The deadlines as they were armed, before a late warning can have moved one.
        actix_rt::spawn(async move {
            if armed.await.is_ok_and(|answer| answer.accepted as usize == bunch.len()) {
                deadlines.borrow_mut()[bunch.clone()].copy_from_slice(&house.deadlines(bunch));
            }
        });
    }
    let (mut decided, mut available) = (Vec::with_capacity(channels), Vec::with_capacity(channels));
    let mut first_of = vec![true; channels];
    while available.len() < channels {
        let stop = tokio::time::timeout(spread + SHORT + STRAGGLERS, heard.recv()).await;
        let stop = stop.ok().flatten().with_context(|| format!("{} of {channels} stops came", available.len()))?;
        // A redelivery is not late.
        if !std::mem::replace(&mut first_of[stop.channel], false) {
            continue;
        }
        let deadline = deadlines.borrow()[stop.channel].context("a stop without a countdown")?;
        ensure!(stop.decided_at >= deadline, "a stop was decided before its deadline");
        let milliseconds = |at: Timestamp| at.since(deadline).as_secs_f64() * 1e3;
        decided.push(milliseconds(stop.decided_at));
        available.push(milliseconds(stop.available_at));
    }
    Ok(Lateness { decided: Percentiles::of(decided), available: Percentiles::of(available) })
}

#[cfg(test)]
mod tests {
    use super::Percentiles;

    #[test]
    fn percentiles_are_taken_from_the_sorted_values() {
        let p = Percentiles::of((1..=101).rev().map(f64::from).collect());
        assert_eq!((p.p50, p.p99, p.max), (51.0, 100.0, 101.0));
    }
}
